// BC6H ("BPTC" of half floats).
#include <span>

#include "device/soft/simt/compressed_partition.h"
#include "device/soft/simt/half.h"

namespace bitfusion::soft {
namespace {

// The endpoints of a block: two a subset, three channels each.
enum Field : uint8_t { R0, R1, R2, R3, G0, G1, G2, G3, B0, B1, B2, B3 };
constexpr unsigned kFields = 12;

// Consecutive bits of a block that are bits first..last of a field, ascending or descending.
struct Run {
    Field field;
    uint8_t first, last;
};

struct Mode {
    bool transformed;   // all endpoints but the first are differences from it
    uint8_t base_bits;  // of the first endpoint, and of all when not transformed
    uint8_t delta_bits[3];
    std::span<const Run> runs;
};

constexpr Run kRuns10_555[] = {{G2, 4, 4}, {B2, 4, 4}, {B3, 4, 4}, {R0, 0, 9}, {G0, 0, 9},
                               {B0, 0, 9}, {R1, 0, 4}, {G3, 4, 4}, {G2, 0, 3}, {G1, 0, 4},
                               {B3, 0, 0}, {G3, 0, 3}, {B1, 0, 4}, {B3, 1, 1}, {B2, 0, 3},
                               {R2, 0, 4}, {B3, 2, 2}, {R3, 0, 4}, {B3, 3, 3}};
constexpr Run kRuns7_666[] = {{G2, 5, 5}, {G3, 4, 5}, {R0, 0, 6}, {B3, 0, 1}, {B2, 4, 4},
                              {G0, 0, 6}, {B2, 5, 5}, {B3, 2, 2}, {G2, 4, 4}, {B0, 0, 6},
                              {B3, 3, 3}, {B3, 5, 4}, {R1, 0, 5}, {G2, 0, 3}, {G1, 0, 5},
                              {G3, 0, 3}, {B1, 0, 5}, {B2, 0, 3}, {R2, 0, 5}, {R3, 0, 5}};
constexpr Run kRuns11_544[] = {{R0, 0, 9}, {G0, 0, 9},   {B0, 0, 9}, {R1, 0, 4}, {R0, 10, 10}, {G2, 0, 3},
                               {G1, 0, 3}, {G0, 10, 10}, {B3, 0, 0}, {G3, 0, 3}, {B1, 0, 3},   {B0, 10, 10},
                               {B3, 1, 1}, {B2, 0, 3},   {R2, 0, 4}, {B3, 2, 2}, {R3, 0, 4},   {B3, 3, 3}};
constexpr Run kRuns11_454[] = {{R0, 0, 9}, {G0, 0, 9},   {B0, 0, 9}, {R1, 0, 3},   {R0, 10, 10},
                               {G3, 4, 4}, {G2, 0, 3},   {G1, 0, 4}, {G0, 10, 10}, {G3, 0, 3},
                               {B1, 0, 3}, {B0, 10, 10}, {B3, 1, 1}, {B2, 0, 3},   {R2, 0, 3},
                               {B3, 0, 0}, {B3, 2, 2},   {R3, 0, 3}, {G2, 4, 4},   {B3, 3, 3}};
constexpr Run kRuns11_445[] = {{R0, 0, 9},   {G0, 0, 9}, {B0, 0, 9},   {R1, 0, 3}, {R0, 10, 10}, {B2, 4, 4},
                               {G2, 0, 3},   {G1, 0, 3}, {G0, 10, 10}, {B3, 0, 0}, {G3, 0, 3},   {B1, 0, 4},
                               {B0, 10, 10}, {B2, 0, 3}, {R2, 0, 3},   {B3, 1, 2}, {R3, 0, 3},   {B3, 4, 3}};
constexpr Run kRuns9_555[] = {{R0, 0, 8}, {B2, 4, 4}, {G0, 0, 8}, {G2, 4, 4}, {B0, 0, 8},
                              {B3, 4, 4}, {R1, 0, 4}, {G3, 4, 4}, {G2, 0, 3}, {G1, 0, 4},
                              {B3, 0, 0}, {G3, 0, 3}, {B1, 0, 4}, {B3, 1, 1}, {B2, 0, 3},
                              {R2, 0, 4}, {B3, 2, 2}, {R3, 0, 4}, {B3, 3, 3}};
constexpr Run kRuns8_655[] = {{R0, 0, 7}, {G3, 4, 4}, {B2, 4, 4}, {G0, 0, 7}, {B3, 2, 2}, {G2, 4, 4},
                              {B0, 0, 7}, {B3, 3, 4}, {R1, 0, 5}, {G2, 0, 3}, {G1, 0, 4}, {B3, 0, 0},
                              {G3, 0, 3}, {B1, 0, 4}, {B3, 1, 1}, {B2, 0, 3}, {R2, 0, 5}, {R3, 0, 5}};
constexpr Run kRuns8_565[] = {{R0, 0, 7}, {B3, 0, 0}, {B2, 4, 4}, {G0, 0, 7}, {G2, 5, 4},
                              {B0, 0, 7}, {G3, 5, 5}, {B3, 4, 4}, {R1, 0, 4}, {G3, 4, 4},
                              {G2, 0, 3}, {G1, 0, 5}, {G3, 0, 3}, {B1, 0, 4}, {B3, 1, 1},
                              {B2, 0, 3}, {R2, 0, 4}, {B3, 2, 2}, {R3, 0, 4}, {B3, 3, 3}};
constexpr Run kRuns8_556[] = {{R0, 0, 7}, {B3, 1, 1}, {B2, 4, 4}, {G0, 0, 7}, {B2, 5, 5},
                              {G2, 4, 4}, {B0, 0, 7}, {B3, 5, 4}, {R1, 0, 4}, {G3, 4, 4},
                              {G2, 0, 3}, {G1, 0, 4}, {B3, 0, 0}, {G3, 0, 3}, {B1, 0, 5},
                              {B2, 0, 3}, {R2, 0, 4}, {B3, 2, 2}, {R3, 0, 4}, {B3, 3, 3}};
constexpr Run kRuns6666[] = {{R0, 0, 5}, {G3, 4, 4}, {B3, 0, 1}, {B2, 4, 4}, {G0, 0, 5}, {G2, 5, 5},
                             {B2, 5, 5}, {B3, 2, 2}, {G2, 4, 4}, {B0, 0, 5}, {G3, 5, 5}, {B3, 3, 3},
                             {B3, 5, 4}, {R1, 0, 5}, {G2, 0, 3}, {G1, 0, 5}, {G3, 0, 3}, {B1, 0, 5},
                             {B2, 0, 3}, {R2, 0, 5}, {R3, 0, 5}};
constexpr Run kRuns10_10[] = {{R0, 0, 9}, {G0, 0, 9}, {B0, 0, 9}, {R1, 0, 9}, {G1, 0, 9}, {B1, 0, 9}};
constexpr Run kRuns11_9[] = {{R0, 0, 9}, {G0, 0, 9},   {B0, 0, 9}, {R1, 0, 8},  {R0, 10, 10},
                             {G1, 0, 8}, {G0, 10, 10}, {B1, 0, 8}, {B0, 10, 10}};
constexpr Run kRuns12_8[] = {{R0, 0, 9}, {G0, 0, 9},   {B0, 0, 9}, {R1, 0, 7},  {R0, 11, 10},
                             {G1, 0, 7}, {G0, 11, 10}, {B1, 0, 7}, {B0, 11, 10}};
constexpr Run kRuns16_4[] = {{R0, 0, 9}, {G0, 0, 9},   {B0, 0, 9}, {R1, 0, 3},  {R0, 15, 10},
                             {G1, 0, 3}, {G0, 15, 10}, {B1, 0, 3}, {B0, 15, 10}};

// By the number in the first two or five bits; null: reserved.
const Mode* find_mode(unsigned number) {
    static constexpr Mode k10_555{true, 10, {5, 5, 5}, kRuns10_555};
    static constexpr Mode k7_666{true, 7, {6, 6, 6}, kRuns7_666};
    static constexpr Mode k11_544{true, 11, {5, 4, 4}, kRuns11_544};
    static constexpr Mode k11_454{true, 11, {4, 5, 4}, kRuns11_454};
    static constexpr Mode k11_445{true, 11, {4, 4, 5}, kRuns11_445};
    static constexpr Mode k9_555{true, 9, {5, 5, 5}, kRuns9_555};
    static constexpr Mode k8_655{true, 8, {6, 5, 5}, kRuns8_655};
    static constexpr Mode k8_565{true, 8, {5, 6, 5}, kRuns8_565};
    static constexpr Mode k8_556{true, 8, {5, 5, 6}, kRuns8_556};
    static constexpr Mode k6666{false, 6, {6, 6, 6}, kRuns6666};
    static constexpr Mode k10_10{false, 10, {10, 10, 10}, kRuns10_10};
    static constexpr Mode k11_9{true, 11, {9, 9, 9}, kRuns11_9};
    static constexpr Mode k12_8{true, 12, {8, 8, 8}, kRuns12_8};
    static constexpr Mode k16_4{true, 16, {4, 4, 4}, kRuns16_4};
    switch (number) {
        case 0x00:
            return &k10_555;
        case 0x01:
            return &k7_666;
        case 0x02:
            return &k11_544;
        case 0x06:
            return &k11_454;
        case 0x0a:
            return &k11_445;
        case 0x0e:
            return &k9_555;
        case 0x12:
            return &k8_655;
        case 0x16:
            return &k8_565;
        case 0x1a:
            return &k8_556;
        case 0x1e:
            return &k6666;
        case 0x03:
            return &k10_10;
        case 0x07:
            return &k11_9;
        case 0x0b:
            return &k12_8;
        case 0x0f:
            return &k16_4;
        default:
            return nullptr;
    }
}

int sign_extended(int value, unsigned bits) {
    const int sign = 1 << (bits - 1);
    return ((value & ((1 << bits) - 1)) ^ sign) - sign;
}

int unquantized(int value, unsigned bits, bool is_signed) {
    if (!is_signed) {
        if (bits >= 15 || value == 0) return value;
        return value == (1 << bits) - 1 ? 0xffff : ((value << 16) + 0x8000) >> bits;
    }
    if (bits >= 16) return value;
    const int size = value < 0 ? -value : value;
    const int wide = size == 0                       ? 0
                     : size >= (1 << (bits - 1)) - 1 ? 0x7fff
                                                     : ((size << 15) + 0x4000) >> (bits - 1);
    return value < 0 ? -wide : wide;
}

float finished(int value, bool is_signed) {
    if (!is_signed) return from_f16(static_cast<uint16_t>(value * 31 >> 6));
    const int size = (value < 0 ? -value : value) * 31 >> 5;
    return from_f16(static_cast<uint16_t>(size | (value < 0 ? 0x8000 : 0)));
}

}  // namespace

BlockTexel decode_bc6h(const CompressedBlock& block, unsigned texel, bool is_signed) {
    BlockReader reader(block);
    unsigned number = reader.take(2);
    if (number > 1) number |= reader.take(3) << 2;
    const Mode* mode = find_mode(number);
    if (mode == nullptr) return {0, 0, 0, 1};
    int field[kFields] = {};
    for (const Run& run : mode->runs) {
        const int step = run.last >= run.first ? 1 : -1;
        for (int bit = run.first; bit != run.last + step; bit += step)
            field[run.field] |= static_cast<int>(reader.take(1)) << bit;
    }
    // The modes of one subset end in 11.
    const unsigned subsets = (number & 3) == 3 ? 1 : 2;
    const unsigned shape = subsets == 2 ? reader.take(5) : 0;
    const unsigned subset = subset_of(subsets, shape, texel);
    const unsigned bits = subsets == 2 ? 3 : 4;
    const unsigned index = take_index(reader, subsets, shape, bits, texel);
    BlockTexel out{0, 0, 0, 1};
    for (unsigned c = 0; c < 3; ++c) {
        int* point = field + 4 * c;
        if (is_signed) point[0] = sign_extended(point[0], mode->base_bits);
        for (unsigned e = 1; e < 2 * subsets; ++e) {
            if (is_signed || mode->transformed) point[e] = sign_extended(point[e], mode->delta_bits[c]);
            if (!mode->transformed) continue;
            point[e] = (point[0] + point[e]) & ((1 << mode->base_bits) - 1);
            if (is_signed) point[e] = sign_extended(point[e], mode->base_bits);
        }
        const int a = unquantized(point[2 * subset], mode->base_bits, is_signed);
        const int b = unquantized(point[2 * subset + 1], mode->base_bits, is_signed);
        out[c] = finished(interpolate(a, b, bits, index), is_signed);
    }
    return out;
}

}  // namespace bitfusion::soft
