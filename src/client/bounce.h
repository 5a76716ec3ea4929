// Bounce: reads of much device memory into pageable memory, when the worker is on this machine. The GPU
// writes into shared pages of ours (shared_pages.h), piece by piece, and this process copies each piece to
// its place while the next one is written. Any thread; one read at a time has the pages.
#pragma once

#include <cstddef>

#include "cuda_types.gen.h"

namespace bitfusion::client {

constexpr size_t kLeastBounced = 256u << 10;

// False: the pages are taken, or there can be none, and nothing was done. Else *result is the copy's, which
// is done.
bool bounce_out(void* target, CUdeviceptr source, size_t bytes, CUstream stream, CUresult* result);

}  // namespace bitfusion::client
