// Comparison and selection ("PTX ISA", sections 9.7.5 and 9.7.6).
#include <array>
#include <utility>

#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

namespace {

constexpr std::array<std::pair<std::string_view, Compare>, 18> kCompares{{
    {"eq", Compare::kEq},
    {"ne", Compare::kNe},
    {"lt", Compare::kLt},
    {"le", Compare::kLe},
    {"gt", Compare::kGt},
    {"ge", Compare::kGe},
    {"lo", Compare::kLt},
    {"ls", Compare::kLe},
    {"hi", Compare::kGt},
    {"hs", Compare::kGe},
    {"equ", Compare::kEqu},
    {"neu", Compare::kNeu},
    {"ltu", Compare::kLtu},
    {"leu", Compare::kLeu},
    {"gtu", Compare::kGtu},
    {"geu", Compare::kGeu},
    {"num", Compare::kNum},
    {"nan", Compare::kNan},
}};

bool take_compare(Suffixes& suffixes, Compare* compare, Combine* combine) {
    bool found = false;
    for (const auto& [name, value] : kCompares)
        if (!found && suffixes.take(name)) {
            *compare = value;
            found = true;
        }
    if (suffixes.take("and")) *combine = Combine::kAnd;
    if (suffixes.take("or")) *combine = Combine::kOr;
    if (suffixes.take("xor")) *combine = Combine::kXor;
    return found;
}

}  // namespace

bool FunctionDecoder::decode_setp() {
    Suffixes& suffixes = *suffixes_;
    Compare compare{};
    Combine combine = Combine::kNone;
    if (!take_compare(suffixes, &compare, &combine)) return unsupported();
    const bool ftz = suffixes.take("ftz");
    const Type type = suffixes.take_type();
    const Handler handler = select_setp(compare, combine, type, ftz);
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    const size_t count = combine == Combine::kNone ? 3 : 4;
    if (!operands(count, count)) return false;
    uint32_t p = 0;
    uint32_t q = 0;
    uint32_t flags = 0;
    if (operand(0).kind == OperandText::Kind::kPair) {
        if (!destination(operand(0).elements[0], Type::kPred, &p) ||
            !destination(operand(0).elements[1], Type::kPred, &q))
            return false;
        flags |= 2;
    } else {
        if (!destination(operand(0), Type::kPred, &p)) return false;
        q = temporary(Type::kPred);
    }
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = constant(kAllLanes, 4);
    bool negated = false;
    if (!source(operand(1), type, &a) || !source(operand(2), type, &b)) return false;
    if (combine != Combine::kNone && !predicate_source(operand(3), &c, &negated)) return false;
    emit(handler, {p, q, a, b, c}, 3).instruction.flags = flags | (negated ? 1u : 0u);
    return true;
}

bool FunctionDecoder::decode_set() {
    Suffixes& suffixes = *suffixes_;
    Compare compare{};
    Combine combine = Combine::kNone;
    if (!take_compare(suffixes, &compare, &combine)) return unsupported();
    const bool ftz = suffixes.take("ftz");
    const Type result = suffixes.take_type();
    const Type type = suffixes.take_type();
    const Handler handler = select_set(compare, combine, type, ftz);
    if (!finished_suffixes()) return false;
    const bool halves =
        (result == Type::kU32 || result == Type::kS32) && (type == Type::kF16x2 || type == Type::kBf16x2);
    const int64_t yes = halves ? 0xffff : set_result(result, type);
    if (handler == nullptr || yes < 0) return unsupported();
    const size_t count = combine == Combine::kNone ? 3 : 4;
    if (!operands(count, count)) return false;
    uint32_t d = 0;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = constant(kAllLanes, 4);
    bool negated = false;
    if (!destination(operand(0), result, &d) || !source(operand(1), type, &a) ||
        !source(operand(2), type, &b))
        return false;
    if (combine != Combine::kNone && !predicate_source(operand(3), &c, &negated)) return false;
    Draft& draft = emit(handler, {d, a, b, c});
    draft.instruction.flags = negated ? 1u : 0u;
    draft.instruction.immediate = yes;
    return true;
}

