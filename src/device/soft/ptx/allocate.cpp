// Registers: gives virtual registers their places in the register file, then turns drafts into instructions.
//
// Liveness is per thread, so the usual analysis over the control flow holds although a warp's threads may be
// in different places: a lane's slot is only touched by that lane. A guarded write does not end a life.
#include <algorithm>
#include <vector>

#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

namespace {

constexpr uint64_t kMostLivenessBits = uint64_t{1} << 31;
constexpr uint32_t kNoIndex = UINT32_MAX;
constexpr uint32_t kNumberMask = kFixedOperand - 1;

bool is_register(uint32_t operand) { return (operand & (kConstantOperand | kFixedOperand)) == 0; }

struct Life {
    uint32_t first = UINT32_MAX;
    uint32_t last = 0;
    void extend(uint32_t at) {
        first = std::min(first, at);
        last = std::max(last, at);
    }
};

struct Block {
    uint32_t begin = 0;
    uint32_t end = 0;
    std::vector<uint32_t> successors;
};

// Calls use(register), define(register, whole) for each operand.
template <class Use, class Define>
void visit(const Draft& draft, const std::vector<uint32_t>& pool, Use use, Define define) {
    const bool guarded = draft.instruction.guard != kNoGuard;
    for (unsigned i = 0; i < draft.count; ++i) {
        const uint32_t op = draft.instruction.op[i];
        if (!is_register(op)) continue;
        const bool updates = (draft.updates >> i & 1) != 0;
        const bool defines = (draft.defines >> i & 1) != 0;
        if (!defines || updates) use(op);
        if (defines || updates) define(op, !guarded && !updates);
    }
    for (uint32_t i = 0; i < draft.pool_count; ++i) {
        const uint32_t op = pool[draft.pool_begin + i];
        if (!is_register(op)) continue;
        if (i < draft.pool_defines)
            define(op, !guarded);
        else
            use(op);
    }
    if (guarded) use(draft.instruction.guard & ~kNegatedGuard);
}

class Allocator {
  public:
    Allocator(const std::vector<Draft>& drafts, const std::vector<uint32_t>& pool,
              const std::vector<Type>& types)
        : drafts_(drafts), pool_(pool), types_(types), lives_(types.size()) {}

    // `target_of` maps a statement to a draft.
    void analyse(const std::vector<uint32_t>& target_of) {
        for (uint32_t at = 0; at < drafts_.size(); ++at)
            visit(
                drafts_[at], pool_, [&](uint32_t reg) { lives_[reg].extend(at); },
                [&](uint32_t reg, bool) { lives_[reg].extend(at); });
        find_blocks(target_of);
        extend_across_blocks();
    }

    // Offsets in the register file; returns its size.
    uint32_t place(std::vector<uint32_t>* offsets, uint32_t* most_live) {
        offsets->assign(types_.size(), 0);
        std::vector<uint32_t> order;
        for (uint32_t reg = 0; reg < types_.size(); ++reg)
            if (lives_[reg].first != UINT32_MAX) order.push_back(reg);
        std::sort(order.begin(), order.end(),
                  [&](uint32_t a, uint32_t b) { return lives_[a].first < lives_[b].first; });
        std::vector<uint32_t> ending = order;
        std::sort(ending.begin(), ending.end(),
                  [&](uint32_t a, uint32_t b) { return lives_[a].last < lives_[b].last; });
        // per kind: predicates, 4-byte lanes, 8-byte lanes; slot numbers first
        std::vector<uint32_t> spare[3];
        uint32_t slots[3] = {};
        uint32_t live = 0;
        size_t ended = 0;
        for (const uint32_t reg : order) {
            while (ended < ending.size() && lives_[ending[ended]].last < lives_[reg].first) {
                const uint32_t old = ending[ended++];
                spare[kind(old)].push_back((*offsets)[old]);
                live -= kind(old);
            }
            const unsigned k = kind(reg);
            if (spare[k].empty()) {
                (*offsets)[reg] = slots[k]++;
            } else {
                (*offsets)[reg] = spare[k].back();
                spare[k].pop_back();
            }
            live += k;
            *most_live = std::max(*most_live, live);
        }
        const uint32_t narrow = kFixedRegisterBytes + slots[2] * 256;
        const uint32_t predicates = narrow + slots[1] * 128;
        for (const uint32_t reg : order) {
            uint32_t& offset = (*offsets)[reg];
            offset = kind(reg) == 2   ? kFixedRegisterBytes + offset * 256
                     : kind(reg) == 1 ? narrow + offset * 128
                                      : predicates + offset * 4;
        }
        return (predicates + slots[0] * 4 + 63) / 64 * 64;
    }

