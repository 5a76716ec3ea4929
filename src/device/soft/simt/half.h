// Half: the small floating-point formats f16, bf16, tf32, e4m3 and e5m2 as bits, and their conversions.
//
// Widening is exact. Narrowing rounds once, from a double that holds the exact value or an odd-rounded one,
// so no result is rounded twice. Pure functions; any thread. Source document: "PTX ISA", section 5.2.3
// and 9.7.9.21 (cvt).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "device/soft/simt/float_ops.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

inline constexpr uint16_t kCanonicalHalfNan = 0x7fff;

inline float from_f16(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    const uint32_t rest = bits & 0x7fff;
    if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f80'0000 | (rest & 0x3ff) << 13);
    // scaling does the work for normal and subnormal values alike
    const float value = std::bit_cast<float>(rest << 13) * 0x1p112f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

template <bool Ftz>
inline float flush_half(uint16_t bits) {
    if (Ftz && (bits & 0x7c00) == 0) bits &= 0x8000;
    return from_f16(bits);
}

// Rounds to a format with `Exponent` and `Mantissa` bits and infinities; NaN becomes `nan`.
template <int Exponent, int Mantissa>
inline uint32_t narrow(double value, Rounding rounding, uint32_t nan) {
    constexpr int kBias = (1 << (Exponent - 1)) - 1;
    constexpr uint32_t kInfinity = ((1u << Exponent) - 1) << Mantissa;
    const auto bits = std::bit_cast<uint64_t>(value);
    const bool minus = bits >> 63 != 0;
    const uint32_t sign = (minus ? 1u : 0u) << (Exponent + Mantissa);
    if (value != value) return nan;
    if (std::isinf(value)) return sign | kInfinity;
    const int biased = static_cast<int>(bits >> 52 & 0x7ff);
    const int exponent = (biased == 0 ? 1 : biased) - 1023;
    const uint64_t mantissa = (bits & 0xf'ffff'ffff'ffff) | (biased == 0 ? 0 : uint64_t{1} << 52);
    int shift = 52 - Mantissa;
    const bool small = exponent < 1 - kBias;
    if (small) shift += 1 - kBias - exponent;
    if (shift > 60) shift = 60;
    uint64_t kept = mantissa >> shift;
    const uint64_t rest = mantissa & ((uint64_t{1} << shift) - 1);
    const uint64_t half = uint64_t{1} << (shift - 1);
    bool up = false;
    switch (rounding) {
        case Rounding::kZero:
            break;
        case Rounding::kDown:
            up = minus && rest != 0;
            break;
        case Rounding::kUp:
            up = !minus && rest != 0;
            break;
        case Rounding::kNearestAway:
            up = rest >= half;
            break;
        default:
            up = rest > half || (rest == half && (kept & 1) != 0);
            break;
    }
    if (up) ++kept;
    const uint64_t magnitude =
        small ? kept
              : (static_cast<uint64_t>(exponent + kBias) << Mantissa) + (kept - (uint64_t{1} << Mantissa));
    if (magnitude >= kInfinity) {
        const bool to_infinity = rounding == Rounding::kDown ? minus
                                 : rounding == Rounding::kUp ? !minus
                                                             : rounding != Rounding::kZero;
        return sign | (to_infinity ? kInfinity : kInfinity - 1);
    }
    return sign | static_cast<uint32_t>(magnitude);
}

inline uint16_t to_f16(double value, Rounding rounding = Rounding::kNearest) {
    return static_cast<uint16_t>(narrow<5, 10>(value, rounding, kCanonicalHalfNan));
}

inline uint16_t to_bf16(double value, Rounding rounding = Rounding::kNearest) {
    return static_cast<uint16_t>(narrow<8, 7>(value, rounding, kCanonicalHalfNan));
}

// f32 with 10 bits of mantissa; the low 13 bits are zero.
inline uint32_t to_tf32(float value, Rounding rounding) {
    return narrow<8, 10>(value, rounding, 0x7fff'ffff >> 13) << 13 | (value != value ? 0x1fff : 0);
}

// With saturation, as PTX always has it for these formats.
inline uint8_t to_e4m3(double value) {
    if (value != value) return 0x7f;
    const uint32_t sign = std::signbit(value) ? 0x80 : 0;
    if (std::fabs(value) >= 464.0) return static_cast<uint8_t>(sign | 0x7e);
    const uint32_t bits = narrow<5, 3>(std::fabs(value) * 0x1p-8, Rounding::kNearest, 0x7f);
    // one exponent bit less with bias 7 instead of 15: scaling by 2^-8 lines them up
    return static_cast<uint8_t>(sign | (bits > 0x7e ? 0x7e : bits));
}

inline uint8_t to_e5m2(double value) {
    if (value != value) return 0x7f;
    const uint32_t sign = std::signbit(value) ? 0x80 : 0;
    const uint32_t bits = narrow<5, 2>(std::fabs(value), Rounding::kNearest, 0x7f);
    return static_cast<uint8_t>(sign | (bits >= 0x7c ? 0x7b : bits));
}

inline float from_e5m2(uint8_t bits) { return from_f16(static_cast<uint16_t>(bits << 8)); }

inline float from_e4m3(uint8_t bits) {
    if ((bits & 0x7f) == 0x7f) return std::bit_cast<float>(kCanonicalNan);
    const uint16_t wide = static_cast<uint16_t>((bits & 0x80) << 8 | (bits & 0x7f) << 7);
    return from_f16(wide) * 256.0f;
}

// a * b + c in double, rounded to odd where inexact: one more rounding to a small format is then exact.
inline double fused_odd(double a, double b, double c) {
    const double product = a * b;  // exact for factors of up to 26 bits
    const double sum = product + c;
    if (!std::isfinite(sum)) return sum;
    const double back = sum - product;
    const double error = (product - (sum - back)) + (c - back);
    auto bits = std::bit_cast<uint64_t>(sum);
    if (error == 0 || (bits & 1) != 0) return sum;
    bits = (error > 0) == !std::signbit(sum) ? bits + 1 : bits - 1;
    return std::bit_cast<double>(bits);
}

}  // namespace bitfusion::soft
