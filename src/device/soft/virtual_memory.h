// Virtual memory management: addresses reserved apart from the memory that is mapped there
// (cuMemAddressReserve, cuMemCreate, cuMemMap). PhysicalMemory is an anonymous file, so that one piece may be
// mapped at several addresses and in several processes.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda_api.gen.h"
#include "device/soft/gpu.h"
#include "device/soft/shared_file.h"

namespace bitfusion::soft {

inline constexpr uint64_t kVirtualGranule = uint64_t{2} << 20;

class PhysicalMemory {
  public:
    // Takes over the bytes that were charged to the device: none when another process made the memory.
    PhysicalMemory(Gpu& gpu, const CUmemAllocationProp& properties, SharedFilePtr file, uint64_t charged);
    ~PhysicalMemory();
    PhysicalMemory(const PhysicalMemory&) = delete;
    PhysicalMemory& operator=(const PhysicalMemory&) = delete;

    Gpu& gpu;
    const CUmemAllocationProp properties;
    const SharedFilePtr file;
    const uint64_t bytes;
    const uint64_t charged;
    CUmemGenericAllocationHandle handle = 0;
    std::atomic<int> retained{1};
};

}  // namespace bitfusion::soft
