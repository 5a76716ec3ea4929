// Matrix instructions ("PTX ISA", section 9.7.14).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

bool FunctionDecoder::fragment(const OperandText& text, Type type, size_t count, bool writes,
                               std::vector<uint32_t>* out) {
    const Type word = type == Type::kF64 ? Type::kF64 : Type::kB32;
    std::vector<OperandText> single;
    if (text.kind != OperandText::Kind::kVector) single.push_back(text);
    const std::vector<OperandText>& elements = single.empty() ? text.elements : single;
    if (elements.size() != count)
        return wrong("a fragment has another number of registers; check the PTX text");
    for (const OperandText& element : elements) {
        uint32_t reg = 0;
        if (writes ? !destination(element, word, &reg) : !source(element, word, &reg)) return false;
        out->push_back(reg);
    }
    return true;
}

bool FunctionDecoder::decode_wmma() {
    Suffixes& suffixes = *suffixes_;
    const std::string action(suffixes.take_any());
    if (action == "mma") return decode_wmma_multiply();
    const bool store = action == "store";
    if (!store && action != "load") return unsupported();
    const std::string_view name = suffixes.take_any();
    const WmmaPart part = name == "a" ? WmmaPart::kA : name == "b" ? WmmaPart::kB : WmmaPart::kC;
    if (!suffixes.take("sync")) return unsupported();
    suffixes.take("aligned");
    const bool by_column = suffixes.take("col");
    if (!by_column && !suffixes.take("row")) return unsupported();
    const auto shape = wmma_shape(suffixes.take_any());
    const Space space = take_space(Space::kGeneric);
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    const uint32_t count = shape ? wmma_registers(*shape, part, type) : 0;
    if (count == 0) return unsupported();
    if (!operands(2, 3)) return false;
    Address place;
    std::vector<uint32_t> list;
    if (!address(operand(store ? 0 : 1), space, &place) ||
        !fragment(operand(store ? 1 : 0), type, count, !store, &list))
        return false;
    if (place.space == AddressSpace::kLocal || place.space == AddressSpace::kParam) return unsupported();
    const uint32_t rows = part == WmmaPart::kB ? shape->k : shape->m;
    const uint32_t columns = part == WmmaPart::kA ? shape->k : shape->n;
    uint32_t stride = constant(by_column ? rows : columns, 4);
    if (statement_->operands.size() == 3 && !source(operand(2), Type::kU32, &stride)) return false;
    // a generic address, offset included
    uint32_t base = place.operand;
    if (!place.wide) {
        base = temporary(Type::kB64);
        emit(select_resize(true), {base, place.operand});
    }
    const uint64_t offset =
        static_cast<uint64_t>(place.offset) + (place.space == AddressSpace::kShared ? kSharedWindowBase : 0);
    const uint32_t sum = temporary(Type::kB64);
    emit(select_integer("add", Type::kU64), {sum, base, constant(offset, 8)});
    const bool bits = type == Type::kS4 || type == Type::kU4 || type == Type::kB1;
    const Handler handler = select_wmma_transfer(store, type);
    if (handler == nullptr || (bits && by_column != (part == WmmaPart::kB))) return unsupported();
    Draft& draft = emit(handler, {sum, stride}, 0);
    draft.instruction.flags = shape->m | shape->n << 8 | shape->k << 16 | (by_column ? 1u << 24 : 0);
    draft.instruction.immediate = static_cast<int64_t>(type) | static_cast<int64_t>(part) << 8;
    pool(draft, list, store ? 0 : count);
    return true;
}

bool FunctionDecoder::decode_wmma_multiply() {
    Suffixes& suffixes = *suffixes_;
    if (!suffixes.take("sync")) return unsupported();
    suffixes.take("aligned");
    // the layouts of A and B are those of their fragments, which are the same for us
    for (int i = 0; i < 2; ++i)
        if (!suffixes.take("row") && !suffixes.take("col")) return unsupported();
    const bool differs = suffixes.take("xor");
    const bool both = suffixes.take("and");
    const bool counts = suffixes.take("popc");
    const auto shape = wmma_shape(suffixes.take_any());
    const bool saturates = suffixes.take("satfinite");
    suffixes.take("rn");
    const Type first = suffixes.take_type();
    const Type second = suffixes.take_type();
    Type types[4] = {first, Type::kF16, Type::kF16, second};
    if (const Type third = suffixes.take_type(); third != Type::kNone) {
        types[1] = second;
        types[2] = third;
        types[3] = suffixes.take_type();
    }
    if (!finished_suffixes()) return false;
    if (!shape || !operands(4, 4)) return unsupported();
    if (counts != (types[1] == Type::kB1) || counts != (differs || both) || (differs && both))
        return unsupported();
    constexpr WmmaPart kParts[4] = {WmmaPart::kC, WmmaPart::kA, WmmaPart::kB, WmmaPart::kC};
    std::vector<uint32_t> list;
    uint32_t defines = 0;
    int64_t packed = 0;
    for (size_t i = 0; i < 4; ++i) {
        const uint32_t count = wmma_registers(*shape, kParts[i], types[i]);
        if (count == 0) return unsupported();
        if (!fragment(operand(i), types[i], count, i == 0, &list)) return false;
        if (i == 0) defines = count;
        packed |= static_cast<int64_t>(types[i]) << (8 * i);
    }
    Draft& draft = emit(select_wmma(types[1]), {}, 0);
    draft.instruction.flags =
        shape->m | shape->n << 8 | shape->k << 16 | (saturates ? 1u << 24 : 0) | (differs ? 1u << 25 : 0);
    draft.instruction.immediate = packed;
    pool(draft, list, defines);
    return true;
}

