// Comparison and selection ("PTX ISA", sections 9.7.5 and 9.7.6). f16 and bf16 compare as f32, which is
// exact.
#include <cmath>

#include "device/soft/simt/float_ops.h"
#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

template <Compare C, class T>
bool holds(T a, T b) {
    const bool unordered = a != a || b != b;
    switch (C) {
        case Compare::kEq:
            return a == b;
        case Compare::kNe:
            return a != b && !unordered;
        case Compare::kLt:
            return a < b;
        case Compare::kLe:
            return a <= b;
        case Compare::kGt:
            return a > b;
        case Compare::kGe:
            return a >= b;
        case Compare::kEqu:
            return unordered || a == b;
        case Compare::kNeu:
            return unordered || a != b;
        case Compare::kLtu:
            return !(a >= b);
        case Compare::kLeu:
            return !(a > b);
        case Compare::kGtu:
            return !(a <= b);
        case Compare::kGeu:
            return !(a < b);
        case Compare::kNum:
            return !unordered;
        case Compare::kNan:
            return unordered;
    }
    return false;
}

// How a lane becomes a value to compare.
template <class T, bool Ftz>
struct Plain {
    using Lane = LaneOf<T>;
    static auto value(Lane lane) {
        if constexpr (std::is_floating_point_v<T>)
            return flush<Ftz>(get<T>(lane));
        else
            return get<T>(lane);
    }
};
template <bool Ftz>
struct Half {
    using Lane = uint32_t;
    static float value(Lane lane) { return flush_half<Ftz>(static_cast<uint16_t>(lane)); }
};
struct Brain {
    using Lane = uint32_t;
    static float value(Lane lane) { return from_bf16(static_cast<uint16_t>(lane)); }
};

