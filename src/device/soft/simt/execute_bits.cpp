// Bit fields, counts, permutations, dot products ("PTX ISA", sections 9.7.1.13 to 9.7.1.25, 9.7.8).
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

template <class T, class F>
void one_to_word(Warp& warp, const Instruction& in, uint32_t mask, F f) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    each_lane(mask, [&](unsigned i) { d[i] = f(get<T>(a[i])); });
}

template <class T>
void count_ones(Warp& warp, const Instruction& in, uint32_t mask) {
    one_to_word<T>(warp, in, mask, [](T a) { return static_cast<uint32_t>(std::popcount(a)); });
}

template <class T>
void count_leading(Warp& warp, const Instruction& in, uint32_t mask) {
    one_to_word<T>(warp, in, mask, [](T a) { return static_cast<uint32_t>(std::countl_zero(a)); });
}

template <class T, bool Signed, bool ShiftAmount>
void find_leading(Warp& warp, const Instruction& in, uint32_t mask) {
    constexpr uint32_t kTop = sizeof(T) * 8 - 1;
    one_to_word<T>(warp, in, mask, [](T a) -> uint32_t {
        if (Signed && (a >> kTop) != 0) a = static_cast<T>(~a);
        if (a == 0) return UINT32_MAX;
        const auto zeros = static_cast<uint32_t>(std::countl_zero(a));
        return ShiftAmount ? zeros : kTop - zeros;
    });
}

template <class T>
T reverse(T a) {
    T out = 0;
    for (unsigned i = 0; i < sizeof(T) * 8; ++i)
        out |= static_cast<T>((a >> i & 1) << (sizeof(T) * 8 - 1 - i));
    return out;
}

template <class T>
void reverse_bits(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    each_lane(mask, [&](unsigned i) { d[i] = reverse<T>(a[i]); });
}

template <class T, bool Signed>
void extract(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    constexpr uint32_t kTop = sizeof(T) * 8 - 1;
    each_lane(mask, [&](unsigned i) {
        const uint32_t at = b[i] & 0xff;
        const uint32_t length = c[i] & 0xff;
        const T value = a[i];
        if (length == 0) {
            d[i] = 0;
            return;
        }
        const T field = at > kTop ? 0 : static_cast<T>(value >> at);
        const T keep = length > kTop ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << length) - 1);
        const bool sign = Signed && (value >> std::min(at + length - 1, kTop) & 1) != 0;
        // bits of the field beyond the value's top are the sign as well
        const T have = at > kTop ? 0 : at == 0 ? static_cast<T>(~T{0}) : static_cast<T>(~T{0} >> at);
        const T valid = keep & have;
        d[i] = static_cast<T>((field & valid) | (sign ? ~valid : 0));
    });
}

template <class T>
void insert(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* f = target<LaneOf<T>>(warp, in.op[0]);
    const auto* a = source<LaneOf<T>>(warp, in.op[1]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const auto* e = source<uint32_t>(warp, in.op[4]);
    constexpr uint32_t kTop = sizeof(T) * 8 - 1;
    each_lane(mask, [&](unsigned i) {
        const uint32_t at = c[i] & 0xff;
        const uint32_t length = e[i] & 0xff;
        if (at > kTop || length == 0) {
            f[i] = b[i];
            return;
        }
        const T keep = length > kTop ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << length) - 1);
        const T place = static_cast<T>(keep << at);
        f[i] = static_cast<T>((b[i] & ~place) | (static_cast<T>(a[i] << at) & place));
    });
}

template <bool Clamp>
void bit_mask(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    each_lane(mask, [&](unsigned i) {
        const uint32_t at = Clamp ? std::min(a[i], 32u) : a[i] & 31;
        const uint32_t length = Clamp ? std::min(b[i], 32u) : b[i] & 31;
        d[i] = static_cast<uint32_t>(((uint64_t{1} << length) - 1) << at);
    });
}

template <bool Signed, bool Clamp>
void sign_extend(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    each_lane(mask, [&](unsigned i) {
        const uint32_t width = Clamp ? std::min(b[i], 32u) : b[i] & 31;
        if (width == 0) {
            d[i] = 0;
            return;
        }
        const uint32_t shift = 32 - width;
        d[i] = Signed ? static_cast<uint32_t>(static_cast<int32_t>(a[i] << shift) >> shift)
                      : a[i] << shift >> shift;
    });
}

