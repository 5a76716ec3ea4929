// Moves between registers and from special registers ("PTX ISA", mov, and chapter 10).
#include <chrono>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

template <class Lane>
void move(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<Lane>(warp, in.op[0]);
    const auto* a = source<Lane>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = a[i]; });
}

void narrow_lanes(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint64_t>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = static_cast<uint32_t>(a[i]); });
}

void widen_lanes(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint64_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = a[i]; });
}

template <class Whole, class Part, unsigned Pieces>
void pack(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<Whole>>(warp, in.op[0]);
    const uint32_t* pieces = warp.operands + in.extra;
    const LaneOf<Part>* a[Pieces];
    for (unsigned k = 0; k < Pieces; ++k) a[k] = source<LaneOf<Part>>(warp, pieces[k]);
    for_lanes(mask, [&](unsigned i) {
        LaneOf<Whole> value = 0;
        for (unsigned k = 0; k < Pieces; ++k)
            value |= static_cast<LaneOf<Whole>>(static_cast<Part>(a[k][i])) << (8 * sizeof(Part) * k);
        d[i] = value;
    });
}

template <class Whole, class Part, unsigned Pieces>
void unpack(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<LaneOf<Whole>>(warp, in.op[0]);
    const uint32_t* pieces = warp.operands + in.extra;
    LaneOf<Part>* d[Pieces];
    for (unsigned k = 0; k < Pieces; ++k) d[k] = target<LaneOf<Part>>(warp, pieces[k]);
    each_lane(mask, [&](unsigned i) {
        const auto value = a[i];
        for (unsigned k = 0; k < Pieces; ++k) d[k][i] = static_cast<Part>(value >> (8 * sizeof(Part) * k));
    });
}

uint64_t nanoseconds(bool wall) {
    const auto count = [](auto clock) {
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(clock.time_since_epoch()).count());
    };
    return wall ? count(std::chrono::system_clock::now()) : count(std::chrono::steady_clock::now());
}

template <class Lane, class F>
void special(Warp& warp, const Instruction& in, uint32_t mask, F f) {
    auto* d = target<Lane>(warp, in.op[0]);
    for_lanes(mask, [&](unsigned i) { d[i] = static_cast<Lane>(f(i)); });
}

enum class Special {
    kTidX,
    kTidY,
    kTidZ,
    kNtidX,
    kNtidY,
    kNtidZ,
    kCtaidX,
    kCtaidY,
    kCtaidZ,
    kNctaidX,
    kNctaidY,
    kNctaidZ,
    kLane,
    kWarp,
    kWarps,
    kSm,
    kSms,
    kGrid,
    kMaskEq,
    kMaskLt,
    kMaskLe,
    kMaskGt,
    kMaskGe,
    kClock,
    kClockHigh,
    kTimer,
    kTimerHigh,
    kDynamicShared,
    kTotalShared,
    kWorkspace,
    kWorkspaceHigh,
    kReserved,
    kReservedEnd,
    kReservedBytes,
    kZero,
    kOne,
};

