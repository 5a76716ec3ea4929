#include "link/link.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <future>
#include <numeric>
#include <vector>

#include "link/link_test.h"
#include "link/loop.h"
#include "link/tcp.h"

namespace bitfusion::link {
namespace {

class Loop : public testing::Test {
  protected:
    void open(const LoopFaults& faults = {}) {
        auto ends = loop_pair(faults);
        ASSERT_TRUE(ends);
        first_ = std::move(ends->first);
        second_ = std::move(ends->second);
    }
    bool readable(const Link& link) {
        pollfd ready{link.wait_descriptor(), POLLIN, 0};
        return poll(&ready, 1, 0) == 1;
    }
    std::unique_ptr<Link> first_, second_;
};

TEST_F(Loop, BytesArriveInOrderBothWays) {
    open();
    ASSERT_TRUE(send(*first_, pattern(1000)));
    ASSERT_TRUE(send(*second_, pattern(500)));
    EXPECT_EQ(receive(*second_, 1000), pattern(1000));
    EXPECT_EQ(receive(*first_, 500), pattern(500));
}

TEST_F(Loop, NothingThereIsNotAnEnd) {
    open();
    uint8_t byte = 0;
    const auto got = second_->receive(&byte, 1, Wait::kNo);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, 0u);
    EXPECT_FALSE(got->closed);
    EXPECT_FALSE(readable(*second_));
    ASSERT_TRUE(send(*first_, {7}));
    EXPECT_TRUE(readable(*second_));
    EXPECT_EQ(second_->receive(&byte, 1, Wait::kNo)->bytes, 1u);
    EXPECT_EQ(byte, 7);
}

TEST_F(Loop, MoreThanTheSocketHoldsIsSentInParts) {
    open();
    const Bytes sent = pattern(8u << 20);
    std::future<Bytes> got = std::async(std::launch::async, [&] { return receive(*second_, sent.size()); });
    ASSERT_TRUE(send(*first_, sent));
    EXPECT_EQ(got.get(), sent);
}

TEST_F(Loop, ManyPiecesAreOneStream) {
    open();
    const Bytes whole = pattern(200000);
    std::vector<iovec> pieces;  // more than one system call takes, of all sizes, empty ones too
    size_t at = 0;
    for (size_t size = 0; at < whole.size(); size = (size * 7 + 3) % 9001) {
        const size_t bytes = std::min(size, whole.size() - at);
        pieces.push_back({const_cast<uint8_t*>(whole.data()) + at, bytes});
        if (pieces.size() % 5 == 0) pieces.push_back({nullptr, 0});
        at += bytes;
    }
    ASSERT_GT(pieces.size(), 40u);
    std::future<Bytes> got = std::async(std::launch::async, [&] { return receive(*second_, whole.size()); });
    ASSERT_TRUE(first_->send(pieces));
    EXPECT_EQ(got.get(), whole);
}

TEST(Socket, ManyPiecesAreOneStreamWithoutTheLoop) {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const int small = 4096;  // so that the kernel takes pieces in part
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const auto first = over_socket(ends[0]);
    const auto second = over_socket(ends[1]);
    const Bytes whole = pattern(300000);
    std::vector<iovec> pieces;
    for (size_t at = 0; at < whole.size(); at += 3000)
        pieces.push_back(
            {const_cast<uint8_t*>(whole.data()) + at, std::min<size_t>(3000, whole.size() - at)});
    std::future<Bytes> got = std::async(std::launch::async, [&] { return receive(*second, whole.size()); });
    ASSERT_TRUE(first->send(pieces));
    EXPECT_EQ(got.get(), whole);
}

TEST_F(Loop, APeerThatHasGoneIsAnEnd) {
    open();
    ASSERT_TRUE(send(*first_, pattern(10)));
    first_.reset();
    EXPECT_EQ(receive(*second_, 10), pattern(10)) << "what was sent before still comes";
    uint8_t byte = 0;
    EXPECT_TRUE(second_->receive(&byte, 1, Wait::kBlock)->closed);
    EXPECT_TRUE(second_->receive(&byte, 1, Wait::kNo)->closed);
    const Status sent = send(*second_, pattern(10));
    ASSERT_FALSE(sent) << "and no signal ends this process";
    EXPECT_EQ(sent.error().code, EPIPE);
}

TEST_F(Loop, ShutWakesTheReceiver) {
    open();
    std::future<bool> closed = std::async(std::launch::async, [&] {
        uint8_t byte = 0;
        const auto got = second_->receive(&byte, 1, Wait::kBlock);
        return got && got->closed;
    });
    second_->shut();
    EXPECT_TRUE(closed.get());
    EXPECT_TRUE(readable(*first_));
}

TEST_F(Loop, ShutWakesTheSender) {
    open();
    const Bytes much = pattern(16u << 20);  // nobody reads it
    std::future<bool> sent = std::async(std::launch::async, [&] { return send(*first_, much).has_value(); });
    second_->shut();
    EXPECT_FALSE(sent.get());
}

TEST_F(Loop, ACutComesAtItsByte) {
    LoopFaults faults;
    faults.cut_after = 1234;
    open(faults);
    EXPECT_TRUE(send(*first_, pattern(1000)));
    EXPECT_FALSE(send(*first_, pattern(1000)));
    EXPECT_EQ(receive(*second_, 2000).size(), 1234u);
    uint8_t byte = 0;
    EXPECT_TRUE(first_->receive(&byte, 1, Wait::kBlock)->closed);
    EXPECT_FALSE(send(*first_, pattern(1)));
    EXPECT_FALSE(send(*second_, pattern(1)));
}

TEST_F(Loop, ACutAtNothingLetsNothingThrough) {
    LoopFaults faults;
    faults.cut_after = 0;
    open(faults);
    EXPECT_FALSE(send(*first_, pattern(1)));
    EXPECT_TRUE(receive(*second_, 1).empty());
}

TEST_F(Loop, OneByteArrivesWrong) {
    for (const uint64_t place : {uint64_t{0}, uint64_t{99}, uint64_t{100}, uint64_t{299}}) {
        LoopFaults faults;
        faults.corrupt_at = place;
        open(faults);
        Bytes expected = pattern(300);
        for (size_t at = 0; at < 300; at += 100)
            ASSERT_TRUE(send(*first_, Bytes(expected.begin() + static_cast<std::ptrdiff_t>(at),
                                            expected.begin() + static_cast<std::ptrdiff_t>(at + 100))));
        expected[place] ^= 0xff;
        EXPECT_EQ(receive(*second_, 300), expected);
        ASSERT_TRUE(send(*second_, pattern(300)));
        EXPECT_EQ(receive(*first_, 300), pattern(300)) << "the other direction is whole";
    }
}

TEST_F(Loop, ADelayIsWaitedOut) {
    LoopFaults faults;
    faults.delay_us = 20000;
    open(faults);
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(send(*first_, pattern(1)));
    EXPECT_EQ(receive(*second_, 1).size(), 1u);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::microseconds(faults.delay_us));
}

