#include "device/soft/simt/lanes.h"
#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

void run_warp(Warp& warp, uint64_t slice) {
    const Instruction* const code = warp.grid->code.instructions.data();
    warp.budget_end = warp.steps + slice;
    if (!choose_group(warp)) return;
    for (;;) {
        const Instruction& instruction = code[warp.pc];
        uint32_t mask = warp.active;
        if (instruction.guard != kNoGuard) {
            const uint32_t word = predicate(warp, instruction.guard & ~kNegatedGuard);
            mask &= (instruction.guard & kNegatedGuard) != 0 ? ~word : word;
        }
        ++warp.pc;
        ++warp.steps;
        if (mask != 0) instruction.handler(warp, instruction, mask);
        if (warp.pc >= warp.limit || warp.steps >= warp.budget_end) {
            park_group(warp);
            if (warp.steps >= warp.budget_end || warp.grid->stopped()) return;
            if (!choose_group(warp)) return;
        }
    }
}

}  // namespace bitfusion::soft
