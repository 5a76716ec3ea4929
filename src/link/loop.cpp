#include "link/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

namespace bitfusion::link {
namespace {

Result<std::array<int, 2>> socket_pair() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return fail(std::string("cannot make a socket pair: ") + strerror(errno), errno);
    }
    return ends;
}

// The end that applies the faults to what it sends.
class FaultyEnd final : public Link {
  public:
    FaultyEnd(std::unique_ptr<Link> inner, const LoopFaults& faults)
        : inner_(std::move(inner)), faults_(faults) {}

    Status send(std::span<const iovec> pieces) override {
        for (const iovec& piece : pieces) {
            std::vector<uint8_t> bytes(static_cast<const uint8_t*>(piece.iov_base),
                                       static_cast<const uint8_t*>(piece.iov_base) + piece.iov_len);
            if (faults_.corrupt_at != kNever && faults_.corrupt_at >= sent_ &&
                faults_.corrupt_at < sent_ + bytes.size()) {
                bytes[faults_.corrupt_at - sent_] ^= 0xff;
            }
            const uint64_t allowed = faults_.cut_after > sent_ ? faults_.cut_after - sent_ : 0;
            const size_t passed = std::min<uint64_t>(bytes.size(), allowed);
            if (faults_.delay_us != 0)
                std::this_thread::sleep_for(std::chrono::microseconds(faults_.delay_us));
            const iovec part{bytes.data(), passed};
            if (passed != 0) {
                Status sent = inner_->send({&part, 1});
                if (!sent) return sent;
            }
            sent_ += passed;
            if (passed < bytes.size()) {
                inner_->shut();
                return fail("the loop was cut as the test asked", EPIPE);
            }
        }
        return {};
    }
    Result<Received> receive(void* target, size_t bytes, Wait wait) override {
        return inner_->receive(target, bytes, wait);
    }
    int wait_descriptor() const override { return inner_->wait_descriptor(); }
    void shut() override { inner_->shut(); }

  private:
    std::unique_ptr<Link> inner_;
    LoopFaults faults_;
    uint64_t sent_ = 0;
};

}  // namespace

Result<std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>> loop_pair(const LoopFaults& faults) {
    auto ends = socket_pair();
    if (!ends) return tl::unexpected<Error>(ends.error());
    return std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>(
        std::make_unique<FaultyEnd>(over_socket((*ends)[0]), faults), over_socket((*ends)[1]));
}

}  // namespace bitfusion::link