  private:
    unsigned kind(uint32_t reg) const {
        const uint32_t bytes = lane_bytes_of(types_[reg]);
        return bytes >= 8 ? 2 : bytes == 4 ? 1 : 0;
    }

    void find_blocks(const std::vector<uint32_t>& target_of) {
        std::vector<bool> leader(drafts_.size() + 1);
        leader[0] = true;
        for (uint32_t at = 0; at < drafts_.size(); ++at) {
            const Draft& draft = drafts_[at];
            for (const uint32_t target : draft.targets) leader[target_of[target]] = true;
            if (draft.flow != Draft::Flow::kNext) leader[at + 1] = true;
        }
        std::vector<uint32_t> block_of(drafts_.size());
        for (uint32_t at = 0; at < drafts_.size(); ++at) {
            if (leader[at]) {
                if (!blocks_.empty()) blocks_.back().end = at;
                blocks_.push_back({at, 0, {}});
            }
            block_of[at] = static_cast<uint32_t>(blocks_.size() - 1);
        }
        if (blocks_.empty()) return;
        blocks_.back().end = static_cast<uint32_t>(drafts_.size());
        for (Block& block : blocks_) {
            const Draft& last = drafts_[block.end - 1];
            for (const uint32_t target : last.targets)
                block.successors.push_back(block_of[target_of[target]]);
            const bool guarded = last.instruction.guard != kNoGuard;
            const bool falls = last.flow == Draft::Flow::kNext || guarded;
            if (falls && block.end < drafts_.size()) block.successors.push_back(block_of[block.end]);
        }
    }

    void extend_across_blocks() {
        if (blocks_.size() < 2) return;
        // only registers seen in more than one block take part
        std::vector<uint32_t> seen(types_.size(), kNoIndex);
        std::vector<uint32_t> index(types_.size(), kNoIndex);
        std::vector<uint32_t> registers;
        const auto see = [&](uint32_t reg, uint32_t block) {
            if (seen[reg] == kNoIndex) seen[reg] = block;
            if (seen[reg] != block && index[reg] == kNoIndex) {
                index[reg] = static_cast<uint32_t>(registers.size());
                registers.push_back(reg);
            }
        };
        for (uint32_t b = 0; b < blocks_.size(); ++b)
            for (uint32_t at = blocks_[b].begin; at < blocks_[b].end; ++at)
                visit(
                    drafts_[at], pool_, [&](uint32_t reg) { see(reg, b); },
                    [&](uint32_t reg, bool) { see(reg, b); });
        // a register of one block may still live around that block's loop
        for (uint32_t b = 0; b < blocks_.size(); ++b) {
            for (uint32_t at = blocks_[b].begin; at < blocks_[b].end; ++at)
                visit(
                    drafts_[at], pool_,
                    [&](uint32_t reg) {
                        if (index[reg] == kNoIndex && !defined_in(reg, b)) {
                            index[reg] = static_cast<uint32_t>(registers.size());
                            registers.push_back(reg);
                        }
                    },
                    [&](uint32_t reg, bool whole) {
                        if (whole) mark_defined(reg, b);
                    });
        }
        const size_t words = (registers.size() + 63) / 64;
        if (static_cast<uint64_t>(words) * 64 * blocks_.size() * 3 > kMostLivenessBits) {
            for (const uint32_t reg : registers) {
                lives_[reg].extend(0);
                lives_[reg].extend(static_cast<uint32_t>(drafts_.size()));
            }
            return;
        }
        std::vector<uint64_t> in(words * blocks_.size());
        std::vector<uint64_t> used(words * blocks_.size());
        std::vector<uint64_t> defined(words * blocks_.size());
        for (size_t b = 0; b < blocks_.size(); ++b)
            for (uint32_t at = blocks_[b].begin; at < blocks_[b].end; ++at) {
                visit(
                    drafts_[at], pool_,
                    [&](uint32_t reg) {
                        const uint32_t i = index[reg];
                        if (i != kNoIndex && (defined[b * words + i / 64] >> i % 64 & 1) == 0)
                            used[b * words + i / 64] |= uint64_t{1} << i % 64;
                    },
                    [](uint32_t, bool) {});
                visit(
                    drafts_[at], pool_, [](uint32_t) {},
                    [&](uint32_t reg, bool whole) {
                        const uint32_t i = index[reg];
                        if (i != kNoIndex && whole) defined[b * words + i / 64] |= uint64_t{1} << i % 64;
                    });
            }
        std::vector<uint64_t> out(words);
        for (bool changed = true; changed;) {
            changed = false;
            for (size_t b = blocks_.size(); b-- > 0;) {
                std::fill(out.begin(), out.end(), 0);
                for (const uint32_t next : blocks_[b].successors)
                    for (size_t w = 0; w < words; ++w) out[w] |= in[next * words + w];
                for (size_t w = 0; w < words; ++w) {
                    const uint64_t now = used[b * words + w] | (out[w] & ~defined[b * words + w]);
                    if (now != in[b * words + w]) {
                        in[b * words + w] = now;
                        changed = true;
                    }
                }
            }
        }
        for (size_t b = 0; b < blocks_.size(); ++b) {
            for (size_t w = 0; w < words; ++w)
                for (uint64_t bits = in [b * words + w]; bits != 0; bits &= bits - 1)
                    lives_[registers[w * 64 + static_cast<size_t>(__builtin_ctzll(bits))]].extend(
                        blocks_[b].begin);
            for (const uint32_t next : blocks_[b].successors)
                for (size_t w = 0; w < words; ++w)
                    for (uint64_t bits = in [next * words + w]; bits != 0; bits &= bits - 1)
                        lives_[registers[w * 64 + static_cast<size_t>(__builtin_ctzll(bits))]].extend(
                            blocks_[b].end - 1);
        }
    }

