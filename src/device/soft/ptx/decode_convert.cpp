// Moves and conversions ("PTX ISA", section 9.7.9: mov, cvt, cvta, isspacep).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

// Both halves of a 128-bit operand: those of a register, or two 64-bit ones in braces.
bool FunctionDecoder::halves(const OperandText& text, bool writes, uint32_t (&out)[2]) {
    if (text.kind == OperandText::Kind::kVector) {
        if (text.elements.size() != 2) return wrong("128 bits are two 64-bit registers; check the PTX text");
        for (size_t i = 0; i < 2; ++i)
            if (writes ? !destination(text.elements[i], Type::kB64, &out[i])
                       : !source(text.elements[i], Type::kB64, &out[i]))
                return false;
        return true;
    }
    if (text.kind != OperandText::Kind::kRegister && text.kind != OperandText::Kind::kSink)
        return wrong("a register of 128 bits is due here; check the PTX text");
    if (writes ? !destination(text, Type::kB128, &out[0]) : !source(text, Type::kB128, &out[0])) return false;
    out[1] = out[0] + 1;
    return true;
}

bool FunctionDecoder::decode_wide_move() {
    uint32_t d[2] = {};
    uint32_t a[2] = {};
    if (!halves(operand(0), true, d) || !halves(operand(1), false, a)) return false;
    // the halves may trade places
    const uint32_t first = temporary(Type::kB64);
    emit(select_move(8), {first, a[0]});
    emit(select_move(8), {d[1], a[1]});
    emit(select_move(8), {d[0], first});
    return true;
}

bool FunctionDecoder::decode_mov() {
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    if (type == Type::kNone) return unsupported();
    if (!operands(2, 2)) return false;
    if (type == Type::kB128) return decode_wide_move();
    if (type == Type::kPred) {
        uint32_t d = 0;
        uint32_t a = 0;
        bool negated = false;
        if (!destination(operand(0), type, &d) || !predicate_source(operand(1), &a, &negated)) return false;
        emit(select_predicate("or"), {d, a, a}).instruction.flags = negated ? 3u : 0u;
        return true;
    }
    const uint32_t lanes = lane_bytes_of(type);
    const auto piece_type = [](uint32_t bytes) {
        return bytes == 4 ? Type::kB32 : bytes == 2 ? Type::kB16 : Type::kB8;
    };
    if (operand(1).kind == OperandText::Kind::kVector) {
        const auto& pieces = operand(1).elements;
        const Handler handler = select_pack(bytes_of(type), static_cast<unsigned>(pieces.size()));
        if (handler == nullptr) return unsupported();
        const Type part = piece_type(bytes_of(type) / static_cast<uint32_t>(pieces.size()));
        uint32_t d = 0;
        if (!destination(operand(0), type, &d)) return false;
        std::vector<uint32_t> list(pieces.size());
        for (size_t i = 0; i < pieces.size(); ++i)
            if (!source(pieces[i], part, &list[i], part == Type::kB8)) return false;
        pool(emit(handler, {d}), list, 0);
        return true;
    }
    if (operand(0).kind == OperandText::Kind::kVector) {
        const auto& pieces = operand(0).elements;
        const Handler handler = select_unpack(bytes_of(type), static_cast<unsigned>(pieces.size()));
        if (handler == nullptr) return unsupported();
        const Type part = piece_type(bytes_of(type) / static_cast<uint32_t>(pieces.size()));
        uint32_t a = 0;
        if (!source(operand(1), type, &a)) return false;
        std::vector<uint32_t> list(pieces.size());
        for (size_t i = 0; i < pieces.size(); ++i)
            if (!destination(pieces[i], part, &list[i], part == Type::kB8)) return false;
        pool(emit(handler, {a}, 0), list, static_cast<uint32_t>(list.size()));
        return true;
    }
    uint32_t d = 0;
    if (!destination(operand(0), type, &d)) return false;
    if (operand(1).kind == OperandText::Kind::kSpecial) {
        note_special(operand(1).name);
        const Handler handler = select_special(operand(1).name, lanes);
        if (handler == nullptr)
            return wrong(
                "'" + std::string(operand(1).name) +
                "' is neither declared nor a special register that the software GPU has; check the PTX text");
        emit(handler, {d});
        return true;
    }
    uint32_t a = 0;
    if (!source(operand(1), type, &a)) return false;
    emit(select_move(lanes), {d, a});
    return true;
}

