// Mirrors: pages of this process that stand for host memory of the client's program which kernels reach
// (mapped pinned memory). The driver maps them into the GPU as it does a program's own pinned memory; the
// client sends what the program changed before work that may see it, and asks what the GPU changed after
// work has completed.
//
// The client wishes for the address that the memory has on its side, so that one pointer serves both. A wish
// is followed only where nothing is: the pages are always fresh ones of this table's own making. Bounded,
// because these pages are the server's RAM. One thread: the worker's dispatch thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>

#include "cuda_types.gen.h"
#include "driver_table.gen.h"
#include "wire/changes.h"

namespace bitfusion::worker {

class Mirrors {
  public:
    static constexpr uint64_t kPage = 4096;
    static constexpr uint64_t kMostBytes = uint64_t{4} << 30;  // of a session
    static constexpr size_t kMost = 16384;                     // each is a mapping of the kernel's or two

    // `most_ram`: of the server's, both copies of every page, at most 2 * kMostBytes.
    Mirrors(const DriverTable* driver, uint64_t most_ram)
        : driver_(driver), most_ram_(std::min(most_ram, 2 * kMostBytes)) {}
    // Nothing is unmapped at the end: the session's end is the process's, and the driver would wait for
    // kernels that may never end.
    ~Mirrors() = default;
    Mirrors(const Mirrors&) = delete;
    Mirrors& operator=(const Mirrors&) = delete;

    // Pages of zeros that kernels reach at *device. Needs a current context.
    CUresult map(uint64_t wish, uint64_t bytes, CUdeviceptr* device);
    // False when no mirror begins there.
    bool unmap(CUdeviceptr device);

    // Whether [device, device + bytes) lies in one mirror.
    bool holds(CUdeviceptr device, uint64_t bytes) const;
    // What the client sent; the range must be held.
    void write(CUdeviceptr device, std::span<const uint8_t> data);
    // Appends what the GPU changed since it was last told, up to about `most` bytes, of at most `looks` bytes
    // of memory; true: there may be more, and the next call goes on there.
    bool gather(size_t most, uint64_t looks, wire::Changes* changes);
    // All of it.
    void gather_all(wire::Changes* changes);
    // Whether the client is told of changes without asking.
    bool announces() const { return bytes_ != 0 && bytes_ <= wire::kMostAnnounced; }

    // A stream of the current context that waits for no other; nullptr with *result.
    CUstream stream(uint64_t context, CUresult* result);
    void forget_context(uint64_t context) { streams_.erase(context); }

  private:
    struct Mirror {
        uint8_t* pages;
        uint8_t* known;  // what both sides last agreed on
        uint64_t bytes;
    };
    const Mirror* find(CUdeviceptr device, uint64_t bytes, uint64_t* offset) const;

    const DriverTable* driver_;
    const uint64_t most_ram_;
    std::map<CUdeviceptr, Mirror> mirrors_;
    std::unordered_map<uint64_t, CUstream> streams_;  // by context
    uint64_t bytes_ = 0;
    CUdeviceptr next_ = 0;  // where gather() goes on; 0: at the beginning
};

}  // namespace bitfusion::worker
