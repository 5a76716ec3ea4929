// SIMD video instructions: two or four small integers in one register ("PTX ISA", section 9.7.18).
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

// Instruction::flags, as video_flags() packs them.
constexpr uint32_t kSignedA = 1;
constexpr uint32_t kSignedB = 2;
constexpr uint32_t kSignedD = 4;
constexpr uint32_t kSaturates = 8;
constexpr uint32_t kAccumulates = 16;
constexpr unsigned kCompareShift = 8;

template <unsigned Bits>
int32_t piece(uint64_t word, unsigned k, bool is_signed) {
    const uint32_t value = static_cast<uint32_t>(word >> (Bits * k)) & ((1u << Bits) - 1);
    return is_signed ? static_cast<int32_t>(value << (32 - Bits)) >> (32 - Bits)
                     : static_cast<int32_t>(value);
}

VideoPieces unpack(int64_t immediate) {
    const auto packed = static_cast<uint64_t>(immediate);
    return {static_cast<uint32_t>(packed >> 32), static_cast<uint32_t>(packed & 0xffff),
            static_cast<uint32_t>(packed >> 16 & 0xffff)};
}

struct Add {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return a + b; }
};
struct Subtract {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return a - b; }
};
struct Average {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return (a + b + (a + b >= 0 ? 1 : 0)) >> 1; }
};
struct Difference {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return a < b ? b - a : a - b; }
};
struct Minimum {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return std::min(a, b); }
};
struct Maximum {
    static int32_t apply(int32_t a, int32_t b, uint32_t) { return std::max(a, b); }
};
struct Set {
    static int32_t apply(int32_t a, int32_t b, uint32_t flags) {
        switch (static_cast<Compare>(flags >> kCompareShift)) {
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

template <class Op, unsigned Bits>
void pieces(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    const bool signed_d = (in.flags & kSignedD) != 0;
    const bool accumulates = (in.flags & kAccumulates) != 0;
    const int32_t least = signed_d ? -(1 << (Bits - 1)) : 0;
    const int32_t most = signed_d ? (1 << (Bits - 1)) - 1 : (1 << Bits) - 1;
    const VideoPieces chosen = unpack(in.immediate);
    each_lane(mask, [&](unsigned i) {
        const uint64_t both = static_cast<uint64_t>(b[i]) << 32 | a[i];
        uint32_t out = c[i];
        for (unsigned k = 0; k < 32 / Bits; ++k) {
            if ((chosen.mask >> k & 1) == 0) continue;
            int32_t value =
                Op::apply(piece<Bits>(both, chosen.a >> (4 * k) & 7, (in.flags & kSignedA) != 0),
                          piece<Bits>(both, chosen.b >> (4 * k) & 7, (in.flags & kSignedB) != 0), in.flags);
            if ((in.flags & kSaturates) != 0) value = std::clamp(value, least, most);
            constexpr uint32_t kWhole = (1u << Bits) - 1;
            if (accumulates)
                out += static_cast<uint32_t>(value);
            else
                out = (out & ~(kWhole << (Bits * k))) | (static_cast<uint32_t>(value) & kWhole) << (Bits * k);
        }
        d[i] = out;
    });
}

template <unsigned Bits>
Handler any(std::string_view name) {
    if (name == "vadd") return pieces<Add, Bits>;
    if (name == "vsub") return pieces<Subtract, Bits>;
    if (name == "vavrg") return pieces<Average, Bits>;
    if (name == "vabsdiff") return pieces<Difference, Bits>;
    if (name == "vmin") return pieces<Minimum, Bits>;
    if (name == "vmax") return pieces<Maximum, Bits>;
    if (name == "vset") return pieces<Set, Bits>;
    return nullptr;
}

}  // namespace

uint32_t video_flags(bool signed_d, bool signed_a, bool signed_b, bool saturates, bool accumulates,
                     Compare compare) {
    return (signed_d ? kSignedD : 0) | (signed_a ? kSignedA : 0) | (signed_b ? kSignedB : 0) |
           (saturates ? kSaturates : 0) | (accumulates ? kAccumulates : 0) |
           static_cast<uint32_t>(compare) << kCompareShift;
}

int64_t pack(const VideoPieces& pieces) {
    return static_cast<int64_t>(uint64_t{pieces.mask} << 32 | pieces.b << 16 | pieces.a);
}

Handler select_video(std::string_view name) {
    const std::string_view base = name.substr(0, name.size() - 1);
    return name.ends_with('4') ? any<8>(base) : name.ends_with('2') ? any<16>(base) : nullptr;
}

}  // namespace bitfusion::soft
