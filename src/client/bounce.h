// Bounce: large copies between pageable memory and the GPU, when the worker is on this machine. They go
// through shared pages of ours (shared_pages.h), piece by piece: this process copies one piece while the GPU
// is at another. Any thread; one copy at a time has the pages.
#pragma once

#include <cstddef>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// False: the copy is too small for it, the pages are taken, or there can be none, and nothing was done. Else
// *result is the copy's, which is done.
bool bounce_out(void* target, CUdeviceptr source, size_t bytes, CUstream stream, CUresult* result);
bool bounce_in(CUdeviceptr target, const void* source, size_t bytes, CUstream stream, CUresult* result);

}  // namespace bitfusion::client
