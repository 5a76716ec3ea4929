// wmma: matrix fragments whose layout is the implementation's own ("PTX ISA", section 9.7.14.4).
//
// Ours: a fragment's elements, row by row, follow each other through lane 0's registers, then lane 1's, and
// so on. Where PTX prescribes more registers than elements (f16 A and B), the elements repeat.
#include <algorithm>

#include "device/soft/simt/half.h"
#include "device/soft/simt/handlers.h"

namespace bitfusion::soft {

namespace {

constexpr uint32_t kLargest = 32 * 16;

struct Fragment {
    uint32_t rows;
    uint32_t columns;
    Type type;
    uint32_t registers;

    uint32_t elements() const { return rows * columns; }
    uint32_t bytes() const { return bytes_of(type); }
    uint32_t per_register() const { return bytes() >= 4 ? 1 : 4 / bytes(); }
    uint32_t per_lane() const { return registers * per_register(); }
};

Fragment fragment_of(const WmmaShape& shape, WmmaPart part, Type type) {
    const uint32_t rows = part == WmmaPart::kB ? shape.k : shape.m;
    const uint32_t columns = part == WmmaPart::kA ? shape.k : shape.n;
    return {rows, columns, type, wmma_registers(shape, part, type)};
}

WmmaShape shape_of(const Instruction& in) {
    return {in.flags & 0xff, in.flags >> 8 & 0xff, in.flags >> 16 & 0xff};
}
Type type_at(const Instruction& in, unsigned i) { return static_cast<Type>(in.immediate >> (8 * i) & 0xff); }

uint64_t element(const Warp& warp, const uint32_t* registers, const Fragment& fragment, uint32_t index) {
    const uint32_t lane = index / fragment.per_lane();
    const uint32_t slot = index % fragment.per_lane();
    const uint32_t operand = registers[slot / fragment.per_register()];
    if (fragment.bytes() == 8) return source<uint64_t>(warp, operand)[lane];
    return source<uint32_t>(warp, operand)[lane] >> (slot % fragment.per_register() * 8 * fragment.bytes());
}

void set_element(Warp& warp, const uint32_t* registers, const Fragment& fragment, uint32_t index,
                 uint64_t bits) {
    const uint32_t lane = index / fragment.per_lane();
    const uint32_t slot = index % fragment.per_lane();
    const uint32_t operand = registers[slot / fragment.per_register()];
    if (fragment.bytes() == 8) {
        target<uint64_t>(warp, operand)[lane] = bits;
        return;
    }
    const uint32_t shift = slot % fragment.per_register() * 8 * fragment.bytes();
    const uint32_t keep = fragment.bytes() == 4 ? 0 : ~(((1u << (8 * fragment.bytes())) - 1) << shift);
    uint32_t& word = target<uint32_t>(warp, operand)[lane];
    word = (word & keep) | (static_cast<uint32_t>(bits) << shift & ~keep);
}

double number(uint64_t bits, Type type) {
    switch (type) {
        case Type::kF16:
            return static_cast<double>(from_f16(static_cast<uint16_t>(bits)));
        case Type::kBf16:
            return static_cast<double>(from_bf16(static_cast<uint16_t>(bits)));
        case Type::kTf32:
            return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) & 0xffff'e000));
        case Type::kF32:
            return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
        case Type::kF64:
            return std::bit_cast<double>(bits);
        case Type::kS8:
            return static_cast<double>(static_cast<int8_t>(bits));
        case Type::kU8:
            return static_cast<double>(static_cast<uint8_t>(bits));
        default:
            return static_cast<double>(static_cast<int32_t>(bits));
    }
}

uint64_t bits_of(double value, Type type, bool saturates) {
    switch (type) {
        case Type::kF16:
            return to_f16(value);
        case Type::kF32:
            return std::bit_cast<uint32_t>(canonical(static_cast<float>(value)));
        case Type::kF64:
            return std::bit_cast<uint64_t>(value);
        default: {
            const auto whole = static_cast<int64_t>(value);
            return static_cast<uint32_t>(saturates ? std::clamp<int64_t>(whole, INT32_MIN, INT32_MAX)
                                                   : whole);
        }
    }
}

// op = {address, stride in elements}; flags: shape, bit 24: column by column; immediate: type, part
template <bool Store>
void transfer(Warp& warp, const Instruction& in, uint32_t mask) {
    if (!converged(warp, kAllLanes)) return;
    const auto part = static_cast<WmmaPart>(in.immediate >> 8 & 0xff);
    const Fragment fragment = fragment_of(shape_of(in), part, type_at(in, 0));
    const auto lane = static_cast<unsigned>(std::countr_zero(mask));
    const uint64_t base = source<uint64_t>(warp, in.op[0])[lane];
    const uint64_t stride = source<uint32_t>(warp, in.op[1])[lane];
    const bool by_column = (in.flags >> 24 & 1) != 0;
    const uint32_t bytes = fragment.bytes();
    const uint32_t* registers = warp.operands + in.extra;
    const uint32_t slots = fragment.per_lane() * kWarpSize;
    for (uint32_t index = 0; index < (Store ? fragment.elements() : slots); ++index) {
        const uint32_t row = index % fragment.elements() / fragment.columns;
        const uint32_t column = index % fragment.columns;
        const uint64_t at = by_column ? column * stride + row : row * stride + column;
        std::byte* place = resolve<AddressSpace::kGeneric>(warp, lane, base + at * bytes, bytes);
        if (place == nullptr) return;
        uint64_t bits = 0;
        if (Store) {
            bits = element(warp, registers, fragment, index);
            std::memcpy(place, &bits, bytes);
        } else {
            std::memcpy(&bits, place, bytes);
            set_element(warp, registers, fragment, index, bits);
        }
    }
}

// flags: shape, bit 24: saturates; immediate: types of d, a, b, c; operands[extra..] = d..., a..., b..., c...
void multiply(Warp& warp, const Instruction& in, uint32_t) {
    if (!converged(warp, kAllLanes)) return;
    const WmmaShape shape = shape_of(in);
    const Fragment d = fragment_of(shape, WmmaPart::kC, type_at(in, 0));
    const Fragment a = fragment_of(shape, WmmaPart::kA, type_at(in, 1));
    const Fragment b = fragment_of(shape, WmmaPart::kB, type_at(in, 2));
    const Fragment c = fragment_of(shape, WmmaPart::kC, type_at(in, 3));
    const uint32_t* d_registers = warp.operands + in.extra;
    const uint32_t* a_registers = d_registers + d.registers;
    const uint32_t* b_registers = a_registers + a.registers;
    const uint32_t* c_registers = b_registers + b.registers;
    double left[kLargest];
    double right[kLargest];
    double sums[kLargest];
    for (uint32_t i = 0; i < a.elements(); ++i) left[i] = number(element(warp, a_registers, a, i), a.type);
    for (uint32_t i = 0; i < b.elements(); ++i) right[i] = number(element(warp, b_registers, b, i), b.type);
    for (uint32_t i = 0; i < c.elements(); ++i) sums[i] = number(element(warp, c_registers, c, i), c.type);
    for (uint32_t row = 0; row < shape.m; ++row)
        for (uint32_t k = 0; k < shape.k; ++k)
            for (uint32_t n = 0; n < shape.n; ++n)
                sums[row * shape.n + n] += left[row * shape.k + k] * right[k * shape.n + n];
    for (uint32_t i = 0; i < d.elements(); ++i)
        set_element(warp, d_registers, d, i, bits_of(sums[i], d.type, (in.flags >> 24 & 1) != 0));
}

}  // namespace

