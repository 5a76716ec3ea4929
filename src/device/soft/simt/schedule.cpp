// Groups of a warp and their call frames.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

namespace {

// A runnable group that had no turn for this many steps gets one, this long.
constexpr uint64_t kPatience = 16384;
constexpr uint64_t kTurn = 1024;
constexpr uint32_t kDeepestCall = 1 << 16;
// Registers of all calls of a grid: recursion that needs more ends like one that needs too much stack.
constexpr uint64_t kMostFrameBytes = uint64_t{2} << 30;

void remove_group(Warp& warp, uint32_t which) {
    const uint32_t last = --warp.group_count;
    if (which != last) warp.groups[which] = warp.groups[last];
    if (warp.current == which)
        warp.current = kNoGroup;
    else if (warp.current == last)
        warp.current = which;
}

bool runnable(const Warp& warp, Group& group) {
    if (group.state == Group::State::kConverge && (group.wants & warp.live & ~group.mask) == 0)
        group.state = Group::State::kRunnable;
    return group.state == Group::State::kRunnable;
}

bool before(const Group& a, const Group& b) {
    if (a.frame->depth != b.frame->depth) return a.frame->depth > b.frame->depth;
    return a.pc < b.pc;
}

void count_instructions(Warp& warp) {
    const uint64_t issued = warp.steps - warp.weight;
    warp.thread_instructions += (issued - warp.counted) * static_cast<unsigned>(std::popcount(warp.active));
    warp.counted = issued;
}

void use_frame(Warp& warp, Frame* frame) {
    warp.registers = frame->registers;
    warp.base[0] = frame->registers;
}

// Gives a group that waited long its turn, so that threads spinning on it see progress.
uint32_t starving(Warp& warp) {
    if (warp.steps < warp.turn_end)
        for (uint32_t i = 0; i < warp.group_count; ++i)
            if ((warp.groups[i].mask & warp.turn_lanes) != 0 &&
                warp.groups[i].state == Group::State::kRunnable)
                return i;
    uint32_t oldest = kNoGroup;
    for (uint32_t i = 0; i < warp.group_count; ++i)
        if (warp.groups[i].state == Group::State::kRunnable &&
            warp.steps - warp.groups[i].last_run > kPatience &&
            (oldest == kNoGroup || warp.groups[i].last_run < warp.groups[oldest].last_run))
            oldest = i;
    if (oldest == kNoGroup) return kNoGroup;
    warp.turn_lanes = warp.groups[oldest].mask & (0 - warp.groups[oldest].mask);
    warp.turn_end = warp.steps + kTurn;
    return oldest;
}

}  // namespace

void park_group(Warp& warp) {
    count_instructions(warp);
    if (warp.current == kNoGroup) return;
    Group& group = warp.group();
    group.pc = warp.pc;
    group.last_run = warp.steps;
    warp.current = kNoGroup;
    warp.active = 0;
}

bool choose_group(Warp& warp) {
    uint32_t best = kNoGroup;
    uint32_t blocked = kNoGroup;
    for (uint32_t i = 0; i < warp.group_count; ++i) {
        Group& group = warp.groups[i];
        if (runnable(warp, group)) {
            if (best == kNoGroup || before(group, warp.groups[best])) best = i;
        } else if (group.state == Group::State::kConverge) {
            if (blocked == kNoGroup || before(group, warp.groups[blocked])) blocked = i;
        }
    }
    if (best == kNoGroup) {
        if (blocked == kNoGroup) return false;
        best = blocked;
        warp.force = true;
    } else if (warp.group_count > 1) {
        const uint32_t starved = starving(warp);
        if (starved != kNoGroup) best = starved;
    }
    // groups at the same place become one
    for (uint32_t i = 0; i < warp.group_count;) {
        const Group& other = warp.groups[i];
        if (i == best || other.pc != warp.groups[best].pc || other.frame != warp.groups[best].frame ||
            other.state == Group::State::kBarrier) {
            ++i;
            continue;
        }
        warp.groups[best].mask |= other.mask;
        if (best == warp.group_count - 1) {
            std::swap(warp.groups[i], warp.groups[best]);
            best = i;
        } else {
            warp.groups[i] = warp.groups[warp.group_count - 1];
        }
        --warp.group_count;
    }
    Group& group = warp.groups[best];
    group.state = Group::State::kRunnable;
    warp.current = best;
    warp.active = group.mask;
    warp.pc = group.pc;
    use_frame(warp, group.frame);
    warp.limit = UINT32_MAX;
    for (uint32_t i = 0; i < warp.group_count; ++i) {
        const Group& other = warp.groups[i];
        if (i != best && other.frame == group.frame && other.pc > group.pc &&
            other.state != Group::State::kBarrier)
            warp.limit = std::min(warp.limit, other.pc);
    }
    return true;
}

