// Memory: from an address that a kernel computed to a byte that it may touch, or to a fault.
//
// Every function returns null after it has reported the fault; the handler returns at once then. `bytes` is a
// power of two up to 32 and addresses are multiples of it. Global memory is shared with other threads: read
// and write it with load() and store() or atomics.
#pragma once

#include <cstring>

#include "device/soft/simt/lanes.h"

namespace bitfusion::soft {

enum class AddressSpace : uint8_t { kGeneric, kShared, kLocal, kParam };

// The whole of [offset, offset + bytes) of `window` is allocated.
inline bool allocated(const Window& window, uint64_t offset, uint64_t bytes) {
    if (window.granules == nullptr) return true;
    const uint64_t last = (offset + bytes - 1) >> window.granule_shift;
    for (uint64_t at = offset >> window.granule_shift; at <= last; ++at)
        if (__atomic_load_n(window.granules + at, __ATOMIC_RELAXED) == 0) return false;
    return true;
}

inline bool inside(const Window& window, uint64_t address, uint64_t bytes) {
    const uint64_t offset = address - window.base;
    return offset < window.size && window.size - offset >= bytes && allocated(window, offset, bytes);
}

// Finds the window of the address and remembers it; false when there is none.
bool find_window(Warp& warp, uint64_t address, uint64_t bytes);
std::byte* bad_address(Warp& warp, unsigned lane, uint64_t address, uint32_t bytes, AddressSpace space);
// Addresses that are not in the window used last: other windows, shared, local, parameters.
std::byte* resolve_slowly(Warp& warp, unsigned lane, uint64_t address, uint32_t bytes);

template <AddressSpace S>
inline std::byte* resolve(Warp& warp, unsigned lane, uint64_t address, uint32_t bytes) {
    if (S == AddressSpace::kShared) {
        if ((address & (bytes - 1)) == 0 && address + bytes <= warp.shared_bytes &&
            address < warp.shared_bytes)
            return warp.shared + address;
        return bad_address(warp, lane, address, bytes, S);
    }
    if (S == AddressSpace::kLocal) {
        if ((address & (bytes - 1)) == 0 && address < warp.stack_bytes && address + bytes <= warp.stack_bytes)
            return warp.local + size_t{lane} * warp.stack_bytes + address;
        return bad_address(warp, lane, address, bytes, S);
    }
    if (S == AddressSpace::kParam) {
        auto& parameters = warp.grid->parameters;
        if ((address & (bytes - 1)) == 0 && address < parameters.size() &&
            address + bytes <= parameters.size())
            return parameters.data() + address;
        return bad_address(warp, lane, address, bytes, S);
    }
    if ((address & (bytes - 1)) == 0 && inside(warp.window, address, bytes))
        return reinterpret_cast<std::byte*>(address);
    return resolve_slowly(warp, lane, address, bytes);
}

// True for memory that only this block's OS thread touches.
inline bool is_private(uint64_t address) {
    return address >= kSharedWindowBase && address < kFunctionWindowBase;
}

// Scalar accesses that other threads may race with.
template <class T>
inline T load(const std::byte* place) {
    return std::bit_cast<T>(__atomic_load_n(reinterpret_cast<const BitsOf<T>*>(place), __ATOMIC_RELAXED));
}

template <class T>
inline void store(std::byte* place, T value) {
    __atomic_store_n(reinterpret_cast<BitsOf<T>*>(place), std::bit_cast<BitsOf<T>>(value), __ATOMIC_RELAXED);
}

// The address that operand `op` and the offset give for a lane. Wide: 64-bit registers.
template <bool Wide>
inline uint64_t address_of(const Warp& warp, uint32_t operand, int64_t offset, unsigned lane) {
    if (Wide) return source<uint64_t>(warp, operand)[lane] + static_cast<uint64_t>(offset);
    return static_cast<uint32_t>(source<uint32_t>(warp, operand)[lane] + static_cast<uint32_t>(offset));
}

}  // namespace bitfusion::soft
