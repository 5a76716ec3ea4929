// Occupancy: how many blocks of a kernel fit on a multiprocessor, from its real limits.
//
// Source document: the occupancy calculation of the CUDA C++ Programming Guide with the limits of the GPU's
// capability. Pure functions.
#pragma once

#include <cstdint>

#include "device/soft/multiprocessor.h"
#include "device/soft/ptx/program.h"

namespace bitfusion::soft {

// Blocks of `threads` threads with this much dynamic shared memory that are resident on one multiprocessor at
// once; 0 when not even one fits.
uint32_t resident_blocks(const Kernel& kernel, const Multiprocessor& on, uint32_t threads,
                         uint64_t dynamic_shared);

// Dynamic shared memory that lets `blocks` blocks be resident; 0 when they cannot be for other reasons.
uint64_t available_shared(const Kernel& kernel, const Multiprocessor& on, uint32_t blocks, uint32_t threads);

}  // namespace bitfusion::soft
