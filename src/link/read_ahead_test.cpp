#include "link/read_ahead.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "link/link.h"
#include "link/link_test.h"
#include "link/tls_record.h"

namespace bitfusion::link {
namespace {

using namespace std::chrono_literals;

// Plain and encrypted links over a pair of sockets whose sends give up soon.
class ReadsAhead : public testing::TestWithParam<bool> {
  protected:
    ReadsAhead() {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_), 0);
        for (const int socket : sockets_) EXPECT_TRUE(limit_send(socket, 10ms));
    }
    std::unique_ptr<Link> link(size_t end) {
        if (!GetParam()) return over_socket(sockets_[end]);
        TlsState state;
        state.suite = 0x1302;
        state.read_secret = Bytes(48, static_cast<uint8_t>(1 + end));
        state.write_secret = Bytes(48, static_cast<uint8_t>(2 - end));
        return over_tls(sockets_[end], state).value();
    }
    int sockets_[2]{};
};

TEST_P(ReadsAhead, TwoThatSendFirstAndReceiveLaterComeToAnEnd) {
    const auto one = link(0);
    const auto other = link(1);
    const Bytes content = pattern(1 << 20);  // far more than the sockets hold
    const auto exchange = [&](Link* end) {
        EXPECT_TRUE(send(*end, content));
        EXPECT_EQ(receive(*end, content.size()), content);
        EXPECT_TRUE(end->prepare_wait(false));
    };
    auto done = std::async(std::launch::async, exchange, one.get());
    auto done_too = std::async(std::launch::async, exchange, other.get());
    for (auto* ended : {&done, &done_too}) {
        if (ended->wait_for(60s) == std::future_status::ready) continue;
        ADD_FAILURE() << "both wait for each other";
        one->shut();
        other->shut();
    }
}

TEST_P(ReadsAhead, WhatWasTakenIsReceivedBeforeAnybodySleeps) {
    const auto one = link(0);
    const auto other = link(1);
    EXPECT_TRUE(one->prepare_wait(false));
    const Bytes content = pattern(1 << 20);
    ASSERT_TRUE(send(*other, pattern(100)));
    auto sending = std::async(std::launch::async, [&] { return send(*one, content); });
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    int unread = 1;
    while (unread != 0 && std::chrono::steady_clock::now() < deadline) {
        ASSERT_EQ(ioctl(sockets_[1], SIOCOUTQ, &unread), 0);
        std::this_thread::yield();
    }
    EXPECT_EQ(unread, 0) << "nobody has read ahead";
    EXPECT_EQ(receive(*other, content.size()), content);
    EXPECT_TRUE(sending.get());
    EXPECT_FALSE(one->prepare_wait(false));
    EXPECT_EQ(receive(*one, 100), pattern(100));
    EXPECT_TRUE(one->prepare_wait(false));
}

TEST_P(ReadsAhead, AnEndIsNotMissed) {
    const auto one = link(0);
    auto other = link(1);
    ASSERT_TRUE(send(*other, pattern(100)));
    auto sending = std::async(std::launch::async, [&] { return send(*one, pattern(1 << 20)); });
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    int unread = 1;
    while (unread != 0 && std::chrono::steady_clock::now() < deadline) {
        ASSERT_EQ(ioctl(sockets_[1], SIOCOUTQ, &unread), 0);
        std::this_thread::yield();
    }
    other->shut();
    EXPECT_FALSE(sending.get());
    EXPECT_EQ(receive(*one, 200), pattern(100));
}

INSTANTIATE_TEST_SUITE_P(, ReadsAhead, testing::Bool(),
                         [](const auto& info) { return info.param ? "Encrypted" : "Plain"; });

TEST(ReadAhead, HoldsItsMostAndLeavesTheRest) {
    int sockets[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    const auto writer = over_socket(sockets[0]);
    const auto reader = over_socket(sockets[1]);
    const Bytes content = pattern(ReadAhead::kMost + 100);
    auto sending = std::async(std::launch::async, [&] { return send(*writer, content); });
    ReadAhead ahead;
    while (sending.wait_for(0s) != std::future_status::ready) ahead.fill(sockets[1]);
    ahead.fill(sockets[1]);
    ASSERT_TRUE(sending.get());
    Bytes taken(content.size());
    size_t count = 0;
    while (!ahead.empty()) count += ahead.take(taken.data() + count, 1000003);
    EXPECT_EQ(count, ReadAhead::kMost);
    const Bytes rest = receive(*reader, 100);
    std::copy(rest.begin(), rest.end(), taken.begin() + static_cast<std::ptrdiff_t>(count));
    EXPECT_EQ(taken, content);
}

}  // namespace
}  // namespace bitfusion::link
