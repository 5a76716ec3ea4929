// BC1 to BC5, and the choice among all formats.
#include "device/soft/simt/compressed.h"

#include <algorithm>

namespace bitfusion::soft {
namespace {

constexpr unsigned kColorIndices = 32;  // where they begin
constexpr unsigned kValueIndices = 16;

std::array<float, 3> unpacked565(uint64_t bits) {
    return {static_cast<float>(bits >> 11 & 31) / 31.0f, static_cast<float>(bits >> 5 & 63) / 63.0f,
            static_cast<float>(bits & 31) / 31.0f};
}

// Two colours of 16 bits and two bits a texel. In BC1 the order of the colours says whether the fourth is
// transparent.
BlockTexel color(uint64_t bits, unsigned texel, bool may_be_transparent) {
    const uint64_t first = bits & 0xffff;
    const uint64_t second = bits >> 16 & 0xffff;
    const std::array<float, 3> a = unpacked565(first);
    const std::array<float, 3> b = unpacked565(second);
    const bool three = may_be_transparent && first <= second;
    const auto index = static_cast<unsigned>(bits >> (kColorIndices + 2 * texel) & 3);
    if (three && index == 3) return {};
    BlockTexel out{0, 0, 0, 1};
    for (unsigned c = 0; c < 3; ++c) {
        switch (index) {
            case 0:
                out[c] = a[c];
                break;
            case 1:
                out[c] = b[c];
                break;
            case 2:
                out[c] = three ? (a[c] + b[c]) / 2 : (2 * a[c] + b[c]) / 3;
                break;
            default:
                out[c] = (a[c] + 2 * b[c]) / 3;
        }
    }
    return out;
}

// Two values of 8 bits and three bits a texel.
float single(uint64_t bits, unsigned texel, bool is_signed) {
    const auto raw = [&](unsigned shift) {
        const auto byte = static_cast<uint8_t>(bits >> shift);
        return is_signed ? std::max<int>(static_cast<int8_t>(byte), -127) : int{byte};
    };
    const int first = raw(0);
    const int second = raw(8);
    const float scale = is_signed ? 127.0f : 255.0f;
    const float a = static_cast<float>(first) / scale;
    const float b = static_cast<float>(second) / scale;
    const auto index = static_cast<unsigned>(bits >> (kValueIndices + 3 * texel) & 7);
    if (index == 0) return a;
    if (index == 1) return b;
    const unsigned steps = first > second ? 7 : 5;
    if (index > steps) return index == 6 ? (is_signed ? -1.0f : 0.0f) : 1.0f;
    const auto part = static_cast<float>(index - 1);
    return (a * (static_cast<float>(steps) - part) + b * part) / static_cast<float>(steps);
}

}  // namespace

BlockTexel decode_texel(BlockFormat format, const CompressedBlock& block, unsigned x, unsigned y) {
    const unsigned texel = y * kBlockEdge + x;
    BlockTexel out{};
    switch (format) {
        case BlockFormat::kBc1:
            return color(block.low, texel, true);
        case BlockFormat::kBc2:
            out = color(block.high, texel, false);
            out[3] = static_cast<float>(block.low >> 4 * texel & 15) / 15.0f;
            return out;
        case BlockFormat::kBc3:
            out = color(block.high, texel, false);
            out[3] = single(block.low, texel, false);
            return out;
        case BlockFormat::kBc5:
        case BlockFormat::kBc5s:
            out[1] = single(block.high, texel, format == BlockFormat::kBc5s);
            [[fallthrough]];
        case BlockFormat::kBc4:
        case BlockFormat::kBc4s:
            out[0] = single(block.low, texel, format == BlockFormat::kBc4s || format == BlockFormat::kBc5s);
            return out;
        case BlockFormat::kBc6h:
        case BlockFormat::kBc6hs:
            return decode_bc6h(block, texel, format == BlockFormat::kBc6hs);
        case BlockFormat::kBc7:
            return decode_bc7(block, texel);
        case BlockFormat::kNone:
            break;
    }
    return out;
}

}  // namespace bitfusion::soft
