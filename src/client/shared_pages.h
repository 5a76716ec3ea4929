// Shared pages: pinned memory of this process that a worker on the same machine maps too, so that copies and
// kernels reach it where it lies (src/worker/shared_pages.h). All memory that the program gets from
// cuMemHostAlloc is such memory while the session runs over shared memory; what it registers itself is not,
// nor is anything when the server is another machine: mapped_memory.h, registered_copy.h and tickets
// (feedback.h) serve those. Any thread.
#pragma once

#include <cstddef>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Whole pages, zeroed, that kernels reach at *device. Null: there can be none; any other memory does as well.
// msg::PagesUnshare is the worker's end of them, munmap() this process's: in either order, since work that
// the GPU has begun still reaches the worker's.
void* share_pages(size_t bytes, CUdeviceptr* device);
// The device address of host memory that lies in shared pages as a whole; 0: it does not.
CUdeviceptr in_shared_pages(const void* host, size_t bytes);

// A copy of which one side at least lies in shared pages. Awaited: it is done when this returns.
CUresult copy_pages(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream, bool awaited);

}  // namespace bitfusion::client
