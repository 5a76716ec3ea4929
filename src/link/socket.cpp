#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "link/link.h"
#include "link/read_ahead.h"

namespace bitfusion::link {
namespace {

class SocketLink final : public Link {
  public:
    explicit SocketLink(int descriptor) : descriptor_(descriptor) {}
    ~SocketLink() override { close(descriptor_); }
    SocketLink(const SocketLink&) = delete;
    SocketLink& operator=(const SocketLink&) = delete;

    Status send(std::span<const iovec> pieces) override {
        constexpr size_t kMostPieces = 16;
        std::array<iovec, kMostPieces> left{};
        while (!pieces.empty()) {
            const size_t count = std::min(pieces.size(), kMostPieces);
            std::copy_n(pieces.begin(), count, left.begin());
            pieces = pieces.subspan(count);
            Status sent = send_some(left.data(), count);
            if (!sent) return sent;
        }
        return {};
    }

    Result<Received> receive(void* target, size_t bytes, Wait wait) override {
        if (!ahead_.empty()) return Received{ahead_.take(target, bytes), false};
        for (;;) {
            const ssize_t got = recv(descriptor_, target, bytes, wait == Wait::kNo ? MSG_DONTWAIT : 0);
            if (got > 0) return Received{static_cast<size_t>(got), false};
            if (got == 0) return Received{0, true};
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) return Received{};
            if (errno == ECONNRESET || errno == EPIPE) return Received{0, true};
            return fail(std::string("cannot read from the peer: ") + strerror(errno), errno);
        }
    }

    int wait_descriptor() const override { return descriptor_; }
    bool prepare_wait(bool /*woken*/) override { return ahead_.empty(); }
    void shut() override { shutdown(descriptor_, SHUT_RDWR); }
    void leave_to_parent() override { close(descriptor_); }

  private:
    Status send_some(iovec* pieces, size_t count) {
        size_t first = 0;
        while (first < count) {
            msghdr message{};
            message.msg_iov = pieces + first;
            message.msg_iovlen = count - first;
            const ssize_t sent = sendmsg(descriptor_, &message, MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EINTR) continue;
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    ahead_.fill(descriptor_);
                    continue;
                }
                return fail(std::string("cannot write to the peer: ") + strerror(errno), errno);
            }
            auto done = static_cast<size_t>(sent);
            while (first < count && done >= pieces[first].iov_len) done -= pieces[first++].iov_len;
            if (first < count) {
                pieces[first].iov_base = static_cast<uint8_t*>(pieces[first].iov_base) + done;
                pieces[first].iov_len -= done;
            }
        }
        return {};
    }

    int descriptor_;
    ReadAhead ahead_;
};

}  // namespace

std::unique_ptr<Link> over_socket(int descriptor) { return std::make_unique<SocketLink>(descriptor); }

}  // namespace bitfusion::link
