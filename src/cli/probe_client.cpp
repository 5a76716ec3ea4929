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
#include <memory>
#include <utility>
#include <vector>

#include "link/link.h"

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
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<SocketAddress> address_of(const std::string& ip, uint16_t port) {
    SocketAddress address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
        return address;
    }
    if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) != 1) return fail("'" + ip + "' is no IP address");
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
    return address;
}

Status open_connection(int fd, const std::string& from, const SocketAddress& to) {
    if (!from.empty()) {
        const auto local = address_of(from, 0);
        if (!local) return tl::unexpected(local.error());
        if (bind(fd, local->get(), local->size) != 0)
            return fail("cannot send from " + from + ": " + strerror(errno));
    }
    if (connect(fd, to.get(), to.size) != 0 && errno != EINPROGRESS) return fail(strerror(errno), errno);
    pollfd ready{fd, POLLOUT, 0};
    if (poll(&ready, 1, kConnectMs) <= 0) return fail("timed out");
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(strerror(error), error);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return {};
}

void set_silence(int fd) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSilence, sizeof kSilence);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSilence, sizeof kSilence);
}

Status send_all(link::Link& link, const std::vector<uint8_t>& bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    return link.send({&piece, 1});
}

Status receive_all(link::Link& link, std::vector<uint8_t>* bytes) {
    for (size_t at = 0; at < bytes->size();) {
        const auto got = link.receive(bytes->data() + at, bytes->size() - at, link::Wait::kBlock);
        if (!got) return tl::unexpected(got.error());
        if (got->closed) return fail("the server closed the connection");
        if (got->bytes == 0) return fail("the server does not answer");
        at += got->bytes;
    }
    return {};
}

Status introduce(link::Link& link, const wire::Ticket& ticket) {
    wire::Hello hello;
    hello.process = static_cast<uint32_t>(getpid());
    hello.ticket = ticket;
    hello.program = "net_perf";
    const std::vector<uint8_t> opening = wire::encode(hello);
    if (auto sent = send_all(link, opening); !sent) return sent;
    std::vector<uint8_t> bytes(wire::kPrefixBytes);
    if (auto got = receive_all(link, &bytes); !got) return got;
    const auto prefix = wire::decode_prefix(bytes.data(), wire::kWelcomeMagic);
    if (!prefix) return tl::unexpected(prefix.error());
    std::vector<uint8_t> body(prefix->body_bytes);
    if (auto got = receive_all(link, &body); !got) return got;
    const auto welcome = wire::decode_welcome(*prefix, body);
    if (!welcome) return tl::unexpected(welcome.error());
    if (welcome->refusal != wire::Refusal::kNone) return fail("the server refused: " + welcome->text);
    return {};
}

// The median of one way, in microseconds.
Result<double> one_way_us(link::Link& link, size_t bytes, size_t rounds) {
    std::vector<uint8_t> message(4 + bytes, 0x5a);
    for (size_t i = 0; i < 4; ++i) message[i] = static_cast<uint8_t>(bytes >> (8 * i));
    std::vector<uint8_t> echo(bytes);
    std::vector<double> times;
    for (size_t round = 0; round < rounds; ++round) {
        const auto begin = Clock::now();
        if (auto sent = send_all(link, message); !sent) return tl::unexpected(sent.error());
        if (auto got = receive_all(link, &echo); !got) return tl::unexpected(got.error());
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / 2);
        if (!std::equal(echo.begin(), echo.end(), message.begin() + 4))
            return fail("the server did not send back what it was sent");
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(rounds / 2), times.end());
    return times[rounds / 2];
}

}  // namespace

Result<Measurement> measure(const std::string& from, const std::string& to_ip, uint16_t port,
                            const wire::Ticket& ticket, const std::optional<link::Pin>& pin) {
    const auto to = address_of(to_ip, port);
    if (!to) return tl::unexpected(to.error());
    Socket connection(socket(to->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connection.get() < 0)
        return fail(std::string("cannot make a socket: ") + strerror(errno) + "; raise ulimit -n");
    if (auto opened = open_connection(connection.get(), from, *to); !opened)
        return tl::unexpected(opened.error());
    std::unique_ptr<link::Link> link;
    if (pin) {
        auto secured = link::secure_socket(
            connection.release(),
            (to->storage.ss_family == AF_INET6 ? "[" + to_ip + "]" : to_ip) + ":" + std::to_string(port),
            *pin, kConnectMs);
        if (!secured) return tl::unexpected(secured.error());
        link = std::move(*secured);
    } else {
        link = link::over_socket(connection.release());
    }
    set_silence(link->wait_descriptor());
    if (auto admitted = introduce(*link, ticket); !admitted) return tl::unexpected(admitted.error());
    const auto small = one_way_us(*link, 1, kSmallRounds);
    if (!small) return tl::unexpected(small.error());
    const auto large = one_way_us(*link, kLarge, kLargeRounds);
    if (!large) return tl::unexpected(large.error());
    return Measurement{*small, *large};
}

}  // namespace bitfusion::cli
