// mma.sync.m8n8k4 of f16 ("PTX ISA", section 9.7.14.5.1): four products of 8x4 and 4x8 matrices side by side.
// Lanes 4 q to 4 q + 3 and the lanes 16 further on hold product q; "upper" lanes are those from 16 on.
#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kSize = 8;
constexpr unsigned kDepth = 4;

unsigned product_of(unsigned lane) { return lane % 16 / 4; }
unsigned upper(unsigned lane) { return lane < 16 ? 0 : 4; }

struct Place {
    unsigned row;
    unsigned column;
};

template <bool Wide>
Place place_of(unsigned lane, unsigned i) {
    if (!Wide) return {lane % 4 + upper(lane), i};
    return {(lane & 1) + (i & 2) + upper(lane), (i & 4) + (lane & 2) + (i & 1)};
}

double half_at(const Warp& warp, const uint32_t* registers, unsigned lane, unsigned i) {
    const uint32_t word = source<uint32_t>(warp, registers[i / 2])[lane];
    return static_cast<double>(from_f16(static_cast<uint16_t>(word >> (16 * (i % 2)))));
}

// operands[extra..] = d..., a..., b..., c...
template <bool ARow, bool BRow, bool DWide, bool CWide>
void multiply(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const uint32_t* d = warp.operands + in.extra;
    const uint32_t* a = d + (DWide ? 8 : 4);
    const uint32_t* b = a + 2;
    const uint32_t* c = b + 2;
    double left[4][kSize][kDepth];
    double right[4][kDepth][kSize];
    double sums[4][kSize][kSize];
    for (unsigned lane = 0; lane < kWarpSize; ++lane) {
        const unsigned q = product_of(lane);
        const unsigned own = lane % 4;
        for (unsigned i = 0; i < kDepth; ++i) {
            const double x = half_at(warp, a, lane, i);
            const double y = half_at(warp, b, lane, i);
            if (ARow)
                left[q][own + upper(lane)][i] = x;
            else
                left[q][i + upper(lane)][own] = x;
            if (BRow)
                right[q][own][i + upper(lane)] = y;
            else
                right[q][i][own + upper(lane)] = y;
        }
        for (unsigned i = 0; i < kSize; ++i) {
            const Place place = place_of<CWide>(lane, i);
            sums[q][place.row][place.column] =
                CWide ? static_cast<double>(std::bit_cast<float>(source<uint32_t>(warp, c[i])[lane]))
                      : half_at(warp, c, lane, i);
        }
    }
    for (unsigned q = 0; q < 4; ++q)
        for (unsigned row = 0; row < kSize; ++row)
            for (unsigned column = 0; column < kSize; ++column)
                for (unsigned k = 0; k < kDepth; ++k)
                    sums[q][row][column] += left[q][row][k] * right[q][k][column];
    each_lane(mask, [&](unsigned lane) {
        uint32_t words[8] = {};
        for (unsigned i = 0; i < kSize; ++i) {
            const Place place = place_of<DWide>(lane, i);
            const double sum = sums[product_of(lane)][place.row][place.column];
            if (DWide)
                words[i] = put(canonical(static_cast<float>(sum)));
            else
                words[i / 2] |= static_cast<uint32_t>(to_f16(sum)) << (16 * (i % 2));
        }
        for (unsigned i = 0; i < (DWide ? 8 : 4); ++i) target<uint32_t>(warp, d[i])[lane] = words[i];
    });
}

template <bool ARow, bool BRow>
Handler of_types(Type d, Type c) {
    if (d == Type::kF32 && c == Type::kF32) return multiply<ARow, BRow, true, true>;
    if (d == Type::kF32 && c == Type::kF16) return multiply<ARow, BRow, true, false>;
    if (d == Type::kF16 && c == Type::kF16) return multiply<ARow, BRow, false, false>;
    return nullptr;
}

}  // namespace

Handler select_quads(std::string_view a_layout, std::string_view b_layout, Type d, Type c) {
    if ((a_layout != "row" && a_layout != "col") || (b_layout != "row" && b_layout != "col")) return nullptr;
    if (a_layout == "row")
        return b_layout == "row" ? of_types<true, true>(d, c) : of_types<true, false>(d, c);
    return b_layout == "row" ? of_types<false, true>(d, c) : of_types<false, false>(d, c);
}

}  // namespace bitfusion::soft
