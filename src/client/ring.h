// Ring: the bytes that the program's threads have posted and the sender has not sent.
//
// One producer at a time (the session's post lock), one consumer at a time (its send lock). The memory is
// mapped twice in a row, so every message is contiguous. Positions only grow; the difference of head and tail
// is what waits. Memory order: the producer publishes with a release store of head, the consumer frees with a
// release store of tail.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace bitfusion::client {

class Ring {
  public:
    static constexpr size_t kBytes = 8u << 20;

    Ring() = default;
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    Status open();

    // Producer: where the next message goes, when `bytes` fit now; else nullptr.
    uint8_t* room(size_t bytes) const {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        if (head + bytes - tail_.load(std::memory_order_acquire) > kBytes) return nullptr;
        return base_ + head % kBytes;
    }
    void publish(size_t bytes) { head_.fetch_add(bytes, std::memory_order_seq_cst); }

    // Consumer.
    uint64_t head() const { return head_.load(std::memory_order_seq_cst); }
    uint64_t tail() const { return tail_.load(std::memory_order_relaxed); }
    const uint8_t* at(uint64_t position) const { return base_ + position % kBytes; }
    void release(uint64_t up_to) { tail_.store(up_to, std::memory_order_release); }

  private:
    uint8_t* base_ = nullptr;
    alignas(64) std::atomic<uint64_t> head_{0};
    alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace bitfusion::client
