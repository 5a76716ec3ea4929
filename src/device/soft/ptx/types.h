// Type: the fundamental types of PTX and what a decoder asks about them.
//
// Values live in lanes of two widths: 8 bytes for 64-bit types, 4 bytes for everything narrower (the bits
// above the type's width are unspecified). Predicates are one bit per lane. Any thread may call these.
// Source document: "PTX ISA", section 5.2.
#pragma once

#include <cstdint>
#include <string_view>

namespace bitfusion::soft {

// 128 bits, for products and sums that must not wrap.
__extension__ typedef unsigned __int128 Wide;
__extension__ typedef __int128 SignedWide;

enum class Type : uint8_t {
    kNone,
    kB8,
    kB16,
    kB32,
    kB64,
    kB128,
    kU8,
    kU16,
    kU32,
    kU64,
    kS8,
    kS16,
    kS32,
    kS64,
    kU4,  // matrices only
    kS4,
    kB1,
    kF16,
    kF16x2,
    kBf16,
    kBf16x2,
    kE4m3,  // matrices only
    kE5m2,
    kTf32,
    kF32,
    kF64,
    kE4m3x2,
    kE5m2x2,
    kPred,
};

// "u32" -> kU32; kNone when it is not a type. Without the dot.
Type type_named(std::string_view name);
const char* name_of(Type type);

// Bytes in memory; 0 for kNone and kPred.
constexpr uint32_t bytes_of(Type type) {
    switch (type) {
        case Type::kB8:
        case Type::kU8:
        case Type::kS8:
            return 1;
        case Type::kB16:
        case Type::kU16:
        case Type::kS16:
        case Type::kF16:
        case Type::kBf16:
        case Type::kE4m3x2:
        case Type::kE5m2x2:
            return 2;
        case Type::kB32:
        case Type::kU32:
        case Type::kS32:
        case Type::kF32:
        case Type::kTf32:
        case Type::kF16x2:
        case Type::kBf16x2:
            return 4;
        case Type::kB64:
        case Type::kU64:
        case Type::kS64:
        case Type::kF64:
            return 8;
        case Type::kB128:
            return 16;
        default:
            return 0;
    }
}

// Bytes of one lane of a register of this type; 0 for predicates.
constexpr uint32_t lane_bytes_of(Type type) {
    return type == Type::kPred ? 0 : bytes_of(type) == 8 ? 8 : bytes_of(type) == 16 ? 16 : 4;
}

constexpr bool is_signed(Type type) {
    return type == Type::kS8 || type == Type::kS16 || type == Type::kS32 || type == Type::kS64;
}

constexpr bool is_unsigned(Type type) {
    return type == Type::kU8 || type == Type::kU16 || type == Type::kU32 || type == Type::kU64;
}

constexpr bool is_bits(Type type) {
    return type == Type::kB8 || type == Type::kB16 || type == Type::kB32 || type == Type::kB64 ||
           type == Type::kB128;
}

constexpr bool is_float(Type type) { return type >= Type::kF16 && type <= Type::kE5m2x2; }
constexpr bool is_integer(Type type) { return is_signed(type) || is_unsigned(type) || is_bits(type); }

}  // namespace bitfusion::soft
