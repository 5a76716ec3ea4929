// Multiprocessor: what one multiprocessor of a compute capability has, and what one block of it may take.
//
// Programs choose kernels and block sizes by these numbers, so a GPU that says another capability has to say,
// and keep to, other numbers. Source document: CUDA C++ Programming Guide, "Technical Specifications per
// Compute Capability". Pure function. Units: bytes.
#pragma once

#include <cstdint>

namespace bitfusion::soft {

struct Multiprocessor {
    uint32_t threads;
    uint32_t blocks;
    uint32_t shared_bytes;
    uint32_t block_shared_bytes;     // with CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    uint32_t reserved_shared_bytes;  // of each block, by the system

    bool operator==(const Multiprocessor&) const = default;
};

// A capability that the document does not list has the numbers of the one before it.
Multiprocessor multiprocessor_of(int cc_major, int cc_minor);

}  // namespace bitfusion::soft
