// Handover: memory that the program and the GPU share changes hands where CUDA says that it does. Work that
// may reach it takes it from the program: what the program wrote is sent ahead. A synchronisation gives it
// back. Two kinds: pinned memory that is mapped (mapped_memory.h) and managed memory (managed_pages.h). Any
// thread; never under a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Whether there ever was any such memory: one load, for programs that have none.
inline std::atomic<bool> g_sharing{false};
inline bool anything_shared() { return g_sharing.load(std::memory_order_relaxed); }
// Whether the range reaches into it, or into shared pages (shared_pages.h), which never change hands.
bool is_shared(uint64_t address, size_t bytes);
// Whether a synchronous operation on this memory returns only when the GPU has done it: because the host
// reaches the memory, or because the program wants that of the memory or of the current context.
inline std::atomic<bool> g_ever_wanted{false};
bool is_wanted_synchronous(uint64_t address);
inline bool waits_for_gpu(uint64_t address, size_t bytes) {
    return is_shared(address, bytes) ||
           (g_ever_wanted.load(std::memory_order_relaxed) && is_wanted_synchronous(address));
}
// What a synchronous operation on these addresses answers when it has been posted to the stream.
CUresult finish_synchronous(CUresult posted, CUstream stream, uint64_t target, uint64_t source = 0);
// Ahead of work that may reach all memory: kernels, graphs.
CUresult hand_over_shared();
inline CUresult hand_over() { return anything_shared() ? hand_over_shared() : CUDA_SUCCESS; }
// Ahead of work that reaches this range alone.
inline CUresult hand_over_range(uint64_t address, size_t bytes) {
    return anything_shared() && is_shared(address, bytes) ? hand_over_shared() : CUDA_SUCCESS;
}
// Ahead of a wait or a poll: a kernel that runs may wait for what the program wrote into mapped memory.
CUresult show_shared();
inline CUresult show_gpu() { return anything_shared() ? show_shared() : CUDA_SUCCESS; }
// After a synchronisation, or a query that found work completed.
CUresult take_back_shared();
inline CUresult take_back() { return anything_shared() ? take_back_shared() : CUDA_SUCCESS; }

// Whether a device operation may name the range; maps pinned memory that is called by its host address.
bool reaches_gpu(uint64_t address, size_t bytes);

}  // namespace bitfusion::client
