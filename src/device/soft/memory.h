// Memory of a device: allocation, and what other nouns of the driver need from it.
#pragma once

#include "device/soft/context.h"
#include "device/soft/driver.h"

namespace bitfusion::soft {

// Device memory that belongs to the context and is entered in the memory map. OUT_OF_MEMORY when it does not
// fit.
CUresult allocate(const ContextPtr& context, uint64_t bytes, uint64_t alignment, MemoryKind kind,
                  CUdeviceptr* out);

// Managed memory, at one address for host and device.
CUresult allocate_managed(const ContextPtr& context, uint64_t bytes, unsigned flags, CUdeviceptr* out);

// Takes back what allocate and allocate_managed gave; false when the kind at that address is another.
bool release(CUdeviceptr address, std::initializer_list<MemoryKind> kinds);

// Waits for everything that the device was given, so that no running work still uses what is freed next.
void wait_for_device(const Gpu& gpu);

}  // namespace bitfusion::soft
