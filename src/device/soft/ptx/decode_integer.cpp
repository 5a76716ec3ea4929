// Integer arithmetic, bits and logic ("PTX ISA", sections 9.7.1, 9.7.2, 9.7.7, 9.7.8).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

// The condition code register is a predicate that instructions with .cc and addc, subc, madc share.
bool FunctionDecoder::decode_carry(std::string_view name, Type type, size_t sources) {
    const Handler handler = select_integer(name, type);
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    if (!operands(sources + 1, sources + 1)) return false;
    uint32_t ops[5] = {};
    if (!destination(operand(0), type, &ops[0])) return false;
    for (size_t i = 1; i <= sources; ++i)
        if (!source(operand(i), type, &ops[i])) return false;
    if (!carry_) carry_ = temporary(Type::kPred);
    Draft& draft = emit(handler, {ops[0], ops[1], ops[2], sources == 3 ? ops[3] : constant(0, 8), *carry_});
    draft.updates = 1u << 4;
    return true;
}

bool FunctionDecoder::decode_integer() {
    const std::string base(suffixes_->base());
    if (base == "addc" || base == "subc") {
        const bool out = suffixes_->take("cc");
        return decode_carry(base + (out ? ".cc" : ""), suffixes_->take_type(), 2);
    }
    const Type type = suffixes_->take_type();
    if (base == "sad")
        return simple(select_integer("sad", type), {type, type, type, is_signed(type) ? type : type});
    return simple(select_integer(base, type), {type, type, type});
}

bool FunctionDecoder::decode_multiply() {
    std::string name(suffixes_->base());
    bool wide = false;
    for (const std::string_view part : {"lo", "hi", "wide"})
        if (suffixes_->take(part)) {
            name += "." + std::string(part);
            wide = part == "wide";
        }
    if (suffixes_->take("sat")) name += ".sat";
    const bool carries = suffixes_->take("cc");
    const Type type = suffixes_->take_type();
    if (carries || suffixes_->base() == "madc") return decode_carry(name + (carries ? ".cc" : ""), type, 3);
    Type result = type;
    if (wide) {
        switch (type) {
            case Type::kU16:
                result = Type::kU32;
                break;
            case Type::kS16:
                result = Type::kS32;
                break;
            case Type::kU32:
                result = Type::kU64;
                break;
            case Type::kS32:
                result = Type::kS64;
                break;
            default:
                return unsupported();
        }
    }
    if (suffixes_->base() == "mad" || suffixes_->base() == "mad24")
        return simple(select_integer(name, type), {result, type, type, result});
    return simple(select_integer(name, type), {result, type, type});
}

bool FunctionDecoder::decode_shift() {
    std::string name(suffixes_->base());
    if (name == "shf") {
        for (const std::string_view part : {"l", "r", "clamp", "wrap"})
            if (suffixes_->take(part)) name += "." + std::string(part);
        const Type type = suffixes_->take_type();
        return simple(select_bits(name, type), {type, type, type, Type::kU32});
    }
    const Type type = suffixes_->take_type();
    return simple(select_integer(name, type), {type, type, Type::kU32});
}

