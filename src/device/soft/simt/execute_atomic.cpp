// Atomics ("PTX ISA", atom and red). Global memory takes the processor's atomics, sequentially consistent,
// which is at least what any .sem asks for. Shared memory belongs to the one OS thread that runs the block.
#include <algorithm>

#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

struct Add {
    template <class T>
    static T apply(T old, T b, T) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) +
                                  static_cast<std::make_unsigned_t<T>>(b));
        else
            return old + b;
    }
};
struct Minimum {
    template <class T>
    static T apply(T old, T b, T) {
        return std::min(old, b);
    }
};
struct Maximum {
    template <class T>
    static T apply(T old, T b, T) {
        return std::max(old, b);
    }
};
struct Increment {
    template <class T>
    static T apply(T old, T b, T) {
        return old >= b ? T{0} : static_cast<T>(old + 1);
    }
};
struct Decrement {
    template <class T>
    static T apply(T old, T b, T) {
        return old == 0 || old > b ? b : static_cast<T>(old - 1);
    }
};
struct Exchange {
    static constexpr bool kWaits = true;
    template <class T>
    static T apply(T, T b, T) {
        return b;
    }
};
struct CompareAndSwap {
    static constexpr bool kWaits = true;
    template <class T>
    static T apply(T old, T b, T c) {
        return old == b ? c : old;
    }
};
struct And {
    template <class T>
    static T apply(T old, T b, T) {
        return old & b;
    }
};
struct Or {
    template <class T>
    static T apply(T old, T b, T) {
        return old | b;
    }
};
struct Xor {
    template <class T>
    static T apply(T old, T b, T) {
        return old ^ b;
    }
};

template <class Op>
constexpr bool waits_for_others = requires {
    Op::kWaits;
};

// Half and pairs of halves under the bits of an unsigned integer. Kind: 0 f16, 1 f16x2, 2 bf16, 3 bf16x2.
template <int Kind, int Operation>
struct HalfOp {
    static uint16_t one(uint16_t x, uint16_t y) {
        constexpr bool kBrain = Kind >= 2;
        const float a = kBrain ? from_bf16(x) : from_f16(x);
        const float b = kBrain ? from_bf16(y) : from_f16(y);
        const float value = Operation == 0 ? a + b : Operation == 1 ? smaller(a, b) : larger(a, b);
        return kBrain ? to_bf16(static_cast<double>(value)) : to_f16(static_cast<double>(value));
    }
    template <class T>
    static T apply(T old, T b, T) {
        T out = one(static_cast<uint16_t>(old), static_cast<uint16_t>(b));
        if constexpr (sizeof(T) == 4)
            out |= static_cast<T>(one(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16)))
                   << 16;
        return out;
    }
};

// Applies the operation to memory and gives the old value.
template <class T, class Op>
T update(std::byte* place, T b, T c, bool is_private) {
    auto* word = reinterpret_cast<BitsOf<T>*>(place);
    if (is_private) {
        const T old = std::bit_cast<T>(*word);
        *word = std::bit_cast<BitsOf<T>>(Op::apply(old, b, c));
        return old;
    }
    if constexpr (std::is_same_v<Op, Add> && std::is_integral_v<T>) {
        return std::bit_cast<T>(__atomic_fetch_add(word, std::bit_cast<BitsOf<T>>(b), __ATOMIC_SEQ_CST));
    } else if constexpr (std::is_same_v<Op, Exchange>) {
        return std::bit_cast<T>(__atomic_exchange_n(word, std::bit_cast<BitsOf<T>>(b), __ATOMIC_SEQ_CST));
    } else {
        BitsOf<T> seen = __atomic_load_n(word, __ATOMIC_RELAXED);
        for (;;) {
            const auto wanted = std::bit_cast<BitsOf<T>>(Op::apply(std::bit_cast<T>(seen), b, c));
            if (__atomic_compare_exchange_n(word, &seen, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                return std::bit_cast<T>(seen);
        }
    }
}

template <class T, class Op, AddressSpace S, bool Wide>
void atomic(Warp& warp, const Instruction& in, uint32_t mask) {
    auto* d = target<LaneOf<T>>(warp, in.op[0]);
    const auto* b = source<LaneOf<T>>(warp, in.op[2]);
    const auto* c = source<LaneOf<T>>(warp, in.op[3]);
    if constexpr (waits_for_others<Op>) warp.waits();
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        const uint64_t address = address_of<Wide>(warp, in.op[1], in.immediate, i);
        if (S == AddressSpace::kGeneric && is_private(address) &&
            address - kSharedWindowBase >= kSpecialWindowBytes) {
            warp.fault(FaultKind::kInvalidAddressSpace, i, address);
            return;
        }
        std::byte* place = resolve<S>(warp, i, address, sizeof(T));
        if (place == nullptr) return;
        const bool own = S == AddressSpace::kShared || is_private(address);
        d[i] = put<T>(update<T, Op>(place, get<T>(b[i]), get<T>(c[i]), own));
    }
}

// red.v2.f32 and the like: operands[extra..] = d..., b...; op = {address}
template <class T, class Op, bool Wide>
void atomic_vector(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t count = in.flags;
    const uint32_t* operands = warp.operands + in.extra;
    uint64_t addresses[kWarpSize];
    each_lane(mask, [&](unsigned i) { addresses[i] = address_of<Wide>(warp, in.op[0], in.immediate, i); });
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(left));
        std::byte* place =
            resolve<AddressSpace::kGeneric>(warp, i, addresses[i], static_cast<uint32_t>(sizeof(T)) * count);
        if (place == nullptr) return;
        for (uint32_t k = 0; k < count; ++k) {
            const T b = get<T>(source<LaneOf<T>>(warp, operands[count + k])[i]);
            target<LaneOf<T>>(warp, operands[k])[i] =
                put<T>(update<T, Op>(place + sizeof(T) * k, b, b, is_private(addresses[i])));
        }
    }
}

