// Floating-point arithmetic of f32 and f64 in all rounding modes ("PTX ISA", section 9.7.3).
//
// Compiled with -frounding-math: the directed modes set the rounding of the processor around the lanes.
#include <cfenv>

#include "device/soft/simt/float_ops.h"
#include "device/soft/simt/fused.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

struct Add {
    template <class T>
    T operator()(T a, T b) const {
        return a + b;
    }
};
struct Subtract {
    template <class T>
    T operator()(T a, T b) const {
        return a - b;
    }
};
struct Multiply {
    template <class T>
    T operator()(T a, T b) const {
        return a * b;
    }
};
struct Divide {
    template <class T>
    T operator()(T a, T b) const {
        return a / b;
    }
};
struct Reciprocal {
    template <class T>
    T operator()(T a) const {
        return T{1} / a;
    }
};
struct SquareRoot {
    template <class T>
    T operator()(T a) const {
        return std::sqrt(a);
    }
};
template <bool Nan, bool XorSign, bool Least>
struct Extreme {
    template <class T>
    T operator()(T a, T b) const {
        if (Nan && (a != a || b != b))
            return std::bit_cast<T>(sizeof(T) == 4 ? BitsOf<T>(kCanonicalNan)
                                                   : BitsOf<T>(0x7fffffffffffffff));
        if constexpr (XorSign) {
            const bool minus = std::signbit(a) != std::signbit(b);
            const T size = Least ? smaller(std::fabs(a), std::fabs(b)) : larger(std::fabs(a), std::fabs(b));
            return minus ? -size : size;
        }
        return Least ? smaller(a, b) : larger(a, b);
    }
};

template <Rounding R>
class RoundingScope {
  public:
    RoundingScope() {
        if constexpr (R != Rounding::kNearest)
            std::fesetround(R == Rounding::kZero   ? FE_TOWARDZERO
                            : R == Rounding::kDown ? FE_DOWNWARD
                                                   : FE_UPWARD);
    }
    ~RoundingScope() {
        if constexpr (R != Rounding::kNearest) std::fesetround(FE_TONEAREST);
    }
    RoundingScope(const RoundingScope&) = delete;
    RoundingScope& operator=(const RoundingScope&) = delete;
};

template <class T, class Op, bool Ftz, bool Sat, Rounding R>
void unary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const RoundingScope<R> scope;
    for_lanes(mask, [&](unsigned i) {
        d[i] = put<T>(saturated<Sat>(canonical(flush<Ftz>(Op{}(flush<Ftz>(get<T>(a[i])))))));
    });
}

template <class T, class Op, bool Ftz, bool Sat, Rounding R>
void binary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const RoundingScope<R> scope;
    for_lanes(mask, [&](unsigned i) {
        d[i] = put<T>(
            saturated<Sat>(canonical(flush<Ftz>(Op{}(flush<Ftz>(get<T>(a[i])), flush<Ftz>(get<T>(b[i])))))));
    });
}

template <class T, bool Ftz, bool Sat, Rounding R>
void fused(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    if (mask == kAllLanes && R == Rounding::kNearest && !Sat) {
        fuse_lanes(d, a, b, c, Ftz);
        return;
    }
    const RoundingScope<R> scope;
    each_lane(mask, [&](unsigned i) {
        d[i] = put<T>(saturated<Sat>(canonical(flush<Ftz>(
            std::fma(flush<Ftz>(get<T>(a[i])), flush<Ftz>(get<T>(b[i])), flush<Ftz>(get<T>(c[i])))))));
    });
}

template <class T, bool Ftz, bool Negative>
void set_sign(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    constexpr auto kSign = static_cast<BitsOf<T>>(BitsOf<T>{1} << (sizeof(T) * 8 - 1));
    for_lanes(mask, [&](unsigned i) {
        const auto bits = std::bit_cast<BitsOf<T>>(flush<Ftz>(get<T>(a[i])));
        d[i] = Negative ? bits ^ kSign : bits & static_cast<BitsOf<T>>(~kSign);
    });
}

template <class T>
void copy_sign(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    constexpr auto kSign = static_cast<BitsOf<T>>(BitsOf<T>{1} << (sizeof(T) * 8 - 1));
    for_lanes(mask, [&](unsigned i) { d[i] = (a[i] & kSign) | (b[i] & static_cast<BitsOf<T>>(~kSign)); });
}

template <class T, class Test>
void test(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    uint32_t value = 0;
    each_lane(mask, [&](unsigned i) { value |= (Test{}(get<T>(a[i])) ? 1u : 0u) << i; });
    set_predicate(warp, in.op[0], mask, value);
}

