// Conversions between number types ("PTX ISA", section 9.7.9: cvt).
//
// A handler per pair of types; rounding, saturation and flushing come in Instruction::flags.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

Rounding rounding_of(const Instruction& in) { return static_cast<Rounding>(in.flags & kFlagRounding); }

// Tags for formats that C++ has no type for.
struct F16 {};
struct Bf16 {};
struct Tf32 {};

template <class T>
constexpr bool is_small = std::is_same_v<T, F16> || std::is_same_v<T, Bf16> || std::is_same_v<T, Tf32>;
template <class T>
constexpr bool is_integer_type = std::is_integral_v<T>;

template <class T>
struct LaneType {
    using type = LaneOf<T>;
};
template <>
struct LaneType<F16> {
    using type = uint32_t;
};
template <>
struct LaneType<Bf16> {
    using type = uint32_t;
};
template <>
struct LaneType<Tf32> {
    using type = uint32_t;
};
template <class T>
using LaneFor = typename LaneType<T>::type;

// The value of a floating-point lane as a double, which holds all of them exactly.
template <class T>
double widened(LaneFor<T> lane, bool ftz) {
    if constexpr (std::is_same_v<T, F16>)
        return static_cast<double>(from_f16(static_cast<uint16_t>(lane)));
    else if constexpr (std::is_same_v<T, Bf16>)
        return static_cast<double>(from_bf16(static_cast<uint16_t>(lane)));
    else if constexpr (std::is_same_v<T, Tf32>)
        return static_cast<double>(std::bit_cast<float>(lane));
    else if constexpr (std::is_same_v<T, float>)
        return static_cast<double>(ftz ? flush<true>(get<float>(lane)) : get<float>(lane));
    else
        return get<double>(lane);
}

double rounded_to_integer(double value, Rounding rounding) {
    switch (rounding) {
        case Rounding::kNearest:
            return std::nearbyint(value);
        case Rounding::kDown:
            return std::floor(value);
        case Rounding::kUp:
            return std::ceil(value);
        default:
            return std::trunc(value);
    }
}

// Out of range values become the nearest end, NaN becomes zero, as the hardware has it.
template <class To>
To clamped(double value) {
    if (value != value) return 0;
    constexpr double kLeast = static_cast<double>(std::numeric_limits<To>::min());
    // 2^n is a double where 2^n - 1 may not be one
    const double beyond = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (value <= kLeast) return std::numeric_limits<To>::min();
    if (value >= beyond) return std::numeric_limits<To>::max();
    return static_cast<To>(value);
}

template <class From>
constexpr bool nan_becomes_top = std::is_same_v<From, double>;

template <class To, class From>
To integer_of(LaneFor<From> lane, const Instruction& in) {
    const double value = widened<From>(lane, (in.flags & kFlagFtz) != 0);
    // 64-bit results of NaN are 2^63, those of f64 sources for 32 bits are 2^31
    if (value != value && (sizeof(To) == 8 || (nan_becomes_top<From> && sizeof(To) == 4)))
        return static_cast<To>(std::make_unsigned_t<To>{1} << (sizeof(To) * 8 - 1));
    return clamped<To>(rounded_to_integer(value, rounding_of(in)));
}

// An integer rounded to a double so that a further rounding to `Bits` bits is right: round to odd.
template <class From>
double odd_double(From value) {
    using U = std::make_unsigned_t<From>;
    const bool minus = value < 0;
    auto magnitude =
        static_cast<uint64_t>(minus ? static_cast<U>(0 - static_cast<U>(value)) : static_cast<U>(value));
    const int spare = std::max(0, 11 - std::countl_zero(magnitude));
    const uint64_t lost = magnitude & ((uint64_t{1} << spare) - 1);
    magnitude = magnitude >> spare << spare;
    if (lost != 0) magnitude |= uint64_t{1} << spare;
    const auto result = static_cast<double>(magnitude);
    return minus ? -result : result;
}

float to_f32(double value, Rounding rounding) {
    if (value != value) return std::bit_cast<float>(kCanonicalNan);
    return std::bit_cast<float>(
        narrow<8, 23>(value, rounding == Rounding::kNone ? Rounding::kNearest : rounding, kCanonicalNan));
}

// 64-bit integers to f64, whose rounding is visible.
template <class From>
double to_f64(From value, Rounding rounding) {
    const auto nearest = static_cast<double>(value);
    if (rounding == Rounding::kNearest || rounding == Rounding::kNone || sizeof(From) < 8) return nearest;
    const auto difference = static_cast<SignedWide>(nearest) - static_cast<SignedWide>(value);
    if (difference == 0) return nearest;
    const bool above = difference > 0;
    const bool want_down = rounding == Rounding::kDown || (rounding == Rounding::kZero && value > 0);
    if (above == want_down) return std::nextafter(nearest, want_down ? -INFINITY : INFINITY);
    return nearest;
}

