// Partitions: which texels of a BC6H or BC7 block take their colour from which pair of endpoints.
#pragma once

#include <cstdint>

#include "device/soft/simt/compressed.h"

namespace bitfusion::soft {

// The subset of a texel in partition `shape`, when a block has so many subsets.
unsigned subset_of(unsigned subsets, unsigned shape, unsigned texel);
// The texel of a subset whose index is stored without its highest bit.
unsigned anchor_of(unsigned subsets, unsigned shape, unsigned subset);

// `a` and `b` mixed by index `index` of `bits` (2 to 4) bits.
int interpolate(int a, int b, unsigned bits, unsigned index);

// Reads a block from its lowest bit on.
class BlockReader {
  public:
    explicit BlockReader(const CompressedBlock& block) : block_(block) {}

    // `count` is below 32; the 128 bits of a block are never exceeded by its format.
    unsigned take(unsigned count) {
        const unsigned value = at(at_, count);
        at_ += count;
        return value;
    }
    void skip(unsigned count) { at_ += count; }

  private:
    unsigned at(unsigned begin, unsigned count) const {
        if (count == 0 || begin >= 128) return 0;
        const uint64_t bits = begin >= 64  ? block_.high >> (begin - 64)
                              : begin == 0 ? block_.low
                                           : block_.low >> begin | block_.high << (64 - begin);
        return static_cast<unsigned>(bits & ((uint64_t{1} << count) - 1));
    }

    const CompressedBlock& block_;
    unsigned at_ = 0;
};

// The indices of a block: each has `bits` bits, those of anchors one less. The reader stands at the first.
unsigned take_index(BlockReader reader, unsigned subsets, unsigned shape, unsigned bits, unsigned texel);

}  // namespace bitfusion::soft
