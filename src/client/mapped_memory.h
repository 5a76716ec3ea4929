// Mapped memory: pinned host memory that kernels reach through a device pointer. The GPU cannot reach the
// client's RAM, so a shadow on the GPU stands for it: what the program wrote is sent before each launch, what
// kernels wrote is fetched after each synchronisation. Only bytes that changed travel to the GPU; the shadow
// is fetched whole, so this is for flags and small buffers. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// The largest host range that gets a shadow.
constexpr size_t kMostMapped = 16u << 20;

// The device address of a byte of pinned memory that begins at `base`.
CUresult map_into_gpu(void* base, size_t bytes, const void* at, CUdeviceptr* address);
// Before the host range goes away.
void unmap_from_gpu(void* base);

// Whether any memory is mapped; one relaxed load.
bool any_mapped();
// Host writes -> shadows, ahead of the launch that is about to be posted to the stream.
CUresult send_mapped(CUstream stream);
// Shadows -> host, after a synchronisation.
CUresult fetch_mapped();

}  // namespace bitfusion::client
