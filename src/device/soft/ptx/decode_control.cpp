// Branches, calls, barriers, the stack ("PTX ISA", sections 9.7.12, 9.7.13.1).
#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

namespace {

constexpr uint32_t kMostArgumentBytes = 1 << 24;
constexpr size_t kMostBranchTargets = 1 << 20;  // of all brx of a function

}  // namespace

bool FunctionDecoder::decode_bra() {
    suffixes_->take("uni");
    if (!finished_suffixes() || !operands(1, 1)) return false;
    uint32_t target = 0;
    if (!label(operand(0), &target)) return false;
    Draft& draft = emit(select_branch(), {}, 0);
    draft.flow = Draft::Flow::kBranch;
    draft.targets = {target};
    return true;
}

bool FunctionDecoder::decode_brx() {
    suffixes_->take("uni");
    if (!suffixes_->take("idx")) return unsupported();
    if (!finished_suffixes() || !operands(2, 2)) return false;
    uint32_t index = 0;
    if (!source(operand(0), Type::kU32, &index)) return false;
    const std::vector<std::string_view>* targets = nullptr;
    uint32_t scope = operand(1).scope;
    for (;; scope = text_.scope_parents[scope]) {
        if (const auto at = text_.branch_targets.find(LabelKey{scope, operand(1).name});
            at != text_.branch_targets.end()) {
            targets = &at->second;
            break;
        }
        if (scope == 0) break;
    }
    if (targets == nullptr)
        return wrong("'" + std::string(operand(1).name) +
                     "' is no list of branch targets; check the PTX text");
    branch_targets_ += targets->size();
    if (branch_targets_ > kMostBranchTargets) return wrong("too many branch targets; split the function");
    std::vector<uint32_t> list;
    for (const std::string_view name : *targets) {
        OperandText text;
        text.kind = OperandText::Kind::kSymbol;
        text.name = name;
        text.scope = operand(1).scope;
        uint32_t target = 0;
        if (!label(text, &target)) return false;
        list.push_back(target);
    }
    Draft& draft = emit(select_branch_table(), {index}, 0);
    draft.flow = Draft::Flow::kTable;
    draft.targets = std::move(list);
    return true;
}

// Where an argument or result lies in this function's frame. Registers and immediates travel through a place
// of their own.
bool FunctionDecoder::argument_place(const OperandText& text, const FramePlace& formal, Type type,
                                     bool result, FramePlace* out) {
    if (text.kind == OperandText::Kind::kSymbol && text.local >= 0 &&
        text_.variables[static_cast<size_t>(text.local)].reg == UINT32_MAX) {
        const auto index = static_cast<size_t>(text.local);
        if (text_.variables[index].size < formal.size || (text_.kernel && index < text_.parameters.size()))
            return wrong("'" + std::string(text.name) +
                         "' is smaller than the parameter; check the PTX text");
        *out = {places_[index], formal.size};
        return true;
    }
    const uint32_t bytes = bytes_of(type);
    if (bytes == 0 || formal.size != bytes)
        return wrong("an argument does not fit its parameter; check the PTX text");
    if (frame_bytes_ > kMostArgumentBytes) return wrong("the calls of this function pass too much; split it");
    frame_bytes_ = (frame_bytes_ + 15) / 16 * 16;
    *out = {frame_bytes_, bytes};
    frame_bytes_ += 16;
    uint32_t reg = 0;
    if (result ? !destination(text, type, &reg, true) : !source(text, type, &reg, true)) return false;
    const Type actual = type_of(text);
    const uint32_t lanes = actual == Type::kNone ? lane_bytes_of(type) : lane_bytes_of(actual);
    const uint32_t base = kFixedOperand | kLocalBaseOffset;
    Draft& draft = result ? emit(select_load(AddressSpace::kLocal, type, lanes, 1, true, false), {reg, base})
                          : emit(select_store(AddressSpace::kLocal, type, lanes, 1, true), {reg, base}, 0);
    draft.instruction.immediate = out->offset;
    return true;
}