bool FunctionDecoder::decode_mma() {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.first() == "sp" || suffixes.first().starts_with("sp::")) return refuse(kNotSupported);
    if (!suffixes.take("sync")) return unsupported();
    suffixes.take("aligned");
    const std::string shape(suffixes.take_any());
    const std::string a_layout(suffixes.take_any());
    const std::string b_layout(suffixes.take_any());
    const bool saturates = suffixes.take("satfinite");
    std::string operation;
    for (const std::string_view word : {"xor", "and"})
        if (suffixes.take(word)) operation = word;
    if (suffixes.take("popc")) operation += ".popc";
    const Type d = suffixes.take_type();
    const Type a = suffixes.take_type();
    const Type b = suffixes.take_type();
    const Type c = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (saturates) operation += "satfinite";
    const Handler handler = select_matrix(shape, a_layout, b_layout, d, a, b, c, operation);
    if (handler == nullptr) return unsupported();
    if (!operands(4, 4)) return false;
    std::vector<uint32_t> list;
    uint32_t defines = 0;
    const Type kinds[4] = {d, a, b, c};
    for (size_t i = 0; i < 4; ++i) {
        if (!fragment(operand(i), kinds[i],
                      matrix_registers(shape, i == 3 ? c : d, a, static_cast<unsigned>(i)), i == 0, &list))
            return false;
        if (i == 0) defines = static_cast<uint32_t>(list.size());
    }
    Draft& draft = emit(handler, {}, 0);
    const auto extends = [](Type type) { return is_signed(type) || type == Type::kS4; };
    draft.instruction.flags = (extends(a) ? 1u : 0u) | (extends(b) ? 2u : 0u) | (saturates ? 4u : 0u) |
                              (operation == "xor.popc" ? 8u : 0u) | static_cast<uint32_t>(a) << 8 |
                              static_cast<uint32_t>(b) << 16;
    pool(draft, list, defines);
    return true;
}

bool FunctionDecoder::decode_ldmatrix() {
    Suffixes& suffixes = *suffixes_;
    const bool store = suffixes.base() == "stmatrix";
    if (!suffixes.take("sync")) return unsupported();
    suffixes.take("aligned");
    if (!suffixes.take("m8n8")) return unsupported();
    const uint32_t count = suffixes.take("x1") ? 1 : suffixes.take("x2") ? 2 : suffixes.take("x4") ? 4 : 0;
    const bool transposed = suffixes.take("trans");
    const Space space = take_space(Space::kGeneric);
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (count == 0 || type != Type::kB16) return unsupported();
    if (!operands(2, 2)) return false;
    std::vector<uint32_t> list;
    if (!fragment(operand(store ? 1 : 0), Type::kB32, count, !store, &list)) return false;
    Address place;
    if (!address(operand(store ? 0 : 1), space, &place)) return false;
    uint32_t at = place.operand;
    // a generic address names shared memory all the same
    if (place.space == AddressSpace::kGeneric) {
        at = temporary(Type::kB64);
        emit(select_address_to(AddressSpace::kShared, false), {at, place.operand});
    } else if (place.space != AddressSpace::kShared) {
        return unsupported();
    }
    Draft& draft = emit(select_load_matrix(place.wide, store), {at}, 0);
    draft.instruction.immediate = place.offset;
    draft.instruction.flags = count | (transposed ? 256u : 0u);
    pool(draft, list, store ? 0 : count);
    return true;
}

bool FunctionDecoder::decode_movmatrix() {
    Suffixes& suffixes = *suffixes_;
    for (const std::string_view word : {"sync", "aligned", "m8n8", "trans", "b16"})
        if (!suffixes.take(word)) return unsupported();
    return simple(select_transpose_matrix(), {Type::kB32, Type::kB32});
}

}  // namespace bitfusion::soft