template <class Read, Compare C>
uint32_t compare_lanes(const Warp& warp, uint32_t left, uint32_t right, uint32_t mask) {
    const auto* a = source<typename Read::Lane>(warp, left);
    const auto* b = source<typename Read::Lane>(warp, right);
    if (mask == kAllLanes) {
        uint8_t flags[kWarpSize];
        for (unsigned i = 0; i < kWarpSize; ++i)
            flags[i] = holds<C>(Read::value(a[i]), Read::value(b[i])) ? 1 : 0;
        uint32_t bits = 0;
        // eight flags at a time: the product gathers their low bits in the top byte
        for (unsigned i = 0; i < 4; ++i) {
            uint64_t eight;
            std::memcpy(&eight, flags + 8 * i, 8);
            if constexpr (std::endian::native == std::endian::little)
                bits |= static_cast<uint32_t>(eight * 0x0102'0408'1020'4080 >> 56) << (8 * i);
            else
                for (unsigned k = 0; k < 8; ++k)
                    bits |= static_cast<uint32_t>(flags[8 * i + k]) << (8 * i + k);
        }
        return bits;
    }
    uint32_t bits = 0;
    each_lane(mask,
              [&](unsigned i) { bits |= (holds<C>(Read::value(a[i]), Read::value(b[i])) ? 1u : 0u) << i; });
    return bits;
}

uint32_t combined(uint32_t value, uint32_t other, Combine combine) {
    switch (combine) {
        case Combine::kAnd:
            return value & other;
        case Combine::kOr:
            return value | other;
        case Combine::kXor:
            return value ^ other;
        case Combine::kNone:
            break;
    }
    return value;
}

template <class Read, Compare C, Combine B>
void set_predicates(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t value = compare_lanes<Read, C>(warp, in.op[2], in.op[3], mask);
    uint32_t other = 0;
    if (B != Combine::kNone)
        other = (in.flags & 1) != 0 ? ~predicate(warp, in.op[4]) : predicate(warp, in.op[4]);
    set_predicate(warp, in.op[0], mask, combined(value, other, B));
    if ((in.flags & 2) != 0) set_predicate(warp, in.op[1], mask, combined(~value, other, B));
}

// setp.f16x2: the low halves decide p, the high ones q
template <bool IsBrain, bool Ftz, Compare C, Combine B>
void set_predicates_pair(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<uint32_t>(warp, in.op[2]);
    const auto* b = source<uint32_t>(warp, in.op[3]);
    using Read = std::conditional_t<IsBrain, Brain, Half<Ftz>>;
    uint32_t low = 0;
    uint32_t top = 0;
    each_lane(mask, [&](unsigned i) {
        low |= (holds<C>(Read::value(a[i]), Read::value(b[i])) ? 1u : 0u) << i;
        top |= (holds<C>(Read::value(a[i] >> 16), Read::value(b[i] >> 16)) ? 1u : 0u) << i;
    });
    uint32_t other = 0;
    if (B != Combine::kNone)
        other = (in.flags & 1) != 0 ? ~predicate(warp, in.op[4]) : predicate(warp, in.op[4]);
    set_predicate(warp, in.op[0], mask, combined(low, other, B));
    if ((in.flags & 2) != 0) set_predicate(warp, in.op[1], mask, combined(top, other, B));
}

template <class Read, Compare C, Combine B>
void set_values(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t value = compare_lanes<Read, C>(warp, in.op[1], in.op[2], mask);
    uint32_t other = 0;
    if (B != Combine::kNone)
        other = (in.flags & 1) != 0 ? ~predicate(warp, in.op[3]) : predicate(warp, in.op[3]);
    const uint32_t result = combined(value, other, B);
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto yes = static_cast<uint32_t>(in.immediate);
    for_lanes(mask, [&](unsigned i) { d[i] = (result >> i & 1) != 0 ? yes : 0; });
}

template <bool IsBrain, bool Ftz, Compare C, Combine B>
void set_values_pair(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    auto* d = target<uint32_t>(warp, in.op[0]);
    using Read = std::conditional_t<IsBrain, Brain, Half<Ftz>>;
    uint32_t other = 0;
    if (B != Combine::kNone)
        other = (in.flags & 1) != 0 ? ~predicate(warp, in.op[3]) : predicate(warp, in.op[3]);
    const auto yes = static_cast<uint32_t>(in.immediate) & 0xffff;
    each_lane(mask, [&](unsigned i) {
        const uint32_t low = holds<C>(Read::value(a[i]), Read::value(b[i])) ? 1 : 0;
        const uint32_t top = holds<C>(Read::value(a[i] >> 16), Read::value(b[i] >> 16)) ? 1 : 0;
        const uint32_t bit = other >> i & 1;
        d[i] = (combined(low, bit, B) != 0 ? yes : 0) | (combined(top, bit, B) != 0 ? yes << 16 : 0);
    });
}

template <class Read, Compare C>
Handler setp_of(Combine combine) {
    switch (combine) {
        case Combine::kNone:
            return set_predicates<Read, C, Combine::kNone>;
        case Combine::kAnd:
            return set_predicates<Read, C, Combine::kAnd>;
        case Combine::kOr:
            return set_predicates<Read, C, Combine::kOr>;
        case Combine::kXor:
            return set_predicates<Read, C, Combine::kXor>;
    }
    return nullptr;
}

template <class Read, Compare C>
Handler set_of(Combine combine) {
    switch (combine) {
        case Combine::kNone:
            return set_values<Read, C, Combine::kNone>;
        case Combine::kAnd:
            return set_values<Read, C, Combine::kAnd>;
        case Combine::kOr:
            return set_values<Read, C, Combine::kOr>;
        case Combine::kXor:
            return set_values<Read, C, Combine::kXor>;
    }
    return nullptr;
}

template <bool IsBrain, bool Ftz, Compare C, bool Predicates>
Handler pair_of(Combine combine) {
    switch (combine) {
        case Combine::kNone:
            return Predicates ? set_predicates_pair<IsBrain, Ftz, C, Combine::kNone>
                              : set_values_pair<IsBrain, Ftz, C, Combine::kNone>;
        case Combine::kAnd:
            return Predicates ? set_predicates_pair<IsBrain, Ftz, C, Combine::kAnd>
                              : set_values_pair<IsBrain, Ftz, C, Combine::kAnd>;
        case Combine::kOr:
            return Predicates ? set_predicates_pair<IsBrain, Ftz, C, Combine::kOr>
                              : set_values_pair<IsBrain, Ftz, C, Combine::kOr>;
        case Combine::kXor:
            return Predicates ? set_predicates_pair<IsBrain, Ftz, C, Combine::kXor>
                              : set_values_pair<IsBrain, Ftz, C, Combine::kXor>;
    }
    return nullptr;
}

// Calls pick.template operator()<C>() with the comparison as a constant.
template <class Pick>
Handler with_compare(Compare compare, bool unordered_too, Pick pick) {
    if (!unordered_too && compare > Compare::kGe) return nullptr;
    switch (compare) {
        case Compare::kEq:
            return pick.template operator()<Compare::kEq>();
        case Compare::kNe:
            return pick.template operator()<Compare::kNe>();
        case Compare::kLt:
            return pick.template operator()<Compare::kLt>();
        case Compare::kLe:
            return pick.template operator()<Compare::kLe>();
        case Compare::kGt:
            return pick.template operator()<Compare::kGt>();
        case Compare::kGe:
            return pick.template operator()<Compare::kGe>();
        default:
            break;
    }
    return nullptr;
}

template <class Pick>
Handler with_float_compare(Compare compare, Pick pick) {
    switch (compare) {
        case Compare::kEqu:
            return pick.template operator()<Compare::kEqu>();
        case Compare::kNeu:
            return pick.template operator()<Compare::kNeu>();
        case Compare::kLtu:
            return pick.template operator()<Compare::kLtu>();
        case Compare::kLeu:
            return pick.template operator()<Compare::kLeu>();
        case Compare::kGtu:
            return pick.template operator()<Compare::kGtu>();
        case Compare::kGeu:
            return pick.template operator()<Compare::kGeu>();
        case Compare::kNum:
            return pick.template operator()<Compare::kNum>();
        case Compare::kNan:
            return pick.template operator()<Compare::kNan>();
        default:
            return with_compare(compare, true, pick);
    }
}

template <class Read, bool Set>
Handler integers(Compare compare, Combine combine) {
    return with_compare(compare, false, [&]<Compare C>() {
        return Set ? set_of<Read, C>(combine) : setp_of<Read, C>(combine);
    });
}

template <class Read, bool Set>
Handler floats(Compare compare, Combine combine) {
    return with_float_compare(
        compare, [&]<Compare C>() { return Set ? set_of<Read, C>(combine) : setp_of<Read, C>(combine); });
}

template <bool Set>
Handler comparison(Compare compare, Combine combine, Type type, bool ftz) {
    switch (type) {
        case Type::kB16:
        case Type::kU16:
            return integers<Plain<uint16_t, false>, Set>(compare, combine);
        case Type::kS16:
            return integers<Plain<int16_t, false>, Set>(compare, combine);
        case Type::kB32:
        case Type::kU32:
            return integers<Plain<uint32_t, false>, Set>(compare, combine);
        case Type::kS32:
            return integers<Plain<int32_t, false>, Set>(compare, combine);
        case Type::kB64:
        case Type::kU64:
            return integers<Plain<uint64_t, false>, Set>(compare, combine);
        case Type::kS64:
            return integers<Plain<int64_t, false>, Set>(compare, combine);
        case Type::kF32:
            return ftz ? floats<Plain<float, true>, Set>(compare, combine)
                       : floats<Plain<float, false>, Set>(compare, combine);
        case Type::kF64:
            return floats<Plain<double, false>, Set>(compare, combine);
        case Type::kF16:
            return ftz ? floats<Half<true>, Set>(compare, combine)
                       : floats<Half<false>, Set>(compare, combine);
        case Type::kBf16:
            return floats<Brain, Set>(compare, combine);
        case Type::kF16x2:
            if (ftz)
                return with_float_compare(
                    compare, [&]<Compare C>() { return pair_of<false, true, C, !Set>(combine); });
            return with_float_compare(compare,
                                      [&]<Compare C>() { return pair_of<false, false, C, !Set>(combine); });
        case Type::kBf16x2:
            return with_float_compare(compare,
                                      [&]<Compare C>() { return pair_of<true, false, C, !Set>(combine); });
        default:
            return nullptr;
    }
}

template <class Lane>
void select(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<Lane>(warp, in.op[0]);
    const auto* a = source<Lane>(warp, in.op[1]);
    const auto* b = source<Lane>(warp, in.op[2]);
    const uint32_t p = (in.flags & 1) != 0 ? ~predicate(warp, in.op[3]) : predicate(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) { d[i] = (p >> i & 1) != 0 ? a[i] : b[i]; });
}

