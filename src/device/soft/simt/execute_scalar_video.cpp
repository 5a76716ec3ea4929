// Scalar video instructions ("PTX ISA", section 9.7.17): one operation on parts of registers, then
// saturation, then a second operation or a place in the third operand.
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

// Instruction::flags, from the lowest bit.
constexpr unsigned kPartBits = 6;
constexpr unsigned kPartShift = 5;

struct Reader {
    uint32_t flags;
    uint32_t take(unsigned bits) {
        const uint32_t value = flags & ((1u << bits) - 1);
        flags >>= bits;
        return value;
    }
};

VideoMode mode_of(uint32_t flags) {
    Reader reader{flags};
    VideoMode mode;
    mode.signed_d = reader.take(1) != 0;
    mode.signed_a = reader.take(1) != 0;
    mode.signed_b = reader.take(1) != 0;
    mode.saturates = reader.take(1) != 0;
    mode.wraps = reader.take(1) != 0;
    mode.minus_product = reader.take(1) != 0;
    mode.minus_c = reader.take(1) != 0;
    mode.plus_one = reader.take(1) != 0;
    mode.scale = reader.take(4);
    mode.second = static_cast<Second>(reader.take(2));
    mode.compare = static_cast<Compare>(reader.take(4));
    mode.part_bits = reader.take(kPartBits);
    mode.part_shift = reader.take(kPartShift);
    return mode;
}

int64_t extended(uint32_t bits, bool is_signed) {
    return is_signed ? static_cast<int32_t>(bits) : static_cast<int64_t>(bits);
}

SignedWide clamped(SignedWide value, uint32_t bits, bool is_signed) {
    const SignedWide span = SignedWide{1} << bits;
    return is_signed ? std::clamp(value, -(span / 2), span / 2 - 1)
                     : std::clamp<SignedWide>(value, 0, span - 1);
}

struct Add {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode&) { return a + b; }
};
struct Subtract {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode&) { return a - b; }
};
struct Difference {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode&) { return a < b ? b - a : a - b; }
};
struct Minimum {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode&) { return std::min(a, b); }
};
struct Maximum {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode&) { return std::max(a, b); }
};
int64_t amount(int64_t b, const VideoMode& mode) { return mode.wraps ? b & 31 : std::min<int64_t>(b, 32); }
struct ShiftLeft {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode& mode) {
        return static_cast<SignedWide>(a) * (SignedWide{1} << amount(b, mode));
    }
};
struct ShiftRight {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode& mode) { return a >> amount(b, mode); }
};
struct Set {
    static SignedWide apply(int64_t a, int64_t b, const VideoMode& mode) {
        switch (mode.compare) {
            case Compare::kEq:
                return a == b ? 1 : 0;
            case Compare::kNe:
                return a != b ? 1 : 0;
            case Compare::kLt:
                return a < b ? 1 : 0;
            case Compare::kLe:
                return a <= b ? 1 : 0;
            case Compare::kGt:
                return a > b ? 1 : 0;
            default:
                return a >= b ? 1 : 0;
        }
    }
};

template <class Op>
void one(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const VideoMode mode = mode_of(in.flags);
    each_lane(mask, [&](unsigned i) {
        SignedWide value = Op::apply(extended(a[i], mode.signed_a), extended(b[i], mode.signed_b), mode);
        if (mode.saturates) value = clamped(value, mode.part_bits == 0 ? 32 : mode.part_bits, mode.signed_d);
        const auto bits = static_cast<uint32_t>(value);
        const int64_t x = extended(bits, mode.signed_d);
        const int64_t y = extended(c[i], mode.signed_d);
        switch (mode.second) {
            case Second::kAdd:
                d[i] = bits + c[i];
                return;
            case Second::kMin:
                d[i] = static_cast<uint32_t>(std::min(x, y));
                return;
            case Second::kMax:
                d[i] = static_cast<uint32_t>(std::max(x, y));
                return;
            case Second::kNone:
                break;
        }
        if (mode.part_bits == 0) {
            d[i] = bits;
            return;
        }
        const uint32_t keep = ((1u << mode.part_bits) - 1) << mode.part_shift;
        d[i] = (bits << mode.part_shift & keep) | (c[i] & ~keep);
    });
}

void multiply_add(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const VideoMode mode = mode_of(in.flags);
    const bool is_signed = mode.signed_a || mode.signed_b || mode.minus_product || mode.minus_c;
    each_lane(mask, [&](unsigned i) {
        SignedWide value =
            static_cast<SignedWide>(extended(a[i], mode.signed_a)) * extended(b[i], mode.signed_b);
        if (mode.minus_product) value = -value;
        const int64_t term = extended(c[i], is_signed);
        value += mode.minus_c ? -term : term;
        value += mode.plus_one ? 1 : 0;
        value >>= mode.scale;
        if (mode.saturates)
            value = is_signed ? std::clamp<SignedWide>(value, INT32_MIN, INT32_MAX)
                              : std::clamp<SignedWide>(value, 0, UINT32_MAX);
        d[i] = static_cast<uint32_t>(value);
    });
}

}  // namespace

uint32_t scalar_video_flags(const VideoMode& mode) {
    uint32_t flags = 0;
    unsigned at = 0;
    const auto put = [&](uint32_t value, unsigned bits) {
        flags |= value << at;
        at += bits;
    };
    for (const bool bit : {mode.signed_d, mode.signed_a, mode.signed_b, mode.saturates, mode.wraps,
                           mode.minus_product, mode.minus_c, mode.plus_one})
        put(bit ? 1 : 0, 1);
    put(mode.scale, 4);
    put(static_cast<uint32_t>(mode.second), 2);
    put(static_cast<uint32_t>(mode.compare), 4);
    put(mode.part_bits, kPartBits);
    put(mode.part_shift, kPartShift);
    return flags;
}

Handler select_scalar_video(std::string_view name) {
    if (name == "vadd") return one<Add>;
    if (name == "vsub") return one<Subtract>;
    if (name == "vabsdiff") return one<Difference>;
    if (name == "vmin") return one<Minimum>;
    if (name == "vmax") return one<Maximum>;
    if (name == "vshl") return one<ShiftLeft>;
    if (name == "vshr") return one<ShiftRight>;
    if (name == "vset") return one<Set>;
    if (name == "vmad") return multiply_add;
    return nullptr;
}

}  // namespace bitfusion::soft