struct IsFinite {
    template <class T>
    bool operator()(T a) const {
        return std::isfinite(a);
    }
};
struct IsInfinite {
    template <class T>
    bool operator()(T a) const {
        return std::isinf(a);
    }
};
struct IsNumber {
    template <class T>
    bool operator()(T a) const {
        return !std::isnan(a);
    }
};
struct IsNan {
    template <class T>
    bool operator()(T a) const {
        return std::isnan(a);
    }
};
struct IsNormal {
    template <class T>
    bool operator()(T a) const {
        return std::isnormal(a);
    }
};
struct IsSubnormal {
    template <class T>
    bool operator()(T a) const {
        return std::fpclassify(a) == FP_SUBNORMAL;
    }
};

template <class T, bool Ftz, bool Sat, Rounding R>
Handler rounded(std::string_view name) {
    if (name == "add") return binary<T, Add, Ftz, Sat, R>;
    if (name == "sub") return binary<T, Subtract, Ftz, Sat, R>;
    if (name == "mul") return binary<T, Multiply, Ftz, Sat, R>;
    if (name == "fma") return fused<T, Ftz, Sat, R>;
    if (Sat) return nullptr;
    if (name == "div") return binary<T, Divide, Ftz, false, R>;
    if (name == "rcp") return unary<T, Reciprocal, Ftz, false, R>;
    if (name == "sqrt") return unary<T, SquareRoot, Ftz, false, R>;
    return nullptr;
}

template <class T, bool Ftz, bool Sat>
Handler by_rounding(std::string_view name, Rounding rounding) {
    switch (rounding) {
        case Rounding::kNearest:
            return rounded<T, Ftz, Sat, Rounding::kNearest>(name);
        case Rounding::kZero:
            return rounded<T, Ftz, Sat, Rounding::kZero>(name);
        case Rounding::kDown:
            return rounded<T, Ftz, Sat, Rounding::kDown>(name);
        case Rounding::kUp:
            return rounded<T, Ftz, Sat, Rounding::kUp>(name);
        default:
            return nullptr;
    }
}

template <class T, bool Ftz, bool Least>
Handler extreme(const FloatMode& mode) {
    constexpr auto kNearest = Rounding::kNearest;
    if (mode.xorsign)
        return mode.nan ? binary<T, Extreme<true, true, Least>, Ftz, false, kNearest>
                        : binary<T, Extreme<false, true, Least>, Ftz, false, kNearest>;
    return mode.nan ? binary<T, Extreme<true, false, Least>, Ftz, false, kNearest>
                    : binary<T, Extreme<false, false, Least>, Ftz, false, kNearest>;
}

template <class T, bool Ftz>
Handler exact(std::string_view name, const FloatMode& mode) {
    if (mode.sat) return nullptr;
    if (name == "min") return extreme<T, Ftz, true>(mode);
    if (name == "max") return extreme<T, Ftz, false>(mode);
    if (name == "abs") return set_sign<T, Ftz, false>;
    if (name == "neg") return set_sign<T, Ftz, true>;
    if (name == "copysign") return copy_sign<T>;
    if (name == "testp.finite") return test<T, IsFinite>;
    if (name == "testp.infinite") return test<T, IsInfinite>;
    if (name == "testp.number") return test<T, IsNumber>;
    if (name == "testp.notanumber") return test<T, IsNan>;
    if (name == "testp.normal") return test<T, IsNormal>;
    if (name == "testp.subnormal") return test<T, IsSubnormal>;
    return nullptr;
}

}  // namespace

Handler select_float(std::string_view name, Type type, const FloatMode& mode) {
    if (mode.relu) return nullptr;
    if (type == Type::kF32) {
        const Handler handler = mode.ftz ? exact<float, true>(name, mode) : exact<float, false>(name, mode);
        if (handler != nullptr) return handler;
        if (mode.ftz)
            return mode.sat ? by_rounding<float, true, true>(name, mode.rounding)
                            : by_rounding<float, true, false>(name, mode.rounding);
        return mode.sat ? by_rounding<float, false, true>(name, mode.rounding)
                        : by_rounding<float, false, false>(name, mode.rounding);
    }
    if (type == Type::kF64 && !mode.ftz && !mode.sat) {
        const Handler handler = exact<double, false>(name, mode);
        return handler != nullptr ? handler : by_rounding<double, false, false>(name, mode.rounding);
    }
    return nullptr;
}

}  // namespace bitfusion::soft
