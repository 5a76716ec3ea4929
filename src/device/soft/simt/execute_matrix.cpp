// Matrix instructions: mma.sync, ldmatrix, stmatrix, movmatrix ("PTX ISA", section 9.7.14).
//
// All shapes here share one rule for where elements live. With g = lane / 4, t = lane % 4 and e elements of
// the type in 32 bits (1 for tf32 and f64), register r of a lane holds
//   A: row g + 8 * (r % 2), columns t * e + 4 * e * (r / 2) and the e - 1 that follow (m8n8: row g)
//   B: column g, rows t * e + 4 * e * r and the e - 1 that follow
//   C and D: rows g and g + 8, columns 2 * t and 2 * t + 1
// Products are exact and summed in double, then rounded once to the type of D.
#include <algorithm>
#include <array>
#include <utility>

#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

struct Form {
    std::string_view shape;
    unsigned rows;
    unsigned depth;
    unsigned bits;  // of an element of A and B
    Type a;         // kS8 stands for s8 and u8, kS4 for s4 and u4
    Type d;
};

constexpr std::array kForms{
    Form{"m16n8k8", 16, 8, 16, Type::kF16, Type::kF32},
    Form{"m16n8k16", 16, 16, 16, Type::kF16, Type::kF32},
    Form{"m16n8k8", 16, 8, 16, Type::kF16, Type::kF16},
    Form{"m16n8k16", 16, 16, 16, Type::kF16, Type::kF16},
    Form{"m16n8k8", 16, 8, 16, Type::kBf16, Type::kF32},
    Form{"m16n8k16", 16, 16, 16, Type::kBf16, Type::kF32},
    Form{"m16n8k4", 16, 4, 32, Type::kTf32, Type::kF32},
    Form{"m16n8k8", 16, 8, 32, Type::kTf32, Type::kF32},
    Form{"m16n8k32", 16, 32, 8, Type::kE4m3, Type::kF32},
    Form{"m16n8k32", 16, 32, 8, Type::kE5m2, Type::kF32},
    Form{"m8n8k16", 8, 16, 8, Type::kS8, Type::kS32},
    Form{"m16n8k16", 16, 16, 8, Type::kS8, Type::kS32},
    Form{"m16n8k32", 16, 32, 8, Type::kS8, Type::kS32},
    Form{"m8n8k32", 8, 32, 4, Type::kS4, Type::kS32},
    Form{"m16n8k32", 16, 32, 4, Type::kS4, Type::kS32},
    Form{"m16n8k64", 16, 64, 4, Type::kS4, Type::kS32},
    Form{"m8n8k128", 8, 128, 1, Type::kB1, Type::kS32},
    Form{"m16n8k128", 16, 128, 1, Type::kB1, Type::kS32},
    Form{"m16n8k256", 16, 256, 1, Type::kB1, Type::kS32},
    Form{"m8n8k4", 8, 4, 64, Type::kF64, Type::kF64},
    Form{"m16n8k4", 16, 4, 64, Type::kF64, Type::kF64},
    Form{"m16n8k8", 16, 8, 64, Type::kF64, Type::kF64},
    Form{"m16n8k16", 16, 16, 64, Type::kF64, Type::kF64},
};

constexpr unsigned kColumns = 8;

constexpr unsigned registers_of(const Form& form, unsigned fragment) {
    const unsigned word = form.bits == 64 ? 64 : 32;
    switch (fragment) {
        case 1:
            return form.rows * form.depth * form.bits / (32 * word);
        case 2:
            return kColumns * form.depth * form.bits / (32 * word);
        default:
            return form.rows * kColumns / 32 / (form.d == Type::kF16 ? 2 : 1);
    }
}

Type plain(Type type) { return type == Type::kU8 ? Type::kS8 : type == Type::kU4 ? Type::kS4 : type; }

const Form* find_form(std::string_view shape, Type d, Type a) {
    for (const Form& form : kForms)
        if (form.shape == shape && form.a == plain(a) && form.d == d) return &form;
    return nullptr;
}

// Element k of a register's bits, as a number.
template <size_t F>
double element(uint64_t bits, unsigned k, bool is_signed, Type type) {
    constexpr Form kForm = kForms[F];
    if constexpr (kForm.bits == 64) return std::bit_cast<double>(bits);
    if constexpr (kForm.a == Type::kTf32)
        return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) & 0xffff'e000));
    const auto part = static_cast<uint32_t>(bits >> (kForm.bits * k));
    if constexpr (kForm.a == Type::kF16) return static_cast<double>(from_f16(static_cast<uint16_t>(part)));
    if constexpr (kForm.a == Type::kBf16) return static_cast<double>(from_bf16(static_cast<uint16_t>(part)));
    if constexpr (kForm.a == Type::kE4m3 || kForm.a == Type::kE5m2)
        return static_cast<double>(type == Type::kE4m3 ? from_e4m3(static_cast<uint8_t>(part))
                                                       : from_e5m2(static_cast<uint8_t>(part)));
    if constexpr (kForm.a == Type::kB1) return part & 1;
    if constexpr (kForm.a == Type::kS4)
        return is_signed ? static_cast<double>(static_cast<int32_t>(part << 28) >> 28)
                         : static_cast<double>(part & 15);
    return is_signed ? static_cast<double>(static_cast<int8_t>(part))
                     : static_cast<double>(static_cast<uint8_t>(part));
}

