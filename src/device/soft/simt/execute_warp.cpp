// Instructions that the lanes of a warp execute together: shuffles, votes, matches, reductions ("PTX ISA",
// sections 9.7.9.6, 9.7.13.8 to 9.7.13.11). They wait until the lanes they name have come.
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

// All lanes that the lanes of `mask` want to see here. Parts of a warp that execute one instruction together
// may each name lanes of their own: tiles of cooperative groups do.
uint32_t members_of(const Warp& warp, uint32_t operand, uint32_t mask) {
    const auto* members = source<uint32_t>(warp, operand);
    uint32_t all = 0;
    each_lane(mask, [&](unsigned i) { all |= members[i]; });
    return all;
}

// Calls f(members, lanes) for the lanes that name the same members, part by part.
template <class F>
void each_part(const Warp& warp, uint32_t operand, uint32_t mask, F f) {
    const auto* members = source<uint32_t>(warp, operand);
    for (uint32_t left = mask; left != 0;) {
        const uint32_t named = members[std::countr_zero(left)];
        uint32_t lanes = 0;
        each_lane(left, [&](unsigned i) { lanes |= (members[i] == named ? 1u : 0u) << i; });
        left &= ~lanes;
        f(named, lanes);
    }
}

enum class Shuffle { kUp, kDown, kButterfly, kIndex };

template <Shuffle Mode>
void shuffle(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, members_of(warp, warp.operands[in.extra], mask))) return;
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    const auto* b = source<uint32_t>(warp, in.op[2]);
    const auto* c = source<uint32_t>(warp, in.op[3]);
    uint32_t out[kWarpSize];
    uint32_t in_range = 0;
    each_lane(mask, [&](unsigned i) {
        const int lane = static_cast<int>(i);
        const int value = static_cast<int>(b[i] & 31);
        const int clamp = static_cast<int>(c[i] & 31);
        const int segment = static_cast<int>(c[i] >> 8 & 31);
        const int most = (lane & segment) | (clamp & ~segment);
        const int least = lane & segment;
        int from = 0;
        bool valid = false;
        switch (Mode) {
            case Shuffle::kUp:
                from = lane - value;
                valid = from >= most;
                break;
            case Shuffle::kDown:
                from = lane + value;
                valid = from <= most;
                break;
            case Shuffle::kButterfly:
                from = lane ^ value;
                valid = from <= most;
                break;
            case Shuffle::kIndex:
                from = least | (value & ~segment);
                valid = from <= most;
                break;
        }
        out[i] = a[valid ? from & 31 : lane];
        in_range |= (valid ? 1u : 0u) << i;
    });
    for_lanes(mask, [&](unsigned i) { d[i] = out[i]; });
    if ((in.flags & 1) != 0) set_predicate(warp, in.op[4], mask, in_range);
}

enum class Vote { kAll, kAny, kUniform, kBallot };

template <Vote Mode>
void vote(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, members_of(warp, in.op[2], mask))) return;
    const uint32_t word = predicate(warp, in.op[1]);
    each_part(warp, in.op[2], mask, [&](uint32_t members, uint32_t lanes) {
        const uint32_t here = members & lanes;
        const uint32_t p = ((in.flags & 1) != 0 ? ~word : word) & here;
        if (Mode == Vote::kBallot) {
            auto* d = target<uint32_t>(warp, in.op[0]);
            for_lanes(lanes, [&](unsigned i) { d[i] = p; });
            return;
        }
        const bool value = Mode == Vote::kAll ? p == here : Mode == Vote::kAny ? p != 0 : p == 0 || p == here;
        set_predicate(warp, in.op[0], lanes, value ? kAllLanes : 0);
    });
}

template <class Lane, bool All>
void match(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, members_of(warp, in.op[2], mask))) return;
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<Lane>(warp, in.op[1]);
    uint32_t out[kWarpSize] = {};
    uint32_t all_same = 0;
    each_part(warp, in.op[2], mask, [&](uint32_t members, uint32_t lanes) {
        const uint32_t here = members & lanes;
        each_lane(lanes, [&](unsigned i) {
            uint32_t same = 0;
            each_lane(here, [&](unsigned k) { same |= (a[k] == a[i] ? 1u : 0u) << k; });
            out[i] = !All || same == here ? same : 0;
            all_same |= (same == here ? 1u : 0u) << i;
        });
    });
    each_lane(mask, [&](unsigned i) { d[i] = out[i]; });
    if (All && (in.flags & 2) != 0) set_predicate(warp, in.op[3], mask, all_same);
}

