// The fast, approximate functions ("PTX ISA", section 9.7.3: .approx). Results are those of the host's math
// library, which are well inside of the error bounds that PTX gives.
#include <cmath>

#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

struct Reciprocal {
    static float apply(float a) { return 1.0f / a; }
};
struct SquareRoot {
    static float apply(float a) { return std::sqrt(a); }
};
struct ReciprocalRoot {
    static float apply(float a) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(a))); }
};
struct Sine {
    static float apply(float a) { return std::sin(a); }
};
struct Cosine {
    static float apply(float a) { return std::cos(a); }
};
struct Logarithm {
    static float apply(float a) { return std::log2(a); }
};
struct Exponential {
    static float apply(float a) { return std::exp2(a); }
};
struct Tangent {
    static float apply(float a) { return std::tanh(a); }
};

template <class Op, bool Ftz>
void unary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    each_lane(mask, [&](unsigned i) {
        d[i] = put(canonical(flush<Ftz>(Op::apply(flush<Ftz>(std::bit_cast<float>(a[i]))))));
    });
}

template <bool Ftz>
void divide(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    for_lanes(mask, [&](unsigned i) {
        d[i] = put(canonical(
            flush<Ftz>(flush<Ftz>(std::bit_cast<float>(a[i])) / flush<Ftz>(std::bit_cast<float>(b[i])))));
    });
}

// The f64 approximations look at the upper half of their source and give the upper half of their result.
template <bool Root>
void approximate_double(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint64_t>(warp, in.op[0]);
    const auto* a = source<uint64_t>(warp, in.op[1]);
    constexpr uint64_t kUpper = 0xffff'ffff'0000'0000;
    const auto flushed = [](uint64_t bits) {
        return (bits >> 52 & 0x7ff) == 0 ? bits & 0x8000'0000'0000'0000 : bits;
    };
    each_lane(mask, [&](unsigned i) {
        const auto x = std::bit_cast<double>(flushed(a[i] & kUpper));
        const double y = Root ? 1.0 / std::sqrt(x) : 1.0 / x;
        d[i] = y != y ? 0x7fff'ffff'0000'0000 : flushed(std::bit_cast<uint64_t>(y) & kUpper);
    });
}

// rsqrt.approx.f64 is good to almost all bits; only its .ftz form stops at the upper word.
void reciprocal_root_double(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint64_t>(warp, in.op[0]);
    const auto* a = source<uint64_t>(warp, in.op[1]);
    each_lane(mask, [&](unsigned i) {
        const double y = 1.0 / std::sqrt(std::bit_cast<double>(a[i]));
        d[i] = y != y ? 0x7fff'ffff'ffff'ffff : std::bit_cast<uint64_t>(y);
    });
}

template <class Op, bool Brain, bool Pair>
void half(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto one = [](uint32_t bits) -> uint32_t {
        const auto low = static_cast<uint16_t>(bits);
        const double value = static_cast<double>(Op::apply(Brain ? from_bf16(low) : from_f16(low)));
        return Brain ? to_bf16(value) : to_f16(value);
    };
    each_lane(mask, [&](unsigned i) { d[i] = one(a[i]) | (Pair ? one(a[i] >> 16) << 16 : 0); });
}

template <class Op>
Handler f32(bool ftz) {
    return ftz ? unary<Op, true> : unary<Op, false>;
}

template <class Op>
Handler halves(Type type) {
    switch (type) {
        case Type::kF16:
            return half<Op, false, false>;
        case Type::kF16x2:
            return half<Op, false, true>;
        case Type::kBf16:
            return half<Op, true, false>;
        case Type::kBf16x2:
            return half<Op, true, true>;
        default:
            return nullptr;
    }
}

}  // namespace

Handler select_math(std::string_view name, Type type) {
    const bool ftz = name.ends_with(".ftz");
    const std::string_view base = name.substr(0, name.find('.'));
    if (type == Type::kF32) {
        if (base == "rcp") return f32<Reciprocal>(ftz);
        if (base == "sqrt") return f32<SquareRoot>(ftz);
        if (base == "rsqrt") return f32<ReciprocalRoot>(ftz);
        if (base == "sin") return f32<Sine>(ftz);
        if (base == "cos") return f32<Cosine>(ftz);
        if (base == "lg2") return f32<Logarithm>(ftz);
        if (base == "ex2") return f32<Exponential>(ftz);
        if (base == "tanh" && !ftz) return f32<Tangent>(false);
        if (base == "div") return ftz ? divide<true> : divide<false>;
        return nullptr;
    }
    if (type == Type::kF64) {
        if (base == "rcp" && ftz) return approximate_double<false>;
        if (base == "rsqrt") return ftz ? approximate_double<true> : reciprocal_root_double;
        return nullptr;
    }
    if (base == "ex2") return halves<Exponential>(type);
    if (base == "tanh" && !ftz) return halves<Tangent>(type);
    return nullptr;
}

}  // namespace bitfusion::soft
