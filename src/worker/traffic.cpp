#include "worker/traffic.h"

namespace bitfusion::worker {
namespace {

class Counted : public link::Link {
  public:
    Counted(std::unique_ptr<link::Link> link, Traffic* traffic) : link_(std::move(link)), traffic_(traffic) {}

    Status send(std::span<const iovec> pieces) override {
        uint64_t bytes = 0;
        for (const iovec& piece : pieces) bytes += piece.iov_len;
        Status sent = link_->send(pieces);
        if (sent) traffic_->sent_bytes.fetch_add(bytes, std::memory_order_relaxed);
        return sent;
    }

    Result<link::Received> receive(void* target, size_t bytes, link::Wait wait) override {
        auto got = link_->receive(target, bytes, wait);
        if (got) traffic_->received_bytes.fetch_add(got->bytes, std::memory_order_relaxed);
        return got;
    }

    int wait_descriptor() const override { return link_->wait_descriptor(); }
    bool prepare_wait(bool woken) override { return link_->prepare_wait(woken); }
    bool shares_memory() const override { return link_->shares_memory(); }
    Status give_file(int descriptor) override { return link_->give_file(descriptor); }
    Result<Descriptor> take_file() override { return link_->take_file(); }
    void shut() override { link_->shut(); }
    void leave_to_parent() override { link_->leave_to_parent(); }

  private:
    std::unique_ptr<link::Link> link_;
    Traffic* traffic_;
};

}  // namespace

std::unique_ptr<link::Link> counted(std::unique_ptr<link::Link> link, Traffic* traffic) {
    if (traffic == nullptr) return link;
    return std::make_unique<Counted>(std::move(link), traffic);
}

}  // namespace bitfusion::worker