template <class T, class Op>
Handler in_space(AddressSpace space, bool wide) {
    switch (space) {
        case AddressSpace::kGeneric:
            return wide ? atomic<T, Op, AddressSpace::kGeneric, true>
                        : atomic<T, Op, AddressSpace::kGeneric, false>;
        case AddressSpace::kShared:
            return wide ? atomic<T, Op, AddressSpace::kShared, true>
                        : atomic<T, Op, AddressSpace::kShared, false>;
        default:
            return nullptr;
    }
}

template <class T>
Handler arithmetic(std::string_view operation, AddressSpace space, bool wide) {
    if (operation == "add") return in_space<T, Add>(space, wide);
    if (operation == "min") return in_space<T, Minimum>(space, wide);
    if (operation == "max") return in_space<T, Maximum>(space, wide);
    return nullptr;
}

template <class T>
Handler bits(std::string_view operation, AddressSpace space, bool wide) {
    if (operation == "exch") return in_space<T, Exchange>(space, wide);
    if (operation == "cas") return in_space<T, CompareAndSwap>(space, wide);
    if constexpr (sizeof(T) >= 4) {
        if (operation == "and") return in_space<T, And>(space, wide);
        if (operation == "or") return in_space<T, Or>(space, wide);
        if (operation == "xor") return in_space<T, Xor>(space, wide);
    }
    return nullptr;
}

template <class T, int Kind>
Handler half(std::string_view operation, AddressSpace space, bool wide) {
    if (operation == "add") return in_space<T, HalfOp<Kind, 0>>(space, wide);
    return nullptr;
}

template <class T, class Op>
Handler vector(bool wide) {
    return wide ? atomic_vector<T, Op, true> : atomic_vector<T, Op, false>;
}

template <class T, int Kind>
Handler half_vector(std::string_view operation, bool wide) {
    if (operation == "add") return vector<T, HalfOp<Kind, 0>>(wide);
    if (operation == "min") return vector<T, HalfOp<Kind, 1>>(wide);
    if (operation == "max") return vector<T, HalfOp<Kind, 2>>(wide);
    return nullptr;
}

}  // namespace

Handler select_atomic(std::string_view operation, AddressSpace space, Type type, bool wide) {
    switch (type) {
        case Type::kU32:
            if (operation == "inc") return in_space<uint32_t, Increment>(space, wide);
            if (operation == "dec") return in_space<uint32_t, Decrement>(space, wide);
            return arithmetic<uint32_t>(operation, space, wide);
        case Type::kS32:
            return arithmetic<int32_t>(operation, space, wide);
        case Type::kU64:
            return arithmetic<uint64_t>(operation, space, wide);
        case Type::kS64:
            return arithmetic<int64_t>(operation, space, wide);
        case Type::kF32:
            return operation == "add" ? in_space<float, Add>(space, wide) : nullptr;
        case Type::kF64:
            return operation == "add" ? in_space<double, Add>(space, wide) : nullptr;
        case Type::kB16:
            return bits<uint16_t>(operation, space, wide);
        case Type::kB32:
            return bits<uint32_t>(operation, space, wide);
        case Type::kB64:
            return bits<uint64_t>(operation, space, wide);
        case Type::kF16:
            return half<uint16_t, 0>(operation, space, wide);
        case Type::kF16x2:
            return half<uint32_t, 1>(operation, space, wide);
        case Type::kBf16:
            return half<uint16_t, 2>(operation, space, wide);
        case Type::kBf16x2:
            return half<uint32_t, 3>(operation, space, wide);
        default:
            return nullptr;
    }
}

Handler select_atomic_vector(std::string_view operation, Type type, bool wide) {
    switch (type) {
        case Type::kF32:
            return operation == "add" ? vector<float, Add>(wide) : nullptr;
        case Type::kF16:
            return half_vector<uint16_t, 0>(operation, wide);
        case Type::kF16x2:
            return half_vector<uint32_t, 1>(operation, wide);
        case Type::kBf16:
            return half_vector<uint16_t, 2>(operation, wide);
        case Type::kBf16x2:
            return half_vector<uint32_t, 3>(operation, wide);
        default:
            return nullptr;
    }
}

}  // namespace bitfusion::soft
