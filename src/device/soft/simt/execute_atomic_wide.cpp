// Atomics of 128 bits ("PTX ISA", atom.b128): exchange, and compare and swap.
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

#if defined(__x86_64__)
// Every x86-64 processor that runs this has the instruction, but compilers want to be told (-mcx16).
Wide compare_and_swap(Wide* place, Wide expected, Wide wanted) {
    return __sync_val_compare_and_swap(place, expected, wanted);
}

template <AddressSpace S, bool WideAddress, bool Compares>
void atomic(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t* operands = warp.operands + in.extra;
    const auto whole = [&](unsigned first, unsigned i) {
        return static_cast<Wide>(source<uint64_t>(warp, operands[first + 1])[i]) << 64 |
               source<uint64_t>(warp, operands[first])[i];
    };
    warp.waits();
    uint64_t addresses[kWarpSize];
    each_lane(mask,
              [&](unsigned i) { addresses[i] = address_of<WideAddress>(warp, in.op[0], in.immediate, i); });
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* place = resolve<S>(warp, i, addresses[i], 16);
        if (place == nullptr) return;
        const Wide b = whole(2, i);
        const Wide c = whole(4, i);
        Wide old = 0;
        if (S == AddressSpace::kShared || is_private(addresses[i])) {
            std::memcpy(&old, place, 16);
            const Wide next = !Compares ? b : old == b ? c : old;
            std::memcpy(place, &next, 16);
        } else {
            auto* word = reinterpret_cast<Wide*>(place);
            old = compare_and_swap(word, b, Compares ? c : b);
            if (!Compares)
                for (Wide seen = old; (old = compare_and_swap(word, seen, b)) != seen;) seen = old;
        }
        target<uint64_t>(warp, operands[0])[i] = static_cast<uint64_t>(old);
        target<uint64_t>(warp, operands[1])[i] = static_cast<uint64_t>(old >> 64);
    }
}

template <AddressSpace S>
Handler in_space(bool compares, bool wide) {
    if (compares) return wide ? atomic<S, true, true> : atomic<S, false, true>;
    return wide ? atomic<S, true, false> : atomic<S, false, false>;
}
#endif

}  // namespace

Handler select_atomic_wide(bool compares, AddressSpace space, bool wide) {
#if defined(__x86_64__)
    if (space == AddressSpace::kGeneric) return in_space<AddressSpace::kGeneric>(compares, wide);
    if (space == AddressSpace::kShared) return in_space<AddressSpace::kShared>(compares, wide);
#endif
    static_cast<void>(compares);
    static_cast<void>(wide);
    return nullptr;
}

}  // namespace bitfusion::soft
