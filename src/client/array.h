// Arrays: what the program was told of each array, so that descriptors and the bounds of copies need no
// question. Any thread.
#pragma once

#include <optional>

#include "cuda_types.gen.h"
#include "wire/array_shape.h"

namespace bitfusion::client {

struct ArrayFacts {
    CUDA_ARRAY3D_DESCRIPTOR description{};
    CUcontext context = nullptr;
    uint64_t parent = 0;  // handle of the array that it is a level or a plane of
    bool has_parts = false;
};

std::optional<ArrayFacts> array_of(CUarray array);
// Bytes of one element; 0 for formats of blocks and of several planes.
uint64_t element_bytes(const ArrayFacts& array);

// INVALID_HANDLE for no array, INVALID_VALUE for a box that leaves it. x and width in bytes.
CUresult check_array_box(CUarray array, uint64_t x, uint64_t y, uint64_t z, uint64_t width, uint64_t height,
                         uint64_t depth);

// Forgets the arrays, textures and surfaces of a context.
void forget_arrays_of(CUcontext context);
void forget_textures_of(CUcontext context);

}  // namespace bitfusion::client
