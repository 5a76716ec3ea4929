#include "device/soft/simt/fused.h"

#include <cmath>

#include "device/soft/simt/float_ops.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kLanes = 32;

template <bool Ftz>
[[gnu::always_inline]] inline void fuse(uint32_t* d, const uint32_t* a, const uint32_t* b,
                                        const uint32_t* c) {
#pragma GCC ivdep
    for (unsigned i = 0; i < kLanes; ++i) {
        const float value =
            std::fma(flush<Ftz>(std::bit_cast<float>(a[i])), flush<Ftz>(std::bit_cast<float>(b[i])),
                     flush<Ftz>(std::bit_cast<float>(c[i])));
        d[i] = std::bit_cast<uint32_t>(canonical(flush<Ftz>(value)));
    }
}

[[gnu::always_inline]] inline void fuse(uint64_t* d, const uint64_t* a, const uint64_t* b,
                                        const uint64_t* c) {
#pragma GCC ivdep
    for (unsigned i = 0; i < kLanes; ++i)
        d[i] = std::bit_cast<uint64_t>(
            std::fma(std::bit_cast<double>(a[i]), std::bit_cast<double>(b[i]), std::bit_cast<double>(c[i])));
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void fast(uint32_t* d, const uint32_t* a, const uint32_t* b, const uint32_t* c,
                                      bool ftz) {
    if (ftz)
        fuse<true>(d, a, b, c);
    else
        fuse<false>(d, a, b, c);
}
[[gnu::target("avx2,fma")]] void fast(uint64_t* d, const uint64_t* a, const uint64_t* b, const uint64_t* c) {
    fuse(d, a, b, c);
}

const bool kHasFma = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#endif

}  // namespace

void fuse_lanes(uint32_t* d, const uint32_t* a, const uint32_t* b, const uint32_t* c, bool ftz) {
#if defined(__x86_64__)
    if (kHasFma) return fast(d, a, b, c, ftz);
#endif
    if (ftz)
        fuse<true>(d, a, b, c);
    else
        fuse<false>(d, a, b, c);
}

void fuse_lanes(uint64_t* d, const uint64_t* a, const uint64_t* b, const uint64_t* c, bool) {
#if defined(__x86_64__)
    if (kHasFma) return fast(d, a, b, c);
#endif
    fuse(d, a, b, c);
}

}  // namespace bitfusion::soft