template <class Lane, bool FloatSelector, bool Ftz>
void select_by_sign(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<Lane>(warp, in.op[0]);
    const auto* a = source<Lane>(warp, in.op[1]);
    const auto* b = source<Lane>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) {
        const bool first =
            FloatSelector ? flush<Ftz>(std::bit_cast<float>(c[i])) >= 0.0f : static_cast<int32_t>(c[i]) >= 0;
        d[i] = first ? a[i] : b[i];
    });
}

}  // namespace

Handler select_setp(Compare compare, Combine combine, Type type, bool ftz) {
    return comparison<false>(compare, combine, type, ftz);
}

Handler select_set(Compare compare, Combine combine, Type type, bool ftz) {
    return comparison<true>(compare, combine, type, ftz);
}

int64_t set_result(Type result, Type type) {
    const bool pair = type == Type::kF16x2 || type == Type::kBf16x2;
    const bool half = type == Type::kF16 || type == Type::kBf16;
    switch (result) {
        case Type::kU32:
        case Type::kS32:
            return pair ? -1 : 0xffff'ffff;
        case Type::kF32:
            return pair ? -1 : 0x3f80'0000;
        case Type::kU16:
        case Type::kS16:
            return half ? 0xffff : -1;
        case Type::kF16:
            return half ? 0x3c00 : -1;
        case Type::kBf16:
            return half ? 0x3f80 : -1;
        case Type::kF16x2:
            return pair ? 0x3c00 : -1;
        case Type::kBf16x2:
            return pair ? 0x3f80 : -1;
        default:
            return -1;
    }
}

Handler select_selp(uint32_t lane_bytes) { return lane_bytes == 8 ? select<uint64_t> : select<uint32_t>; }

Handler select_slct(uint32_t lane_bytes, bool float_selector, bool ftz) {
    if (lane_bytes == 8) {
        if (!float_selector) return select_by_sign<uint64_t, false, false>;
        return ftz ? select_by_sign<uint64_t, true, true> : select_by_sign<uint64_t, true, false>;
    }
    if (!float_selector) return select_by_sign<uint32_t, false, false>;
    return ftz ? select_by_sign<uint32_t, true, true> : select_by_sign<uint32_t, true, false>;
}

}  // namespace bitfusion::soft
