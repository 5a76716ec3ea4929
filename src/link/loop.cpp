#include "link/loop.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "link/shm_link.h"

namespace bitfusion::link {
namespace {

using Ends = std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>;

Result<Ends> over_sockets() {
    auto ends = socket_pair();
    if (!ends) return tl::unexpected<Error>(ends.error());
    return Ends(over_socket(ends->first.release()), over_socket(ends->second.release()));
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
    bool prepare_wait(bool woken) override { return inner_->prepare_wait(woken); }
    bool shares_memory() const override { return inner_->shares_memory(); }
    Status give_file(int descriptor) override { return inner_->give_file(descriptor); }
    Result<Descriptor> take_file() override { return inner_->take_file(); }
    void shut() override { inner_->shut(); }
    void leave_to_parent() override { inner_->leave_to_parent(); }

  private:
    std::unique_ptr<Link> inner_;
    LoopFaults faults_;
    uint64_t sent_ = 0;
};

}  // namespace

Result<std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>> loop_pair(const LoopFaults& faults) {
    const char* kind = getenv("BITFUSION_LOOP");
    auto ends = kind != nullptr && strcmp(kind, "shm") == 0 ? shm_pair() : over_sockets();
    if (!ends) return ends;
    return Ends(std::make_unique<FaultyEnd>(std::move(ends->first), faults), std::move(ends->second));
}

}  // namespace bitfusion::link