// cvt.pack.sat.u8.s32.b32 d, a, b, c: two integers beside what c holds
bool FunctionDecoder::decode_pack() {
    Suffixes& suffixes = *suffixes_;
    if (!suffixes.take("sat")) return unsupported();
    const std::string_view name = suffixes.take_any();
    static constexpr std::string_view kTargets = "u16 s16 u8 s8 u4 s4 u2 s2";
    if (name.size() < 2 || kTargets.find(name) == std::string_view::npos) return unsupported();
    if (suffixes.take_type() != Type::kS32) return unsupported();
    const bool third = suffixes.take_type() == Type::kB32;
    const uint32_t bits = name == "u16" || name == "s16" ? 16 : static_cast<uint32_t>(name[1] - '0');
    if (third == (bits == 16)) return unsupported();
    const Handler handler = select_pack_saturated();
    if (third) {
        if (!simple(handler, {Type::kB32, Type::kS32, Type::kS32, Type::kB32})) return false;
    } else {
        if (!finished_suffixes() || !operands(3, 3)) return false;
        uint32_t d = 0;
        uint32_t a = 0;
        uint32_t b = 0;
        if (!destination(operand(0), Type::kB32, &d) || !source(operand(1), Type::kS32, &a) ||
            !source(operand(2), Type::kS32, &b))
            return false;
        emit(handler, {d, a, b, constant(0, 4)});
    }
    drafts_.back().instruction.flags = bits | (name[0] == 's' ? 256u : 0u);
    return true;
}

