// Link: a linker of the driver and what it may write to until it ends: option values and log buffers. One
// thread: the worker's dispatch thread.
#pragma once

#include "cuda_types.gen.h"
#include "worker/jit_options.h"

namespace bitfusion::worker {

struct Link {
    CUlinkState state = nullptr;
    JitOptions options;
};

}  // namespace bitfusion::worker
