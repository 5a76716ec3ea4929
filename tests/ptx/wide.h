// Wide: integers that hold every sum and product of PTX's integer types exactly.
#pragma once

#include <cstdint>

namespace bitfusion::ptx {

__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UnsignedWide;

// The low `width` bits as a number.
inline Wide number(uint64_t bits, unsigned width, bool is_signed) {
    const uint64_t value = width == 64 ? bits : bits & ((uint64_t{1} << width) - 1);
    if (!is_signed || (value >> (width - 1)) == 0) return static_cast<Wide>(value);
    return static_cast<Wide>(value) - (static_cast<Wide>(1) << width);
}

// The upper half of a product of two numbers of `width` bits.
inline uint64_t high(Wide a, Wide b, unsigned width) {
    return static_cast<uint64_t>(static_cast<UnsignedWide>(a) * static_cast<UnsignedWide>(b) >> width);
}

}  // namespace bitfusion::ptx