template <class T, class Op>
void reduce(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, members_of(warp, in.op[2], mask))) return;
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    each_part(warp, in.op[2], mask, [&](uint32_t members, uint32_t lanes) {
        const uint32_t here = members & lanes;
        if (here == 0) return;
        T value = get<T>(a[std::countr_zero(here)]);
        each_lane(here & (here - 1), [&](unsigned i) { value = Op::apply(value, get<T>(a[i])); });
        for_lanes(lanes, [&](unsigned i) { d[i] = put<T>(value); });
    });
}

struct Add {
    template <class T>
    static T apply(T a, T b) {
        return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    }
};
struct Minimum {
    template <class T>
    static T apply(T a, T b) {
        return std::min(a, b);
    }
};
struct Maximum {
    template <class T>
    static T apply(T a, T b) {
        return std::max(a, b);
    }
};
struct And {
    template <class T>
    static T apply(T a, T b) {
        return a & b;
    }
};
struct Or {
    template <class T>
    static T apply(T a, T b) {
        return a | b;
    }
};
struct Xor {
    template <class T>
    static T apply(T a, T b) {
        return a ^ b;
    }
};

void active_mask(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    for_lanes(mask, [&](unsigned i) { d[i] = mask; });
}

void elect(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, members_of(warp, in.op[2], mask))) return;
    auto* d = target<uint32_t>(warp, in.op[0]);
    each_part(warp, in.op[2], mask, [&](uint32_t members, uint32_t lanes) {
        const uint32_t here = members & lanes;
        const auto leader = static_cast<uint32_t>(std::countr_zero(here == 0 ? lanes : here));
        for_lanes(lanes, [&](unsigned i) { d[i] = leader; });
        set_predicate(warp, in.op[1], lanes, 1u << leader);
    });
}

void warp_sync(Warp& warp, const Instruction& in, uint32_t mask) {
    converged(warp, members_of(warp, in.op[0], mask));
}

}  // namespace

Handler select_shuffle(std::string_view mode) {
    if (mode == "up") return shuffle<Shuffle::kUp>;
    if (mode == "down") return shuffle<Shuffle::kDown>;
    if (mode == "bfly") return shuffle<Shuffle::kButterfly>;
    if (mode == "idx") return shuffle<Shuffle::kIndex>;
    return nullptr;
}

Handler select_vote(std::string_view mode) {
    if (mode == "all") return vote<Vote::kAll>;
    if (mode == "any") return vote<Vote::kAny>;
    if (mode == "uni") return vote<Vote::kUniform>;
    if (mode == "ballot") return vote<Vote::kBallot>;
    return nullptr;
}

Handler select_match(std::string_view mode, uint32_t lane_bytes) {
    if (mode == "any") return lane_bytes == 8 ? match<uint64_t, false> : match<uint32_t, false>;
    return lane_bytes == 8 ? match<uint64_t, true> : match<uint32_t, true>;
}

Handler select_redux(std::string_view operation, Type type) {
    if (type == Type::kU32) {
        if (operation == "add") return reduce<uint32_t, Add>;
        if (operation == "min") return reduce<uint32_t, Minimum>;
        if (operation == "max") return reduce<uint32_t, Maximum>;
    }
    if (type == Type::kS32) {
        if (operation == "add") return reduce<int32_t, Add>;
        if (operation == "min") return reduce<int32_t, Minimum>;
        if (operation == "max") return reduce<int32_t, Maximum>;
    }
    if (type == Type::kB32) {
        if (operation == "and") return reduce<uint32_t, And>;
        if (operation == "or") return reduce<uint32_t, Or>;
        if (operation == "xor") return reduce<uint32_t, Xor>;
    }
    return nullptr;
}

Handler select_active_mask() { return active_mask; }
Handler select_elect() { return elect; }
Handler select_warp_sync() { return warp_sync; }

}  // namespace bitfusion::soft
