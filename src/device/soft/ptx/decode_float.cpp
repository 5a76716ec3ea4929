// Arithmetic on any number type, and floating-point functions ("PTX ISA", sections 9.7.1, 9.7.3, 9.7.4).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

namespace {

bool is_half(Type type) {
    return type == Type::kF16 || type == Type::kF16x2 || type == Type::kBf16 || type == Type::kBf16x2;
}

}  // namespace

bool FunctionDecoder::take_mode(FloatMode* mode) {
    Suffixes& suffixes = *suffixes_;
    if (suffixes.take("rn")) mode->rounding = Rounding::kNearest;
    if (suffixes.take("rz")) mode->rounding = Rounding::kZero;
    if (suffixes.take("rm")) mode->rounding = Rounding::kDown;
    if (suffixes.take("rp")) mode->rounding = Rounding::kUp;
    mode->ftz |= suffixes.take("ftz");
    mode->sat |= suffixes.take("sat");
    mode->nan |= suffixes.take("NaN");
    mode->relu |= suffixes.take("relu");
    if (suffixes.take("xorsign")) {
        if (!suffixes.take("abs")) return unsupported();
        mode->xorsign = true;
    }
    return true;
}

bool FunctionDecoder::decode_float_type(std::string_view name, Type type, size_t sources, FloatMode mode) {
    const Handler handler = is_half(type) ? select_half(name, type, mode) : select_float(name, type, mode);
    if (sources == 1) return simple(handler, {type, type});
    if (sources == 2) return simple(handler, {type, type, type});
    return simple(handler, {type, type, type, type});
}

bool FunctionDecoder::decode_arithmetic() {
    Suffixes& suffixes = *suffixes_;
    const std::string base(suffixes.base());
    // the type decides: look at it before taking the modifiers
    Suffixes copy = suffixes;
    const Type type = copy.take_type();
    if (type == Type::kNone) {
        const bool is_signed = suffixes.take("s16x2");
        if (!is_signed && !suffixes.take("u16x2")) return unsupported();
        const std::string name = base + (suffixes.take("relu") ? ".relu" : "");
        return simple(select_integer_pair(name, is_signed), {Type::kB32, Type::kB32, Type::kB32});
    }
    const size_t sources = base == "abs" || base == "neg" ? 1 : 2;
    if (is_float(type)) {
        FloatMode mode;
        const bool approx = suffixes.take("approx");
        const bool full = suffixes.take("full");
        if (!take_mode(&mode)) return false;
        suffixes.take_type();
        if (base == "div" && (approx || full)) {
            if (type != Type::kF32) return unsupported();
            return simple(select_math(mode.ftz ? "div.approx.ftz" : "div.approx", type), {type, type, type});
        }
        if (approx || full) return unsupported();
        if ((base == "min" || base == "max") && statement_->operands.size() == 4) return unsupported();
        return decode_float_type(base, type, sources, mode);
    }
    if (base == "mul") return decode_multiply();
    std::string name = base;
    if (suffixes.take("sat")) name += ".sat";
    if (suffixes.take("relu")) name += ".relu";
    if (suffixes.take("cc")) {
        suffixes.take_type();
        return decode_carry(name + ".cc", type, 2);
    }
    suffixes.take_type();
    if (sources == 1) return simple(select_integer(name, type), {type, type});
    return simple(select_integer(name, type), {type, type, type});
}

bool FunctionDecoder::decode_fma() {
    Suffixes copy = *suffixes_;
    const Type type = copy.take_type();
    if (!is_float(type)) {
        if (suffixes_->base() == "fma") return unsupported();
        return decode_multiply();
    }
    FloatMode mode;
    if (!take_mode(&mode)) return false;
    suffixes_->take_type();
    return decode_float_type("fma", type, 3, mode);
}

bool FunctionDecoder::decode_math() {
    Suffixes& suffixes = *suffixes_;
    const std::string base(suffixes.base());
    const bool approx = suffixes.take("approx");
    FloatMode mode;
    if (!take_mode(&mode)) return false;
    const Type type = suffixes.take_type();
    if (type == Type::kNone) return unsupported();
    if (base == "copysign") return simple(select_float("copysign", type, mode), {type, type, type});
    if (!approx && (base == "rcp" || base == "sqrt")) return decode_float_type(base, type, 1, mode);
    if (!approx) return unsupported();
    return simple(select_math(base + ".approx" + (mode.ftz ? ".ftz" : ""), type), {type, type});
}

}  // namespace bitfusion::soft
