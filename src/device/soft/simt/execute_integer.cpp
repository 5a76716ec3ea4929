// Integer arithmetic and logic, 16, 32 and 64 bits ("PTX ISA", sections 9.7.1, 9.7.2, 9.7.8).
#include <algorithm>
#include <limits>
#include <type_traits>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

template <class T>
constexpr T wrap(std::conditional_t<(sizeof(T) < 4), uint32_t, Unsigned<T>> value) {
    return static_cast<T>(value);
}

template <class T>
constexpr auto raise(T value) {
    return static_cast<std::conditional_t<(sizeof(T) < 4), uint32_t, Unsigned<T>>>(value);
}

template <class T>
using Double = std::conditional_t<
    sizeof(T) == 8, std::conditional_t<std::is_signed_v<T>, SignedWide, Wide>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>>>;

template <class T>
constexpr T high(T a, T b) {
    return static_cast<T>(static_cast<Double<T>>(a) * static_cast<Double<T>>(b) >> (sizeof(T) * 8));
}

template <class T>
T saturate(SignedWide value) {
    return static_cast<T>(
        std::clamp<SignedWide>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

struct Add {
    template <class T>
    T operator()(T a, T b) const {
        return wrap<T>(raise(a) + raise(b));
    }
};
struct Subtract {
    template <class T>
    T operator()(T a, T b) const {
        return wrap<T>(raise(a) - raise(b));
    }
};
struct Multiply {
    template <class T>
    T operator()(T a, T b) const {
        return wrap<T>(raise(a) * raise(b));
    }
};
struct MultiplyHigh {
    template <class T>
    T operator()(T a, T b) const {
        return high(a, b);
    }
};
// The GPU's own results where C++ has none: x / 0 is all ones, x % 0 is x.
struct Divide {
    template <class T>
    T operator()(T a, T b) const {
        if (b == 0) return static_cast<T>(~T{0});
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return wrap<T>(0 - raise(a));
        return static_cast<T>(a / b);
    }
};
struct Remainder {
    template <class T>
    T operator()(T a, T b) const {
        if (b == 0) return a;
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    }
};
struct Minimum {
    template <class T>
    T operator()(T a, T b) const {
        return a < b ? a : b;
    }
};
struct Maximum {
    template <class T>
    T operator()(T a, T b) const {
        return a > b ? a : b;
    }
};
struct MinimumRelu {
    template <class T>
    T operator()(T a, T b) const {
        return std::max<T>(0, std::min(a, b));
    }
};
struct MaximumRelu {
    template <class T>
    T operator()(T a, T b) const {
        return std::max<T>(0, std::max(a, b));
    }
};
struct And {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a & b);
    }
};
struct Or {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a | b);
    }
};
struct Xor {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a ^ b);
    }
};
struct AddSaturated {
    template <class T>
    T operator()(T a, T b) const {
        return saturate<T>(static_cast<SignedWide>(a) + b);
    }
};
struct SubtractSaturated {
    template <class T>
    T operator()(T a, T b) const {
        return saturate<T>(static_cast<SignedWide>(a) - b);
    }
};
// 24-bit products: the low 24 bits of each source, sign-extended for signed types.
template <class T>
int64_t low24(T value) {
    if (std::is_signed_v<T>) return static_cast<int32_t>(static_cast<uint32_t>(value) << 8) >> 8;
    return static_cast<int64_t>(static_cast<uint32_t>(value) & 0xff'ffff);
}
struct Multiply24 {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(static_cast<uint64_t>(low24(a) * low24(b)));
    }
};
struct Multiply24High {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(static_cast<uint64_t>(low24(a) * low24(b)) >> 16);
    }
};

struct Absolute {
    template <class T>
    T operator()(T a) const {
        return a < 0 ? wrap<T>(0 - raise(a)) : a;
    }
};
struct Negate {
    template <class T>
    T operator()(T a) const {
        return wrap<T>(0 - raise(a));
    }
};
struct Not {
    template <class T>
    T operator()(T a) const {
        return static_cast<T>(~a);
    }
};
struct LogicalNot {
    template <class T>
    T operator()(T a) const {
        return a == 0 ? 1 : 0;
    }
};

template <class T, class Op>
void unary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = put<T>(Op{}(get<T>(a[i]))); });
}

template <class T, class Op>
void binary(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    for_lanes(mask, [&](unsigned i) { d[i] = put<T>(Op{}(get<T>(a[i]), get<T>(b[i]))); });
}

// add.u16x2 and the like: two halves in one register
template <class T, class Op>
void binary_pair(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    for_lanes(mask, [&](unsigned i) {
        const T low = Op{}(static_cast<T>(a[i]), static_cast<T>(b[i]));
        const T top = Op{}(static_cast<T>(a[i] >> 16), static_cast<T>(b[i] >> 16));
        d[i] = static_cast<uint32_t>(static_cast<uint16_t>(low)) |
               static_cast<uint32_t>(static_cast<uint16_t>(top)) << 16;
    });
}