bool FunctionDecoder::decode_call() {
    suffixes_->take("uni");
    if (!finished_suffixes() || !operands(1, 4)) return false;
    size_t at = 0;
    std::vector<OperandText> none;
    const std::vector<OperandText>* results = &none;
    const std::vector<OperandText>* arguments = &none;
    if (operand(0).kind == OperandText::Kind::kList) {
        results = &operand(0).elements;
        at = 1;
    }
    if (statement_->operands.size() <= at) return operands(at + 1, 4);
    const OperandText& callee = operand(at++);
    if (statement_->operands.size() > at && operand(at).kind == OperandText::Kind::kList)
        arguments = &operand(at++).elements;

    CallSite site;
    std::vector<FramePlace> result_places;
    std::vector<FramePlace> argument_places;
    std::vector<Type> result_types;
    std::vector<Type> argument_types;
    const auto formals = [](const std::vector<VariableText>& list, std::vector<FramePlace>* places,
                            std::vector<Type>* types) {
        for (const VariableText& one : list) {
            places->push_back({0, static_cast<uint32_t>(one.size)});
            types->push_back(one.type);
        }
    };
    uint32_t pointer = 0;
    if (callee.kind == OperandText::Kind::kRegister) {
        if (!source(callee, Type::kU64, &pointer)) return false;
        if (statement_->operands.size() <= at)
            return wrong("a call through a pointer names a prototype; check the PTX text");
        const Prototype* prototype = nullptr;
        for (uint32_t scope = operand(at).scope; prototype == nullptr; scope = text_.scope_parents[scope]) {
            if (const auto found = text_.prototypes.find(LabelKey{scope, operand(at).name});
                found != text_.prototypes.end())
                prototype = &found->second;
            if (scope == 0) break;
        }
        if (prototype == nullptr)
            return wrong("'" + std::string(operand(at).name) + "' is no prototype; check the PTX text");
        formals(prototype->results, &result_places, &result_types);
        formals(prototype->parameters, &argument_places, &argument_types);
        builder_.calls_pointer(number_);
    } else {
        const Symbol symbol =
            callee.kind == OperandText::Kind::kSymbol ? builder_.find(module_number_, callee.name) : Symbol{};
        if (symbol.kind != Symbol::Kind::kFunction)
            return wrong("'" + std::string(callee.name) + "' is not a function; check the PTX text");
        const Function& function = builder_.code().functions[symbol.index];
        if (function.kernel) return wrong("a kernel cannot be called; check the PTX text");
        if (!function.defined && function.builtin == Builtin::kNone && function.name.starts_with("cuda")) {
            error_ = Error{"line " + std::to_string(statement_->line) + ": function '" + function.name +
                               "' launches kernels from kernels, which is not supported by the software GPU; "
                               "launch from the host or run on a real GPU",
                           kNotSupported};
            return false;
        }
        if (!function.defined && function.builtin == Builtin::kNone) {
            error_ = Error{"line " + std::to_string(statement_->line) + ": function '" + function.name +
                               "' is external and no linked module defines it; link the module that does",
                           kSymbolNotFound};
            return false;
        }
        site.function = symbol.index;
        const FunctionText& text = *builder_.text_of(symbol.index);
        formals(text.results, &result_places, &result_types);
        formals(text.parameters, &argument_places, &argument_types);
        builder_.calls(number_, symbol.index);
    }
    if (results->size() != result_places.size() || arguments->size() != argument_places.size())
        return wrong("the call has another number of arguments than the function; check the PTX text");
    for (size_t i = 0; i < arguments->size(); ++i) {
        FramePlace place;
        if (!argument_place((*arguments)[i], argument_places[i], argument_types[i], false, &place))
            return false;
        site.arguments.push_back(place);
    }
    const size_t call_draft = drafts_.size();
    if (site.function == kNoFunction)
        emit(select_call_indirect(), {pointer}, 0);
    else
        emit(select_call(), {}, 0);
    for (size_t i = 0; i < results->size(); ++i) {
        FramePlace place;
        if (!argument_place((*results)[i], result_places[i], result_types[i], true, &place)) return false;
        site.results.push_back(place);
    }
    drafts_[call_draft].instruction.extra = static_cast<uint32_t>(builder_.code().calls.size());
    builder_.code().calls.push_back(std::move(site));
    return true;
}

bool FunctionDecoder::decode_ret() {
    suffixes_->take("uni");
    if (!finished_suffixes() || !operands(0, 0)) return false;
    // .reg results go to the frame, where the caller finds them
    for (size_t i = 0; i < text_.results.size(); ++i) {
        const VariableText& variable = text_.variables[i];
        if (variable.reg == UINT32_MAX) continue;
        emit(select_store(AddressSpace::kLocal, variable.type, lane_bytes_of(variable.type), 1, true),
             {variable.reg, kFixedOperand | kLocalBaseOffset}, 0)
            .instruction.immediate = places_[i];
    }
    emit(text_.kernel ? select_exit() : select_return(), {}, 0).flow = Draft::Flow::kEnd;
    return true;
}

bool FunctionDecoder::decode_exit() {
    if (!finished_suffixes() || !operands(0, 0)) return false;
    emit(select_exit(), {}, 0).flow = Draft::Flow::kEnd;
    return true;
}

bool FunctionDecoder::decode_trap() {
    if (!finished_suffixes() || !operands(0, 0)) return false;
    emit(select_trap(), {}, 0).flow = Draft::Flow::kEnd;
    return true;
}