    bool defined_in(uint32_t reg, uint32_t block) const { return defined_block_[reg] == block; }
    void mark_defined(uint32_t reg, uint32_t block) { defined_block_[reg] = block; }

    const std::vector<Draft>& drafts_;
    const std::vector<uint32_t>& pool_;
    const std::vector<Type>& types_;
    std::vector<Life> lives_;
    std::vector<Block> blocks_;
    std::vector<uint32_t> defined_block_ = std::vector<uint32_t>(types_.size(), kNoIndex);
};

}  // namespace

Status FunctionDecoder::finish() {
    Code& code = builder_.code();
    Function& function = code.functions[number_];
    Allocator allocator(drafts_, pool_, registers_);
    allocator.analyse(first_drafts_);
    std::vector<uint32_t> offsets;
    uint32_t most_live = 0;
    function.register_bytes = allocator.place(&offsets, &most_live);
    function.registers = most_live;
    // a call takes some of the stack even without variables, so that recursion ends
    if (!text_.kernel) frame_bytes_ = std::max(frame_bytes_, 16u);
    function.frame_bytes = (frame_bytes_ + 15) / 16 * 16;
    if (function.register_bytes > 1u << 22) {
        statement_ = nullptr;
        wrong("function '" + std::string(text_.name) + "' needs too many registers; split it");
        return tl::unexpected<Error>(*error_);
    }
    const auto base = static_cast<uint32_t>(code.instructions.size());
    function.entry = base;
    const auto place = [&](uint32_t op) {
        if ((op & kConstantOperand) != 0) return op;
        if ((op & kFixedOperand) != 0) return op & kNumberMask;
        return offsets[op];
    };
    for (Draft& draft : drafts_) {
        Instruction& instruction = draft.instruction;
        for (unsigned i = 0; i < draft.count; ++i) instruction.op[i] = place(instruction.op[i]);
        if (instruction.guard != kNoGuard)
            instruction.guard =
                offsets[instruction.guard & ~kNegatedGuard] | (instruction.guard & kNegatedGuard);
        if (draft.pool_count != 0) {
            instruction.extra = static_cast<uint32_t>(code.operands.size());
            for (uint32_t i = 0; i < draft.pool_count; ++i)
                code.operands.push_back(place(pool_[draft.pool_begin + i]));
        }
        if (draft.flow == Draft::Flow::kBranch)
            instruction.immediate = base + first_drafts_[draft.targets[0]];
        if (draft.flow == Draft::Flow::kTable) {
            std::vector<uint32_t> table;
            for (const uint32_t target : draft.targets) table.push_back(base + first_drafts_[target]);
            instruction.extra = static_cast<uint32_t>(code.branch_tables.size());
            code.branch_tables.push_back(std::move(table));
        }
        code.instructions.push_back(instruction);
        code.origins.push_back({draft.line, draft.text});
    }
    function.end = static_cast<uint32_t>(code.instructions.size());
    return {};
}

}  // namespace bitfusion::soft
