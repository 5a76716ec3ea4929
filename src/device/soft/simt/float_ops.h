// Float operations: what f32 and f64 arithmetic of PTX adds to IEEE: flushing, saturation, canonical NaN,
// minimum and maximum that prefer numbers. Pure functions; any thread. Source document: "PTX ISA",
// section 9.7.3.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace bitfusion::soft {

// f32 results that are no number are always this one; f64 keeps the payload.
inline constexpr uint32_t kCanonicalNan = 0x7fff'ffff;

template <bool Ftz>
inline float flush(float value) {
    if constexpr (!Ftz) return value;
    const auto bits = std::bit_cast<uint32_t>(value);
    return (bits & 0x7f80'0000) == 0 ? std::bit_cast<float>(bits & 0x8000'0000) : value;
}
template <bool Ftz>
inline double flush(double value) {
    return value;
}

inline float canonical(float value) { return value != value ? std::bit_cast<float>(kCanonicalNan) : value; }
inline double canonical(double value) { return value; }

template <bool Sat, class T>
inline T saturated(T value) {
    if constexpr (!Sat) return value;
    return value >= T{1} ? T{1} : value > T{0} ? value : T{0};
}

template <class T>
inline T smaller(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b ? a : b;
}

template <class T>
inline T larger(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? b : a;
    return a > b ? a : b;
}

}  // namespace bitfusion::soft