double sat01(double value) { return value >= 1.0 ? 1.0 : value > 0.0 ? value : 0.0; }

template <class To>
LaneFor<To> float_from(double value, const Instruction& in) {
    const Rounding rounding = rounding_of(in);
    if ((in.flags & kFlagSat) != 0) value = sat01(value);
    if ((in.flags & kFlagRelu) != 0 && value <= 0) value = 0;
    if constexpr (std::is_same_v<To, F16>)
        return to_f16(value, rounding == Rounding::kNone ? Rounding::kNearest : rounding);
    if constexpr (std::is_same_v<To, Bf16>)
        return to_bf16(value, rounding == Rounding::kNone ? Rounding::kNearest : rounding);
    if constexpr (std::is_same_v<To, Tf32>)
        return to_tf32(static_cast<float>(value),
                       rounding == Rounding::kNone ? Rounding::kNearestAway : rounding);
    if constexpr (std::is_same_v<To, float>) {
        const float result = to_f32(value, rounding);
        return put((in.flags & kFlagFtz) != 0 ? flush<true>(result) : result);
    }
    if constexpr (std::is_same_v<To, double>) return put(value);
    return {};
}

template <class To, class From>
void convert(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneFor<To>>(warp, in.op[0]);
    const auto* a = source<LaneFor<From>>(warp, in.op[1]);
    if constexpr (is_integer_type<To> && is_integer_type<From>) {
        if ((in.flags & kFlagSat) == 0) {
            for_lanes(mask, [&](unsigned i) { d[i] = put(static_cast<To>(get<From>(a[i]))); });
        } else {
            for_lanes(mask, [&](unsigned i) {
                const auto value = static_cast<SignedWide>(get<From>(a[i]));
                d[i] = put(static_cast<To>(std::clamp<SignedWide>(value, std::numeric_limits<To>::min(),
                                                                  std::numeric_limits<To>::max())));
            });
        }
    } else if constexpr (is_integer_type<To>) {
        each_lane(mask, [&](unsigned i) { d[i] = put(integer_of<To, From>(a[i], in)); });
    } else if constexpr (is_integer_type<From>) {
        const Rounding rounding = rounding_of(in);
        if constexpr (std::is_same_v<To, float> && sizeof(From) <= 4) {
            if (rounding == Rounding::kNearest && (in.flags & (kFlagSat | kFlagRelu)) == 0) {
                for_lanes(mask, [&](unsigned i) { d[i] = put(static_cast<float>(get<From>(a[i]))); });
                return;
            }
        }
        each_lane(mask, [&](unsigned i) {
            const From value = get<From>(a[i]);
            if constexpr (std::is_same_v<To, double>) {
                const double wide = to_f64(value, rounding);
                d[i] = put((in.flags & kFlagSat) != 0 ? sat01(wide) : wide);
            } else {
                d[i] = float_from<To>(odd_double(value), in);
            }
        });
    } else {
        const bool ftz = (in.flags & kFlagFtz) != 0;
        const bool integral = (in.flags & kFlagIntegral) != 0;
        if constexpr (std::is_same_v<To, double> && std::is_same_v<From, float>) {
            if ((in.flags & ~(kFlagRounding | kFlagFtz)) == 0 && !ftz) {
                for_lanes(mask, [&](unsigned i) { d[i] = put(static_cast<double>(get<float>(a[i]))); });
                return;
            }
        }
        each_lane(mask, [&](unsigned i) {
            double value = widened<From>(a[i], ftz);
            if (integral) value = rounded_to_integer(value, rounding_of(in));
            d[i] = float_from<To>(value, in);
        });
    }
}

template <class To, class From>
void convert_pair(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    each_lane(mask, [&](unsigned i) {
        const uint32_t top = float_from<To>(widened<From>(a[i], false), in);
        const uint32_t low = float_from<To>(widened<From>(b[i], false), in);
        d[i] = top << 16 | low;
    });
}

template <bool E4>
uint32_t small_of(double value, bool relu) {
    if (relu && value <= 0) value = 0;
    return E4 ? to_e4m3(value) : to_e5m2(value);
}

template <bool E4>
void convert_to_small(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const bool relu = (in.flags & kFlagRelu) != 0;
    each_lane(mask, [&](unsigned i) {
        d[i] = small_of<E4>(widened<float>(a[i], false), relu) << 8 |
               small_of<E4>(widened<float>(b[i], false), relu);
    });
}