bool FunctionDecoder::decode_bits() {
    std::string name(suffixes_->base());
    if (suffixes_->take("shiftamt")) name += ".shiftamt";
    if (name == "prmt" || name == "bmsk" || name == "szext") {
        for (const std::string_view mode : {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16", "clamp", "wrap"})
            if (suffixes_->take(mode)) name += "." + std::string(mode);
    }
    const Type type = suffixes_->take_type();
    const Handler handler = select_bits(name, type);
    const std::string_view base = suffixes_->base();
    if (base == "popc" || base == "clz" || base == "bfind") return simple(handler, {Type::kU32, type});
    if (base == "brev") return simple(handler, {type, type});
    if (base == "bfe") return simple(handler, {type, type, Type::kU32, Type::kU32});
    if (base == "bfi") return simple(handler, {type, type, type, Type::kU32, Type::kU32});
    if (base == "bmsk") return simple(handler, {type, Type::kU32, Type::kU32});
    if (base == "szext") return simple(handler, {type, type, Type::kU32});
    if (base == "fns") return simple(handler, {Type::kB32, Type::kB32, Type::kB32, Type::kS32});
    return simple(handler, {Type::kB32, Type::kB32, Type::kB32, Type::kB32});  // prmt
}

bool FunctionDecoder::decode_logic() {
    const std::string base(suffixes_->base());
    if (base == "lop3") {
        const bool to_or = suffixes_->take("or");
        const bool to_and = suffixes_->take("and");
        const Type type = suffixes_->take_type();
        const Handler handler = select_bits("lop3", type);
        const bool reduces = to_or || to_and;
        if (handler == nullptr || (to_or && to_and)) return unsupported();
        if (!finished_suffixes() || !operands(reduces ? 6 : 5, reduces ? 6 : 5)) return false;
        if (operand(4).kind != OperandText::Kind::kInteger || operand(4).bits > 255)
            return wrong("the table is a number from 0 to 255; check the PTX text");
        uint32_t d = 0;
        uint32_t sources[3];
        if (reduces && operand(0).kind != OperandText::Kind::kPair)
            return wrong("the destination is a pair d|p; check the PTX text");
        if (!destination(reduces ? operand(0).elements[0] : operand(0), type, &d)) return false;
        for (size_t i = 0; i < 3; ++i)
            if (!source(operand(i + 1), type, &sources[i])) return false;
        uint32_t p = 0;
        uint32_t q = 0;
        bool negated = false;
        if (reduces && (!destination(operand(0).elements[1], Type::kPred, &p) ||
                        !predicate_source(operand(5), &q, &negated)))
            return false;
        emit(handler, {d, sources[0], sources[1], sources[2]}).instruction.immediate =
            static_cast<int64_t>(operand(4).bits);
        if (reduces) {
            // p = (d != 0) op q
            const Handler test =
                select_setp(Compare::kNe, to_or ? Combine::kOr : Combine::kAnd, Type::kU32, false);
            emit(test, {p, temporary(Type::kPred), d, constant(0, 4), q}, 3).instruction.flags =
                negated ? 1u : 0u;
        }
        return true;
    }
    const Type type = suffixes_->take_type();
    if (type == Type::kPred) {
        const Handler handler = select_predicate(base);
        if (handler == nullptr) return unsupported();
        const bool one = base == "not";
        if (!finished_suffixes() || !operands(one ? 2 : 3, one ? 2 : 3)) return false;
        uint32_t d = 0;
        uint32_t a = 0;
        uint32_t b = 0;
        bool not_a = false;
        bool not_b = false;
        if (!destination(operand(0), Type::kPred, &d) || !predicate_source(operand(1), &a, &not_a) ||
            (!one && !predicate_source(operand(2), &b, &not_b)))
            return false;
        if (one) b = a;
        emit(handler, {d, a, b}).instruction.flags = (not_a ? 1u : 0u) | (not_b ? 2u : 0u);
        return true;
    }
    if (base == "not" || base == "cnot") return simple(select_integer(base, type), {type, type});
    return simple(select_integer(base, type), {type, type, type});
}

bool FunctionDecoder::decode_dot() {
    std::string name(suffixes_->base());
    if (suffixes_->take("lo")) name += ".lo";
    if (suffixes_->take("hi")) name += ".hi";
    const Type a = suffixes_->take_type();
    const Type b = suffixes_->take_type();
    if ((a != Type::kU32 && a != Type::kS32) || (b != Type::kU32 && b != Type::kS32)) return unsupported();
    name += a == Type::kS32 ? ".s" : ".u";
    name += b == Type::kS32 ? "s" : "u";
    const Type type = a == Type::kS32 || b == Type::kS32 ? Type::kS32 : Type::kU32;
    return simple(select_bits(name, type), {type, a, b, type});
}

}  // namespace bitfusion::soft
