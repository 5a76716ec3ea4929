// wmma with elements of 4 bits and of 1 bit ("PTX ISA", section 9.7.14.4).
//
// A is given row by row, B column by column, and both keep a row or column of k elements in the words of four
// lanes: word w, which lane w holds, is part w % 4 of row or column w / 4.
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kSize = 8;

// op = {address, stride in elements}; immediate: type
void load_words(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const auto type = static_cast<Type>(in.immediate & 0xff);
    const unsigned per = type == Type::kB1 ? 32 : 8;
    const auto lane = static_cast<unsigned>(std::countr_zero(mask));
    const uint64_t base = source<uint64_t>(warp, in.op[0])[lane];
    const uint64_t stride = source<uint32_t>(warp, in.op[1])[lane];
    auto* d = target<uint32_t>(warp, warp.operands[in.extra]);
    for (unsigned w = 0; w < kWarpSize; ++w) {
        const uint64_t at = base + (w / 4 * (stride / per) + w % 4) * 4;
        const std::byte* place = resolve<AddressSpace::kGeneric>(warp, lane, at, 4);
        if (place == nullptr) return;
        std::memcpy(&d[w], place, 4);
    }
}

int32_t element(uint32_t word, unsigned i, Type type) {
    if (type == Type::kB1) return static_cast<int32_t>(word >> i & 1);
    const uint32_t bits = word >> (4 * i) & 15;
    return type == Type::kS4 ? static_cast<int32_t>(bits << 28) >> 28 : static_cast<int32_t>(bits);
}

// immediate: types of d, a, b, c; flags bit 24: saturates, bit 25: xor; operands[extra..] = d d a b c c
void multiply(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const auto a_type = static_cast<Type>(in.immediate >> 8 & 0xff);
    const auto b_type = static_cast<Type>(in.immediate >> 16 & 0xff);
    const unsigned per = a_type == Type::kB1 ? 32 : 8;
    const bool saturates = (in.flags >> 24 & 1) != 0;
    const bool differs = (in.flags >> 25 & 1) != 0;
    const uint32_t* registers = warp.operands + in.extra;
    const auto* a = source<uint32_t>(warp, registers[2]);
    const auto* b = source<uint32_t>(warp, registers[3]);
    int64_t sums[kSize][kSize] = {};
    for (unsigned row = 0; row < kSize; ++row)
        for (unsigned column = 0; column < kSize; ++column)
            for (unsigned k = 0; k < 4 * per; ++k) {
                const int32_t x = element(a[row * 4 + k / per], k % per, a_type);
                const int32_t y = element(b[column * 4 + k / per], k % per, b_type);
                sums[row][column] += differs ? x ^ y : x * y;
            }
    // C's and D's elements follow each other row by row, two a lane
    each_lane(mask, [&](unsigned lane) {
        for (unsigned i = 0; i < 2; ++i) {
            const unsigned index = lane * 2 + i;
            const auto c = static_cast<int32_t>(source<uint32_t>(warp, registers[4 + i])[lane]);
            const int64_t sum = sums[index / kSize][index % kSize] + c;
            target<uint32_t>(warp, registers[i])[lane] =
                static_cast<uint32_t>(saturates ? std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX) : sum);
        }
    });
}

}  // namespace

Handler select_wmma_bits_load() { return load_words; }
Handler select_wmma_bits() { return multiply; }

}  // namespace bitfusion::soft
