// Array shape: the box of bytes that copies of an array may touch, and what an array costs. Client and worker
// both check copies against it; formats and flags are CUDA's numbers (cuda.h), which need no header here.
#pragma once

#include <algorithm>
#include <cstdint>

#include "wire/codec.h"

namespace bitfusion::wire {

struct ArrayShape {
    uint64_t row_bytes = 0;  // 0: a format that only the driver can measure
    uint64_t rows = 1;
    uint64_t planes = 1;  // slices or layers
};

// Bytes of one element; 0 for formats of blocks and of several planes.
constexpr uint64_t element_bytes(uint32_t format, uint32_t channels) {
    if (channels != 1 && channels != 2 && channels != 4) return 0;
    if (format >= 0xc0 && format <= 0xcb) {  // UNORM_INT8X1 ... SNORM_INT16X4: by threes, 8 and 16 bits
        const uint32_t index = format - 0xc0;
        return uint64_t{1u << index % 3} * (index / 3 % 2 == 0 ? 1 : 2);
    }
    switch (format) {
        case 0x01:  // UNSIGNED_INT8
        case 0x08:  // SIGNED_INT8
            return channels;
        case 0x02:  // UNSIGNED_INT16
        case 0x09:  // SIGNED_INT16
        case 0x10:  // HALF
            return uint64_t{2} * channels;
        case 0x03:  // UNSIGNED_INT32
        case 0x0a:  // SIGNED_INT32
        case 0x20:  // FLOAT
            return uint64_t{4} * channels;
        default:
            return 0;
    }
}

// Bytes of a block of 4 x 4 texels; 0 for formats without blocks (BC1 ... BC7 have them).
constexpr uint64_t block_bytes(uint32_t format) {
    if (format < 0x91 || format > 0x9e) return 0;
    const bool half = format == 0x91 || format == 0x92 || format == 0x97 || format == 0x98;  // BC1, BC4
    return half ? 8 : 16;
}

constexpr ArrayShape array_shape(uint64_t width, uint64_t height, uint64_t depth, uint32_t format,
                                 uint32_t channels) {
    return {(Extent(width) * Extent(element_bytes(format, channels))).value, std::max<uint64_t>(height, 1),
            std::max<uint64_t>(depth, 1)};
}

// Whether a box lies inside; of a format that is not known here the driver has to say.
constexpr bool holds_box(const ArrayShape& shape, uint64_t x, uint64_t y, uint64_t z, uint64_t width,
                         uint64_t height, uint64_t depth) {
    if (shape.row_bytes == 0) return true;
    return (Extent(x) + Extent(width)).value <= shape.row_bytes &&
           (Extent(y) + Extent(height)).value <= shape.rows &&
           (Extent(z) + Extent(depth)).value <= shape.planes;
}

// What an array of so many levels counts for: GPUs lay arrays out in tiles of 64 bytes by 8 rows. `layered`:
// the depth does not shrink from level to level.
constexpr uint64_t array_cost(uint64_t width, uint64_t height, uint64_t depth, uint32_t format,
                              uint32_t channels, uint32_t levels, bool layered) {
    constexpr uint64_t kMostElement = 16;
    const uint64_t known = element_bytes(format, channels);
    const uint64_t block = block_bytes(format);
    const uint64_t element = block != 0 ? block : known != 0 ? known : kMostElement;
    const auto elements = [block](uint64_t texels) {
        return block == 0 ? texels : texels / 4 + (texels % 4 == 0 ? 0 : 1);
    };
    const auto rounded = [](Extent bytes, uint64_t unit) {
        return bytes.value > UINT64_MAX - unit ? UINT64_MAX : (bytes.value + unit - 1) / unit * unit;
    };
    Extent total = 0;
    for (uint32_t level = 0; level < std::clamp(levels, 1u, 64u); ++level) {
        const auto smaller = [level](uint64_t extent) { return std::max<uint64_t>(extent >> level, 1); };
        const uint64_t pitch = rounded(Extent(elements(smaller(width))) * Extent(element), 64);
        const uint64_t rows = height > 1 ? rounded(Extent(elements(smaller(height))), 8) : 1;
        const uint64_t planes = layered ? std::max<uint64_t>(depth, 1) : smaller(depth);
        total = total + Extent(rounded(Extent(pitch) * Extent(rows) * Extent(planes), 512));
    }
    return total.value;
}

}  // namespace bitfusion::wire
