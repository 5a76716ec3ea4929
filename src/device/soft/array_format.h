// Array formats: what an element, a block or a plane of an array is.
//
// Formats are of three kinds: plain ones, whose elements lie side by side; block-compressed ones, whose rows
// are rows of blocks of 4 x 4 texels; and planar ones, which are several plain arrays behind one handle. Pure
// functions. Units: bytes, extents in elements. Source document: cuda.h, CUarray_format and cuArrayGetPlane.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/simt/compressed.h"

namespace bitfusion::soft {

// Bytes of one element; 0 for every format that is not plain.
uint64_t element_bytes(CUarray_format format, unsigned channels);
uint64_t element_bytes(const CUDA_ARRAY3D_DESCRIPTOR& description);

// kNone for every format that is not block-compressed, or with another number of channels than its own.
BlockFormat block_format(CUarray_format format, unsigned channels);
BlockFormat block_format(const CUDA_ARRAY3D_DESCRIPTOR& description);
bool is_srgb(CUarray_format format);

// What lies in memory: bytes of an element or a block, how many a row has, and rows; 0 bytes for a planar
// format and for one that there is not.
struct Rows {
    uint64_t unit = 0;
    uint64_t per_row = 0;
    uint64_t count = 0;
};
Rows rows_of(const CUDA_ARRAY3D_DESCRIPTOR& description);

// The arrays that a planar format consists of: luminance first, then both colour differences interleaved or
// one after the other. Empty for formats that have one plane, and for extents that the planes cannot share.
std::vector<CUDA_ARRAY3D_DESCRIPTOR> planes_of(const CUDA_ARRAY3D_DESCRIPTOR& description);

}  // namespace bitfusion::soft
