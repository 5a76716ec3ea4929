// Compressed: one texel out of a block of 4 x 4 texels, in the formats BC1 to BC7.
//
// Pure functions of 8 or 16 bytes; every bit pattern is a block, so nothing here can fail. BC7 and BC6H are
// exact, as their specification demands; BC1 to BC5 are interpolated in single precision. Results are linear
// values before sRGB is undone. Any thread. Source document: Khronos, "Data Format Specification", chapters
// "S3TC Compressed Texture Image Formats", "RGTC" and "BPTC".
#pragma once

#include <array>
#include <cstdint>

namespace bitfusion::soft {

enum class BlockFormat : uint8_t { kNone, kBc1, kBc2, kBc3, kBc4, kBc4s, kBc5, kBc5s, kBc6h, kBc6hs, kBc7 };

inline constexpr uint32_t kBlockEdge = 4;  // texels

constexpr uint32_t block_bytes(BlockFormat format) {
    switch (format) {
        case BlockFormat::kNone:
            return 0;
        case BlockFormat::kBc1:
        case BlockFormat::kBc4:
        case BlockFormat::kBc4s:
            return 8;
        default:
            return 16;
    }
}

constexpr uint32_t channels_of(BlockFormat format) {
    switch (format) {
        case BlockFormat::kBc4:
        case BlockFormat::kBc4s:
            return 1;
        case BlockFormat::kBc5:
        case BlockFormat::kBc5s:
            return 2;
        case BlockFormat::kBc6h:
        case BlockFormat::kBc6hs:
            return 3;
        default:
            return 4;
    }
}

// The bits of a block, the first byte lowest; blocks of 8 bytes leave `high` alone.
struct CompressedBlock {
    uint64_t low = 0;
    uint64_t high = 0;
};

using BlockTexel = std::array<float, 4>;  // red, green, blue, alpha; channels that the format lacks are zero

// Texel (x, y) of the block, both below kBlockEdge.
BlockTexel decode_texel(BlockFormat format, const CompressedBlock& block, unsigned x, unsigned y);

// compressed_bc7.cpp and compressed_bc6h.cpp; `texel` counts row by row. BC6H's alpha is one.
BlockTexel decode_bc7(const CompressedBlock& block, unsigned texel);
BlockTexel decode_bc6h(const CompressedBlock& block, unsigned texel, bool is_signed);

}  // namespace bitfusion::soft
