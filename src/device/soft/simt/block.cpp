#include <algorithm>
#include <bit>
#include <cstring>

#include "device/soft/simt/lanes.h"
#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

namespace {

constexpr uint64_t kWarpSlice = 20000;

}  // namespace

Block::Block(GridState& state) : grid(state) {
    threads = static_cast<uint32_t>(grid.request.block.count());
    const size_t warp_count = (threads + kWarpSize - 1) / kWarpSize;
    shared.resize((size_t{grid.shared_bytes} + 7) / 8);
    const size_t stack = size_t{grid.stack_bytes} * kWarpSize;
    local = std::make_unique_for_overwrite<std::byte[]>(stack * warp_count + 16);
    const size_t file = (size_t{grid.entry.register_bytes} + 127) / 64 * 64;
    registers = std::make_unique_for_overwrite<std::byte[]>(file * warp_count + 64);
    const auto address = reinterpret_cast<uintptr_t>(registers.get());
    std::byte* next_file = registers.get() + (((address + 63) & ~uintptr_t{63}) - address);
    const auto local_address = reinterpret_cast<uintptr_t>(local.get());
    std::byte* next_stack = local.get() + (((local_address + 15) & ~uintptr_t{15}) - local_address);

    warps = std::vector<Warp>(warp_count);
    for (size_t i = 0; i < warp_count; ++i) {
        Warp& warp = warps[i];
        warp.block = this;
        warp.grid = &grid;
        warp.number = static_cast<uint32_t>(i);
        warp.base[1] = grid.bank;
        warp.operands = grid.code.operands.data();
        warp.shared = reinterpret_cast<std::byte*>(shared.data());
        warp.shared_bytes = grid.shared_bytes;
        warp.local = next_stack;
        warp.stack_bytes = grid.stack_bytes;
        next_stack += stack;
        for (unsigned lane = 0; lane < kWarpSize; ++lane) {
            const uint32_t thread = warp.number * kWarpSize + lane;
            if (thread >= threads) break;
            warp.first_live |= 1u << lane;
            warp.tid_x[lane] = thread % grid.request.block.x;
            warp.tid_y[lane] = thread / grid.request.block.x % grid.request.block.y;
            warp.tid_z[lane] = thread / grid.request.block.x / grid.request.block.y;
        }
        auto frame = std::make_unique<Frame>();
        frame->function = &grid.entry;
        frame->registers = next_file;
        next_file += file;
        warp.frames.push_back(std::move(frame));
    }
}

void Block::begin(uint64_t linear_index) {
    const Dim3& extent = grid.request.grid;
    number = linear_index;
    index = Dim3{static_cast<uint32_t>(linear_index % extent.x),
                 static_cast<uint32_t>(linear_index / extent.x % extent.y),
                 static_cast<uint32_t>(linear_index / extent.x / extent.y)};
    finished_warps = 0;
    barriers = {};
    std::fill(shared.begin(), shared.end(), 0);
    for (Warp& warp : warps) {
        // the kernel's own frame has gone to the spare ones when the last block ended here
        std::unique_ptr<Frame> frame;
        for (auto* list : {&warp.frames, &warp.spare_frames})
            for (auto& one : *list)
                if (one != nullptr && one->storage == nullptr) frame = std::move(one);
        std::erase(warp.spare_frames, nullptr);
        warp.frames.clear();
        frame->parent = nullptr;
        frame->depth = 0;
        frame->lanes = warp.first_live;
        frame->local_base = 0;
        std::memset(frame->registers, 0, grid.entry.register_bytes);
        const uint64_t dynamic = grid.dynamic_shared_base;
        auto* wide = reinterpret_cast<uint64_t*>(frame->registers + kDynamicSharedOffset);
        auto* narrow = reinterpret_cast<uint32_t*>(frame->registers + kDynamicShared32Offset);
        for (unsigned lane = 0; lane < kWarpSize; ++lane) {
            wide[lane] = dynamic;
            narrow[lane] = static_cast<uint32_t>(dynamic);
        }
        warp.live = warp.first_live;
        warp.force = false;
        warp.current = kNoGroup;
        warp.active = 0;
        warp.group_count = 1;
        warp.groups[0] = Group{};
        warp.groups[0].mask = warp.first_live;
        warp.groups[0].pc = grid.entry.entry;
        warp.groups[0].frame = frame.get();
        warp.groups[0].last_run = warp.steps;
        warp.turn_end = 0;
        warp.at_barrier = {};
        warp.stack_top = {};
        warp.frames.push_back(std::move(frame));
    }
}

Block::Progress Block::run(uint64_t slice) {
    uint64_t spent = 0;
    for (;;) {
        bool moved = false;
        for (Warp& warp : warps) {
            if (warp.live == 0) continue;
            const uint64_t before = warp.steps;
            run_warp(warp, kWarpSlice);
            spent += warp.steps - before;
            moved |= warp.steps != before;
            if (grid.late() && !grid.stopped()) {
                warp.fault(FaultKind::kTimeout, static_cast<unsigned>(std::countr_zero(warp.first_live)), 0,
                           "the launch took longer than the limit of " +
                               std::to_string(grid.request.time_limit.count()) +
                               " ms; launch less at once or have the limit raised");
                return Progress::kStopped;
            }
            if (grid.stopped()) return Progress::kStopped;
        }
        if (finished_warps == warps.size()) return Progress::kFinished;
        if (!moved) {
            for (Warp& warp : warps)
                if (warp.live != 0) {
                    warp.pc = warp.groups[0].pc;
                    warp.fault(
                        FaultKind::kDeadlock, static_cast<unsigned>(std::countr_zero(warp.live)), 0,
                        "every thread of the block waits at a barrier that cannot open; check that all "
                        "threads reach it");
                    return Progress::kStopped;
                }
        }
        if (spent >= slice) return Progress::kAgain;
    }
}

}  // namespace bitfusion::soft
