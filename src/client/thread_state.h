// ThreadState: what the head of each message says of the thread that makes a call. One object, so that the
// hot path asks the system's thread storage once. The thread's own; set by context.cpp and capture.cpp.
#pragma once

#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

struct ThreadState {
    CUcontext context = nullptr;  // current
    CUdevice device = -1;         // its device
    uint16_t capture_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

    // The low half of the context's name.
    uint32_t context_name() const { return static_cast<uint32_t>(reinterpret_cast<uint64_t>(context)); }
};

ThreadState& thread_state();

}  // namespace bitfusion::client