template <class Lane, Special S>
void read_special(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto constant = [&](uint64_t value) {
        special<Lane>(warp, in, mask, [&](unsigned) { return value; });
    };
    const LaunchRequest& request = warp.grid->request;
    switch (S) {
        case Special::kTidX:
            return special<Lane>(warp, in, mask, [&](unsigned i) { return warp.tid_x[i]; });
        case Special::kTidY:
            return special<Lane>(warp, in, mask, [&](unsigned i) { return warp.tid_y[i]; });
        case Special::kTidZ:
            return special<Lane>(warp, in, mask, [&](unsigned i) { return warp.tid_z[i]; });
        case Special::kNtidX:
            return constant(request.block.x);
        case Special::kNtidY:
            return constant(request.block.y);
        case Special::kNtidZ:
            return constant(request.block.z);
        case Special::kCtaidX:
            return constant(warp.block->index.x);
        case Special::kCtaidY:
            return constant(warp.block->index.y);
        case Special::kCtaidZ:
            return constant(warp.block->index.z);
        case Special::kNctaidX:
            return constant(request.grid.x);
        case Special::kNctaidY:
            return constant(request.grid.y);
        case Special::kNctaidZ:
            return constant(request.grid.z);
        case Special::kLane:
            return special<Lane>(warp, in, mask, [](unsigned i) { return i; });
        case Special::kWarp:
            return constant(warp.number);
        case Special::kWarps:
            return constant(kMaxThreadsPerBlock / kWarpSize);
        case Special::kSm:
            return constant(warp.block->number % std::max(request.multiprocessors, 1u));
        case Special::kSms:
            return constant(request.multiprocessors);
        case Special::kGrid:
            return constant(request.grid_id);
        case Special::kMaskEq:
            return special<Lane>(warp, in, mask, [](unsigned i) { return 1u << i; });
        case Special::kMaskLt:
            return special<Lane>(warp, in, mask, [](unsigned i) { return (1u << i) - 1; });
        case Special::kMaskLe:
            return special<Lane>(warp, in, mask, [](unsigned i) { return (2u << i) - 1; });
        case Special::kMaskGt:
            return special<Lane>(warp, in, mask, [](unsigned i) { return ~((2u << i) - 1); });
        case Special::kMaskGe:
            return special<Lane>(warp, in, mask, [](unsigned i) { return ~((1u << i) - 1); });
        case Special::kClock:
            return constant(nanoseconds(false));
        case Special::kClockHigh:
            return constant(nanoseconds(false) >> 32);
        case Special::kTimer:
            return constant(nanoseconds(true));
        case Special::kTimerHigh:
            return constant(nanoseconds(true) >> 32);
        case Special::kDynamicShared:
            return constant(request.dynamic_shared_bytes);
        case Special::kTotalShared:
            return constant(request.dynamic_shared_bytes + warp.grid->kernel.static_shared_bytes);
        case Special::kWorkspace:
            return constant(warp.grid->workspace_address() & 0xffff'ffff);
        case Special::kWorkspaceHigh:
            return constant(warp.grid->workspace_address() >> 32);
        case Special::kReserved:
            return constant(warp.shared_bytes - kReservedSharedBytes);
        case Special::kReservedEnd:
            return constant(warp.shared_bytes);
        case Special::kReservedBytes:
            return constant(kReservedSharedBytes);
        case Special::kZero:
            return constant(0);
        case Special::kOne:
            return constant(1);
    }
}

template <Special S>
Handler by_width(uint32_t lane_bytes) {
    return lane_bytes == 8 ? read_special<uint64_t, S> : read_special<uint32_t, S>;
}

// Waiting loops often look at the clock: the others get their turn sooner.
template <class Lane, Special S>
void read_clock(Warp& warp, const Instruction& in, uint32_t mask) {
    warp.waits();
    read_special<Lane, S>(warp, in, mask);
}

template <Special S>
Handler clock(uint32_t lane_bytes) {
    return lane_bytes == 8 ? read_clock<uint64_t, S> : read_clock<uint32_t, S>;
}

}  // namespace

Handler select_move(uint32_t lane_bytes) { return lane_bytes == 8 ? move<uint64_t> : move<uint32_t>; }

Handler select_resize(bool widen) { return widen ? widen_lanes : narrow_lanes; }

Handler select_pack(uint32_t bytes, unsigned pieces) {
    if (bytes == 8 && pieces == 2) return pack<uint64_t, uint32_t, 2>;
    if (bytes == 8 && pieces == 4) return pack<uint64_t, uint16_t, 4>;
    if (bytes == 8 && pieces == 8) return pack<uint64_t, uint8_t, 8>;
    if (bytes == 4 && pieces == 2) return pack<uint32_t, uint16_t, 2>;
    if (bytes == 4 && pieces == 4) return pack<uint32_t, uint8_t, 4>;
    if (bytes == 2 && pieces == 2) return pack<uint16_t, uint8_t, 2>;
    return nullptr;
}

Handler select_unpack(uint32_t bytes, unsigned pieces) {
    if (bytes == 8 && pieces == 2) return unpack<uint64_t, uint32_t, 2>;
    if (bytes == 8 && pieces == 4) return unpack<uint64_t, uint16_t, 4>;
    if (bytes == 8 && pieces == 8) return unpack<uint64_t, uint8_t, 8>;
    if (bytes == 4 && pieces == 2) return unpack<uint32_t, uint16_t, 2>;
    if (bytes == 4 && pieces == 4) return unpack<uint32_t, uint8_t, 4>;
    if (bytes == 2 && pieces == 2) return unpack<uint16_t, uint8_t, 2>;
    return nullptr;
}

