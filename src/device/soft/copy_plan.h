// CopyPlan: one memory copy, resolved to addresses: rows of bytes in planes.
//
// Every copy of the API, from cuMemcpyHtoD to cuMemcpy3DPeer, becomes one plan; a plain copy is one row. A
// plan is checked when it is made: device ranges lie inside allocations. Host ranges of the program are
// trusted, as in every CUDA driver. Units: bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_api.gen.h"

namespace bitfusion::soft {

class Array;

struct CopySide {
    uint64_t address = 0;          // of the first byte that is copied
    uint64_t pitch = 0;            // from row to row
    uint64_t slice = 0;            // from plane to plane
    bool pageable = false;         // ordinary memory of the program, not known to the driver
    bool host = false;             // host memory, pageable or pinned
    bool waited_for = false;       // CU_POINTER_ATTRIBUTE_SYNC_MEMOPS
    std::shared_ptr<Array> array;  // kept alive
};

struct CopyPlan {
    CopySide to;
    CopySide from;
    uint64_t width = 0;
    uint64_t height = 1;
    uint64_t depth = 1;
    CUDA_MEMCPY3D described{};  // for cuGraphMemcpyNodeGetParams
    // A copy of a pageable source, taken when the call was made; replaces from.
    std::shared_ptr<std::vector<std::byte>> staged;

    uint64_t bytes() const { return width * height * depth; }
};

void run_copy(const CopyPlan& plan);

// One row between two addresses of any kind; INVALID_VALUE when a side that must be the device's is not.
enum class Place : uint8_t { kHost, kDevice, kAny };
CUresult plan_row(uint64_t to, Place to_place, uint64_t from, Place from_place, uint64_t bytes,
                  CopyPlan* plan);

CUresult plan_box(const CUDA_MEMCPY3D& box, CopyPlan* plan);

}  // namespace bitfusion::soft
