// Usage: the memory that the workers of one lease and the daemon share: how much of the lease's partition is
// in use, and whether anything happens.
//
// The daemon makes it, one for each lease, and maps it into every worker of the lease. Each worker counts
// twice: in the lease's total, which the partition is held against, and in a slot of its own, or, what it
// shares with others of the lease, in a record (shared_charge.h). A worker that ends returns what it has; for
// one that was killed the daemon takes its slot out of the total. Any thread and process; all of one tenant.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "wire/shared_charge.h"

namespace bitfusion::wire {

struct Usage {
    static constexpr int kMostGpus = 64;
    static constexpr int kMostWorkers = 256;
    static constexpr int kMostShared = 4096;

    struct Slot {
        std::atomic<uint64_t> bytes[kMostGpus];
    };

    std::atomic<uint64_t> bytes[kMostGpus];  // of the whole lease, per GPU of the lease
    std::atomic<uint64_t> activity;          // grows with every batch of messages that a worker serves
    uint64_t reserved[384 - kMostGpus - 1];
    std::atomic<uint64_t>
        received_bytes;  // what the workers have received, sent and answered (worker/traffic.h)
    std::atomic<uint64_t> sent_bytes;
    std::atomic<uint64_t> answers;
    uint64_t reserved_too[512 - 384 - 3];
    Slot slots[kMostWorkers];
    SharedCharge shared[kMostShared];
};

static_assert(offsetof(Usage, received_bytes) == 3072 && offsetof(Usage, slots) == 4096);
static_assert(std::atomic<uint64_t>::is_always_lock_free, "shared between processes");

// The daemon makes the memory this large; what lies behind the Usage is the workers' own (worker/census.h).
constexpr size_t kLeaseMemoryBytes = 1 << 20;

// What the worker of this slot still counts is taken out of the total: it is gone.
inline void forget_worker(Usage* usage, int slot) {
    for (int gpu = 0; gpu < Usage::kMostGpus; ++gpu)
        take_out(&usage->bytes[gpu], usage->slots[slot].bytes[gpu].exchange(0));
    release_charges_of(usage, slot);
}

}  // namespace bitfusion::wire
