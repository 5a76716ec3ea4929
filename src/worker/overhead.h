// Overhead: the memory of a GPU that this process takes beyond what the program allocated by calls: contexts,
// code and its variables, the device heap, local memory and stacks, the driver's granules, what memory pools
// keep. A partition holds all of it (spec 2.5), as a GPU of that size would.
//
// The driver says how much a process takes in all (NVML's list of compute processes); what the memory table
// has charged is taken off, and the rest is charged here. Asking takes about 25 us, so it is asked when the
// answer is needed: after a context or a module was made, when the program asks how much is free, and before
// an allocation when something has happened that may have changed it. What would grow by much in a launch is
// refused before. One thread: the worker's dispatch thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "cuda_types.gen.h"
#include "driver_table.gen.h"
#include "worker/memory_table.h"

namespace bitfusion::worker {

class Overhead {
  public:
    // Bytes that this process takes of a GPU of the lease; nothing: the driver does not say.
    using Physical = std::function<std::optional<uint64_t>(int gpu)>;

    Overhead(const DriverTable* driver, MemoryTable* memory) : driver_(driver), memory_(memory) {}
    ~Overhead();
    Overhead(const Overhead&) = delete;
    Overhead& operator=(const Overhead&) = delete;

    // From now on it is counted; `devices` are the driver's ordinals of the lease's GPUs.
    void count(std::vector<int> devices, Physical physical);
    bool limits() const { return physical_ != nullptr && memory_->partition() != 0; }

    // Something was done that may have made it more or less.
    void changed(int gpu) { of(gpu).stale = true; }
    void look(int gpu);
    // Looks; false when the lease has more than its partition.
    bool fits(int gpu);

    // Before an allocation of so many bytes: looks if that is due.
    void prepare(int gpu, uint64_t bytes);
    // An allocation did not fit: takes back what the driver keeps for later, and looks.
    void make_room(int gpu);

    // A pool that the program allocates from; those that end must be forgotten.
    void uses_pool(int gpu, CUmemoryPool pool);
    void forget_pools();
    // An allocation of so many bytes from a pool: first what the pool keeps becomes the program's again.
    void reuse(int gpu, uint64_t bytes);

    // Whether there is room for the local memory of a kernel that is launched for the first time: the driver
    // takes it for as many threads as the GPU can hold, of every context anew.
    CUresult may_launch(int gpu, uint64_t context, CUfunction function);
    // The same for cuCtxSetLimit(CU_LIMIT_STACK_SIZE).
    CUresult may_stack(int gpu, uint64_t context, uint64_t bytes_per_thread);
    // And for what the driver takes as a whole, now or when a kernel first needs it: the heap, the text of
    // printf.
    CUresult may_grow(int gpu, uint64_t bytes);
    void forget_context(uint64_t context);

  private:
    using Clock = std::chrono::steady_clock;
    struct OfGpu {
        uint64_t bytes = 0;     // charged now
        uint64_t reusable = 0;  // of them: what memory pools keep
        bool stale = true;
        Clock::time_point looked;
        std::optional<uint64_t> threads;  // that it can hold
        std::set<CUmemoryPool> pools;
    };

    OfGpu& of(int gpu) { return gpus_[static_cast<size_t>(gpu)]; }
    void set(int gpu, uint64_t bytes);
    uint64_t kept_by_pools(int gpu);
    uint64_t kept_by_graphs(int gpu);
    CUresult may_take(int gpu, uint64_t context, uint64_t bytes_per_thread, bool now);

    const DriverTable* const driver_;
    MemoryTable* const memory_;
    std::vector<int> devices_;
    Physical physical_;
    std::array<OfGpu, Usage::kMostGpus> gpus_;
    std::map<uint64_t, uint64_t> local_;  // bytes a thread that each context has room for
};

}  // namespace bitfusion::worker