template <size_t F>
void multiply(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    constexpr Form kForm = kForms[F];
    constexpr unsigned kPer = kForm.bits >= 32 ? 1 : 32 / kForm.bits;
    constexpr unsigned kA = registers_of(kForm, 1);
    constexpr unsigned kB = registers_of(kForm, 2);
    constexpr unsigned kC = registers_of(kForm, 0);
    using Word = std::conditional_t<kForm.bits == 64, uint64_t, uint32_t>;
    const uint32_t* operands = warp.operands + in.extra;
    const Type a_type = static_cast<Type>(in.flags >> 8 & 0xff);
    const Type b_type = static_cast<Type>(in.flags >> 16 & 0xff);
    double a[kForm.rows][kForm.depth];
    double b[kForm.depth][kColumns];
    for (unsigned r = 0; r < kA; ++r) {
        const auto* lanes = source<Word>(warp, operands[kC + r]);
        for (unsigned lane = 0; lane < kWarpSize; ++lane)
            for (unsigned k = 0; k < kPer; ++k) {
                const unsigned row = lane / 4 + (kForm.rows == 16 ? 8 * (r % 2) : 0);
                const unsigned column = lane % 4 * kPer + 4 * kPer * (kForm.rows == 16 ? r / 2 : r) + k;
                a[row][column] = element<F>(lanes[lane], k, (in.flags & 1) != 0, a_type);
            }
    }
    for (unsigned r = 0; r < kB; ++r) {
        const auto* lanes = source<Word>(warp, operands[kC + kA + r]);
        for (unsigned lane = 0; lane < kWarpSize; ++lane)
            for (unsigned k = 0; k < kPer; ++k)
                b[lane % 4 * kPer + 4 * kPer * r + k][lane / 4] =
                    element<F>(lanes[lane], k, (in.flags & 2) != 0, b_type);
    }
    double sums[kForm.rows][kColumns] = {};
    for (unsigned row = 0; row < kForm.rows; ++row)
        for (unsigned k = 0; k < kForm.depth; ++k)
            for (unsigned n = 0; n < kColumns; ++n)
                sums[row][n] +=
                    (in.flags & 8) != 0 ? (a[row][k] != b[k][n] ? 1.0 : 0.0) : a[row][k] * b[k][n];
    constexpr unsigned kResults = kForm.rows * kColumns / 32;
    for (unsigned r = 0; r < kResults; ++r) {
        constexpr bool kHalves = kForm.d == Type::kF16;
        const unsigned place = kHalves ? r / 2 : r;
        const auto* c = source<Word>(warp, operands[kC + kA + kB + place]);
        auto* d = target<Word>(warp, operands[place]);
        each_lane(mask, [&](unsigned lane) {
            const double sum = sums[lane / 4 + 8 * (r / 2)][lane % 4 * 2 + r % 2];
            if constexpr (kForm.d == Type::kF64) {
                d[lane] = std::bit_cast<uint64_t>(sum + std::bit_cast<double>(c[lane]));
            } else if constexpr (kForm.d == Type::kF32) {
                d[lane] = put(
                    canonical(static_cast<float>(sum + static_cast<double>(std::bit_cast<float>(c[lane])))));
            } else if constexpr (kHalves) {
                const unsigned shift = 16 * (r % 2);
                const uint32_t half =
                    to_f16(sum + static_cast<double>(from_f16(static_cast<uint16_t>(c[lane] >> shift))));
                // C may be the same register as D: the other half is still the old one when r is even
                d[lane] = r % 2 == 0 ? (c[lane] & 0xffff'0000) | half : (d[lane] & 0xffff) | half << 16;
            } else {
                const auto old = static_cast<int64_t>(static_cast<int32_t>(c[lane]));
                const int64_t whole = static_cast<int64_t>(sum) + old;
                const bool saturates = (in.flags & 4) != 0;
                d[lane] = static_cast<uint32_t>(saturates ? std::clamp<int64_t>(whole, INT32_MIN, INT32_MAX)
                                                          : whole);
            }
        });
    }
}

template <size_t... F>
Handler form_handler(size_t index, std::index_sequence<F...>) {
    static constexpr Handler kHandlers[] = {multiply<F>...};
    return kHandlers[index];
}

// Rows of 8 halves at the addresses that lanes 0..7, 8..15, ... give, one matrix after the other.
template <bool Wide>
bool row_places(Warp& warp, const Instruction& in, std::byte** rows) {
    const uint32_t count = in.flags & 0xff;
    for (unsigned i = 0; i < 8 * count; ++i) {
        const auto address = static_cast<uint32_t>(address_of<Wide>(warp, in.op[0], in.immediate, i));
        rows[i] = resolve<AddressSpace::kShared>(warp, i, address, 16);
        if (rows[i] == nullptr) return false;
    }
    return true;
}

template <bool Wide>
void load_matrix(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const uint32_t count = in.flags & 0xff;
    const bool transposed = (in.flags & 256) != 0;
    std::byte* rows[kWarpSize];
    if (!row_places<Wide>(warp, in, rows)) return;
    for (unsigned m = 0; m < count; ++m) {
        auto* d = target<uint32_t>(warp, warp.operands[in.extra + m]);
        each_lane(mask, [&](unsigned i) {
            const unsigned row = i / 4;
            const unsigned column = i % 4 * 2;
            uint16_t pair[2];
            for (unsigned k = 0; k < 2; ++k)
                std::memcpy(
                    &pair[k],
                    transposed ? rows[8 * m + column + k] + 2 * row : rows[8 * m + row] + 2 * (column + k),
                    2);
            d[i] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
        });
    }
}

template <bool Wide>
void store_matrix(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const uint32_t count = in.flags & 0xff;
    const bool transposed = (in.flags & 256) != 0;
    std::byte* rows[kWarpSize];
    if (!row_places<Wide>(warp, in, rows)) return;
    for (unsigned m = 0; m < count; ++m) {
        const auto* a = source<uint32_t>(warp, warp.operands[in.extra + m]);
        each_lane(mask, [&](unsigned i) {
            const unsigned row = i / 4;
            const unsigned column = i % 4 * 2;
            for (unsigned k = 0; k < 2; ++k) {
                const auto half = static_cast<uint16_t>(a[i] >> (16 * k));
                std::memcpy(
                    transposed ? rows[8 * m + column + k] + 2 * row : rows[8 * m + row] + 2 * (column + k),
                    &half, 2);
            }
        });
    }
}

void transpose_matrix(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    auto* d = target<uint32_t>(warp, in.op[0]);
    const auto* a = source<uint32_t>(warp, in.op[1]);
    uint16_t whole[8][8];
    for (unsigned i = 0; i < kWarpSize; ++i)
        for (unsigned k = 0; k < 2; ++k)
            whole[i / 4][i % 4 * 2 + k] = static_cast<uint16_t>(a[i] >> (16 * k));
    each_lane(mask, [&](unsigned i) {
        d[i] = whole[i % 4 * 2][i / 4] | static_cast<uint32_t>(whole[i % 4 * 2 + 1][i / 4]) << 16;
    });
}

}  // namespace

