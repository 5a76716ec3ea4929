#include "cli/probe_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

namespace bitfusion::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kConnectMs = 3000;
constexpr timeval kSilence = {5, 0};
constexpr size_t kLarge = 1000000;
constexpr size_t kSmallRounds = 200;
constexpr size_t kLargeRounds = 12;

// Owns the connection.
class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {}
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

Result<sockaddr_in> address_of(const std::string& ip, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1)
        return fail("'" + ip + "' is no IPv4 address");
    return address;
}

Status open_connection(int fd, const std::string& from, const sockaddr_in& to) {
    if (!from.empty()) {
        const auto local = address_of(from, 0);
        if (!local) return tl::unexpected(local.error());
        if (bind(fd, reinterpret_cast<const sockaddr*>(&*local), sizeof *local) != 0)
            return fail("cannot send from " + from + ": " + strerror(errno));
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
        return fail(strerror(errno), errno);
    pollfd ready{fd, POLLOUT, 0};
    if (poll(&ready, 1, kConnectMs) <= 0) return fail("timed out");
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(strerror(error), error);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSilence, sizeof kSilence);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSilence, sizeof kSilence);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return {};
}

Status send_all(int fd, const uint8_t* bytes, size_t count) {
    while (count > 0) {
        const ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return fail(std::string("the connection broke: ") + strerror(errno), errno);
        bytes += sent;
        count -= static_cast<size_t>(sent);
    }
    return {};
}

Status receive_all(int fd, uint8_t* bytes, size_t count) {
    while (count > 0) {
        const ssize_t got = recv(fd, bytes, count, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return fail("the server closed the connection");
        if (got < 0) return fail(std::string("the connection broke: ") + strerror(errno), errno);
        bytes += got;
        count -= static_cast<size_t>(got);
    }
    return {};
}

Status introduce(int fd, const wire::Ticket& ticket) {
    wire::Hello hello;
    hello.process = static_cast<uint32_t>(getpid());
    hello.ticket = ticket;
    hello.program = "net_perf";
    const std::vector<uint8_t> opening = wire::encode(hello);
    if (auto sent = send_all(fd, opening.data(), opening.size()); !sent) return sent;
    std::vector<uint8_t> bytes(wire::kPrefixBytes);
    if (auto got = receive_all(fd, bytes.data(), bytes.size()); !got) return got;
    const auto prefix = wire::decode_prefix(bytes.data(), wire::kWelcomeMagic);
    if (!prefix) return tl::unexpected(prefix.error());
    std::vector<uint8_t> body(prefix->body_bytes);
    if (auto got = receive_all(fd, body.data(), body.size()); !got) return got;
    const auto welcome = wire::decode_welcome(*prefix, body);
    if (!welcome) return tl::unexpected(welcome.error());
    if (welcome->refusal != wire::Refusal::kNone) return fail("the server refused: " + welcome->text);
    return {};
}

// The median of one way, in microseconds.
Result<double> one_way_us(int fd, size_t bytes, size_t rounds) {
    std::vector<uint8_t> message(4 + bytes, 0x5a);
    for (size_t i = 0; i < 4; ++i) message[i] = static_cast<uint8_t>(bytes >> (8 * i));
    std::vector<uint8_t> echo(bytes);
    std::vector<double> times;
    for (size_t round = 0; round < rounds; ++round) {
        const auto begin = Clock::now();
        if (auto sent = send_all(fd, message.data(), message.size()); !sent)
            return tl::unexpected(sent.error());
        if (auto got = receive_all(fd, echo.data(), echo.size()); !got) return tl::unexpected(got.error());
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / 2);
        if (!std::equal(echo.begin(), echo.end(), message.begin() + 4))
            return fail("the server did not send back what it was sent");
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rounds / 2), times.end());
    return times[rounds / 2];
}

}  // namespace

Result<Measurement> measure(const std::string& from, const std::string& to_ip, uint16_t port,
                            const wire::Ticket& ticket) {
    const auto to = address_of(to_ip, port);
    if (!to) return tl::unexpected(to.error());
    const Socket connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connection.get() < 0)
        return fail(std::string("cannot make a socket: ") + strerror(errno) + "; raise ulimit -n");
    if (auto opened = open_connection(connection.get(), from, *to); !opened)
        return tl::unexpected(opened.error());
    if (auto admitted = introduce(connection.get(), ticket); !admitted)
        return tl::unexpected(admitted.error());
    const auto small = one_way_us(connection.get(), 1, kSmallRounds);
    if (!small) return tl::unexpected(small.error());
    const auto large = one_way_us(connection.get(), kLarge, kLargeRounds);
    if (!large) return tl::unexpected(large.error());
    return Measurement{*small, *large};
}

}  // namespace bitfusion::cli