// The n-th set bit from `base` upwards (n > 0) or downwards (n < 0).
void find_nth(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* word = source<uint32_t>(warp, in.op[1]);
    const auto* base = source<uint32_t>(warp, in.op[2]);
    const auto* offset = source<uint32_t>(warp, in.op[3]);
    each_lane(mask, [&](unsigned i) {
        auto n = static_cast<int32_t>(offset[i]);
        uint32_t found = UINT32_MAX;
        if (base[i] < 32) {
            if (n == 0) {
                if ((word[i] >> base[i] & 1) != 0) found = base[i];
            } else {
                const int step = n > 0 ? 1 : -1;
                int64_t left = n > 0 ? n : -static_cast<int64_t>(n);
                for (int at = static_cast<int>(base[i]); at >= 0 && at < 32; at += step)
                    if ((word[i] >> at & 1) != 0 && --left == 0) {
                        found = static_cast<uint32_t>(at);
                        break;
                    }
            }
        }
        d[i] = found;
    });
}

enum class Permute { kIndex, kF4e, kB4e, kRc8, kEcl, kEcr, kRc16 };

template <Permute Mode>
void permute(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    each_lane(mask, [&](unsigned i) {
        const uint64_t bytes = uint64_t{b[i]} << 32 | a[i];
        const uint32_t s = c[i] & 3;
        uint32_t out = 0;
        for (uint32_t k = 0; k < 4; ++k) {
            uint32_t pick = 0;
            switch (Mode) {
                case Permute::kIndex:
                    pick = c[i] >> (4 * k) & 15;
                    break;
                case Permute::kF4e:
                    pick = s + k;
                    break;
                case Permute::kB4e:
                    pick = (s - k) & 7;
                    break;
                case Permute::kRc8:
                    pick = s;
                    break;
                case Permute::kEcl:
                    pick = std::max(k, s);
                    break;
                case Permute::kEcr:
                    pick = std::min(k, s);
                    break;
                case Permute::kRc16:
                    pick = (s & 1) * 2 + (k & 1);
                    break;
            }
            auto byte = static_cast<uint32_t>(bytes >> (8 * (pick & 7)) & 0xff);
            if ((pick & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
            out |= byte << (8 * k);
        }
        d[i] = out;
    });
}

void logic3(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    uint32_t term[8];
    for (unsigned k = 0; k < 8; ++k) term[k] = (in.immediate >> k & 1) != 0 ? kAllLanes : 0;
    for_lanes(mask, [&](unsigned i) {
        const uint32_t x = a[i];
        const uint32_t y = b[i];
        const uint32_t z = c[i];
        d[i] = (~x & ~y & ~z & term[0]) | (~x & ~y & z & term[1]) | (~x & y & ~z & term[2]) |
               (~x & y & z & term[3]) | (x & ~y & ~z & term[4]) | (x & ~y & z & term[5]) |
               (x & y & ~z & term[6]) | (x & y & z & term[7]);
    });
}

template <bool Left, bool Clamp>
void funnel(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    for_lanes(mask, [&](unsigned i) {
        const uint32_t n = Clamp ? std::min(c[i], 32u) : c[i] & 31;
        const uint64_t both = uint64_t{b[i]} << 32 | a[i];
        d[i] = static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
    });
}

template <class A, class B>
void dot4(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    each_lane(mask, [&](unsigned i) {
        uint32_t sum = c[i];
        for (unsigned k = 0; k < 4; ++k)
            sum += static_cast<uint32_t>(static_cast<int32_t>(static_cast<A>(a[i] >> (8 * k))) *
                                         static_cast<int32_t>(static_cast<B>(b[i] >> (8 * k))));
        d[i] = sum;
    });
}

template <class A16, class B, bool High>
void dot2(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    each_lane(mask, [&](unsigned i) {
        uint32_t sum = c[i];
        for (unsigned k = 0; k < 2; ++k)
            sum += static_cast<uint32_t>(
                static_cast<int32_t>(static_cast<A16>(a[i] >> (16 * k))) *
                static_cast<int32_t>(static_cast<B>(b[i] >> (8 * (k + (High ? 2 : 0))))));
        d[i] = sum;
    });
}

template <class A, class A16, class B>
Handler dot(std::string_view name) {
    if (name == "dp4a") return dot4<A, B>;
    if (name == "dp2a.lo") return dot2<A16, B, false>;
    if (name == "dp2a.hi") return dot2<A16, B, true>;
    return nullptr;
}

template <class U, bool Signed>
Handler fields(std::string_view name) {
    if (name == "bfind") return find_leading<U, Signed, false>;
    if (name == "bfind.shiftamt") return find_leading<U, Signed, true>;
    if (name == "bfe") return extract<U, Signed>;
    return nullptr;
}

template <class U>
Handler untyped(std::string_view name) {
    if (name == "popc") return count_ones<U>;
    if (name == "clz") return count_leading<U>;
    if (name == "brev") return reverse_bits<U>;
    if (name == "bfi") return insert<U>;
    return nullptr;
}

Handler word(std::string_view name) {
    if (name == "lop3") return logic3;
    if (name == "fns") return find_nth;
    if (name == "bmsk.clamp") return bit_mask<true>;
    if (name == "bmsk.wrap") return bit_mask<false>;
    if (name == "shf.l.clamp") return funnel<true, true>;
    if (name == "shf.l.wrap") return funnel<true, false>;
    if (name == "shf.r.clamp") return funnel<false, true>;
    if (name == "shf.r.wrap") return funnel<false, false>;
    if (name == "prmt") return permute<Permute::kIndex>;
    if (name == "prmt.f4e") return permute<Permute::kF4e>;
    if (name == "prmt.b4e") return permute<Permute::kB4e>;
    if (name == "prmt.rc8") return permute<Permute::kRc8>;
    if (name == "prmt.ecl") return permute<Permute::kEcl>;
    if (name == "prmt.ecr") return permute<Permute::kEcr>;
    if (name == "prmt.rc16") return permute<Permute::kRc16>;
    return nullptr;
}

}  // namespace

Handler select_bits(std::string_view name, Type type) {
    if (name.starts_with("dp")) {
        const std::string_view kinds = name.substr(name.size() - 2);
        const std::string_view base = name.substr(0, name.size() - 3);
        if (kinds == "ss") return dot<int8_t, int16_t, int8_t>(base);
        if (kinds == "su") return dot<int8_t, int16_t, uint8_t>(base);
        if (kinds == "us") return dot<uint8_t, uint16_t, int8_t>(base);
        if (kinds == "uu") return dot<uint8_t, uint16_t, uint8_t>(base);
        return nullptr;
    }
    switch (type) {
        case Type::kU32:
            if (name == "szext.clamp") return sign_extend<false, true>;
            if (name == "szext.wrap") return sign_extend<false, false>;
            return fields<uint32_t, false>(name);
        case Type::kS32:
            if (name == "szext.clamp") return sign_extend<true, true>;
            if (name == "szext.wrap") return sign_extend<true, false>;
            return fields<uint32_t, true>(name);
        case Type::kU64:
            return fields<uint64_t, false>(name);
        case Type::kS64:
            return fields<uint64_t, true>(name);
        case Type::kB32: {
            const Handler handler = untyped<uint32_t>(name);
            return handler != nullptr ? handler : word(name);
        }
        case Type::kB64:
            return untyped<uint64_t>(name);
        default:
            return nullptr;
    }
}

namespace {

uint32_t read(const Warp& warp, uint32_t operand, bool negated) {
    const uint32_t value = predicate(warp, operand);
    return negated ? ~value : value;
}

void predicate_and(Warp& warp, const Instruction& in, uint32_t mask) {
    set_predicate(warp, in.op[0], mask,
                  read(warp, in.op[1], (in.flags & 1) != 0) & read(warp, in.op[2], (in.flags & 2) != 0));
}

void predicate_or(Warp& warp, const Instruction& in, uint32_t mask) {
    set_predicate(warp, in.op[0], mask,
                  read(warp, in.op[1], (in.flags & 1) != 0) | read(warp, in.op[2], (in.flags & 2) != 0));
}

void predicate_xor(Warp& warp, const Instruction& in, uint32_t mask) {
    set_predicate(warp, in.op[0], mask,
                  read(warp, in.op[1], (in.flags & 1) != 0) ^ read(warp, in.op[2], (in.flags & 2) != 0));
}

void predicate_not(Warp& warp, const Instruction& in, uint32_t mask) {
    set_predicate(warp, in.op[0], mask, ~read(warp, in.op[1], (in.flags & 1) != 0));
}

}  // namespace

Handler select_predicate(std::string_view name) {
    if (name == "and") return predicate_and;
    if (name == "or") return predicate_or;
    if (name == "xor") return predicate_xor;
    if (name == "not") return predicate_not;
    return nullptr;
}

}  // namespace bitfusion::soft