Handler select_special(std::string_view name, uint32_t lane_bytes) {
    using S = Special;
    struct Entry {
        std::string_view name;
        Handler (*select)(uint32_t);
    };
    static constexpr Entry kEntries[] = {
        {"%tid.x", by_width<S::kTidX>},
        {"%tid.y", by_width<S::kTidY>},
        {"%tid.z", by_width<S::kTidZ>},
        {"%ntid.x", by_width<S::kNtidX>},
        {"%ntid.y", by_width<S::kNtidY>},
        {"%ntid.z", by_width<S::kNtidZ>},
        {"%ctaid.x", by_width<S::kCtaidX>},
        {"%ctaid.y", by_width<S::kCtaidY>},
        {"%ctaid.z", by_width<S::kCtaidZ>},
        {"%nctaid.x", by_width<S::kNctaidX>},
        {"%nctaid.y", by_width<S::kNctaidY>},
        {"%nctaid.z", by_width<S::kNctaidZ>},
        {"%laneid", by_width<S::kLane>},
        {"%warpid", by_width<S::kWarp>},
        {"%nwarpid", by_width<S::kWarps>},
        {"%smid", by_width<S::kSm>},
        {"%nsmid", by_width<S::kSms>},
        {"%gridid", by_width<S::kGrid>},
        {"%lanemask_eq", by_width<S::kMaskEq>},
        {"%lanemask_lt", by_width<S::kMaskLt>},
        {"%lanemask_le", by_width<S::kMaskLe>},
        {"%lanemask_gt", by_width<S::kMaskGt>},
        {"%lanemask_ge", by_width<S::kMaskGe>},
        {"%clock", clock<S::kClock>},
        {"%clock64", clock<S::kClock>},
        {"%clock_hi", clock<S::kClockHigh>},
        {"%globaltimer", clock<S::kTimer>},
        {"%globaltimer_lo", clock<S::kTimer>},
        {"%globaltimer_hi", clock<S::kTimerHigh>},
        {"%dynamic_smem_size", by_width<S::kDynamicShared>},
        {"%total_smem_size", by_width<S::kTotalShared>},
        {"%aggr_smem_size", by_width<S::kTotalShared>},
        // a cluster is one block here
        {"%clusterid.x", by_width<S::kCtaidX>},
        {"%clusterid.y", by_width<S::kCtaidY>},
        {"%clusterid.z", by_width<S::kCtaidZ>},
        {"%nclusterid.x", by_width<S::kNctaidX>},
        {"%nclusterid.y", by_width<S::kNctaidY>},
        {"%nclusterid.z", by_width<S::kNctaidZ>},
        {"%cluster_ctaid.x", by_width<S::kZero>},
        {"%cluster_ctaid.y", by_width<S::kZero>},
        {"%cluster_ctaid.z", by_width<S::kZero>},
        {"%cluster_nctaid.x", by_width<S::kOne>},
        {"%cluster_nctaid.y", by_width<S::kOne>},
        {"%cluster_nctaid.z", by_width<S::kOne>},
        {"%cluster_ctarank", by_width<S::kZero>},
        {"%cluster_nctarank", by_width<S::kOne>},
    };
    for (const Entry& entry : kEntries)
        if (entry.name == name) return entry.select(lane_bytes);
    if (name == "%reserved_smem_offset_end") return by_width<S::kReservedEnd>(lane_bytes);
    if (name == "%reserved_smem_offset_cap") return by_width<S::kReservedBytes>(lane_bytes);
    if (name.starts_with("%reserved_smem_offset_")) return by_width<S::kReserved>(lane_bytes);
    // %envreg0 to %envreg31 hold what the driver puts there
    if (name == "%envreg1") return by_width<S::kWorkspaceHigh>(lane_bytes);
    if (name == "%envreg2") return by_width<S::kWorkspace>(lane_bytes);
    if (name.starts_with("%envreg")) return by_width<S::kZero>(lane_bytes);
    // performance counters, which nobody has set up
    if (name.starts_with("%pm")) return by_width<S::kZero>(lane_bytes);
    return nullptr;
}

}  // namespace bitfusion::soft
