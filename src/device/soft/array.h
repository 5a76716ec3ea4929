// Array: a CUDA array, laid out in rows. There are no textures in the software GPU: an array is storage for
// copies.
#pragma once

#include <memory>

#include "cuda_api.gen.h"
#include "device/soft/context.h"

namespace bitfusion::soft {

class Array {
  public:
    Array(CUarray handle, const ContextPtr& context, const CUDA_ARRAY3D_DESCRIPTOR& description,
          uint64_t address, uint64_t bytes);
    ~Array();

    const CUarray handle;
    const std::weak_ptr<Context> context;
    Gpu& gpu;
    const CUDA_ARRAY3D_DESCRIPTOR description;
    const uint64_t address;
    const uint64_t bytes;

    uint64_t row_bytes() const;
    uint64_t rows() const { return description.Height == 0 ? 1 : description.Height; }
    uint64_t planes() const { return description.Depth == 0 ? 1 : description.Depth; }
};

// Bytes of one element; 0 for formats that the software GPU does not have.
uint64_t element_bytes(const CUDA_ARRAY3D_DESCRIPTOR& description);

}  // namespace bitfusion::soft
