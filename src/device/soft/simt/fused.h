// Fused multiply-add of all 32 lanes, the most frequent instruction of numeric kernels: with the processor's
// own instruction where it has one. Rounds to nearest; f32 results that are no number are canonical.
#pragma once

#include <cstdint>

namespace bitfusion::soft {

void fuse_lanes(uint32_t* d, const uint32_t* a, const uint32_t* b, const uint32_t* c, bool ftz);
void fuse_lanes(uint64_t* d, const uint64_t* a, const uint64_t* b, const uint64_t* c, bool ftz);

}  // namespace bitfusion::soft
