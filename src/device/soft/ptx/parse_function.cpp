// Functions: headers, tuning directives, bodies ("PTX ISA", chapters 7 and 11).
#include <algorithm>
#include <charconv>

#include "device/soft/ptx/parser.h"

namespace bitfusion::soft {

namespace {

constexpr size_t kMostScopes = 256;
constexpr size_t kMostRegisters = 1 << 20;
constexpr unsigned kDeepestOperand = 4;

}  // namespace

uint32_t Parser::new_register(Type type) {
    function_->registers.push_back({type});
    const auto reg = static_cast<uint32_t>(function_->registers.size() - 1);
    // the upper half of 128 bits is the register that follows
    if (type == Type::kB128) function_->registers.push_back({Type::kB64});
    return reg;
}

std::optional<uint32_t> Parser::find_register(std::string_view name) {
    size_t digits = name.size();
    while (digits > 1 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
    uint32_t number = UINT32_MAX;
    if (digits < name.size() && name.size() - digits < 10 &&
        (name[digits] != '0' || name.size() - digits == 1))
        std::from_chars(name.data() + digits, name.data() + name.size(), number);
    for (size_t i = scopes_.size(); i-- > 0;) {
        Scope& scope = scopes_[i];
        if (const auto at = scope.registers.find(name); at != scope.registers.end()) return at->second;
        if (scope.variables.contains(name) || scope.module_variables.contains(name)) return std::nullopt;
        if (number == UINT32_MAX || scope.families.empty()) continue;
        const auto family = scope.families.find(name.substr(0, digits));
        if (family == scope.families.end() || number >= family->second.count) continue;
        if (function_->registers.size() >= kMostRegisters) return std::nullopt;
        const uint32_t reg = new_register(family->second.type);
        scope.registers.emplace(name, reg);
        return reg;
    }
    return std::nullopt;
}

bool Parser::tuning(FunctionText* out) {
    while (token().kind == Token::Kind::kDirective) {
        const std::string_view word = token().text;
        std::array<uint32_t, 3>* three = nullptr;
        if (word == "maxntid") three = &out->max_threads;
        if (word == "reqntid") three = &out->required_threads;
        if (word == "reqnctapercluster") three = &out->required_cluster;
        if (three != nullptr || word == "maxnreg" || word == "minnctapersm" || word == "maxnctapersm" ||
            word == "maxclusterrank") {
            std::array<uint32_t, 3> values{1, 1, 1};
            size_t count = 0;
            do {
                advance();
                uint64_t value = 0;
                if (!integer(&value)) return false;
                if (count == 3 || value > UINT32_MAX)
                    return wrong("." + std::string(word) + " is out of range; check the PTX text");
                values[count++] = static_cast<uint32_t>(value);
            } while (token().is(','));
            if (three != nullptr) *three = values;
        } else if (word == "noreturn") {
            out->no_return = true;
            advance();
        } else if (word == "pragma") {
            if (!skip_to_semicolon()) return false;
        } else if (word == "explicitcluster" || word == "blocksareclusters") {
            advance();
        } else if (word == "attribute") {
            while (!token().is(')')) {
                if (token().kind == Token::Kind::kEnd)
                    return wrong("the text ends inside .attribute; hand over the whole module");
                advance();
            }
            advance();
        } else if (word == "unified") {
            advance();
        } else {
            return wrong("directive '." + std::string(word) +
                         "' is not supported by the software GPU; compile without it");
        }
    }
    return true;
}

bool Parser::function(bool kernel, Linkage linkage, bool external) {
    FunctionText fresh;
    fresh.kernel = kernel;
    fresh.linkage = linkage;
    fresh.line = token().line;
    while (token().is_directive("attribute")) {
        while (!token().is(')')) {
            if (token().kind == Token::Kind::kEnd)
                return wrong("the text ends inside .attribute; hand over the whole module");
            advance();
        }
        advance();
    }
    if (token().is('(') && !parameter_list(&fresh.results, &fresh)) return false;
    if (fresh.results.size() > 1) return wrong("a function returns at most one value; check the PTX text");
    if (!name(&fresh.name)) return false;
    if (token().is('(') && !parameter_list(&fresh.parameters, &fresh)) return false;
    if (!tuning(&fresh)) return false;
    fresh.external = external;
    fresh.defined = token().is('{');

    const auto [at, is_new] =
        module_.function_names.emplace(fresh.name, static_cast<uint32_t>(module_.functions.size()));
    if (is_new) {
        module_.functions.push_back(std::move(fresh));
    } else {
        FunctionText& earlier = module_.functions[at->second];
        if (earlier.kernel != fresh.kernel)
            return wrong("'" + std::string(fresh.name) +
                         "' is both a kernel and a function; check the PTX text");
        if (!fresh.defined) {
            advance();
            return true;
        }
        if (earlier.defined)
            return wrong("'" + std::string(fresh.name) + "' is defined twice; check the PTX text");
        earlier = std::move(fresh);
    }
    if (!module_.functions[at->second].defined) return expect(';');
    function_ = &module_.functions[at->second];
    return body();
}

bool Parser::body() {
    scopes_.clear();
    scopes_.emplace_back();
    const auto add = [&](std::vector<VariableText>& list) {
        for (VariableText& one : list) {
            if (one.reg != UINT32_MAX) {
                if (function_->kernel) return wrong("a kernel's parameters are .param; check the PTX text");
                one.reg = new_register(one.type);
                if (!one.name.empty()) scopes_.back().registers.emplace(one.name, one.reg);
            } else if (!one.name.empty() &&
                       !scopes_.back()
                            .variables.emplace(one.name, static_cast<uint32_t>(function_->variables.size()))
                            .second) {
                return wrong("'" + std::string(one.name) + "' is declared twice; check the PTX text");
            }
            function_->variables.push_back(one);
        }
        return true;
    };
    if (!add(function_->results) || !add(function_->parameters)) return false;
    if (!expect('{')) return false;
    while (!scopes_.empty()) {
        if (!block_item()) return false;
        if (error_) return false;
    }
    function_ = nullptr;
    return true;
}

bool Parser::block_item() {
    switch (token().kind) {
        case Token::Kind::kEnd:
            return wrong("the text ends inside a function; hand over the whole module");
        case Token::Kind::kDirective:
            return body_directive();
        case Token::Kind::kName:
            if (lexer_.following() == ':') {
                const std::string_view label = token().text;
                advance();
                advance();
                return labelled(label);
            }
            return statement();
        default:
            break;
    }
    if (accept('{')) {
        if (scopes_.size() >= kMostScopes) return wrong("blocks nest too deep; check the PTX text");
        const uint32_t parent = scopes_.back().number;
        scopes_.emplace_back();
        scopes_.back().number = static_cast<uint32_t>(function_->scope_parents.size());
        function_->scope_parents.push_back(parent);
        return true;
    }
    if (accept('}')) {
        scopes_.pop_back();
        return true;
    }
    if (accept(';')) return true;
    if (token().is('@')) return statement();
    return wrong("expected an instruction but found '" + std::string(token().text) + "'; check the PTX text");
}

bool Parser::body_directive() {
    const std::string_view word = token().text;
    if (word == "reg") {
        advance();
        return registers();
    }
    VariableText base;
    for (;;) {
        if (token().is_directive("visible"))
            base.linkage = Linkage::kVisible;
        else if (token().is_directive("extern"))
            base.external = true;
        else if (!token().is_directive("weak"))
            break;
        advance();
    }
    const std::string_view space = token().text;
    if (space == "local" || space == "param" || space == "shared" || space == "global" || space == "const") {
        advance();
        return variable(space == "local"    ? Space::kLocal
                        : space == "param"  ? Space::kParam
                        : space == "shared" ? Space::kShared
                        : space == "global" ? Space::kGlobal
                                            : Space::kConst,
                        base, true);
    }
    if (word == "loc") {
        const uint32_t line = token().line;
        while (token().line == line && token().kind != Token::Kind::kEnd) advance();
        return true;
    }
    if (word == "pragma" || word == "file") return skip_to_semicolon();
    if (word == "section") return skip_section();
    return wrong("directive '." + std::string(word) +
                 "' is not supported by the software GPU; compile without it");
}

bool Parser::labelled(std::string_view label) {
    const LabelKey key{scopes_.back().number, label};
    if (token().is_directive("callprototype")) return call_prototype(label);
    if (token().is_directive("branchtargets") || token().is_directive("calltargets")) {
        std::vector<std::string_view> targets;
        do {
            advance();
            std::string_view target;
            if (!name(&target)) return false;
            targets.push_back(target);
        } while (token().is(','));
        if (!function_->branch_targets.emplace(key, std::move(targets)).second)
            return wrong("label '" + std::string(label) + "' is defined twice; check the PTX text");
        return expect(';');
    }
    if (!function_->labels.emplace(key, static_cast<uint32_t>(function_->statements.size())).second)
        return wrong("label '" + std::string(label) + "' is defined twice; check the PTX text");
    return true;
}

bool Parser::call_prototype(std::string_view label) {
    advance();
    Prototype prototype;
    if (token().is('(') && !parameter_list(&prototype.results, nullptr)) return false;
    std::string_view ignored;
    if (!name(&ignored)) return false;
    if (token().is('(') && !parameter_list(&prototype.parameters, nullptr)) return false;
    if (token().is_directive("noreturn")) {
        prototype.no_return = true;
        advance();
    }
    if (!function_->prototypes.emplace(LabelKey{scopes_.back().number, label}, std::move(prototype)).second)
        return wrong("label '" + std::string(label) + "' is defined twice; check the PTX text");
    return expect(';');
}

bool Parser::registers() {
    VariableText base;
    if (!declaration_prefix(&base)) return false;
    const uint32_t width =
        bytes_of(base.type) == 0 ? 1 : static_cast<uint32_t>(base.size / bytes_of(base.type));
    if (base.type == Type::kB8 || base.type == Type::kU8 || base.type == Type::kS8) base.type = Type::kB16;
    do {
        std::string_view text;
        if (!name(&text)) return false;
        if (width > 1) {
            if (function_->registers.size() >= kMostRegisters)
                return wrong("too many registers; check the PTX text");
            scopes_.back().vectors[text] = Family{base.type, new_register(base.type), width};
            for (uint32_t i = 1; i < width; ++i) new_register(base.type);
        } else if (accept('<')) {
            uint64_t count = 0;
            // not expression(): '>' would be read as an operator
            if (token().kind != Token::Kind::kInteger) return wrong("expected a count; check the PTX text");
            count = token().bits;
            advance();
            if (!expect('>')) return false;
            if (count > UINT32_MAX) return wrong("too many registers; check the PTX text");
            scopes_.back().families[text] = Family{base.type, 0, static_cast<uint32_t>(count)};
        } else {
            if (function_->registers.size() >= kMostRegisters)
                return wrong("too many registers; check the PTX text");
            scopes_.back().registers[text] = new_register(base.type);
        }
    } while (accept(','));
    return expect(';');
}

bool Parser::statement() {
    Statement out;
    out.line = token().line;
    out.scope = scopes_.back().number;
    if (accept('@')) {
        out.guard_negated = accept('!');
        const auto reg = find_register(token().text);
        if (!reg || function_->registers[*reg].type != Type::kPred)
            return wrong("'" + std::string(token().text) + "' is not a predicate; check the PTX text");
        out.guard = *reg;
        advance();
    }
    if (token().kind != Token::Kind::kName)
        return wrong("expected an instruction but found '" + std::string(token().text) +
                     "'; check the PTX text");
    out.opcode = lexer_.opcode();
    lists_ = out.opcode.substr(0, out.opcode.find('.')) == "call";
    while (!token().is(';')) {
        if (token().is('{') && out.operands.empty() && token().kind == Token::Kind::kEnd) break;
        out.operands.emplace_back();
        if (!operand(&out.operands.back(), 0)) {
            if (error_) error_->what += " (in '" + std::string(out.opcode) + "')";
            return false;
        }
        if (!accept(',') && !token().is(';') && !token().is('('))
            return wrong("expected ';' after '" + std::string(out.opcode) + "' but found '" +
                         std::string(token().text) + "'; check the PTX text");
        if (out.operands.size() > 4096) return wrong("too many operands; check the PTX text");
    }
    advance();
    function_->statements.push_back(std::move(out));
    return true;
}

// %v, %v.x and %a.b0: a vector of registers, one of them, a part of a register.
bool Parser::part_operand(std::string_view text, OperandText* out) {
    const size_t dot = text.find('.');
    const std::string_view name = text.substr(0, dot);
    const std::string_view part = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
    for (size_t i = scopes_.size(); i-- > 0;) {
        const auto at = scopes_[i].vectors.find(name);
        if (at == scopes_[i].vectors.end()) continue;
        const auto one = [&](uint32_t reg) {
            OperandText element;
            element.kind = OperandText::Kind::kRegister;
            element.name = text;
            element.reg = reg;
            return element;
        };
        if (part.empty()) {
            out->kind = OperandText::Kind::kVector;
            for (uint32_t k = 0; k < at->second.count; ++k)
                out->elements.push_back(one(at->second.first + k));
            return true;
        }
        const size_t index =
            std::min(std::string_view("xyzw").find(part), std::string_view("rgba").find(part));
        if (part.size() != 1 || index >= at->second.count) return false;
        *out = one(at->second.first + static_cast<uint32_t>(index));
        return true;
    }
    if (part.size() != 2 || (part[0] != 'b' && part[0] != 'h')) return false;
    const auto reg = find_register(name);
    if (!reg) return false;
    out->kind = OperandText::Kind::kRegister;
    out->reg = *reg;
    out->selector = part;
    return true;
}

bool Parser::name_operand(OperandText* out) {
    const std::string_view text = token().text;
    if (text == "WARP_SZ") {
        int64_t value = 0;
        if (!expression(&value)) return false;
        out->kind = OperandText::Kind::kInteger;
        out->bits = static_cast<uint64_t>(value);
        return true;
    }
    advance();
    out->name = text;
    if (text == "_") {
        out->kind = OperandText::Kind::kSink;
        return true;
    }
    if (const auto reg = find_register(text)) {
        out->kind = OperandText::Kind::kRegister;
        out->reg = *reg;
        return true;
    }
    if (part_operand(text, out)) return true;
    if (text[0] == '%') {
        out->kind = OperandText::Kind::kSpecial;
        return true;
    }
    out->kind = OperandText::Kind::kSymbol;
    for (size_t i = scopes_.size(); i-- > 0;) {
        if (const auto at = scopes_[i].variables.find(text); at != scopes_[i].variables.end()) {
            out->local = static_cast<int32_t>(at->second);
            break;
        }
        if (const auto at = scopes_[i].module_variables.find(text); at != scopes_[i].module_variables.end()) {
            out->module_variable = static_cast<int32_t>(at->second);
            break;
        }
    }
    return true;
}

bool Parser::address(OperandText* out, unsigned depth) {
    out->kind = OperandText::Kind::kAddress;
    advance();
    if (token().kind == Token::Kind::kName && token().text != "WARP_SZ") {
        OperandText base;
        if (!name_operand(&base)) return false;
        if (base.kind == OperandText::Kind::kSpecial || base.kind == OperandText::Kind::kSink)
            return wrong("'" + std::string(base.name) + "' cannot be an address; check the PTX text");
        out->based_on_register = base.kind == OperandText::Kind::kRegister;
        out->reg = base.reg;
        out->local = base.local;
        out->module_variable = base.module_variable;
        out->name = base.name;
        if (token().is('+') || token().is('-')) {
            if (token().is('+')) advance();
            int64_t offset = 0;
            if (!expression(&offset)) return false;
            out->bits = static_cast<uint64_t>(offset);
        }
    } else {
        int64_t offset = 0;
        if (!expression(&offset)) return false;
        out->bits = static_cast<uint64_t>(offset);
    }
    while (accept(',')) {
        out->elements.emplace_back();
        if (!operand(&out->elements.back(), depth + 1)) return false;
    }
    return expect(']');
}

bool Parser::operand(OperandText* out, unsigned depth) {
    if (depth > kDeepestOperand) return wrong("the operand nests too deep; check the PTX text");
    out->scope = scopes_.back().number;
    if (accept('!')) out->negated = true;
    if (token().is('[')) return address(out, depth);
    if (token().is('{') || (lists_ && token().is('('))) {
        const bool list = token().is('(');
        const char close = list ? ')' : '}';
        out->kind = list ? OperandText::Kind::kList : OperandText::Kind::kVector;
        advance();
        while (!token().is(close)) {
            if (out->elements.size() >= 4096) return wrong("too many operands; check the PTX text");
            out->elements.emplace_back();
            if (!operand(&out->elements.back(), depth + 1)) return false;
            if (!accept(',')) break;
        }
        if (!expect(close)) return false;
        if (list || !accept('|')) return true;
        // {a, b}|p: a predicate beside the vector of a tex
        OperandText pair;
        pair.kind = OperandText::Kind::kPair;
        pair.scope = out->scope;
        pair.elements.push_back(std::move(*out));
        pair.elements.emplace_back();
        if (!operand(&pair.elements.back(), depth + 1)) return false;
        *out = std::move(pair);
        return true;
    }
    if (token().kind == Token::Kind::kFloat32 || token().kind == Token::Kind::kFloat64) {
        out->kind =
            token().kind == Token::Kind::kFloat32 ? OperandText::Kind::kFloat32 : OperandText::Kind::kFloat64;
        out->bits = token().bits;
        advance();
        return true;
    }
    if (token().kind == Token::Kind::kName && token().text != "WARP_SZ") {
        if (!name_operand(out)) return false;
        if (out->kind == OperandText::Kind::kSymbol && (token().is('+') || token().is('-'))) {
            if (token().is('+')) advance();
            int64_t offset = 0;
            if (!expression(&offset)) return false;
            out->bits = static_cast<uint64_t>(offset);
        }
        if (token().is('|')) {
            advance();
            OperandText pair;
            pair.kind = OperandText::Kind::kPair;
            pair.scope = out->scope;
            pair.elements.push_back(std::move(*out));
            pair.elements.emplace_back();
            if (!operand(&pair.elements.back(), depth + 1)) return false;
            *out = std::move(pair);
        }
        return true;
    }
    if (token().is('-')) {
        // -1.0 does not exist in PTX; a minus sign before an integer does, and -%a in vmad
        const char next = lexer_.following();
        if (next == '%' || next == '_' || (next >= 'a' && next <= 'z')) {
            advance();
            out->minus = true;
            return name_operand(out);
        }
        int64_t value = 0;
        if (!expression(&value)) return false;
        out->kind = OperandText::Kind::kInteger;
        out->bits = static_cast<uint64_t>(value);
        return true;
    }
    int64_t value = 0;
    if (!expression(&value)) return false;
    out->kind = OperandText::Kind::kInteger;
    out->bits = static_cast<uint64_t>(value);
    return true;
}

}  // namespace bitfusion::soft