Handler select_matrix(std::string_view shape, std::string_view a_layout, std::string_view b_layout, Type d,
                      Type a, Type b, Type c, std::string_view operation) {
    if (a == Type::kF16 && shape == "m8n8k4") {
        if (b != a || !operation.empty()) return nullptr;
        return select_quads(a_layout, b_layout, d, c);
    }
    const bool small = a == Type::kE4m3 || a == Type::kE5m2;
    if (a_layout != "row" || b_layout != "col" || d != c) return nullptr;
    if (plain(a) != plain(b) && !(small && (b == Type::kE4m3 || b == Type::kE5m2))) return nullptr;
    const bool whole = plain(a) == Type::kS8 || plain(a) == Type::kS4;
    if (a == Type::kB1 ? operation != "xor.popc" && operation != "and.popc"
                       : !operation.empty() && !(operation == "satfinite" && whole))
        return nullptr;
    const Form* form = find_form(shape, d, a);
    if (form == nullptr) return nullptr;
    return form_handler(static_cast<size_t>(form - kForms.data()), std::make_index_sequence<kForms.size()>());
}

size_t matrix_registers(std::string_view shape, Type d, Type a, unsigned fragment) {
    if (a == Type::kF16 && shape == "m8n8k4")
        return fragment == 1 || fragment == 2 ? 2 : d == Type::kF16 ? 4 : 8;
    const Form* form = find_form(shape, d, a);
    return form == nullptr ? 0 : registers_of(*form, fragment);
}

Handler select_load_matrix(bool wide, bool store) {
    if (store) return wide ? store_matrix<true> : store_matrix<false>;
    return wide ? load_matrix<true> : load_matrix<false>;
}

Handler select_transpose_matrix() { return transpose_matrix; }

}  // namespace bitfusion::soft
