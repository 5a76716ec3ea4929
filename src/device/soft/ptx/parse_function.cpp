// Functions: headers, tuning directives, bodies ("PTX ISA", chapters 7 and 11).
#include <charconv>

#include "device/soft/ptx/parser.h"

namespace bitfusion::soft {

namespace {

constexpr size_t kMostScopes = 256;
constexpr size_t kMostRegisters = 1 << 20;
// Of a module: each takes many times its text in memory.
constexpr size_t kMostStatements = 1 << 22;

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
    if (++statements_ > kMostStatements) return wrong("the module has too many instructions; split it");
    function_->statements.push_back(std::move(out));
    return true;
}

}  // namespace bitfusion::soft
