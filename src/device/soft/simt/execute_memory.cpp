// Loads, stores, asynchronous copies, address spaces ("PTX ISA", section 9.7.9).
#include <algorithm>
#include <type_traits>

#include "device/soft/simt/handlers.h"
#include "device/soft/simt/memory.h"

namespace bitfusion::soft {

namespace {

// A value from memory in a lane: narrow ones are zero- or sign-extended to the lane's width.
template <class Lane, class M>
Lane extended(M value) {
    if constexpr (std::is_signed_v<M>)
        return static_cast<Lane>(static_cast<std::make_signed_t<Lane>>(value));
    else
        return static_cast<Lane>(value);
}

// All 32 addresses are equal or follow each other: one check, and no search, serves all lanes. Null: they do
// not.
enum class Pattern { kScattered, kConsecutive, kSame };

template <bool Wide>
Pattern pattern_of(const Warp& warp, uint32_t operand, uint32_t stride) {
    using Address = std::conditional_t<Wide, uint64_t, uint32_t>;
    const auto* a = source<Address>(warp, operand);
    const Address first = a[0];
    // two lanes tell most scattered accesses apart
    const Address step = a[1] - first;
    if (step != stride && step != 0) return Pattern::kScattered;
    Address wrong = 0;
    for (unsigned i = 0; i < kWarpSize; ++i) wrong |= a[i] - first - step * i;
    if (wrong != 0) return Pattern::kScattered;
    return step == 0 ? Pattern::kSame : Pattern::kConsecutive;
}

// Where `bytes` bytes lie that are allocated from end to end, or null, without a fault.
template <AddressSpace S>
std::byte* resolve_range(Warp& warp, uint64_t address, uint64_t bytes, uint32_t alignment) {
    if ((address & (alignment - 1)) != 0) return nullptr;
    if (S == AddressSpace::kShared)
        return address < warp.shared_bytes && address + bytes <= warp.shared_bytes ? warp.shared + address
                                                                                   : nullptr;
    if (S != AddressSpace::kGeneric) return nullptr;
    if (inside(warp.window, address, bytes) || find_window(warp, address, bytes))
        return reinterpret_cast<std::byte*>(address);
    const uint64_t offset = address - kSharedWindowBase;
    if (offset < warp.shared_bytes && offset + bytes <= warp.shared_bytes) return warp.shared + offset;
    return nullptr;
}

// One check for 32 scattered addresses in shared memory.
bool all_shared(const Warp& warp, const uint64_t* addresses, uint32_t bytes) {
    uint64_t any = 0;
    uint64_t beyond = 0;
    if (warp.shared_bytes < bytes) return false;
    const uint64_t last = warp.shared_bytes - bytes;
    for (unsigned i = 0; i < kWarpSize; ++i) {
        any |= addresses[i];
        beyond |= addresses[i] > last ? 1 : 0;
    }
    return (any & (bytes - 1)) == 0 && beyond == 0;
}

template <AddressSpace S, class M, class Lane, unsigned N, bool Wide, bool Waits>
void load_lanes(Warp& warp, const Instruction& in, uint32_t mask) {
    Lane* d[N];
    if (N == 1)
        d[0] = target<Lane>(warp, in.op[0]);
    else
        for (unsigned k = 0; k < N; ++k) d[k] = target<Lane>(warp, warp.operands[in.extra + k]);
    constexpr uint32_t kBytes = sizeof(M) * N;
    if constexpr (Waits) warp.waits();
    if constexpr (S != AddressSpace::kLocal && S != AddressSpace::kParam && !Waits) {
        if (mask == kAllLanes) {
            const Pattern pattern = pattern_of<Wide>(warp, in.op[1], kBytes);
            if (pattern != Pattern::kScattered) {
                const uint64_t first = address_of<Wide>(warp, in.op[1], in.immediate, 0);
                const bool same = pattern == Pattern::kSame;
                const std::byte* from =
                    resolve_range<S>(warp, first, same ? kBytes : kBytes * kWarpSize, kBytes);
                if (from != nullptr) {
                    if (same) {
                        for (unsigned k = 0; k < N; ++k) {
                            M value;
                            std::memcpy(&value, from + sizeof(M) * k, sizeof(M));
                            std::fill_n(d[k], kWarpSize, extended<Lane>(value));
                        }
                    } else {
                        for (unsigned i = 0; i < kWarpSize; ++i)
                            for (unsigned k = 0; k < N; ++k) {
                                M value;
                                std::memcpy(&value, from + sizeof(M) * (size_t{i} * N + k), sizeof(M));
                                d[k][i] = extended<Lane>(value);
                            }
                    }
                    return;
                }
            }
        }
    }
    // the address register may be a destination as well: all addresses come first
    uint64_t addresses[kWarpSize];
    for_lanes(mask, [&](unsigned i) { addresses[i] = address_of<Wide>(warp, in.op[1], in.immediate, i); });
    if constexpr (S == AddressSpace::kShared) {
        if (mask == kAllLanes && all_shared(warp, addresses, kBytes)) {
            for (unsigned i = 0; i < kWarpSize; ++i)
                for (unsigned k = 0; k < N; ++k)
                    d[k][i] = extended<Lane>(load<M>(warp.shared + addresses[i] + sizeof(M) * k));
            return;
        }
    }
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        const std::byte* from = resolve<S>(warp, i, addresses[i], kBytes);
        if (from == nullptr) return;
        for (unsigned k = 0; k < N; ++k) d[k][i] = extended<Lane>(load<M>(from + sizeof(M) * k));
    }
}

template <AddressSpace S, class M, class Lane, unsigned N, bool Wide>
void store_lanes(Warp& warp, const Instruction& in, uint32_t mask) {
    const Lane* a[N];
    if (N == 1)
        a[0] = source<Lane>(warp, in.op[0]);
    else
        for (unsigned k = 0; k < N; ++k) a[k] = source<Lane>(warp, warp.operands[in.extra + k]);
    constexpr uint32_t kBytes = sizeof(M) * N;
    if constexpr (S != AddressSpace::kLocal) {
        if (mask == kAllLanes && pattern_of<Wide>(warp, in.op[1], kBytes) == Pattern::kConsecutive) {
            const uint64_t first = address_of<Wide>(warp, in.op[1], in.immediate, 0);
            std::byte* to = resolve_range<S>(warp, first, kBytes * kWarpSize, kBytes);
            if (to != nullptr) {
                for (unsigned i = 0; i < kWarpSize; ++i)
                    for (unsigned k = 0; k < N; ++k) {
                        const M value = static_cast<M>(a[k][i]);
                        std::memcpy(to + sizeof(M) * (size_t{i} * N + k), &value, sizeof(M));
                    }
                return;
            }
        }
    }
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* to = resolve<S>(warp, i, address_of<Wide>(warp, in.op[1], in.immediate, i), kBytes);
        if (to == nullptr) return;
        for (unsigned k = 0; k < N; ++k) store<M>(to + sizeof(M) * k, static_cast<M>(a[k][i]));
    }
}

