#include "bench/delay_line.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <vector>

namespace bitfusion::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Socket {
    explicit Socket(int n) : number(n) {}
    ~Socket() { close(number); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    const int number;
};

// A listener of the test, a line to it, and the two ends of one connection through it.
class DelayLineTest : public testing::Test {
  protected:
    void open(std::chrono::microseconds one_way, double bits_per_second) {
        listener_ = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof place;
        ASSERT_EQ(bind(listener_->number, reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
        ASSERT_EQ(listen(listener_->number, 1), 0);
        ASSERT_EQ(getsockname(listener_->number, reinterpret_cast<sockaddr*>(&place), &length), 0);
        DelayLineOptions options;
        options.to_port = ntohs(place.sin_port);
        options.one_way = one_way;
        options.bits_per_second = bits_per_second;
        auto opened = DelayLine::open(options);
        ASSERT_TRUE(opened) << opened.error().what;
        line_ = std::move(*opened);
        place.sin_port = htons(line_->port());
        client_ = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM, 0));
        ASSERT_EQ(connect(client_->number, reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
        server_ = std::make_unique<Socket>(accept(listener_->number, nullptr, nullptr));
        ASSERT_GE(server_->number, 0);
    }
    static size_t receive_all(int descriptor, std::vector<uint8_t>* into) {
        size_t at = 0;
        while (at < into->size()) {
            const ssize_t got = recv(descriptor, into->data() + at, into->size() - at, 0);
            if (got <= 0) break;
            at += static_cast<size_t>(got);
        }
        return at;
    }
    std::unique_ptr<Socket> listener_;
    std::unique_ptr<DelayLine> line_;
    std::unique_ptr<Socket> client_;
    std::unique_ptr<Socket> server_;
};

TEST_F(DelayLineTest, NothingArrivesBeforeItsTime) {
    ASSERT_NO_FATAL_FAILURE(open(std::chrono::milliseconds(20), 0));
    for (int i = 0; i < 3; ++i) {
        const auto begin = Clock::now();
        uint8_t byte = 5;
        ASSERT_EQ(send(client_->number, &byte, 1, 0), 1);
        ASSERT_EQ(recv(server_->number, &byte, 1, 0), 1);
        EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(20));
        ASSERT_EQ(send(server_->number, &byte, 1, 0), 1);
        ASSERT_EQ(recv(client_->number, &byte, 1, 0), 1);
        EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(40));
    }
}

TEST_F(DelayLineTest, BytesKeepTheirOrderAndTheRateIsALimit) {
    ASSERT_NO_FATAL_FAILURE(open(std::chrono::microseconds(0), 100e6));
    std::vector<uint8_t> sent(1u << 20);
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<uint8_t>(i * 7 + i / 1000);
    const auto begin = Clock::now();
    auto sending = std::async(std::launch::async, [&] {
        size_t at = 0;
        while (at < sent.size()) {
            const ssize_t n = send(client_->number, sent.data() + at, sent.size() - at, 0);
            if (n <= 0) return;
            at += static_cast<size_t>(n);
        }
    });
    std::vector<uint8_t> got(sent.size());
    EXPECT_EQ(receive_all(server_->number, &got), got.size());
    sending.wait();
    EXPECT_EQ(got, sent);
    EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(83)) << "8 Mbit at 100 Mbit/s take 84 ms";
}

TEST_F(DelayLineTest, ALineThatBecomesSlowHoldsItsSenderUp) {
    ASSERT_NO_FATAL_FAILURE(open(std::chrono::microseconds(0), 0));
    line_->set_rate(1e6);
    std::vector<uint8_t> bytes(4u << 20, 3);
    size_t taken = 0;  // by the sockets, and one piece by the line
    timeval patience{0, 100000};
    setsockopt(client_->number, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (ssize_t n = 0; taken < 64 * bytes.size(); taken += static_cast<size_t>(n)) {
        n = send(client_->number, bytes.data(), bytes.size(), 0);
        if (n <= 0) break;
    }
    EXPECT_LT(taken, 32u << 20) << "the line took all of it";
    line_->set_rate(0);
    std::vector<uint8_t> got(taken);
    EXPECT_EQ(receive_all(server_->number, &got), taken);
}

TEST_F(DelayLineTest, AnEndIsHandedOnInBothDirections) {
    ASSERT_NO_FATAL_FAILURE(open(std::chrono::microseconds(100), 0));
    std::vector<uint8_t> bytes(100, 3);
    ASSERT_EQ(send(server_->number, bytes.data(), bytes.size(), 0), 100);
    shutdown(server_->number, SHUT_WR);
    std::vector<uint8_t> got(200);
    EXPECT_EQ(receive_all(client_->number, &got), 100u);
    shutdown(client_->number, SHUT_WR);
    EXPECT_EQ(receive_all(server_->number, &got), 0u);
}

TEST_F(DelayLineTest, ItEndsWithOpenConnections) {
    ASSERT_NO_FATAL_FAILURE(open(std::chrono::microseconds(100), 1e6));
    std::vector<uint8_t> bytes(1000, 3);
    ASSERT_EQ(send(client_->number, bytes.data(), bytes.size(), 0), 1000);
    line_.reset();
    std::vector<uint8_t> got(2000);
    EXPECT_LE(receive_all(server_->number, &got), 1000u);
}

}  // namespace
}  // namespace bitfusion::bench
