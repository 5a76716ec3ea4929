// BC7 ("BPTC" of unsigned normalized values).
#include <utility>

#include "device/soft/simt/compressed_partition.h"

namespace bitfusion::soft {
namespace {

struct Mode {
    uint8_t subsets;
    uint8_t shape_bits;
    uint8_t rotation_bits;
    uint8_t selection_bits;
    uint8_t color_bits;
    uint8_t alpha_bits;
    bool low_bit_each;    // of every endpoint
    bool low_bit_shared;  // of the two endpoints of a subset
    uint8_t index_bits;
    uint8_t second_index_bits;
};

constexpr Mode kModes[8] = {{3, 4, 0, 0, 4, 0, true, false, 3, 0},  {2, 6, 0, 0, 6, 0, false, true, 3, 0},
                            {3, 6, 0, 0, 5, 0, false, false, 2, 0}, {2, 6, 0, 0, 7, 0, true, false, 2, 0},
                            {1, 0, 2, 1, 5, 6, false, false, 2, 3}, {1, 0, 2, 0, 7, 8, false, false, 2, 2},
                            {1, 0, 0, 0, 7, 7, true, false, 4, 0},  {2, 6, 0, 0, 5, 5, true, false, 2, 0}};

constexpr unsigned kMostEndpoints = 6;
constexpr unsigned kTexels = kBlockEdge * kBlockEdge;

// `bits` bits to eight, the highest ones repeated.
int widened(unsigned value, unsigned bits) {
    value <<= 8 - bits;
    return static_cast<int>(value | value >> bits);
}

}  // namespace

BlockTexel decode_bc7(const CompressedBlock& block, unsigned texel) {
    BlockReader reader(block);
    unsigned number = 0;
    while (number < 8 && reader.take(1) == 0) ++number;
    if (number == 8) return {};  // reserved: transparent black
    const Mode& mode = kModes[number];
    const unsigned shape = reader.take(mode.shape_bits);
    const unsigned rotation = reader.take(mode.rotation_bits);
    const bool swapped = reader.take(mode.selection_bits) != 0;

    const unsigned endpoints = 2u * mode.subsets;
    unsigned raw[kMostEndpoints][4] = {};
    for (unsigned c = 0; c < 4; ++c)
        for (unsigned e = 0; e < endpoints; ++e)
            raw[e][c] = reader.take(c < 3 ? mode.color_bits : mode.alpha_bits);
    unsigned extra = 0;
    if (mode.low_bit_each || mode.low_bit_shared) {
        extra = 1;
        unsigned bit = 0;
        for (unsigned e = 0; e < endpoints; ++e) {
            if (mode.low_bit_each || e % 2 == 0) bit = reader.take(1);
            for (unsigned& value : raw[e]) value = value << 1 | bit;
        }
    }

    const unsigned subset = subset_of(mode.subsets, shape, texel);
    const unsigned first = take_index(reader, mode.subsets, shape, mode.index_bits, texel);
    unsigned color_index = first;
    unsigned color_index_bits = mode.index_bits;
    unsigned alpha_index = first;
    unsigned alpha_index_bits = mode.index_bits;
    if (mode.second_index_bits != 0) {
        reader.skip(kTexels * mode.index_bits - 1);
        const unsigned second = take_index(reader, 1, 0, mode.second_index_bits, texel);
        (swapped ? color_index : alpha_index) = second;
        (swapped ? color_index_bits : alpha_index_bits) = mode.second_index_bits;
    }

    int value[4] = {0, 0, 0, 255};
    for (unsigned c = 0; c < 4; ++c) {
        const bool alpha = c == 3;
        if (alpha && mode.alpha_bits == 0) break;
        const unsigned bits = (alpha ? mode.alpha_bits : mode.color_bits) + extra;
        value[c] =
            interpolate(widened(raw[2 * subset][c], bits), widened(raw[2 * subset + 1][c], bits),
                        alpha ? alpha_index_bits : color_index_bits, alpha ? alpha_index : color_index);
    }
    if (rotation != 0) std::swap(value[3], value[rotation - 1]);
    BlockTexel out;
    for (unsigned c = 0; c < 4; ++c) out[c] = static_cast<float>(value[c]) / 255.0f;
    return out;
}

}  // namespace bitfusion::soft