template <class T, class Op>
void multiply_add(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    for_lanes(mask,
              [&](unsigned i) { d[i] = put<T>(Add{}(Op{}(get<T>(a[i]), get<T>(b[i])), get<T>(c[i]))); });
}

template <class T, class Op>
void multiply_add_saturated(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) {
        d[i] = put<T>(AddSaturated{}(Op{}(get<T>(a[i]), get<T>(b[i])), get<T>(c[i])));
    });
}

template <class T>
void multiply_wide(Warp& warp, const Instruction& in, uint32_t mask) {
    using W = Double<T>;
    auto* d = target<LaneOf<W>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    for_lanes(mask, [&](unsigned i) {
        d[i] = put<W>(Multiply{}(static_cast<W>(get<T>(a[i])), static_cast<W>(get<T>(b[i]))));
    });
}

template <class T>
void multiply_add_wide(Warp& warp, const Instruction& in, uint32_t mask) {
    using W = Double<T>;
    auto* d = target<LaneOf<W>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<W>>(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) {
        d[i] = put<W>(
            Add{}(Multiply{}(static_cast<W>(get<T>(a[i])), static_cast<W>(get<T>(b[i]))), get<W>(c[i])));
    });
}

template <class T>
void absolute_difference(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) {
        const T x = get<T>(a[i]);
        const T y = get<T>(b[i]);
        d[i] = put<T>(Add{}(get<T>(c[i]), x < y ? Subtract{}(y, x) : Subtract{}(x, y)));
    });
}

template <class T>
void shift_left(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    constexpr uint32_t kBits = sizeof(T) * 8;
    for_lanes(mask, [&](unsigned i) {
        d[i] = b[i] >= kBits ? 0 : put<T>(static_cast<T>(raise(get<T>(a[i])) << b[i]));
    });
}

template <class T>
void shift_right(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    constexpr uint32_t kBits = sizeof(T) * 8;
    for_lanes(mask, [&](unsigned i) {
        if (std::is_signed_v<T>)
            d[i] = put<T>(static_cast<T>(get<T>(a[i]) >> (b[i] >= kBits ? kBits - 1 : b[i])));
        else
            d[i] = b[i] >= kBits ? 0 : put<T>(static_cast<T>(get<T>(a[i]) >> b[i]));
    });
}

// a + b + carry with the carry in op[4]. Subtraction is a + ~b + carry, as in the hardware: the flag is clear
// after a borrow, which programs see when they mix sub.cc with addc.
template <class T, bool Minus, bool In, bool Out>
void add_carry(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const uint32_t before = In ? predicate(warp, in.op[4]) : 0;
    uint32_t after = 0;
    each_lane(mask, [&](unsigned i) {
        const auto x = static_cast<Wide>(get<Unsigned<T>>(a[i]));
        const Unsigned<T> y = get<Unsigned<T>>(b[i]);
        const Wide sum = x + (Minus ? static_cast<Unsigned<T>>(~y) : y) +
                         (In      ? before >> i & 1
                          : Minus ? 1
                                  : 0);
        d[i] = put<Unsigned<T>>(static_cast<Unsigned<T>>(sum));
        after |= static_cast<uint32_t>(sum >> (sizeof(T) * 8) & 1) << i;
    });
    if (Out) set_predicate(warp, in.op[4], mask, after);
}

template <class T, bool High, bool In, bool Out>
void multiply_add_carry(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    const uint32_t before = In ? predicate(warp, in.op[4]) : 0;
    uint32_t after = 0;
    each_lane(mask, [&](unsigned i) {
        const T part = High ? high(get<T>(a[i]), get<T>(b[i])) : Multiply{}(get<T>(a[i]), get<T>(b[i]));
        const Wide sum =
            static_cast<Wide>(static_cast<Unsigned<T>>(part)) + get<Unsigned<T>>(c[i]) + (before >> i & 1);
        d[i] = put<Unsigned<T>>(static_cast<Unsigned<T>>(sum));
        after |= static_cast<uint32_t>(sum >> (sizeof(T) * 8) & 1) << i;
    });
    if (Out) set_predicate(warp, in.op[4], mask, after);
}

template <class T>
Handler any_width(std::string_view name) {
    if (name == "add") return binary<T, Add>;
    if (name == "sub") return binary<T, Subtract>;
    if (name == "mul.lo") return binary<T, Multiply>;
    if (name == "mul.hi") return binary<T, MultiplyHigh>;
    if (name == "mad.lo") return multiply_add<T, Multiply>;
    if (name == "mad.hi") return multiply_add<T, MultiplyHigh>;
    if (name == "div") return binary<T, Divide>;
    if (name == "rem") return binary<T, Remainder>;
    if (name == "min") return binary<T, Minimum>;
    if (name == "max") return binary<T, Maximum>;
    if (name == "sad") return absolute_difference<T>;
    if (name == "shr") return shift_right<T>;
    return nullptr;
}