// The source of a scalar video instruction: a part of a register, sign-extended where its type says so.
bool FunctionDecoder::video_source(const OperandText& text, Type type, uint32_t* out) {
    OperandText plain = text;
    plain.selector = {};
    plain.minus = false;
    if (!source(plain, type, out)) return false;
    if (text.selector.empty()) return true;
    const uint32_t width = text.selector[0] == 'b' ? 8 : 16;
    const auto index = static_cast<uint32_t>(text.selector[1] - '0');
    if (text.selector.size() != 2 || index >= 32 / width)
        return wrong("a part of a register is b0 to b3, h0 or h1; check the PTX text");
    const uint32_t part = temporary(Type::kB32);
    emit(select_bits("bfe", type), {part, *out, constant(index * width, 4), constant(width, 4)});
    *out = part;
    return true;
}

// vadd vsub vabsdiff vmin vmax vshl vshr vset vmad
bool FunctionDecoder::decode_scalar_video() {
    Suffixes& suffixes = *suffixes_;
    VideoMode mode;
    const std::string base(suffixes.base());
    const bool sets = base == "vset";
    const bool multiplies = base == "vmad";
    const Type d_type = sets ? Type::kU32 : suffixes.take_type();
    const Type types[2] = {suffixes.take_type(), suffixes.take_type()};
    Combine ignored = Combine::kNone;
    if (sets && !take_compare(suffixes, &mode.compare, &ignored)) return unsupported();
    for (const Type type : {d_type, types[0], types[1]})
        if (type != Type::kU32 && type != Type::kS32) return unsupported();
    mode.signed_a = is_signed(types[0]);
    mode.signed_b = is_signed(types[1]);
    mode.signed_d = is_signed(d_type);
    mode.saturates = suffixes.take("sat");
    if (base == "vshl" || base == "vshr") {
        mode.wraps = suffixes.take("wrap");
        if (!mode.wraps && !suffixes.take("clamp")) return unsupported();
    }
    if (multiplies) {
        mode.plus_one = suffixes.take("po");
        mode.scale = suffixes.take("shr7") ? 7 : suffixes.take("shr15") ? 15 : 0;
    } else {
        for (const std::string_view word : {"add", "min", "max"})
            if (mode.second == Second::kNone && suffixes.take(word))
                mode.second = word == "add" ? Second::kAdd : word == "min" ? Second::kMin : Second::kMax;
    }
    if (!finished_suffixes() || !operands(3, 4)) return false;
    OperandText target = operand(0);
    if (!target.selector.empty()) {
        mode.part_bits = target.selector[0] == 'b' ? 8 : 16;
        mode.part_shift = static_cast<uint32_t>(target.selector[1] - '0') * mode.part_bits;
        if (target.selector.size() != 2 || target.selector[1] < '0' || target.selector[1] > '3' ||
            mode.part_shift >= 32)
            return wrong("a part of a register is b0 to b3, h0 or h1; check the PTX text");
        target.selector = {};
    }
    const bool third = multiplies || mode.part_bits != 0 || mode.second != Second::kNone;
    if (!operands(third ? 4 : 3, third ? 4 : 3)) return false;
    uint32_t d = 0;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = constant(0, 4);
    if (!destination(target, Type::kB32, &d) || !video_source(operand(1), types[0], &a) ||
        !video_source(operand(2), types[1], &b))
        return false;
    if (third) {
        OperandText plain = operand(3);
        plain.minus = false;
        if (!source(plain, Type::kB32, &c)) return false;
        mode.minus_c = operand(3).minus;
    }
    mode.minus_product = operand(1).minus != operand(2).minus;
    if (!multiplies && (operand(1).minus || operand(2).minus || mode.minus_c))
        return wrong("'-' is for vmad only; check the PTX text");
    const Handler handler = select_scalar_video(base);
    if (handler == nullptr) return unsupported();
    emit(handler, {d, a, b, c}).instruction.flags = scalar_video_flags(mode);
    return true;
}

// The pieces that a selector names, the last digit first: four bits each.
bool FunctionDecoder::video_pieces(const OperandText& text, uint32_t count, uint32_t* out) {
    std::string_view digits = text.selector;
    if (digits.empty()) return true;
    if (digits[0] != (count == 2 ? 'h' : 'b') || digits.size() != count + 1)
        return wrong("a source is selected by " + std::string(count == 2 ? "'.h' and two" : "'.b' and four") +
                     " digits; check the PTX text");
    *out = 0;
    for (digits.remove_prefix(1); !digits.empty(); digits.remove_prefix(1)) {
        const auto piece = static_cast<uint32_t>(digits[0] - '0');
        if (piece >= 2 * count) return wrong("the two sources have fewer pieces; check the PTX text");
        *out = *out << 4 | piece;
    }
    return true;
}

