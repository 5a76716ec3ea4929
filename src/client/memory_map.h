// Memory map: every range of memory that the program has from CUDA, by address, so that a pointer can be
// classified without asking anybody. Device addresses are the worker's; the client reserves the same numbers
// in its own address space, so that no host object can ever have one. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::client {

struct MemoryRange {
    // kOpened: of another process, by cuIpcOpenMemHandle. kMapped: what a pinned range is called by kernels,
    // where that is not its host address. kGraph: comes and goes with a graph; a free ends one use of it, not
    // the range.
    enum class Kind { kDevice, kPool, kVirtual, kSymbol, kHost, kManaged, kMapped, kGraph, kOpened };
    Kind kind = Kind::kDevice;
    uint64_t base = 0;
    size_t bytes = 0;
    CUcontext context = nullptr;
    CUdevice device = -1;
    uint64_t id = 0;           // CU_POINTER_ATTRIBUTE_BUFFER_ID: never reused
    unsigned flags = 0;        // of host memory: as allocated or registered
    bool registered = false;   // host memory that the program allocated itself
    size_t mapped_bytes = 0;   // of host memory: what we mmapped, 0 if registered
    uint64_t owner = 0;        // of a variable: its module or library; of kMapped: the host address
    uint64_t mapped_at = 0;    // of host memory: its device address, 0 while kernels cannot reach it
    bool shared = false;       // of host memory: the worker has the same pages (shared_pages.h)
    bool sync_memops = false;  // CU_POINTER_ATTRIBUTE_SYNC_MEMOPS
};

void remember_range(MemoryRange range);
// Removes the variables of a module or library; tells which of them were managed.
std::vector<MemoryRange> forget_variables(uint64_t owner);
// Removes the range that begins at base, if it is of this kind.
std::optional<MemoryRange> forget_range(uint64_t base, MemoryRange::Kind kind);
// The range that holds the address.
std::optional<MemoryRange> range_of(uint64_t address);
// Whether [address, address + bytes) lies in memory that the GPU reaches at this address, resp. in pinned
// host memory.
bool is_device(uint64_t address, size_t bytes);
bool is_pinned(const void* address, size_t bytes);
// False as long as the program never had pinned host memory.
inline std::atomic<bool> g_ever_pinned{false};
inline bool ever_pinned() { return g_ever_pinned.load(std::memory_order_relaxed); }
// False for most addresses that are not pinned host memory, without a lock.
bool may_be_pinned(uint64_t address);
// Sets CU_POINTER_ATTRIBUTE_SYNC_MEMOPS of the range that holds the address; false when there is none.
bool note_sync_memops(uint64_t address, bool set);
// Notes where the GPU reaches the host range that begins at base.
void note_mapping(uint64_t base, uint64_t mapped_at);

// Takes the numbers [base, base + bytes) out of this process's address space; false when something is there
// already.
bool reserve_addresses(uint64_t base, size_t bytes);
// Where `bytes` are free in this process now, at `hint` if they are there: an address to wish for. Nothing
// holds it; 0: there is none.
uint64_t free_addresses(uint64_t hint, size_t bytes);
// For tests that run client and worker in one process, where device memory is mapped here anyway.
void trust_addresses(bool trust = true);
bool trusts_addresses();

}  // namespace bitfusion::client