template <class M, class Lane, unsigned N>
void load_parameter(Warp& warp, const Instruction& in, uint32_t mask) {
    const std::byte* from = warp.grid->parameters.data() + in.immediate;
    for (unsigned k = 0; k < N; ++k) {
        auto* d = target<Lane>(warp, N == 1 ? in.op[0] : warp.operands[in.extra + k]);
        M value;
        std::memcpy(&value, from + sizeof(M) * k, sizeof(M));
        const Lane lane = extended<Lane>(value);
        for_lanes(mask, [&](unsigned i) { d[i] = lane; });
    }
}

// Calls pick.template operator()<M>() for the memory type.
template <class Pick>
Handler with_memory_type(Type type, Pick pick) {
    switch (type) {
        case Type::kS8:
            return pick.template operator()<int8_t>();
        case Type::kS16:
            return pick.template operator()<int16_t>();
        case Type::kS32:
            return pick.template operator()<int32_t>();
        default:
            break;
    }
    switch (bytes_of(type)) {
        case 1:
            return pick.template operator()<uint8_t>();
        case 2:
            return pick.template operator()<uint16_t>();
        case 4:
            return pick.template operator()<uint32_t>();
        case 8:
            return pick.template operator()<uint64_t>();
        default:
            return nullptr;
    }
}

template <AddressSpace S, class M, class Lane, bool Wide>
Handler load_of(unsigned count, bool waits) {
    if constexpr (sizeof(M) > sizeof(Lane)) {
        return nullptr;
    } else {
        switch (count) {
            case 1:
                return waits ? load_lanes<S, M, Lane, 1, Wide, true> : load_lanes<S, M, Lane, 1, Wide, false>;
            case 2:
                return waits ? load_lanes<S, M, Lane, 2, Wide, true> : load_lanes<S, M, Lane, 2, Wide, false>;
            case 4:
                return waits ? load_lanes<S, M, Lane, 4, Wide, true> : load_lanes<S, M, Lane, 4, Wide, false>;
            case 8:
                if constexpr (sizeof(M) <= 4)
                    return waits ? load_lanes<S, M, Lane, 8, Wide, true>
                                 : load_lanes<S, M, Lane, 8, Wide, false>;
                return nullptr;
            default:
                return nullptr;
        }
    }
}

