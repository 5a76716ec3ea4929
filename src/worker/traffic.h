// Traffic: what a lease's workers have received, sent and answered, in the lease's shared memory, where the
// daemon reads it for its metrics. Counts only: nothing is decided by them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "link/link.h"

namespace bitfusion::worker {

// At this offset of the lease's accounting memory (daemon/traffic.h reads the same three numbers).
constexpr size_t kTrafficOffset = 3072;

struct Traffic {
    std::atomic<uint64_t> received_bytes;
    std::atomic<uint64_t> sent_bytes;
    std::atomic<uint64_t> answers;  // replies to calls that the client waited for: its round trips
};
static_assert(sizeof(Traffic) == 24);

// The same link, counted. `traffic` outlives it; null counts nothing.
std::unique_ptr<link::Link> counted(std::unique_ptr<link::Link> link, Traffic* traffic);

}  // namespace bitfusion::worker
