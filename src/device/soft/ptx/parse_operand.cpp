// Operands of instructions: registers and parts of them, addresses, vectors, lists, constants ("PTX ISA",
// chapter 6).
#include <algorithm>

#include "device/soft/ptx/parser.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kDeepestOperand = 4;
// Of a module: each takes many times its text in memory.
constexpr size_t kMostOperands = 1 << 24;

}  // namespace

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
    if (part.size() < 2 || part.size() > 5 || (part[0] != 'b' && part[0] != 'h')) return false;
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
    if (++operands_ > kMostOperands) return wrong("the module has too many operands; split it");
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
