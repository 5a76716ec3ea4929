#include "device/soft/ptx/decoder.h"

#include <bit>

namespace bitfusion::soft {

namespace {

constexpr uint64_t kMostFrameBytes = 512 * 1024;
constexpr uint32_t kNewestCompleteSm = 89;
constexpr uint32_t kMostBankBytes = 1 << 29;

}  // namespace

Suffixes::Suffixes(std::string_view opcode) {
    size_t at = opcode.find('.');
    base_ = opcode.substr(0, at);
    while (at != std::string_view::npos) {
        const size_t next = opcode.find('.', at + 1);
        parts_.push_back(opcode.substr(at + 1, next == std::string_view::npos ? next : next - at - 1));
        at = next;
    }
}

bool Suffixes::take(std::string_view name) {
    for (size_t i = 0; i < parts_.size(); ++i)
        if (parts_[i] == name) {
            parts_.erase(parts_.begin() + static_cast<ptrdiff_t>(i));
            return true;
        }
    return false;
}

bool Suffixes::take_prefix(std::string_view prefix) {
    for (size_t i = 0; i < parts_.size(); ++i)
        if (parts_[i].starts_with(prefix)) {
            parts_.erase(parts_.begin() + static_cast<ptrdiff_t>(i));
            return true;
        }
    return false;
}

Type Suffixes::take_type() {
    for (size_t i = 0; i < parts_.size(); ++i)
        if (const Type type = type_named(parts_[i]); type != Type::kNone) {
            parts_.erase(parts_.begin() + static_cast<ptrdiff_t>(i));
            return type;
        }
    return Type::kNone;
}

std::string_view Suffixes::take_any() {
    if (parts_.empty()) return {};
    const std::string_view first = parts_.front();
    parts_.erase(parts_.begin());
    return first;
}

FunctionDecoder::FunctionDecoder(Builder& builder, const ModuleText& module, uint32_t module_number,
                                 uint32_t function_number, const FunctionText& text)
    : builder_(builder),
      module_(module),
      module_number_(module_number),
      number_(function_number),
      text_(text) {
    // the same layout at declare() and decode()
    const auto place = [](uint32_t& end, const VariableText& variable) {
        end = (end + variable.alignment - 1) / variable.alignment * variable.alignment;
        const uint32_t at = end;
        end += static_cast<uint32_t>(variable.size);
        return at;
    };
    const size_t formal = text.results.size() + text.parameters.size();
    uint32_t parameters_end = 0;
    uint64_t total = 0;
    if (!text.defined) {
        for (const VariableText& variable : text.results) places_.push_back(place(frame_bytes_, variable));
        for (const VariableText& variable : text.parameters)
            places_.push_back(place(text.kernel ? parameters_end : frame_bytes_, variable));
    }
    for (size_t i = 0; i < text.variables.size() && text.defined; ++i) {
        const VariableText& variable = text.variables[i];
        total += variable.size + variable.alignment;
        if (total > kMostFrameBytes) {
            wrong("the variables of function '" + std::string(text.name) +
                  "' need more stack than the 512 KB that a thread can have; make them smaller");
            break;
        }
        places_.push_back(place(text.kernel && i < formal ? parameters_end : frame_bytes_, variable));
    }
    frame_bytes_ = (frame_bytes_ + 15) / 16 * 16;
    if (parameters_end > kMaxParameterBytes)
        wrong("the kernel's parameters are longer than 32764 bytes; pass a pointer");
}

Status FunctionDecoder::declare() {
    if (error_) return tl::unexpected<Error>(*error_);
    Function& function = builder_.code().functions[number_];
    function.frame_bytes = frame_bytes_;
    for (size_t i = 0; i < text_.results.size(); ++i)
        function.results.push_back({places_[i], static_cast<uint32_t>(text_.results[i].size)});
    for (size_t i = 0; i < text_.parameters.size(); ++i)
        function.parameters.push_back(
            {places_[text_.results.size() + i], static_cast<uint32_t>(text_.parameters[i].size)});
    return {};
}

bool FunctionDecoder::wrong(std::string what) {
    if (!error_) {
        const uint32_t line = statement_ != nullptr ? statement_->line : text_.line;
        std::string text = "line " + std::to_string(line) + ": ";
        if (statement_ != nullptr) text += "instruction '" + std::string(statement_->opcode) + "': ";
        error_ = Error{text + std::move(what), kInvalidPtx};
    }
    return false;
}

bool FunctionDecoder::unsupported() {
    // for the GPUs that the software GPU is (sm_50 to sm_89) every form of an instruction is here: what is
    // unknown is a mistake there, and something newer elsewhere
    const bool known = rule_for(suffixes_->base()) != nullptr || is_refused(suffixes_->base());
    return refuse(known && (module_.target_sm > kNewestCompleteSm || is_refused(suffixes_->base()))
                      ? kNotSupported
                      : kInvalidPtx);
}

bool FunctionDecoder::refuse(int code) {
    if (!error_)
        error_ = Error{
            "line " + std::to_string(statement_->line) + ": instruction '" + std::string(statement_->opcode) +
                "' is not supported by the software GPU; compile for another architecture or run on a "
                "real GPU",
            code};
    return false;
}

bool FunctionDecoder::finished_suffixes() { return suffixes_->empty() || unsupported(); }

bool FunctionDecoder::operands(size_t least, size_t most) {
    const size_t count = statement_->operands.size();
    if (count >= least && count <= most) return true;
    return wrong("takes " + std::to_string(least) + (most == least ? "" : " to " + std::to_string(most)) +
                 " operands but has " + std::to_string(count) + "; check the PTX text");
}

uint32_t FunctionDecoder::temporary(Type type) {
    registers_.push_back(type);
    const auto reg = static_cast<uint32_t>(registers_.size() - 1);
    if (type == Type::kB128) registers_.push_back(Type::kB64);
    return reg;
}

uint32_t FunctionDecoder::constant(uint64_t value, uint32_t lane_bytes) {
    if (lane_bytes == 4) value &= 0xffff'ffff;
    if (builder_.code().bank_bytes > kMostBankBytes) wrong("the program has too many constants; split it");
    return kConstantOperand | builder_.constant(BankEntry::Kind::kValue, 0, value, lane_bytes);
}

Type FunctionDecoder::type_of(const OperandText& text) const {
    return text.kind == OperandText::Kind::kRegister ? registers_[text.reg] : Type::kNone;
}

Draft& FunctionDecoder::emit(Handler handler, std::initializer_list<uint32_t> ops, uint8_t defines) {
    if (handler == nullptr) unsupported();
    Draft& draft = drafts_.emplace_back();
    draft.instruction.handler = handler;
    for (const uint32_t op : ops) draft.instruction.op[draft.count++] = op;
    draft.defines = defines;
    draft.line = statement_->line;
    draft.text = builder_.text(statement_->opcode);
    if (statement_->guard >= 0)
        draft.instruction.guard =
            static_cast<uint32_t>(statement_->guard) | (statement_->guard_negated ? kNegatedGuard : 0);
    return draft;
}

void FunctionDecoder::pool(Draft& draft, const std::vector<uint32_t>& operands, uint32_t defines) {
    draft.pool_begin = static_cast<uint32_t>(pool_.size());
    draft.pool_count = static_cast<uint32_t>(operands.size());
    draft.pool_defines = defines;
    pool_.insert(pool_.end(), operands.begin(), operands.end());
}

bool FunctionDecoder::source(const OperandText& text, Type type, uint32_t* out, bool wider) {
    const uint32_t lanes = lane_bytes_of(type);
    if (text.minus || !text.selector.empty())
        return wrong(
            "'-' before a register and parts of registers are for video instructions; check the PTX text");
    switch (text.kind) {
        case OperandText::Kind::kRegister: {
            const Type actual = registers_[text.reg];
            if (text.negated) return wrong("'!' needs a predicate; check the PTX text");
            if ((type == Type::kPred) != (actual == Type::kPred) ||
                (wider ? bytes_of(actual) < bytes_of(type) : bytes_of(actual) != bytes_of(type)))
                return wrong("register '" + std::string(text.name) + "' of type ." + name_of(actual) +
                             " does not fit ." + name_of(type) + "; check the PTX text");
            *out = text.reg;
            return true;
        }
        case OperandText::Kind::kInteger: {
            if (type == Type::kPred) {
                *out = constant(text.bits != 0 ? kAllLanes : 0, 4);
                return true;
            }
            if (type == Type::kF64 || type == Type::kF32)
                return wrong("an integer cannot be a ." + std::string(name_of(type)) +
                             " operand; write 0f... or 0d...");
            *out = constant(text.bits, lanes);
            return true;
        }
        case OperandText::Kind::kFloat32: {
            const auto value = std::bit_cast<float>(static_cast<uint32_t>(text.bits));
            if (type == Type::kF64)
                *out = constant(std::bit_cast<uint64_t>(static_cast<double>(value)), 8);
            else if (bytes_of(type) == 4)
                *out = constant(text.bits, 4);
            else
                return wrong("a 32-bit floating-point value does not fit ." + std::string(name_of(type)) +
                             "; check the PTX text");
            return true;
        }
        case OperandText::Kind::kFloat64: {
            const auto value = std::bit_cast<double>(text.bits);
            if (type == Type::kF32)
                *out = constant(std::bit_cast<uint32_t>(static_cast<float>(value)), 4);
            else if (bytes_of(type) == 8)
                *out = constant(text.bits, 8);
            else
                return wrong("a 64-bit floating-point value does not fit ." + std::string(name_of(type)) +
                             "; check the PTX text");
            return true;
        }
        case OperandText::Kind::kSymbol:
            if (bytes_of(type) != 4 && bytes_of(type) != 8)
                return wrong("an address needs 32 or 64 bits; check the PTX text");
            return symbol_address(text, lanes, out);
        case OperandText::Kind::kSpecial: {
            note_special(text.name);
            const Handler handler = select_special(text.name, lanes == 0 ? 4 : lanes);
            if (handler == nullptr || lanes == 0)
                return wrong("'" + std::string(text.name) +
                             "' is neither declared nor a special register that the software GPU has; check "
                             "the PTX text");
            *out = temporary(lanes == 8 ? Type::kB64 : bytes_of(type) == 2 ? Type::kB16 : Type::kB32);
            emit(handler, {*out});
            return true;
        }
        default:
            return wrong("a register or an immediate is due here; check the PTX text");
    }
}

bool FunctionDecoder::destination(const OperandText& text, Type type, uint32_t* out, bool wider) {
    if (text.kind == OperandText::Kind::kSink) {
        *out = temporary(type == Type::kPred || bytes_of(type) >= 2 ? type : Type::kB16);
        return true;
    }
    if (text.kind != OperandText::Kind::kRegister || text.negated || text.minus || !text.selector.empty())
        return wrong("a register is due here; check the PTX text");
    const Type actual = registers_[text.reg];
    if ((type == Type::kPred) != (actual == Type::kPred) ||
        (wider ? bytes_of(actual) < bytes_of(type) : bytes_of(actual) != bytes_of(type)))
        return wrong("register '" + std::string(text.name) + "' of type ." + name_of(actual) +
                     " does not fit ." + name_of(type) + "; check the PTX text");
    *out = text.reg;
    return true;
}

void FunctionDecoder::note_special(std::string_view name) {
    if (name.starts_with("%reserved_smem")) builder_.code().uses_reserved_shared = true;
}

bool FunctionDecoder::predicate_source(const OperandText& text, uint32_t* out, bool* negated) {
    OperandText plain = text;
    *negated = text.negated;
    plain.negated = false;
    return source(plain, Type::kPred, out);
}

// The address of a variable or function as a value: what `mov` and address operands put in a register.
bool FunctionDecoder::symbol_address(const OperandText& text, uint32_t lane_bytes, uint32_t* out) {
    if (text.local >= 0) {
        const auto index = static_cast<size_t>(text.local);
        const uint64_t offset = places_[index] + text.bits;
        if (text_.kernel && index < text_.parameters.size()) {
            *out = constant(offset, lane_bytes);
            return true;
        }
        const uint32_t sum = temporary(Type::kB64);
        emit(select_integer("add", Type::kU64), {sum, kFixedOperand | kLocalBaseOffset, constant(offset, 8)});
        if (lane_bytes == 8) {
            *out = sum;
        } else {
            *out = temporary(Type::kB32);
            emit(select_resize(false), {*out, sum});
        }
        return true;
    }
    const Symbol symbol =
        text.module_variable >= 0
            ? builder_.module_variable(module_number_, static_cast<uint32_t>(text.module_variable))
            : builder_.find(module_number_, text.name);
    switch (symbol.kind) {
        case Symbol::Kind::kVariable:
            *out = kConstantOperand |
                   builder_.constant(BankEntry::Kind::kVariable, symbol.index, text.bits, lane_bytes);
            return true;
        case Symbol::Kind::kShared:
            builder_.uses_shared(number_, symbol.index);
            *out = kConstantOperand |
                   builder_.constant(BankEntry::Kind::kShared, symbol.index, text.bits, lane_bytes);
            return true;
        case Symbol::Kind::kDynamicShared: {
            builder_.uses_dynamic_shared(number_);
            const uint32_t base =
                kFixedOperand | (lane_bytes == 8 ? kDynamicSharedOffset : kDynamicShared32Offset);
            if (text.bits == 0) {
                *out = base;
                return true;
            }
            const Type type = lane_bytes == 8 ? Type::kU64 : Type::kU32;
            *out = temporary(type);
            emit(select_integer("add", type), {*out, base, constant(text.bits, lane_bytes)});
            return true;
        }
        case Symbol::Kind::kFunction:
            builder_.takes_address(symbol.index);
            *out = constant(function_address(builder_.code(), symbol.index) + text.bits, lane_bytes);
            return true;
        case Symbol::Kind::kNone:
            break;
    }
    return wrong("'" + std::string(text.name) + "' is not declared; check the PTX text");
}

bool FunctionDecoder::address(const OperandText& text, Space space, Address* out) {
    if (text.kind != OperandText::Kind::kAddress || !text.elements.empty())
        return wrong("an address is due here; check the PTX text");
    out->space = space == Space::kShared  ? AddressSpace::kShared
                 : space == Space::kLocal ? AddressSpace::kLocal
                 : space == Space::kParam ? (text_.kernel ? AddressSpace::kParam : AddressSpace::kLocal)
                                          : AddressSpace::kGeneric;
    out->offset = static_cast<int64_t>(text.bits);
    if (text.based_on_register) {
        const Type type = registers_[text.reg];
        if (bytes_of(type) != 4 && bytes_of(type) != 8)
            return wrong("an address needs 32 or 64 bits; check the PTX text");
        out->operand = text.reg;
        out->wide = bytes_of(type) == 8;
        return true;
    }
    if (text.name.empty()) {
        out->operand = constant(text.bits, 8);
        out->offset = 0;
        return true;
    }
    if (text.local >= 0) {
        const auto index = static_cast<size_t>(text.local);
        out->offset += places_[index];
        if (text_.kernel && index < text_.parameters.size()) {
            out->space = AddressSpace::kParam;
            out->parameter = true;
            out->operand = constant(0, 8);
        } else {
            out->space = AddressSpace::kLocal;
            out->operand = kFixedOperand | kLocalBaseOffset;
        }
        return true;
    }
    const Symbol symbol =
        text.module_variable >= 0
            ? builder_.module_variable(module_number_, static_cast<uint32_t>(text.module_variable))
            : builder_.find(module_number_, text.name);
    if (symbol.kind == Symbol::Kind::kShared || symbol.kind == Symbol::Kind::kDynamicShared)
        out->space = AddressSpace::kShared;
    if (symbol.kind == Symbol::Kind::kFunction) return wrong("a function is no memory; check the PTX text");
    out->offset = 0;
    return symbol_address(text, 8, &out->operand);
}

bool FunctionDecoder::label(const OperandText& text, uint32_t* statement) {
    if (text.kind != OperandText::Kind::kSymbol) return wrong("a label is due here; check the PTX text");
    for (uint32_t scope = text.scope;; scope = text_.scope_parents[scope]) {
        if (const auto at = text_.labels.find(LabelKey{scope, text.name}); at != text_.labels.end()) {
            *statement = at->second;
            return true;
        }
        if (scope == 0) break;
    }
    return wrong("label '" + std::string(text.name) + "' is not defined; check the PTX text");
}

bool FunctionDecoder::simple(Handler handler, std::initializer_list<Type> types) {
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    if (!operands(types.size(), types.size())) return false;
    uint32_t ops[5] = {};
    size_t i = 0;
    for (const Type type : types) {
        if (i == 0 ? !destination(operand(0), type, &ops[0]) : !source(operand(i), type, &ops[i]))
            return false;
        ++i;
    }
    Draft& draft = emit(handler, {});
    for (size_t k = 0; k < types.size(); ++k) draft.instruction.op[k] = ops[k];
    draft.count = static_cast<uint8_t>(types.size());
    return true;
}

bool FunctionDecoder::statement() {
    suffixes_.emplace(statement_->opcode);
    const Rule rule = rule_for(suffixes_->base());
    if (rule == nullptr) return unsupported();
    return (this->*rule)();
}

Status FunctionDecoder::decode() {
    if (error_) return tl::unexpected<Error>(*error_);
    for (const RegisterText& one : text_.registers) registers_.push_back(one.type);
    // .reg parameters arrive in the frame like the others
    Statement prologue;
    prologue.opcode = "ld.param";
    prologue.line = text_.line;
    statement_ = &prologue;
    for (size_t i = text_.results.size(); i < text_.results.size() + text_.parameters.size(); ++i) {
        const VariableText& variable = text_.variables[i];
        if (variable.reg == UINT32_MAX) continue;
        Draft& draft = emit(
            select_load(AddressSpace::kLocal, variable.type, lane_bytes_of(variable.type), 1, true, false),
            {variable.reg, kFixedOperand | kLocalBaseOffset});
        draft.instruction.immediate = places_[i];
    }
    for (statement_number_ = 0; statement_number_ < text_.statements.size(); ++statement_number_) {
        statement_ = &text_.statements[statement_number_];
        first_drafts_.push_back(static_cast<uint32_t>(drafts_.size()));
        if (!statement() || error_) {
            if (!error_) unsupported();
            return tl::unexpected<Error>(*error_);
        }
    }
    first_drafts_.push_back(static_cast<uint32_t>(drafts_.size()));
    // the end of the body is a return
    Statement epilogue;
    epilogue.opcode = "ret";
    epilogue.line = text_.statements.empty() ? text_.line : text_.statements.back().line;
    statement_ = &epilogue;
    suffixes_.emplace(epilogue.opcode);
    if (!decode_ret() || error_) return tl::unexpected<Error>(*error_);
    return finish();
}

}  // namespace bitfusion::soft
