// Branches, calls, the stack ("PTX ISA", section 9.7.12).
#include <algorithm>

#include "device/soft/simt/builtin.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

void branch(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto to = static_cast<uint32_t>(in.immediate);
    if (mask == warp.active) {
        warp.pc = to;
        if (warp.group_count > 1) warp.attention();
        return;
    }
    split_group(warp, mask, to);
}

void branch_table(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* index = source<uint32_t>(warp, in.op[0]);
    const auto& table = warp.grid->code.branch_tables[in.extra];
    uint32_t left = mask;
    // lanes outside of the guard go on with the next instruction
    if (mask != warp.active) split_group(warp, warp.active & ~mask, warp.pc);
    while (left != 0) {
        const auto first = static_cast<unsigned>(std::countr_zero(left));
        uint32_t same = 0;
        each_lane(left, [&](unsigned i) { same |= (index[i] == index[first] ? 1u : 0u) << i; });
        if (index[first] >= table.size()) {
            warp.fault(FaultKind::kInvalidPc, first, index[first],
                       "branch index is outside of the list of targets");
            return;
        }
        const uint32_t to = table[index[first]];
        if (same == warp.active)
            warp.pc = to;
        else
            split_group(warp, same, to);
        left &= ~same;
    }
    if (warp.group_count > 1) warp.attention();
}

void exit_threads(Warp& warp, const Instruction&, uint32_t mask) { exit_lanes(warp, mask); }

void copy_places(Warp& warp, uint64_t from_base, uint64_t to_base, const std::vector<FramePlace>& from,
                 const std::vector<FramePlace>& to, uint32_t mask) {
    const size_t count = std::min(from.size(), to.size());
    each_lane(mask, [&](unsigned i) {
        std::byte* stack = warp.local + size_t{i} * warp.stack_bytes;
        for (size_t k = 0; k < count; ++k)
            std::memcpy(stack + to_base + to[k].offset, stack + from_base + from[k].offset,
                        std::min(from[k].size, to[k].size));
    });
}

// Enters `function` with the lanes of `mask`, which are all of the current group's.
void enter(Warp& warp, uint32_t site_number, uint32_t number, uint32_t mask) {
    const Code& code = warp.grid->code;
    const CallSite& site = code.calls[site_number];
    const Function& function = code.functions[number];
    Frame& caller = warp.frame();
    if (function.builtin != Builtin::kNone) {
        call_builtin(warp, function.builtin, site, caller.local_base, mask);
        return;
    }
    const auto first = static_cast<unsigned>(std::countr_zero(mask));
    if (!function.defined || function.kernel || function.parameters.size() != site.arguments.size()) {
        warp.fault(FaultKind::kInvalidPc, first, function_address(code, number),
                   "call of '" + function.name + "', which is no function of that kind");
        return;
    }
    const uint64_t base = caller.local_base + caller.function->frame_bytes;
    Frame* frame = new_frame(warp, function, &caller, mask, base);
    if (frame == nullptr) {
        warp.fault(FaultKind::kStack, first, base,
                   "the thread's stack is used up in '" + function.name + "'; set a larger stack limit");
        return;
    }
    copy_places(warp, caller.local_base, base, site.arguments, function.parameters, mask);
    frame->return_pc = warp.pc;
    frame->call_site = site_number;
    enter_frame(warp, frame);
    warp.pc = function.entry;
}

void call(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t number = warp.grid->code.calls[in.extra].function;
    if (mask != warp.active) split_group(warp, warp.active & ~mask, warp.pc);
    enter(warp, in.extra, number, mask);
}

void call_indirect(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* pointer = source<uint64_t>(warp, in.op[0]);
    if (mask != warp.active) split_group(warp, warp.active & ~mask, warp.pc);
    const auto first = static_cast<unsigned>(std::countr_zero(mask));
    const uint64_t address = pointer[first];
    uint32_t same = 0;
    each_lane(mask, [&](unsigned i) { same |= (pointer[i] == address ? 1u : 0u) << i; });
    const uint32_t number = function_at(warp.grid->code, address);
    if (number == kNoFunction) {
        warp.fault(FaultKind::kInvalidPc, first, address,
                   "call through a pointer that is no function of this program");
        return;
    }
    // lanes with another target run this instruction again
    if (same != mask) split_group(warp, mask & ~same, warp.pc - 1);
    enter(warp, in.extra, number, same);
}

void return_from(Warp& warp, const Instruction&, uint32_t mask) {
    if (mask != warp.active) split_group(warp, warp.active & ~mask, warp.pc);
    Frame& frame = warp.frame();
    const CallSite& site = warp.grid->code.calls[frame.call_site];
    Frame* caller = frame.parent;
    copy_places(warp, frame.local_base, caller->local_base, frame.function->results, site.results, mask);
    warp.pc = frame.return_pc;
    enter_frame(warp, caller);
    leave_frame(warp, &frame, mask);
}

void trap(Warp& warp, const Instruction&, uint32_t mask) {
    warp.fault(FaultKind::kTrap, static_cast<unsigned>(std::countr_zero(mask)), 0,
               "the kernel executed a trap instruction");
}

void nanosleep(Warp& warp, const Instruction&, uint32_t) {
    // time passes by letting others run
    warp.waits(1u << 14);
    if (warp.group_count > 1) warp.attention();
}

// alloca grows from the end of the thread's stack downwards.
template <class Lane>
void stack_allocate(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<Lane>(warp, in.op[0]);
    const auto* size = source<Lane>(warp, in.op[1]);
    const auto alignment = static_cast<uint64_t>(in.immediate);
    const Frame& frame = warp.frame();
    const uint64_t floor = frame.local_base + frame.function->frame_bytes;
    each_lane(mask, [&](unsigned i) {
        const uint64_t used = warp.stack_top[i];
        const uint64_t wanted = size[i];
        if (wanted > warp.stack_bytes || used + wanted + alignment > warp.stack_bytes - floor) {
            warp.fault(FaultKind::kStack, i, wanted,
                       "the thread's stack is used up by alloca; set a larger stack limit");
            return;
        }
        const uint64_t at = (warp.stack_bytes - used - wanted) / alignment * alignment;
        warp.stack_top[i] = static_cast<uint32_t>(warp.stack_bytes - at);
        d[i] = static_cast<Lane>(at);
    });
}

template <class Lane>
void stack_save(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<Lane>(warp, in.op[0]);
    each_lane(mask, [&](unsigned i) { d[i] = warp.stack_top[i]; });
}

template <class Lane>
void stack_restore(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<Lane>(warp, in.op[0]);
    each_lane(mask, [&](unsigned i) {
        warp.stack_top[i] = static_cast<uint32_t>(std::min<uint64_t>(a[i], warp.stack_bytes));
    });
}

}  // namespace

Handler select_branch() { return branch; }
Handler select_branch_table() { return branch_table; }
Handler select_exit() { return exit_threads; }
Handler select_return() { return return_from; }
Handler select_call() { return call; }
Handler select_call_indirect() { return call_indirect; }
Handler select_trap() { return trap; }
Handler select_nanosleep() { return nanosleep; }

Handler select_stack(std::string_view name, uint32_t lane_bytes) {
    const bool wide = lane_bytes == 8;
    if (name == "alloca") return wide ? stack_allocate<uint64_t> : stack_allocate<uint32_t>;
    if (name == "stacksave") return wide ? stack_save<uint64_t> : stack_save<uint32_t>;
    if (name == "stackrestore") return wide ? stack_restore<uint64_t> : stack_restore<uint32_t>;
    return nullptr;
}

}  // namespace bitfusion::soft
