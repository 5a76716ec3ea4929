// Barriers of a block ("PTX ISA", bar, barrier, barrier.cluster).
#include <algorithm>

#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

// Checks the operands, which are the same for all lanes. False after a fault.
bool barrier_operands(Warp& warp, uint32_t mask, uint32_t id_operand, uint32_t count_operand, bool counted,
                      uint32_t* id, uint32_t* count) {
    const auto lane = static_cast<unsigned>(std::countr_zero(mask));
    *id = source<uint32_t>(warp, id_operand)[lane];
    *count = counted ? source<uint32_t>(warp, count_operand)[lane] : 0;
    if (*id >= kBarriers) {
        warp.fault(FaultKind::kIllegalInstruction, lane, 0, "there are 16 barriers; use 0 to 15");
        return false;
    }
    if (counted && (*count == 0 || *count % kWarpSize != 0 || *count > kMaxThreadsPerBlock)) {
        warp.fault(FaultKind::kIllegalInstruction, lane, 0,
                   "a barrier's count of threads is a multiple of 32 up to 1024");
        return false;
    }
    // all threads of the block by number is the same as without a number
    if (counted && *count >= (warp.block->threads + kWarpSize - 1) / kWarpSize * kWarpSize) *count = 0;
    return true;
}

void sync(Warp& warp, const Instruction& in, uint32_t mask) {
    uint32_t id = 0;
    uint32_t count = 0;
    if (barrier_operands(warp, mask, in.op[0], in.op[1], (in.immediate & 1) != 0, &id, &count))
        wait_at_barrier(warp, mask, id, count);
}

void arrive(Warp& warp, const Instruction& in, uint32_t mask) {
    uint32_t id = 0;
    uint32_t count = 0;
    if (!barrier_operands(warp, mask, in.op[0], in.op[1], true, &id, &count)) return;
    if (count == 0) count = (warp.block->threads + kWarpSize - 1) / kWarpSize * kWarpSize;
    pass_barrier(warp, mask, id, count);
}

void cluster_wait(Warp& warp, const Instruction&, uint32_t mask) {
    wait_at_barrier(warp, mask, kClusterBarrier, 0);
}

enum class Reduce { kPopc, kAnd, kOr };

template <Reduce R>
void reduce(Warp& warp, const Instruction& in, uint32_t mask) {
    uint32_t id = 0;
    uint32_t count = 0;
    if (!barrier_operands(warp, mask, in.op[1], in.op[2], (in.immediate & 1) != 0, &id, &count)) return;
    const uint32_t p = (in.immediate & 2) != 0 ? ~predicate(warp, in.op[3]) : predicate(warp, in.op[3]);
    NamedBarrier& barrier = warp.block->barriers[id];
    barrier.count_true += static_cast<uint32_t>(std::popcount(p & mask));
    barrier.all_true &= (~p & mask) == 0;
    barrier.any_true |= (p & mask) != 0;
    // the result is written when the barrier opens
    wait_at_barrier(warp, mask, id, count);
}

void write_count(std::byte* registers, const Instruction& in, uint32_t mask, uint32_t count) {
    auto* d = reinterpret_cast<uint32_t*>(registers + in.op[0]);
    for_lanes(mask, [&](unsigned i) { d[i] = count; });
}

void write_predicate(std::byte* registers, const Instruction& in, uint32_t mask, bool value) {
    auto* word = reinterpret_cast<uint32_t*>(registers + in.op[0]);
    *word = (*word & ~mask) | (value ? mask : 0);
}

}  // namespace

void write_reduction(Warp& warp, const Group& group, const NamedBarrier& barrier) {
    const Instruction& in = warp.grid->code.instructions[group.pc - 1];
    std::byte* registers = group.frame->registers;
    // lanes that the guard excluded were split off before they waited
    if (in.handler == reduce<Reduce::kPopc>) write_count(registers, in, group.mask, barrier.count_true);
    if (in.handler == reduce<Reduce::kAnd>) write_predicate(registers, in, group.mask, barrier.all_true);
    if (in.handler == reduce<Reduce::kOr>) write_predicate(registers, in, group.mask, barrier.any_true);
}

Handler select_barrier(std::string_view name) {
    if (name == "sync") return sync;
    if (name == "arrive") return arrive;
    if (name == "red.popc") return reduce<Reduce::kPopc>;
    if (name == "red.and") return reduce<Reduce::kAnd>;
    if (name == "red.or") return reduce<Reduce::kOr>;
    if (name == "cluster.wait") return cluster_wait;
    if (name == "cluster.arrive") return select_nothing();
    return nullptr;
}

}  // namespace bitfusion::soft