template <class T>
Handler any_signed(std::string_view name) {
    if (name == "abs") return unary<T, Absolute>;
    if (name == "neg") return unary<T, Negate>;
    return nullptr;
}

template <class T>
Handler any_bits(std::string_view name) {
    if (name == "and") return binary<T, And>;
    if (name == "or") return binary<T, Or>;
    if (name == "xor") return binary<T, Xor>;
    if (name == "not") return unary<T, Not>;
    if (name == "cnot") return unary<T, LogicalNot>;
    if (name == "shl") return shift_left<T>;
    if (name == "shr") return shift_right<T>;
    return nullptr;
}

template <class T>
Handler any_carry(std::string_view name) {
    if (name == "add.cc") return add_carry<T, false, false, true>;
    if (name == "addc") return add_carry<T, false, true, false>;
    if (name == "addc.cc") return add_carry<T, false, true, true>;
    if (name == "sub.cc") return add_carry<T, true, false, true>;
    if (name == "subc") return add_carry<T, true, true, false>;
    if (name == "subc.cc") return add_carry<T, true, true, true>;
    if (name == "mad.lo.cc") return multiply_add_carry<T, false, false, true>;
    if (name == "mad.hi.cc") return multiply_add_carry<T, true, false, true>;
    if (name == "madc.lo") return multiply_add_carry<T, false, true, false>;
    if (name == "madc.hi") return multiply_add_carry<T, true, true, false>;
    if (name == "madc.lo.cc") return multiply_add_carry<T, false, true, true>;
    if (name == "madc.hi.cc") return multiply_add_carry<T, true, true, true>;
    return nullptr;
}

template <class T>
Handler narrow_only(std::string_view name) {
    if (name == "mul.wide") return multiply_wide<T>;
    if (name == "mad.wide") return multiply_add_wide<T>;
    return nullptr;
}

template <class T>
Handler word_only(std::string_view name) {
    if (name == "mul24.lo") return binary<T, Multiply24>;
    if (name == "mul24.hi") return binary<T, Multiply24High>;
    if (name == "mad24.lo") return multiply_add<T, Multiply24>;
    if (name == "mad24.hi") return multiply_add<T, Multiply24High>;
    return nullptr;
}

Handler signed_word_only(std::string_view name) {
    if (name == "add.sat") return binary<int32_t, AddSaturated>;
    if (name == "sub.sat") return binary<int32_t, SubtractSaturated>;
    if (name == "mad.hi.sat") return multiply_add_saturated<int32_t, MultiplyHigh>;
    if (name == "mad24.hi.sat") return multiply_add_saturated<int32_t, Multiply24High>;
    if (name == "min.relu") return binary<int32_t, MinimumRelu>;
    if (name == "max.relu") return binary<int32_t, MaximumRelu>;
    return nullptr;
}

template <class... Handlers>
Handler first_of(Handlers... handlers) {
    Handler found = nullptr;
    ((found = found != nullptr ? found : handlers), ...);
    return found;
}

}  // namespace

Handler select_integer(std::string_view name, Type type) {
    switch (type) {
        case Type::kU16:
            return first_of(any_width<uint16_t>(name), narrow_only<uint16_t>(name));
        case Type::kS16:
            return first_of(any_width<int16_t>(name), any_signed<int16_t>(name), narrow_only<int16_t>(name));
        case Type::kB16:
            return any_bits<uint16_t>(name);
        case Type::kU32:
            return first_of(any_width<uint32_t>(name), any_carry<uint32_t>(name), narrow_only<uint32_t>(name),
                            word_only<uint32_t>(name));
        case Type::kS32:
            return first_of(any_width<int32_t>(name), any_signed<int32_t>(name), any_carry<int32_t>(name),
                            narrow_only<int32_t>(name), word_only<int32_t>(name), signed_word_only(name));
        case Type::kB32:
            return any_bits<uint32_t>(name);
        case Type::kU64:
            return first_of(any_width<uint64_t>(name), any_carry<uint64_t>(name));
        case Type::kS64:
            return first_of(any_width<int64_t>(name), any_signed<int64_t>(name), any_carry<int64_t>(name));
        case Type::kB64:
            return any_bits<uint64_t>(name);
        default:
            return nullptr;
    }
}

Handler select_integer_pair(std::string_view name, bool is_signed) {
    if (name == "add") return binary_pair<uint16_t, Add>;
    if (name == "min") return is_signed ? binary_pair<int16_t, Minimum> : binary_pair<uint16_t, Minimum>;
    if (name == "max") return is_signed ? binary_pair<int16_t, Maximum> : binary_pair<uint16_t, Maximum>;
    if (name == "min.relu" && is_signed) return binary_pair<int16_t, MinimumRelu>;
    if (name == "max.relu" && is_signed) return binary_pair<int16_t, MaximumRelu>;
    return nullptr;
}

}  // namespace bitfusion::soft
