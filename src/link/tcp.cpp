#include "link/tcp.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bitfusion::link {
namespace {

tl::unexpected<Error> unreachable(const std::string& address, const char* why, int code) {
    return fail(
        "cannot reach " + address + ": " + why +
            "; check that the server runs ('bitfusion list_gpus') and that no firewall stands between",
        code);
}

Status wait_connected(int descriptor, int timeout_ms, const std::string& address) {
    pollfd ready{descriptor, POLLOUT, 0};
    int count = 0;
    do count = poll(&ready, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    if (count == 0) return unreachable(address, "timed out", ETIMEDOUT);
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return unreachable(address, strerror(error), error);
    return {};
}

}  // namespace

Result<std::unique_ptr<Link>> connect_tcp(const std::string& address, int timeout_ms) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) return fail("'" + address + "' has no port; write it as host:port");
    addrinfo wanted{};
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int looked =
        getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &wanted, &found);
    if (looked != 0) return unreachable(address, gai_strerror(looked), looked);
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
        freeaddrinfo(found);
        return fail(std::string("cannot make a socket: ") + strerror(errno) + "; check 'ulimit -n'", errno);
    }
    std::unique_ptr<Link> link = over_socket(descriptor);
    const int begun = connect(descriptor, found->ai_addr, found->ai_addrlen);
    const int error = errno;
    freeaddrinfo(found);
    if (begun < 0 && error != EINPROGRESS) return unreachable(address, strerror(error), error);
    if (begun < 0) {
        Status connected = wait_connected(descriptor, timeout_ms, address);
        if (!connected) return tl::unexpected<Error>(connected.error());
    }
    const int flags = fcntl(descriptor, F_GETFL);
    fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return link;
}

}  // namespace bitfusion::link
