// Barriers in shared memory: mbarrier ("PTX ISA", section 9.7.13.15).
//
// The 64 bits of an mbarrier are ours to choose: expected arrivals (20 bits), pending arrivals (20), phase
// (1), pending transactions (23, signed). The state that arrive returns is the 64 bits before the arrival.
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

struct State {
    uint64_t expected = 0;
    uint64_t pending = 0;
    uint64_t phase = 0;
    int64_t transactions = 0;

    static State of(uint64_t bits) {
        return {bits & 0xf'ffff, bits >> 20 & 0xf'ffff, bits >> 40 & 1, static_cast<int64_t>(bits) >> 41};
    }
    uint64_t bits() const {
        return expected | pending << 20 | phase << 40 | static_cast<uint64_t>(transactions) << 41;
    }
    void settle() {
        if (pending != 0 || transactions != 0) return;
        phase ^= 1;
        pending = expected;
    }
};

constexpr uint64_t kMostArrivals = (1 << 20) - 1;

enum class Action { kInit, kInvalidate, kArrive, kArriveExpect, kDrop, kDropExpect, kExpect, kComplete };

template <AddressSpace S, bool Wide, Action A>
void change(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint64_t>(warp, in.op[0]);
    const auto* value = source<uint32_t>(warp, in.op[2]);
    warp.waits(16);
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* place = resolve<S>(warp, i, address_of<Wide>(warp, in.op[1], in.immediate, i), 8);
        if (place == nullptr) return;
        uint64_t bits = 0;
        std::memcpy(&bits, place, 8);
        d[i] = bits;
        State state = State::of(bits);
        const uint64_t count = value[i];
        constexpr bool kOne = A == Action::kArriveExpect || A == Action::kDropExpect;
        if constexpr (A == Action::kInit) {
            if (count == 0 || count > kMostArrivals) {
                warp.fault(FaultKind::kIllegalInstruction, i, 0, "an mbarrier expects 1 to 1048575 arrivals");
                return;
            }
            state = {count, count, 0, 0};
        } else if constexpr (A == Action::kInvalidate) {
            state = {};
        } else {
            if constexpr (A == Action::kExpect || kOne) state.transactions += value[i];
            if constexpr (A == Action::kComplete) state.transactions -= value[i];
            if constexpr (A == Action::kArrive || A == Action::kDrop || kOne) {
                const uint64_t arrivals = kOne ? 1 : count;
                if (arrivals > state.pending) {
                    warp.fault(FaultKind::kIllegalInstruction, i, 0,
                               "more arrivals at an mbarrier than it expects");
                    return;
                }
                state.pending -= arrivals;
                if constexpr (A == Action::kDrop || A == Action::kDropExpect)
                    state.expected -= std::min(arrivals, state.expected);
            }
            state.settle();
        }
        bits = state.bits();
        std::memcpy(place, &bits, 8);
    }
}

template <AddressSpace S, bool Wide, bool Parity>
void test(Warp& warp, const Instruction& in, uint32_t mask) {
    uint32_t done = 0;
    warp.waits();
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* place = resolve<S>(warp, i, address_of<Wide>(warp, in.op[1], in.immediate, i), 8);
        if (place == nullptr) return;
        uint64_t bits = 0;
        std::memcpy(&bits, place, 8);
        const uint64_t phase = Parity ? source<uint32_t>(warp, in.op[2])[i] & 1
                                      : State::of(source<uint64_t>(warp, in.op[2])[i]).phase;
        done |= (State::of(bits).phase != phase ? 1u : 0u) << i;
    }
    set_predicate(warp, in.op[0], mask, done);
    // who tries again and again should let others work
    if (done != mask) warp.waits(4096);
}

void pending_count(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint64_t>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = static_cast<uint32_t>(State::of(a[i]).pending); });
}

template <AddressSpace S, bool Wide>
Handler any(std::string_view name) {
    if (name == "init") return change<S, Wide, Action::kInit>;
    if (name == "inval") return change<S, Wide, Action::kInvalidate>;
    if (name == "arrive" || name == "arrive.noComplete") return change<S, Wide, Action::kArrive>;
    if (name == "arrive.expect_tx") return change<S, Wide, Action::kArriveExpect>;
    if (name == "arrive_drop" || name == "arrive_drop.noComplete") return change<S, Wide, Action::kDrop>;
    if (name == "arrive_drop.expect_tx") return change<S, Wide, Action::kDropExpect>;
    if (name == "expect_tx") return change<S, Wide, Action::kExpect>;
    if (name == "complete_tx") return change<S, Wide, Action::kComplete>;
    if (name == "test_wait" || name == "try_wait") return test<S, Wide, false>;
    if (name == "test_wait.parity" || name == "try_wait.parity") return test<S, Wide, true>;
    return nullptr;
}

}  // namespace

Handler select_mbarrier(std::string_view name, AddressSpace space, bool wide) {
    if (name == "pending_count") return pending_count;
    if (space == AddressSpace::kShared)
        return wide ? any<AddressSpace::kShared, true>(name) : any<AddressSpace::kShared, false>(name);
    if (space == AddressSpace::kGeneric)
        return wide ? any<AddressSpace::kGeneric, true>(name) : any<AddressSpace::kGeneric, false>(name);
    return nullptr;
}

}  // namespace bitfusion::soft
