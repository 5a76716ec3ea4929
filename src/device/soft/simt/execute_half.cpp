// Arithmetic of f16, f16x2, bf16 and bf16x2 ("PTX ISA", section 9.7.4).
#include "device/soft/simt/half.h"

namespace bitfusion::soft {

namespace {

struct F16 {
    static constexpr uint16_t kOne = 0x3c00;
    template <bool Ftz>
    static float widen(uint16_t bits) {
        return flush_half<Ftz>(bits);
    }
    template <bool Ftz>
    static uint16_t round(double value) {
        const uint16_t bits = to_f16(value);
        return Ftz && (bits & 0x7c00) == 0 ? bits & 0x8000 : bits;
    }
    static bool nan(uint16_t bits) { return (bits & 0x7fff) > 0x7c00; }
};
struct Bf16 {
    static constexpr uint16_t kOne = 0x3f80;
    template <bool>
    static float widen(uint16_t bits) {
        return from_bf16(bits);
    }
    template <bool>
    static uint16_t round(double value) {
        return to_bf16(value);
    }
    static bool nan(uint16_t bits) { return (bits & 0x7fff) > 0x7f80; }
};

enum class Clip { kNone, kSat, kRelu };

template <class F, Clip C>
uint16_t clip(uint16_t bits) {
    if (C == Clip::kSat) {
        if (F::nan(bits) || (bits & 0x8000) != 0) return 0;
        return bits > F::kOne ? F::kOne : bits;
    }
    if (C == Clip::kRelu && (bits & 0x8000) != 0 && !F::nan(bits)) return 0;
    return bits;
}

struct Add {
    static float apply(float a, float b) { return a + b; }
};
struct Subtract {
    static float apply(float a, float b) { return a - b; }
};
struct Multiply {
    static float apply(float a, float b) { return a * b; }
};

template <class F, class Op, bool Ftz, Clip C>
struct Arithmetic {
    static uint16_t apply(uint16_t a, uint16_t b) {
        // one rounding to 24 bits before the one to 11 or 8 bits does no harm for sums and products
        return clip<F, C>(F::template round<Ftz>(
            static_cast<double>(Op::apply(F::template widen<Ftz>(a), F::template widen<Ftz>(b)))));
    }
};
template <class F, bool Least, bool Nan, bool XorSign, bool Ftz>
struct Extreme {
    static uint16_t apply(uint16_t a, uint16_t b) {
        float x = F::template widen<Ftz>(a);
        float y = F::template widen<Ftz>(b);
        if (Nan ? F::nan(a) || F::nan(b) : F::nan(a) && F::nan(b)) return kCanonicalHalfNan;
        const bool minus = std::signbit(x) != std::signbit(y);
        if (XorSign) {
            x = std::fabs(x);
            y = std::fabs(y);
        }
        const float value = Least ? smaller(x, y) : larger(x, y);
        return F::template round<Ftz>(static_cast<double>(XorSign && minus ? -value : value));
    }
};

template <class F, bool Pair, class Op>
void binary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    each_lane(mask, [&](unsigned i) {
        const uint32_t x = a[i];
        const uint32_t y = b[i];
        uint32_t out = Op::apply(static_cast<uint16_t>(x), static_cast<uint16_t>(y));
        if (Pair)
            out |= static_cast<uint32_t>(
                       Op::apply(static_cast<uint16_t>(x >> 16), static_cast<uint16_t>(y >> 16)))
                   << 16;
        d[i] = out;
    });
}

template <class F, bool Pair, bool Ftz, Clip C>
void fused(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const auto one = [](uint32_t x, uint32_t y, uint32_t z) {
        const double value = fused_odd(static_cast<double>(F::template widen<Ftz>(static_cast<uint16_t>(x))),
                                       static_cast<double>(F::template widen<Ftz>(static_cast<uint16_t>(y))),
                                       static_cast<double>(F::template widen<Ftz>(static_cast<uint16_t>(z))));
        return clip<F, C>(F::template round<Ftz>(value));
    };
    each_lane(mask, [&](unsigned i) {
        uint32_t out = one(a[i], b[i], c[i]);
        if (Pair) out |= static_cast<uint32_t>(one(a[i] >> 16, b[i] >> 16, c[i] >> 16)) << 16;
        d[i] = out;
    });
}

template <class F, bool Pair, bool Negative, bool Ftz>
void set_sign(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const uint32_t sign = Pair ? 0x8000'8000 : 0x8000;
    each_lane(mask, [&](unsigned i) {
        uint32_t value = a[i];
        if (Ftz && (value & 0x7c00) == 0) value &= ~0x3ffu;
        if (Ftz && (value >> 16 & 0x7c00) == 0) value &= ~(0x3ffu << 16);
        d[i] = Negative ? value ^ sign : value & ~sign;
    });
}

template <class F, bool Pair, bool Ftz, Clip C>
Handler arithmetic(std::string_view name) {
    if (name == "add") return binary<F, Pair, Arithmetic<F, Add, Ftz, C>>;
    if (name == "sub") return binary<F, Pair, Arithmetic<F, Subtract, Ftz, C>>;
    if (name == "mul") return binary<F, Pair, Arithmetic<F, Multiply, Ftz, C>>;
    if (name == "fma") return fused<F, Pair, Ftz, C>;
    return nullptr;
}

template <class F, bool Pair, bool Ftz, bool Least>
Handler extreme(const FloatMode& mode) {
    if (mode.nan)
        return mode.xorsign ? binary<F, Pair, Extreme<F, Least, true, true, Ftz>>
                            : binary<F, Pair, Extreme<F, Least, true, false, Ftz>>;
    return mode.xorsign ? binary<F, Pair, Extreme<F, Least, false, true, Ftz>>
                        : binary<F, Pair, Extreme<F, Least, false, false, Ftz>>;
}

template <class F, bool Pair, bool Ftz>
Handler any(std::string_view name, const FloatMode& mode) {
    if (mode.rounding != Rounding::kNearest) return nullptr;
    if (name == "min") return mode.sat || mode.relu ? nullptr : extreme<F, Pair, Ftz, true>(mode);
    if (name == "max") return mode.sat || mode.relu ? nullptr : extreme<F, Pair, Ftz, false>(mode);
    if (name == "abs") return set_sign<F, Pair, false, Ftz>;
    if (name == "neg") return set_sign<F, Pair, true, Ftz>;
    if (mode.sat) return mode.relu ? nullptr : arithmetic<F, Pair, Ftz, Clip::kSat>(name);
    if (mode.relu) return name == "fma" ? arithmetic<F, Pair, Ftz, Clip::kRelu>(name) : nullptr;
    return arithmetic<F, Pair, Ftz, Clip::kNone>(name);
}

}  // namespace

Handler select_half(std::string_view name, Type type, const FloatMode& mode) {
    switch (type) {
        case Type::kF16:
            return mode.ftz ? any<F16, false, true>(name, mode) : any<F16, false, false>(name, mode);
        case Type::kF16x2:
            return mode.ftz ? any<F16, true, true>(name, mode) : any<F16, true, false>(name, mode);
        case Type::kBf16:
            return mode.ftz ? nullptr : any<Bf16, false, false>(name, mode);
        case Type::kBf16x2:
            return mode.ftz ? nullptr : any<Bf16, true, false>(name, mode);
        default:
            return nullptr;
    }
}

}  // namespace bitfusion::soft
