// The client's connection to a data port: TCP, then the handshake.
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "link/socket_connect.h"
#include "link/tls_handshake.h"
#include "link/tls_record.h"

namespace bitfusion::link {
namespace {

class OpenSocket {
  public:
    explicit OpenSocket(int descriptor) : descriptor_(descriptor) {}
    OpenSocket(const OpenSocket&) = delete;
    OpenSocket& operator=(const OpenSocket&) = delete;
    ~OpenSocket() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    int get() const { return descriptor_; }
    int release() { return std::exchange(descriptor_, -1); }

  private:
    int descriptor_;
};

void set_deadline(int descriptor, int timeout_ms) {
    const timeval time{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

Status send_all(int descriptor, const std::vector<uint8_t>& bytes) {
    for (size_t at = 0; at < bytes.size();) {
        const ssize_t sent = send(descriptor, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return fail(std::string("cannot write to the peer: ") + strerror(errno), errno);
        at += static_cast<size_t>(sent);
    }
    return {};
}

tl::unexpected<Error> no_tls(const std::string& address, const std::string& why) {
    return fail("the server at " + address + " does not open an encrypted connection (" + why +
                "); check that it is the data port of the server that granted the session");
}

}  // namespace

Result<std::unique_ptr<Link>> connect_tls(const std::string& address, const Pin& pin, int timeout_ms) {
    const auto connected = connect_socket(address, timeout_ms);
    if (!connected) return tl::unexpected<Error>(connected.error());
    return secure_socket(*connected, address, pin, timeout_ms);
}

Result<std::unique_ptr<Link>> secure_socket(int connected, const std::string& address, const Pin& pin,
                                            int timeout_ms) {
    OpenSocket socket(connected);
    set_deadline(socket.get(), timeout_ms);
    auto handshake = TlsHandshake::of_client(pin);
    if (!handshake) return tl::unexpected<Error>(handshake.error());
    std::array<uint8_t, 16384> bytes{};
    ssize_t got = 0;
    for (;;) {
        std::vector<uint8_t> out;
        const auto done = handshake->step(bytes.data(), static_cast<size_t>(got), &out);
        const Status sent = send_all(socket.get(), out);
        if (!done && done.error().code == EPERM) return tl::unexpected<Error>(done.error());
        if (!done) return no_tls(address, done.error().what);
        if (!sent) return no_tls(address, sent.error().what);
        if (*done) break;
        do got = recv(socket.get(), bytes.data(), bytes.size(), 0);
        while (got < 0 && errno == EINTR);
        if (got == 0) return no_tls(address, "it closed the connection");
        if (got < 0) return no_tls(address, errno == EAGAIN ? "it does not answer" : strerror(errno));
    }
    set_deadline(socket.get(), 0);
    const auto state = handshake->state();
    if (!state) return tl::unexpected<Error>(state.error());
    const std::vector<uint8_t> early = handshake->early();
    return over_tls(socket.release(), *state, early);
}

}  // namespace bitfusion::link