void split_group(Warp& warp, uint32_t mask, uint32_t pc) {
    count_instructions(warp);
    Group& group = warp.group();
    Group& fresh = warp.groups[warp.group_count++];
    fresh = Group{};
    fresh.mask = mask;
    fresh.pc = pc;
    fresh.frame = group.frame;
    fresh.last_run = warp.steps;
    group.mask &= ~mask;
    warp.active = group.mask;
    warp.attention();
}

void exit_lanes(Warp& warp, uint32_t mask) {
    count_instructions(warp);
    Group& group = warp.group();
    group.mask &= ~mask;
    warp.active = group.mask;
    warp.live &= ~mask;
    for (Frame* frame = group.frame; frame != nullptr;) {
        Frame* parent = frame->parent;
        leave_frame(warp, frame, mask);
        frame = parent;
    }
    if (group.mask == 0) remove_group(warp, warp.current);
    if (warp.live == 0) ++warp.block->finished_warps;
    warp.attention();
    open_barriers(*warp.block, (1u << kAllBarriers) - 1);
}

bool converged(Warp& warp, uint32_t wanted) {
    // lanes that another group holds; lanes of this group that the guard excludes will never come
    const uint32_t missing = wanted & warp.live & ~warp.active;
    if (missing == 0) return true;
    if (warp.force) {
        warp.force = false;
        return true;
    }
    Group& group = warp.group();
    group.state = Group::State::kConverge;
    group.wants = wanted;
    --warp.pc;
    warp.attention();
    return false;
}

void enter_frame(Warp& warp, Frame* frame) {
    warp.group().frame = frame;
    use_frame(warp, frame);
    warp.attention();
}

Frame* new_frame(Warp& warp, const Function& function, Frame* parent, uint32_t lanes, uint64_t local_base) {
    if (local_base + function.frame_bytes > warp.stack_bytes) return nullptr;
    if (parent != nullptr && parent->depth >= kDeepestCall) return nullptr;
    const size_t needed = function.register_bytes + 64;
    std::unique_ptr<Frame> frame;
    for (size_t i = warp.spare_frames.size(); i-- > 0;) {
        if (warp.spare_frames[i]->storage_bytes < needed) continue;
        frame = std::move(warp.spare_frames[i]);
        warp.spare_frames.erase(warp.spare_frames.begin() + static_cast<ptrdiff_t>(i));
        break;
    }
    if (frame == nullptr) {
        std::atomic<uint64_t>& account = warp.grid->frame_bytes;
        if (account.fetch_add(needed, std::memory_order_relaxed) + needed > kMostFrameBytes) {
            account.fetch_sub(needed, std::memory_order_relaxed);
            return nullptr;
        }
        frame = std::make_unique<Frame>();
        frame->account = &account;
        frame->storage_bytes = needed;
        frame->storage = std::make_unique_for_overwrite<std::byte[]>(needed);
        const auto address = reinterpret_cast<uintptr_t>(frame->storage.get());
        frame->registers = frame->storage.get() + (((address + 63) & ~uintptr_t{63}) - address);
    }
    frame->function = &function;
    frame->parent = parent;
    frame->depth = parent == nullptr ? 0 : parent->depth + 1;
    frame->lanes = lanes;
    frame->local_base = local_base;
    std::memset(frame->registers, 0, function.register_bytes);
    const uint64_t dynamic = warp.grid->dynamic_shared_base;
    auto* local = reinterpret_cast<uint64_t*>(frame->registers + kLocalBaseOffset);
    auto* wide = reinterpret_cast<uint64_t*>(frame->registers + kDynamicSharedOffset);
    auto* narrow = reinterpret_cast<uint32_t*>(frame->registers + kDynamicShared32Offset);
    for (unsigned lane = 0; lane < kWarpSize; ++lane) {
        local[lane] = local_base;
        wide[lane] = dynamic;
        narrow[lane] = static_cast<uint32_t>(dynamic);
    }
    warp.frames.push_back(std::move(frame));
    return warp.frames.back().get();
}

void leave_frame(Warp& warp, Frame* frame, uint32_t lanes) {
    frame->lanes &= ~lanes;
    if (frame->lanes != 0) return;
    for (size_t i = warp.frames.size(); i-- > 0;)
        if (warp.frames[i].get() == frame) {
            std::unique_ptr<Frame> ended = std::move(warp.frames[i]);
            if (i + 1 != warp.frames.size()) warp.frames[i] = std::move(warp.frames.back());
            warp.frames.pop_back();
            // the kernel's own frame, which has no storage, is needed again by the next block
            if (warp.spare_frames.size() < 16 || ended->storage == nullptr)
                warp.spare_frames.push_back(std::move(ended));
            return;
        }
}

}  // namespace bitfusion::soft