// Breakpoints, performance events, register hints, dependent launches: nothing depends on them here.
bool FunctionDecoder::decode_nothing() {
    if (suffixes_->base() == "brkpt") emit(select_trap(), {}, 0).flow = Draft::Flow::kEnd;
    return true;
}

bool FunctionDecoder::decode_nanosleep() {
    const Type type = suffixes_->take_type();
    if (!finished_suffixes() || !operands(1, 1)) return false;
    uint32_t time = 0;
    if (type != Type::kU32 || !source(operand(0), type, &time)) return unsupported();
    emit(select_nanosleep(), {time}, 0);
    return true;
}

bool FunctionDecoder::decode_bar() {
    Suffixes& suffixes = *suffixes_;
    suffixes.take("cta");
    suffixes.take("aligned");
    if (suffixes.take("warp")) {
        if (!suffixes.take("sync") || !finished_suffixes() || !operands(1, 1)) return unsupported();
        uint32_t members = 0;
        if (!source(operand(0), Type::kB32, &members)) return false;
        emit(select_warp_sync(), {members}, 0);
        return true;
    }
    if (suffixes.take("cluster")) {
        // a cluster has one block here: its barrier is the block's, arriving needs no wait
        const bool wait = suffixes.take("wait");
        if (!wait && !suffixes.take("arrive")) return unsupported();
        for (const std::string_view word : {"release", "relaxed", "acquire"}) suffixes.take(word);
        if (!finished_suffixes() || !operands(0, 0)) return false;
        emit(select_barrier(wait ? "cluster.wait" : "cluster.arrive"), {}, 0);
        return true;
    }
    std::string name;
    if (suffixes.take("sync")) name = "sync";
    if (suffixes.take("arrive")) name = "arrive";
    if (suffixes.take("red")) {
        name = "red";
        for (const std::string_view operation : {"popc", "and", "or"})
            if (suffixes.take(operation)) name += "." + std::string(operation);
    }
    const Type type = suffixes.take_type();
    const Handler handler = select_barrier(name);
    if (!finished_suffixes()) return false;
    if (handler == nullptr) return unsupported();
    const bool reduces = name.starts_with("red");
    const size_t at = reduces ? 1 : 0;
    if (!operands(at + 1 + (reduces ? 1 : 0), at + 2 + (reduces ? 1 : 0))) return false;
    uint32_t id = 0;
    uint32_t count = constant(0, 4);
    if (!source(operand(at), Type::kU32, &id)) return false;
    const bool counted = statement_->operands.size() == at + 2 + (reduces ? 1 : 0);
    if (counted && !source(operand(at + 1), Type::kU32, &count)) return false;
    if (name == "arrive" && !counted) return wrong("an arrival needs a count of threads; check the PTX text");
    const int64_t immediate = counted ? 1 : 0;
    if (!reduces) {
        emit(handler, {id, count}, 0).instruction.immediate = immediate;
        return true;
    }
    uint32_t d = 0;
    uint32_t p = 0;
    bool negated = false;
    if (!destination(operand(0), type == Type::kPred ? Type::kPred : Type::kU32, &d)) return false;
    if (!predicate_source(operand(statement_->operands.size() - 1), &p, &negated)) return false;
    emit(handler, {d, id, count, p}).instruction.immediate = immediate | (negated ? 2 : 0);
    return true;
}

bool FunctionDecoder::decode_stack() {
    const std::string base(suffixes_->base());
    const Type type = suffixes_->take_type();
    if (!finished_suffixes()) return false;
    if (bytes_of(type) != 4 && bytes_of(type) != 8) return unsupported();
    const Handler handler = select_stack(base, lane_bytes_of(type));
    if (handler == nullptr) return unsupported();
    if (base != "alloca") {
        if (!operands(1, 1)) return false;
        uint32_t reg = 0;
        if (base == "stacksave" ? !destination(operand(0), type, &reg) : !source(operand(0), type, &reg))
            return false;
        emit(handler, {reg}, base == "stacksave" ? 1 : 0);
        return true;
    }
    if (!operands(2, 3)) return false;
    uint32_t d = 0;
    uint32_t size = 0;
    if (!destination(operand(0), type, &d) || !source(operand(1), type, &size)) return false;
    const uint64_t alignment = statement_->operands.size() == 3 ? operand(2).bits : 8;
    if (alignment == 0 || alignment > 4096 || (alignment & (alignment - 1)) != 0)
        return wrong("the alignment is a power of two up to 4096; check the PTX text");
    emit(handler, {d, size}).instruction.immediate = static_cast<int64_t>(alignment);
    return true;
}

}  // namespace bitfusion::soft