// The pieces of the target that are written, a bit each.
bool FunctionDecoder::video_mask(const OperandText& text, uint32_t count, uint32_t* mask) {
    std::string_view digits = text.selector;
    *mask = (1u << count) - 1;
    if (digits.empty()) return true;
    const char letter = digits[0];
    *mask = 0;
    uint32_t above = count;
    for (digits.remove_prefix(1); !digits.empty(); digits.remove_prefix(1)) {
        const auto piece = static_cast<uint32_t>(digits[0] - '0');
        if (letter != (count == 2 ? 'h' : 'b') || piece >= above)
            return wrong("a mask is .h0, .h1 or .h10, or of bytes from .b0 to .b3210; check the PTX text");
        *mask |= 1u << piece;
        above = piece;
    }
    return true;
}

bool FunctionDecoder::decode_video() {
    Suffixes& suffixes = *suffixes_;
    const Handler handler = select_video(suffixes.base());
    if (handler == nullptr) return unsupported();
    Compare compare{};
    Combine combine = Combine::kNone;
    const bool sets = suffixes.base().starts_with("vset");
    const uint32_t count = suffixes.base().ends_with('2') ? 2 : 4;
    Type types[3] = {Type::kU32, Type::kU32, Type::kU32};
    if (!sets) types[0] = suffixes.take_type();
    types[1] = suffixes.take_type();
    types[2] = suffixes.take_type();
    if (sets && !take_compare(suffixes, &compare, &combine)) return unsupported();
    const bool saturates = suffixes.take("sat");
    const bool accumulates = suffixes.take("add");
    for (const Type type : types)
        if (type != Type::kU32 && type != Type::kS32) return unsupported();
    if (!finished_suffixes() || !operands(4, 4)) return false;
    VideoPieces pieces;
    pieces.a = count == 2 ? 0x10 : 0x3210;
    pieces.b = count == 2 ? 0x32 : 0x7654;
    if (!video_mask(operand(0), count, &pieces.mask) || !video_pieces(operand(1), count, &pieces.a) ||
        !video_pieces(operand(2), count, &pieces.b))
        return false;
    uint32_t ops[4] = {};
    for (size_t i = 0; i < 4; ++i) {
        OperandText plain = operand(i);
        if (i < 3) plain.selector = {};
        if (i == 0 ? !destination(plain, Type::kB32, &ops[i]) : !source(plain, Type::kB32, &ops[i]))
            return false;
    }
    Instruction& instruction = emit(handler, {ops[0], ops[1], ops[2], ops[3]}).instruction;
    instruction.flags = video_flags(is_signed(types[0]), is_signed(types[1]), is_signed(types[2]), saturates,
                                    accumulates, compare);
    instruction.immediate = pack(pieces);
    return true;
}

bool FunctionDecoder::decode_selp() {
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    if (lane_bytes_of(type) == 0) return unsupported();
    if (!operands(4, 4)) return false;
    uint32_t d = 0;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t p = 0;
    bool negated = false;
    if (!destination(operand(0), type, &d) || !source(operand(1), type, &a) ||
        !source(operand(2), type, &b) || !predicate_source(operand(3), &p, &negated))
        return false;
    const Handler handler = select_selp(lane_bytes_of(type));
    if (handler == nullptr) return unsupported();
    emit(handler, {d, a, b, p}).instruction.flags = negated ? 1u : 0u;
    return true;
}

bool FunctionDecoder::decode_slct() {
    const bool ftz = suffixes_->take("ftz");
    const Type type = suffixes_->take_type();
    const Type selector = suffixes_->take_type();
    if ((selector != Type::kS32 && selector != Type::kF32) || lane_bytes_of(type) == 0) return unsupported();
    return simple(select_slct(lane_bytes_of(type), selector == Type::kF32, ftz),
                  {type, type, type, selector});
}

bool FunctionDecoder::decode_testp() {
    std::string name = "testp.";
    name += suffixes_->take_any();
    const Type type = suffixes_->take_type();
    return simple(select_float(name, type, FloatMode{}), {Type::kPred, type});
}

}  // namespace bitfusion::soft
