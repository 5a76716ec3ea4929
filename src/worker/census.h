// Census: which programs of the lease use its GPUs, how much of each, and how busy software GPUs are; what
// NVML's process list and utilisation tell.
//
// The facts lie in memory that all workers of the lease share and nobody else (the lease's usage
// descriptor): every worker writes its own slot and reads all. A worker that was killed leaves its slot as it
// was; who reads it finds that its process is gone. The peers are workers of one tenant, yet a compromised
// one must not harm another: everything read from shared memory is bounded before it is used.
// Any thread may report load; the rest is the dispatch thread's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wire/rows.h"
#include "worker/exchange.h"
#include "worker/memory_table.h"

namespace bitfusion::worker {

struct CensusMemory {
    static constexpr int kSlots = 256;  // the most workers of a lease
    static constexpr int kBuckets = 16;
    static constexpr size_t kNameBytes = 64;

    struct Slot {
        std::atomic<uint32_t> worker;   // pid on the server; 0: free
        std::atomic<uint32_t> process;  // pid on the client
        std::atomic<uint64_t> gpus;     // bit i: has a context on GPU i of the lease
        char name[kNameBytes];
        std::atomic<uint64_t> bytes[Usage::kMostGpus];
        std::atomic<uint64_t> busy_since_ns[Usage::kMostGpus];  // 0: nothing runs
    };
    // Time during which kernels ran, by slice of time.
    struct Bucket {
        std::atomic<uint64_t> slice;
        std::atomic<uint64_t> busy_ns;
    };
    Slot slots[kSlots];
    Bucket busy[Usage::kMostGpus][kBuckets];
};

// What the lease's descriptor holds. The daemon reads the first part (wire/usage.h).
struct LeaseMemory {
    Usage usage;
    alignas(4096) CensusMemory census;
    alignas(4096) ExchangeMemory exchange;
};

static_assert(sizeof(LeaseMemory) <= wire::kLeaseMemoryBytes);

class Census {
  public:
    // How far back utilisation looks.
    static constexpr uint64_t kSliceNs = 62'500'000;
    static constexpr uint64_t kWindowNs = kSliceNs * (CensusMemory::kBuckets - 1);

    ~Census() { leave(); }

    // Takes a slot; without `memory` or a free slot the census stays empty and everything else is a no-op.
    // `worker` is this process's pid.
    void join(CensusMemory* memory, uint32_t worker, uint32_t process, const std::string& name);
    void leave();

    // A context came to be on this GPU of the lease: from now on the program is in its list.
    void uses(int gpu);
    void charge(int gpu, uint64_t bytes);
    void refund(int gpu, uint64_t bytes);

    // Kernels of a software GPU; several may run at once. Any thread. Times of CLOCK_MONOTONIC.
    void begin_load(int gpu, uint64_t now_ns);
    void end_load(int gpu, uint64_t now_ns);

    // `taken`: what NVML says of processes, by their pid on the server; of the others what they have charged.
    std::vector<wire::ProcessFact> processes(int gpu, const std::map<uint32_t, uint64_t>& taken = {}) const;
    // Share of the last second (kWindowNs) in which a kernel ran, 0 to 100.
    unsigned busy_percent(int gpu, uint64_t now_ns) const;

  private:
    void add_busy(int gpu, uint64_t from_ns, uint64_t to_ns);

    CensusMemory* memory_ = nullptr;
    std::atomic<CensusMemory::Slot*> slot_{nullptr};  // kernels may still end when the session has
    std::array<std::atomic<int>, Usage::kMostGpus> running_{};
};

uint64_t monotonic_ns();

}  // namespace bitfusion::worker
