// Instructions of a whole warp: shuffles, votes, matrices ("PTX ISA", sections 9.7.9.5, 9.7.13, 9.7.14).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

// The lanes that take part: an operand, or before .sync existed those that execute the instruction together.
bool FunctionDecoder::members_operand(size_t i, uint32_t* out) {
    if (i != kNoOperand) return source(operand(i), Type::kU32, out);
    *out = temporary(Type::kB32);
    emit(select_active_mask(), {*out});
    return true;
}

bool FunctionDecoder::decode_shfl() {
    Suffixes& suffixes = *suffixes_;
    const bool sync = suffixes.take("sync");
    const std::string_view mode = suffixes.take_any();
    const Type type = suffixes.take_type();
    const Handler handler = select_shuffle(mode);
    if (!finished_suffixes()) return false;
    if (handler == nullptr || bytes_of(type) != 4) return unsupported();
    if (!operands(sync ? 5 : 4, sync ? 5 : 4)) return false;
    uint32_t d = 0;
    uint32_t p = 0;
    uint32_t flags = 0;
    if (operand(0).kind == OperandText::Kind::kPair) {
        if (!destination(operand(0).elements[0], type, &d) ||
            !destination(operand(0).elements[1], Type::kPred, &p))
            return false;
        flags = 1;
    } else {
        if (!destination(operand(0), type, &d)) return false;
        p = temporary(Type::kPred);
    }
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t members = 0;
    if (!source(operand(1), type, &a) || !source(operand(2), Type::kU32, &b) ||
        !source(operand(3), Type::kU32, &c) || !members_operand(sync ? 4 : kNoOperand, &members))
        return false;
    Draft& draft = emit(handler, {d, a, b, c, p}, 0b10001);
    draft.instruction.flags = flags;
    pool(draft, {members}, 0);
    return true;
}

bool FunctionDecoder::decode_vote() {
    Suffixes& suffixes = *suffixes_;
    const bool sync = suffixes.take("sync");
    const std::string mode(suffixes.take_any());
    const Type type = suffixes.take_type();
    const Handler handler = select_vote(mode);
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    if (!operands(sync ? 3 : 2, sync ? 3 : 2)) return false;
    uint32_t d = 0;
    uint32_t p = 0;
    uint32_t members = 0;
    bool negated = false;
    if (!destination(operand(0), type == Type::kPred ? Type::kPred : Type::kB32, &d) ||
        !predicate_source(operand(1), &p, &negated) || !members_operand(sync ? 2 : kNoOperand, &members))
        return false;
    emit(handler, {d, p, members}).instruction.flags = negated ? 1u : 0u;
    return true;
}

bool FunctionDecoder::decode_match() {
    Suffixes& suffixes = *suffixes_;
    const bool any = suffixes.take("any");
    const bool all = suffixes.take("all");
    if (!suffixes.take("sync") || any == all) return unsupported();
    const Type type = suffixes.take_type();
    const Handler handler = select_match(any ? "any" : "all", lane_bytes_of(type));
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    if (!operands(3, 3)) return false;
    uint32_t d = 0;
    uint32_t p = 0;
    uint32_t a = 0;
    uint32_t members = 0;
    uint32_t flags = 0;
    if (operand(0).kind == OperandText::Kind::kPair) {
        if (!destination(operand(0).elements[0], Type::kB32, &d) ||
            !destination(operand(0).elements[1], Type::kPred, &p))
            return false;
        flags = 2;
    } else {
        if (!destination(operand(0), Type::kB32, &d)) return false;
        p = temporary(Type::kPred);
    }
    if (!source(operand(1), type, &a) || !source(operand(2), Type::kU32, &members)) return false;
    emit(handler, {d, a, members, p}, 0b1001).instruction.flags = flags;
    return true;
}

bool FunctionDecoder::decode_redux() {
    Suffixes& suffixes = *suffixes_;
    if (!suffixes.take("sync")) return unsupported();
    const std::string operation(suffixes.take_any());
    const Type type = suffixes.take_type();
    const Handler handler = select_redux(operation, type);
    return simple(handler, {type, type, Type::kU32});
}

bool FunctionDecoder::decode_activemask() {
    const Type type = suffixes_->take_type();
    return simple(select_active_mask(), {type == Type::kNone ? Type::kB32 : type});
}

bool FunctionDecoder::decode_elect() {
    if (!suffixes_->take("sync") || !finished_suffixes() || !operands(2, 2)) return unsupported();
    if (operand(0).kind != OperandText::Kind::kPair)
        return wrong("the destination is a pair d|p; check the PTX text");
    uint32_t d = 0;
    uint32_t p = 0;
    uint32_t members = 0;
    if (!destination(operand(0).elements[0], Type::kB32, &d) ||
        !destination(operand(0).elements[1], Type::kPred, &p) || !source(operand(1), Type::kU32, &members))
        return false;
    emit(select_elect(), {d, p, members}, 3);
    return true;
}

}  // namespace bitfusion::soft