template <AddressSpace S, class M, class Lane, bool Wide>
Handler store_of(unsigned count) {
    if constexpr (sizeof(M) > sizeof(Lane)) {
        return nullptr;
    } else {
        switch (count) {
            case 1:
                return store_lanes<S, M, Lane, 1, Wide>;
            case 2:
                return store_lanes<S, M, Lane, 2, Wide>;
            case 4:
                return store_lanes<S, M, Lane, 4, Wide>;
            case 8:
                if constexpr (sizeof(M) <= 4) return store_lanes<S, M, Lane, 8, Wide>;
                return nullptr;
            default:
                return nullptr;
        }
    }
}

template <AddressSpace S>
Handler load_in(Type type, uint32_t lane_bytes, unsigned count, bool wide, bool waits) {
    return with_memory_type(type, [&]<class M>() -> Handler {
        if (lane_bytes == 8)
            return wide ? load_of<S, M, uint64_t, true>(count, waits)
                        : load_of<S, M, uint64_t, false>(count, waits);
        return wide ? load_of<S, M, uint32_t, true>(count, waits)
                    : load_of<S, M, uint32_t, false>(count, waits);
    });
}

template <AddressSpace S>
Handler store_in(Type type, uint32_t lane_bytes, unsigned count, bool wide) {
    const Type plain = bytes_of(type) == 1   ? Type::kB8
                       : bytes_of(type) == 2 ? Type::kB16
                       : bytes_of(type) == 4 ? Type::kB32
                                             : type;
    return with_memory_type(plain, [&]<class M>() -> Handler {
        if constexpr (std::is_signed_v<M>) {
            return nullptr;
        } else {
            if (lane_bytes == 8)
                return wide ? store_of<S, M, uint64_t, true>(count) : store_of<S, M, uint64_t, false>(count);
            return wide ? store_of<S, M, uint32_t, true>(count) : store_of<S, M, uint32_t, false>(count);
        }
    });
}

void copy_async(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* to = source<uint64_t>(warp, in.op[0]);
    const auto* from = source<uint64_t>(warp, in.op[1]);
    const auto* size = source<uint32_t>(warp, in.op[2]);
    const auto* offset = source<uint64_t>(warp, in.op[3]);
    const uint32_t bytes = in.flags;
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* place =
            resolve<AddressSpace::kShared>(warp, i, static_cast<uint32_t>(to[i] + offset[i]), bytes);
        if (place == nullptr) return;
        const uint32_t wanted = std::min(size[i], bytes);
        std::memset(place, 0, bytes);
        if (wanted == 0) continue;
        const uint64_t address = from[i] + static_cast<uint64_t>(in.immediate);
        if ((address & (bytes - 1)) != 0) {
            bad_address(warp, i, address, bytes, AddressSpace::kGeneric);
            return;
        }
        // the source may end before `bytes`
        if (!inside(warp.window, address, wanted) && !find_window(warp, address, wanted)) {
            bad_address(warp, i, address, bytes, AddressSpace::kGeneric);
            return;
        }
        std::memcpy(place, reinterpret_cast<const std::byte*>(address), wanted);
    }
}

void nothing(Warp&, const Instruction&, uint32_t) {}

#if defined(__SANITIZE_THREAD__)
// the sanitizer does not follow fences, but it does follow this
void fence(Warp&, const Instruction&, uint32_t) {
    static std::atomic<uint32_t> order{0};
    order.fetch_add(1, std::memory_order_seq_cst);
}
#else
void fence(Warp&, const Instruction&, uint32_t) { std::atomic_thread_fence(std::memory_order_seq_cst); }
#endif

template <class Lane>
void add_base(Warp& warp, const Instruction& in, uint32_t mask, uint64_t base) {
    auto* d = target<Lane>(warp, in.op[0]);
    const auto* a = source<Lane>(warp, in.op[1]);
    for_lanes(mask, [&](unsigned i) { d[i] = static_cast<Lane>(a[i] + base); });
}

constexpr uint64_t base_of(AddressSpace space) {
    switch (space) {
        case AddressSpace::kShared:
            return kSharedWindowBase;
        case AddressSpace::kLocal:
            return kLocalWindowBase;
        case AddressSpace::kParam:
            return kParamWindowBase;
        case AddressSpace::kGeneric:
            break;
    }
    return 0;
}

