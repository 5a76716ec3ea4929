// Lanes: how handlers read and write the 32 lanes of a register.
//
// get<T> takes the low bits of a lane as a T, put<T> stores a T zero-extended. for_lanes runs a body for each
// lane of a mask; with all lanes active it is a plain loop that the compiler turns into vector instructions.
// A body must touch its own lane only.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

template <class T>
using LaneOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
using BitsOf = std::conditional_t<
    sizeof(T) == 8, uint64_t,
    std::conditional_t<sizeof(T) == 4, uint32_t, std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;

template <class T>
inline T get(LaneOf<T> lane) {
    return std::bit_cast<T>(static_cast<BitsOf<T>>(lane));
}

template <class T>
inline LaneOf<T> put(T value) {
    return static_cast<LaneOf<T>>(std::bit_cast<BitsOf<T>>(value));
}

template <class Lane>
inline const Lane* source(const Warp& warp, uint32_t operand) {
    return reinterpret_cast<const Lane*>(warp.base[operand >> 31] + (operand & 0x7fff'ffff));
}

template <class Lane>
inline Lane* target(Warp& warp, uint32_t operand) {
    return reinterpret_cast<Lane*>(warp.registers + operand);
}

inline uint32_t predicate(const Warp& warp, uint32_t operand) { return *source<uint32_t>(warp, operand); }

// Sets the bits of `mask` in a predicate to those of `value`.
inline void set_predicate(Warp& warp, uint32_t operand, uint32_t mask, uint32_t value) {
    auto* word = target<uint32_t>(warp, operand);
    *word = (*word & ~mask) | (value & mask);
}

template <class Body>
inline void for_lanes(uint32_t mask, Body body) {
    if (mask == kAllLanes) {
#pragma GCC ivdep
        for (unsigned lane = 0; lane < kWarpSize; ++lane) body(lane);
    } else {
        for (; mask != 0; mask &= mask - 1) body(static_cast<unsigned>(std::countr_zero(mask)));
    }
}

// Lane by lane in order, for bodies that are not independent or not simple.
template <class Body>
inline void each_lane(uint32_t mask, Body body) {
    for (; mask != 0; mask &= mask - 1) body(static_cast<unsigned>(std::countr_zero(mask)));
}

}  // namespace bitfusion::soft
