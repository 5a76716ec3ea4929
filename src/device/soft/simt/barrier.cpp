// Barriers of a block ("PTX ISA", bar and barrier).
//
// A barrier with a thread count counts in warps: a warp has arrived once all its live lanes have, and stands
// for 32 threads. A barrier without one opens when every live thread of the block is there.
#include "device/soft/simt/lanes.h"
#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

namespace {

bool complete(const Block& block, uint32_t id) {
    const NamedBarrier& barrier = block.barriers[id];
    uint32_t threads = barrier.passing;
    bool anyone = barrier.passing != 0;
    for (const Warp& warp : block.warps) {
        const uint32_t here = warp.at_barrier[id];
        anyone |= here != 0;
        const bool all = (warp.live & ~here) == 0;
        if (barrier.expected == 0 && !all) return false;
        if (here != 0 && all) threads += kWarpSize;
    }
    return anyone && (barrier.expected == 0 || threads >= barrier.expected);
}

void open(Block& block, uint32_t id) {
    const NamedBarrier barrier = block.barriers[id];
    block.barriers[id] = NamedBarrier{};
    for (Warp& warp : block.warps) {
        if (warp.at_barrier[id] == 0) continue;
        warp.at_barrier[id] = 0;
        for (uint32_t i = 0; i < warp.group_count; ++i) {
            Group& group = warp.groups[i];
            if (group.state == Group::State::kBarrier && group.barrier == id) {
                write_reduction(warp, group, barrier);
                group.state = Group::State::kRunnable;
                group.last_run = warp.steps;
            }
        }
    }
}

}  // namespace

void open_barriers(Block& block, uint32_t which) {
    for (uint32_t id = 0; id < kAllBarriers; ++id) {
        if ((which >> id & 1) == 0) continue;
        bool used = block.barriers[id].passing != 0;
        for (const Warp& warp : block.warps) used |= warp.at_barrier[id] != 0;
        if (used && complete(block, id)) open(block, id);
    }
}

void wait_at_barrier(Warp& warp, uint32_t mask, uint32_t id, uint32_t expected) {
    Block& block = *warp.block;
    const uint32_t rest = warp.active & ~mask;
    if (rest != 0) split_group(warp, rest, warp.pc);
    Group& group = warp.group();
    group.state = Group::State::kBarrier;
    group.barrier = static_cast<uint8_t>(id);
    group.pc = warp.pc;
    warp.at_barrier[id] |= mask;
    block.barriers[id].expected = expected;
    warp.attention();
    if ((warp.live & ~warp.at_barrier[id]) == 0 && complete(block, id)) open(block, id);
}

void pass_barrier(Warp& warp, uint32_t mask, uint32_t id, uint32_t expected) {
    // a warp counts once: with its last live lane
    NamedBarrier& barrier = warp.block->barriers[id];
    barrier.expected = expected;
    if ((mask & warp.live) == warp.live)
        barrier.passing += kWarpSize;
    else
        barrier.passing += static_cast<uint32_t>(std::popcount(mask));
    open_barriers(*warp.block, 1u << id);
}

}  // namespace bitfusion::soft