template <bool E4>
void small_from_halves(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const bool relu = (in.flags & kFlagRelu) != 0;
    each_lane(mask, [&](unsigned i) {
        d[i] = small_of<E4>(widened<F16>(a[i] >> 16, false), relu) << 8 |
               small_of<E4>(widened<F16>(a[i], false), relu);
    });
}

template <bool E4>
void halves_from_small(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto one = [](uint32_t bits) -> uint32_t {
        return to_f16(static_cast<double>(E4 ? from_e4m3(static_cast<uint8_t>(bits))
                                             : from_e5m2(static_cast<uint8_t>(bits))));
    };
    each_lane(mask, [&](unsigned i) { d[i] = one(a[i] >> 8) << 16 | one(a[i]); });
}

void pack_saturated(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const uint32_t bits = in.flags & 255;
    const bool is_signed = (in.flags & 256) != 0;
    const int32_t least = is_signed ? -(1 << (bits - 1)) : 0;
    const int32_t most = (1 << (is_signed ? bits - 1 : bits)) - 1;
    const auto part = [&](uint32_t value) {
        return static_cast<uint32_t>(std::clamp(static_cast<int32_t>(value), least, most)) &
               ((1u << bits) - 1);
    };
    for_lanes(mask, [&](unsigned i) {
        const uint32_t kept = bits == 16 ? 0 : c[i] << (2 * bits);
        d[i] = kept | part(a[i]) << bits | part(b[i]);
    });
}

template <class To>
Handler from_type(Type from) {
    switch (from) {
        case Type::kU8:
        case Type::kB8:
            return convert<To, uint8_t>;
        case Type::kS8:
            return convert<To, int8_t>;
        case Type::kU16:
        case Type::kB16:
            return convert<To, uint16_t>;
        case Type::kS16:
            return convert<To, int16_t>;
        case Type::kU32:
        case Type::kB32:
            return convert<To, uint32_t>;
        case Type::kS32:
            return convert<To, int32_t>;
        case Type::kU64:
        case Type::kB64:
            return convert<To, uint64_t>;
        case Type::kS64:
            return convert<To, int64_t>;
        case Type::kF16:
            return convert<To, F16>;
        case Type::kBf16:
            return convert<To, Bf16>;
        case Type::kF32:
            return convert<To, float>;
        case Type::kF64:
            return convert<To, double>;
        default:
            return nullptr;
    }
}

}  // namespace

Handler select_convert(Type to, Type from, const FloatMode& mode) {
    const bool integers = is_integer(to) && is_integer(from);
    if (integers && mode.rounding != Rounding::kNone) return nullptr;
    switch (to) {
        case Type::kU8:
        case Type::kB8:
            return from_type<uint8_t>(from);
        case Type::kS8:
            return from_type<int8_t>(from);
        case Type::kU16:
        case Type::kB16:
            return from_type<uint16_t>(from);
        case Type::kS16:
            return from_type<int16_t>(from);
        case Type::kU32:
        case Type::kB32:
            return from_type<uint32_t>(from);
        case Type::kS32:
            return from_type<int32_t>(from);
        case Type::kU64:
        case Type::kB64:
            return from_type<uint64_t>(from);
        case Type::kS64:
            return from_type<int64_t>(from);
        case Type::kF16:
            return from_type<F16>(from);
        case Type::kBf16:
            return from_type<Bf16>(from);
        case Type::kTf32:
            return from == Type::kF32 ? convert<Tf32, float> : nullptr;
        case Type::kF32:
            return from_type<float>(from);
        case Type::kF64:
            return from_type<double>(from);
        default:
            return nullptr;
    }
}

Handler select_convert_pair(Type to) {
    switch (to) {
        case Type::kF16x2:
            return convert_pair<F16, float>;
        case Type::kBf16x2:
            return convert_pair<Bf16, float>;
        case Type::kE4m3x2:
            return convert_to_small<true>;
        case Type::kE5m2x2:
            return convert_to_small<false>;
        default:
            return nullptr;
    }
}

Handler select_pack_saturated() { return pack_saturated; }

Handler select_convert_small(Type to, Type from) {
    if (to == Type::kE4m3x2 && from == Type::kF16x2) return small_from_halves<true>;
    if (to == Type::kE5m2x2 && from == Type::kF16x2) return small_from_halves<false>;
    if (to == Type::kF16x2 && from == Type::kE4m3x2) return halves_from_small<true>;
    if (to == Type::kF16x2 && from == Type::kE5m2x2) return halves_from_small<false>;
    return nullptr;
}

}  // namespace bitfusion::soft