template <AddressSpace S, bool ToGeneric>
void change_space(Warp& warp, const Instruction& in, uint32_t mask) {
    add_base<uint64_t>(warp, in, mask, ToGeneric ? base_of(S) : 0 - base_of(S));
}

template <AddressSpace S>
void in_window(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<uint64_t>(warp, in.op[1]);
    uint32_t value = 0;
    each_lane(mask, [&](unsigned i) {
        const bool special = a[i] >= kSharedWindowBase && a[i] - kSharedWindowBase < kFunctionWindowBase;
        const bool here = S == AddressSpace::kGeneric ? !special : a[i] - base_of(S) < kSpecialWindowBytes;
        value |= (here ? 1u : 0u) << i;
    });
    set_predicate(warp, in.op[0], mask, value);
}

// Constant memory is the program's .const variables.
void in_const(Warp& warp, const Instruction& in, uint32_t mask) {
    const auto* a = source<uint64_t>(warp, in.op[1]);
    const auto& variables = warp.grid->program.variables();
    uint32_t value = 0;
    each_lane(mask, [&](unsigned i) {
        for (uint32_t v = 0; v < variables.size(); ++v)
            if (variables[v].space == VariableSpace::kConst &&
                a[i] - warp.grid->request.program->address_of(v) < variables[v].size)
                value |= 1u << i;
    });
    set_predicate(warp, in.op[0], mask, value);
}

}  // namespace

Handler select_load(AddressSpace space, Type type, uint32_t lane_bytes, unsigned count, bool wide,
                    bool waits) {
    switch (space) {
        case AddressSpace::kGeneric:
            return load_in<AddressSpace::kGeneric>(type, lane_bytes, count, wide, waits);
        case AddressSpace::kShared:
            return load_in<AddressSpace::kShared>(type, lane_bytes, count, wide, waits);
        case AddressSpace::kLocal:
            return load_in<AddressSpace::kLocal>(type, lane_bytes, count, wide, false);
        case AddressSpace::kParam:
            return load_in<AddressSpace::kParam>(type, lane_bytes, count, wide, false);
    }
    return nullptr;
}

Handler select_store(AddressSpace space, Type type, uint32_t lane_bytes, unsigned count, bool wide) {
    switch (space) {
        case AddressSpace::kGeneric:
            return store_in<AddressSpace::kGeneric>(type, lane_bytes, count, wide);
        case AddressSpace::kShared:
            return store_in<AddressSpace::kShared>(type, lane_bytes, count, wide);
        case AddressSpace::kLocal:
            return store_in<AddressSpace::kLocal>(type, lane_bytes, count, wide);
        case AddressSpace::kParam:
            return nullptr;
    }
    return nullptr;
}

Handler select_load_parameter(Type type, uint32_t lane_bytes, unsigned count) {
    return with_memory_type(type, [&]<class M>() -> Handler {
        const auto of = [&]<class Lane>() -> Handler {
            if constexpr (sizeof(M) > sizeof(Lane)) {
                return nullptr;
            } else {
                switch (count) {
                    case 1:
                        return load_parameter<M, Lane, 1>;
                    case 2:
                        return load_parameter<M, Lane, 2>;
                    case 4:
                        return load_parameter<M, Lane, 4>;
                    default:
                        return nullptr;
                }
            }
        };
        return lane_bytes == 8 ? of.template operator()<uint64_t>() : of.template operator()<uint32_t>();
    });
}

Handler select_copy_async() { return copy_async; }
Handler select_nothing() { return nothing; }
Handler select_fence() { return fence; }

Handler select_address_to(AddressSpace space, bool to_generic) {
    switch (space) {
        case AddressSpace::kShared:
            return to_generic ? change_space<AddressSpace::kShared, true>
                              : change_space<AddressSpace::kShared, false>;
        case AddressSpace::kLocal:
            return to_generic ? change_space<AddressSpace::kLocal, true>
                              : change_space<AddressSpace::kLocal, false>;
        case AddressSpace::kParam:
            return to_generic ? change_space<AddressSpace::kParam, true>
                              : change_space<AddressSpace::kParam, false>;
        case AddressSpace::kGeneric:
            return select_move(8);
    }
    return nullptr;
}

Handler select_is_space(std::string_view space) {
    if (space == "global") return in_window<AddressSpace::kGeneric>;
    if (space == "shared" || space == "shared::cta" || space == "shared::cluster")
        return in_window<AddressSpace::kShared>;
    if (space == "local") return in_window<AddressSpace::kLocal>;
    if (space == "param" || space == "param::entry") return in_window<AddressSpace::kParam>;
    if (space == "const") return in_const;
    return nullptr;
}

}  // namespace bitfusion::soft