// ---- TCP, on loopback only
// ---------------------------------------------------------------------------------------------------------

class Listener {
  public:
    Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t length = sizeof address;
        EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
    }
    ~Listener() { close(socket_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    void listen() const { EXPECT_EQ(::listen(socket_, 1), 0); }
    std::unique_ptr<Link> accept() const { return over_socket(::accept(socket_, nullptr, nullptr)); }

  private:
    int socket_;
    int port_ = 0;
};

TEST(Tcp, ConnectsAndCarriesBytes) {
    const Listener listener;
    listener.listen();
    auto client = connect_tcp(listener.address(), 5000);
    ASSERT_TRUE(client) << client.error().what;
    const std::unique_ptr<Link> server = listener.accept();
    const Bytes sent = pattern(1u << 20);
    std::future<Bytes> got = std::async(std::launch::async, [&] { return receive(*server, sent.size()); });
    ASSERT_TRUE(send(**client, sent));
    EXPECT_EQ(got.get(), sent);
    uint8_t byte = 0;
    EXPECT_EQ((*client)->receive(&byte, 1, Wait::kNo)->bytes, 0u);
    server->shut();
    EXPECT_TRUE((*client)->receive(&byte, 1, Wait::kBlock)->closed) << "a blocking receive blocks again";
}

TEST(Tcp, ARefusalNamesAddressCauseAndWhatToDo) {
    const Listener listener;  // bound, so that nobody else has the port, but not listening
    const auto client = connect_tcp(listener.address(), 5000);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, ECONNREFUSED);
    EXPECT_EQ(client.error().what,
              "cannot reach " + listener.address() +
                  ": Connection refused; check that the server runs ('bitfusion list_gpus') and "
                  "that no firewall stands between");
}

TEST(Tcp, AnAddressWithoutAPortSaysHowToWriteIt) {
    const auto client = connect_tcp("127.0.0.1", 1000);
    ASSERT_FALSE(client);
    EXPECT_NE(client.error().what.find("host:port"), std::string::npos);
}

TEST(Tcp, APortThatIsNoneIsUnreachable) {
    EXPECT_FALSE(connect_tcp("127.0.0.1:port", 1000));
    EXPECT_FALSE(connect_tcp("127.0.0.1:99999", 1000));
    EXPECT_FALSE(connect_tcp(":", 1000));
}

}  // namespace
}  // namespace bitfusion::link