bool FunctionDecoder::decode_cvt() {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.take("pack")) return decode_pack();
    FloatMode mode;
    mode.rounding = Rounding::kNone;
    bool integral = false;
    const auto take = [&](std::string_view name, Rounding rounding, bool to_integer) {
        if (!suffixes.take(name)) return;
        mode.rounding = rounding;
        integral |= to_integer;
    };
    take("rni", Rounding::kNearest, true);
    take("rzi", Rounding::kZero, true);
    take("rmi", Rounding::kDown, true);
    take("rpi", Rounding::kUp, true);
    take("rn", Rounding::kNearest, false);
    take("rz", Rounding::kZero, false);
    take("rm", Rounding::kDown, false);
    take("rp", Rounding::kUp, false);
    take("rna", Rounding::kNearestAway, false);
    mode.ftz = suffixes.take("ftz");
    mode.sat = suffixes.take("sat");
    mode.relu = suffixes.take("relu");
    const bool satfinite = suffixes.take("satfinite");
    const Type to = suffixes.take_type();
    const Type from = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (to == Type::kNone || from == Type::kNone) return unsupported();
    const uint32_t flags = static_cast<uint32_t>(mode.rounding) | (mode.ftz ? kFlagFtz : 0) |
                           (mode.sat ? kFlagSat : 0) | (mode.relu ? kFlagRelu : 0) |
                           (integral ? kFlagIntegral : 0);
    if ((to == Type::kF16x2 || to == Type::kBf16x2 || to == Type::kE4m3x2 || to == Type::kE5m2x2) &&
        from == Type::kF32) {
        const Handler handler = select_convert_pair(to);
        if (handler == nullptr) return unsupported();
        if (!simple(handler, {to, from, from})) return false;
        drafts_.back().instruction.flags = flags;
        return true;
    }
    if (to == Type::kE4m3x2 || to == Type::kE5m2x2 || from == Type::kE4m3x2 || from == Type::kE5m2x2) {
        const Handler handler = select_convert_small(to, from);
        if (handler == nullptr) return unsupported();
        if (!simple(handler, {to, from})) return false;
        drafts_.back().instruction.flags = flags;
        return true;
    }
    if (satfinite && to != Type::kTf32) return unsupported();
    const Handler handler = select_convert(to, from, mode);
    if (handler == nullptr) return unsupported();
    if (!operands(2, 2)) return false;
    uint32_t d = 0;
    uint32_t a = 0;
    if (!destination(operand(0), to, &d, true) ||
        !source(operand(1), from == Type::kTf32 ? Type::kB32 : from, &a, true))
        return false;
    // registers may be wider than the types: narrow the source first, extend the result afterwards
    const Type a_type = type_of(operand(1));
    if (a_type != Type::kNone && lane_bytes_of(a_type) == 8 && lane_bytes_of(from) == 4) {
        const uint32_t narrow = temporary(Type::kB32);
        emit(select_resize(false), {narrow, a});
        a = narrow;
    }
    const Type d_type = operand(0).kind == OperandText::Kind::kRegister ? registers_[d] : to;
    if (bytes_of(d_type) > bytes_of(to) && is_integer(to)) {
        const uint32_t narrow = lane_bytes_of(to) == 8 ? d : temporary(Type::kB32);
        emit(handler, {narrow, a}).instruction.flags = flags;
        const Type whole = bytes_of(d_type) == 8   ? (is_signed(to) ? Type::kS64 : Type::kU64)
                           : bytes_of(d_type) == 4 ? (is_signed(to) ? Type::kS32 : Type::kU32)
                                                   : (is_signed(to) ? Type::kS16 : Type::kU16);
        const Handler extend = select_convert(whole, to, FloatMode{.rounding = Rounding::kNone});
        if (extend == nullptr) return unsupported();
        emit(extend, {d, narrow});
        return true;
    }
    if (bytes_of(d_type) > bytes_of(to)) return wrong("the destination is too wide; check the PTX text");
    emit(handler, {d, a}).instruction.flags = flags;
    return true;
}

bool FunctionDecoder::decode_cvta() {
    Suffixes& suffixes = *suffixes_;
    const bool to_space = suffixes.take("to");
    const Space space = take_space(Space::kGeneric);
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (space == Space::kGeneric || type != Type::kU64) return unsupported();
    const AddressSpace kind = space == Space::kShared  ? AddressSpace::kShared
                              : space == Space::kLocal ? AddressSpace::kLocal
                              : space == Space::kParam
                                  ? (text_.kernel ? AddressSpace::kParam : AddressSpace::kLocal)
                                  : AddressSpace::kGeneric;
    return simple(select_address_to(kind, !to_space), {type, type});
}

bool FunctionDecoder::decode_isspacep() {
    const std::string name(suffixes_->take_any());
    if (!finished_suffixes()) return false;
    const Handler handler = select_is_space(name);
    if (handler == nullptr) return unsupported();
    return simple(handler, {Type::kPred, Type::kU64});
}

// A cluster has one block here: every address is its own, of rank 0.
bool FunctionDecoder::decode_cluster_address() {
    Suffixes& suffixes = *suffixes_;
    const bool rank = suffixes.base() == "getctarank";
    suffixes.take("shared::cluster");
    const Type type = suffixes.take_type();
    if (!finished_suffixes()) return false;
    if (type != Type::kU32 && type != Type::kU64) return unsupported();
    if (!operands(rank ? 2 : 3, rank ? 2 : 3)) return false;
    uint32_t d = 0;
    uint32_t a = 0;
    uint32_t block = 0;
    if (!destination(operand(0), rank ? Type::kU32 : type, &d) || !source(operand(1), type, &a)) return false;
    if (!rank && !source(operand(2), Type::kU32, &block)) return false;
    emit(select_move(rank ? 4 : lane_bytes_of(type)), {d, rank ? constant(0, 4) : a});
    return true;
}

}  // namespace bitfusion::soft