std::optional<WmmaShape> wmma_shape(std::string_view name) {
    if (name == "m16n16k16") return WmmaShape{16, 16, 16};
    if (name == "m8n32k16") return WmmaShape{8, 32, 16};
    if (name == "m32n8k16") return WmmaShape{32, 8, 16};
    if (name == "m16n16k8") return WmmaShape{16, 16, 8};
    if (name == "m8n8k4") return WmmaShape{8, 8, 4};
    if (name == "m8n8k32") return WmmaShape{8, 8, 32};
    if (name == "m8n8k128") return WmmaShape{8, 8, 128};
    return std::nullopt;
}

uint32_t wmma_registers(const WmmaShape& shape, WmmaPart part, Type type) {
    const uint32_t elements = part == WmmaPart::kA   ? shape.m * shape.k
                              : part == WmmaPart::kB ? shape.k * shape.n
                                                     : shape.m * shape.n;
    const bool deep = shape.k == 16;
    if (part == WmmaPart::kC) {
        if (type == Type::kF16) return deep ? elements / 64 : 0;
        if (type == Type::kF32 || type == Type::kS32) return shape.k >= 8 ? elements / 32 : 0;
        return type == Type::kF64 && shape.k == 4 ? elements / 32 : 0;
    }
    switch (type) {
        case Type::kS4:
        case Type::kU4:
            return shape.k == 32 ? 1 : 0;
        case Type::kB1:
            return shape.k == 128 ? 1 : 0;
        case Type::kF16:
            return deep ? 8 : 0;
        case Type::kBf16:
            return deep ? elements / 64 : 0;
        case Type::kS8:
        case Type::kU8:
            return deep ? elements / 128 : 0;
        case Type::kTf32:
            return shape.k == 8 ? elements / 32 : 0;
        case Type::kF64:
            return shape.k == 4 ? elements / 32 : 0;
        default:
            return 0;
    }
}

Handler select_wmma_transfer(bool store, Type type) {
    if (type == Type::kS4 || type == Type::kU4 || type == Type::kB1)
        return store ? nullptr : select_wmma_bits_load();
    return store ? transfer<true> : transfer<false>;
}
Handler select_wmma(Type a) {
    return a == Type::kS4 || a == Type::kU4 || a == Type::kB1 ? select_wmma_bits() : multiply;
}

}  // namespace bitfusion::soft
