#include "link/socket_connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace bitfusion::link {
namespace {

struct FreeAddresses {
    void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

int wait_connected(int descriptor, int timeout_ms) {
    pollfd ready{descriptor, POLLOUT, 0};
    int count = 0;
    do count = poll(&ready, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    if (count == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

// 0 and the socket, or why not.
int connect_one(const addrinfo& where, int timeout_ms, int* connected) {
    const int descriptor = socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return errno;
    int error = connect(descriptor, where.ai_addr, where.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = wait_connected(descriptor, timeout_ms);
    if (error != 0) {
        close(descriptor);
        return error;
    }
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *connected = descriptor;
    return 0;
}

}  // namespace

tl::unexpected<Error> unreachable(const std::string& address, const std::string& why, int code) {
    return fail(
        "cannot reach " + address + ": " + why +
            "; check that the server runs ('bitfusion list_gpus') and that no firewall stands between",
        code);
}

Result<int> connect_socket(const std::string& address, int timeout_ms) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) return fail("'" + address + "' has no port; write it as host:port");
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int looked = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &wanted, &found);
    const std::unique_ptr<addrinfo, FreeAddresses> list(found);
    if (looked != 0) return unreachable(address, gai_strerror(looked), looked);
    int error = EHOSTUNREACH;
    for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
        int descriptor = -1;
        error = connect_one(*at, timeout_ms, &descriptor);
        if (error == 0) return descriptor;
    }
    if (error == EMFILE || error == ENFILE)
        return fail(
            "cannot allocate memory: too many files are open; raise the limit with 'ulimit -n 4096' or more",
            error);
    return unreachable(address, error == ETIMEDOUT ? "timed out" : strerror(error), error);
}

}  // namespace bitfusion::link
