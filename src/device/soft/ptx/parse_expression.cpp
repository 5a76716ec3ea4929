// Constant expressions: 64-bit integers with C's operators and precedence ("PTX ISA", section 4.5).
#include <array>
#include <utility>

#include "device/soft/ptx/parser.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kDeepest = 64;

constexpr std::array<std::pair<std::string_view, int>, 18> kOperators{{
    {"||", 1},
    {"&&", 2},
    {"|", 3},
    {"^", 4},
    {"&", 5},
    {"==", 6},
    {"!=", 6},
    {"<", 7},
    {">", 7},
    {"<=", 7},
    {">=", 7},
    {"<<", 8},
    {">>", 8},
    {"+", 9},
    {"-", 9},
    {"*", 10},
    {"/", 10},
    {"%", 10},
}};

}  // namespace

bool Parser::expression(int64_t* out, unsigned depth) { return ternary(out, depth); }

bool Parser::ternary(int64_t* out, unsigned depth) {
    if (depth > kDeepest) return wrong("the constant expression nests too deep; simplify it");
    if (!binary(out, 1, depth)) return false;
    if (!accept('?')) return true;
    int64_t yes = 0;
    int64_t no = 0;
    if (!ternary(&yes, depth + 1) || !expect(':') || !ternary(&no, depth + 1)) return false;
    *out = *out != 0 ? yes : no;
    return true;
}

bool Parser::binary(int64_t* out, int least, unsigned depth) {
    if (depth > kDeepest) return wrong("the constant expression nests too deep; simplify it");
    if (!unary(out, depth)) return false;
    for (;;) {
        int level = 0;
        std::string_view op;
        if (token().kind == Token::Kind::kPunct)
            for (const auto& [text, precedence] : kOperators)
                if (token().text == text) {
                    op = text;
                    level = precedence;
                }
        if (level == 0 || level < least) return true;
        advance();
        int64_t right = 0;
        if (!binary(&right, level + 1, depth + 1)) return false;
        const auto a = static_cast<uint64_t>(*out);
        const auto b = static_cast<uint64_t>(right);
        if ((op == "/" || op == "%") && (right == 0 || (right == -1 && *out == INT64_MIN)))
            return wrong("division by zero in a constant expression; check the PTX text");
        if (op == "||") *out = a != 0 || b != 0;
        if (op == "&&") *out = a != 0 && b != 0;
        if (op == "|") *out = static_cast<int64_t>(a | b);
        if (op == "^") *out = static_cast<int64_t>(a ^ b);
        if (op == "&") *out = static_cast<int64_t>(a & b);
        if (op == "==") *out = a == b;
        if (op == "!=") *out = a != b;
        if (op == "<") *out = *out < right;
        if (op == ">") *out = *out > right;
        if (op == "<=") *out = *out <= right;
        if (op == ">=") *out = *out >= right;
        if (op == "<<") *out = static_cast<int64_t>(b > 63 ? 0 : a << b);
        if (op == ">>") *out = *out >> (b > 63 ? 63 : b);
        if (op == "+") *out = static_cast<int64_t>(a + b);
        if (op == "-") *out = static_cast<int64_t>(a - b);
        if (op == "*") *out = static_cast<int64_t>(a * b);
        if (op == "/") *out = *out / right;
        if (op == "%") *out = *out % right;
    }
}

bool Parser::unary(int64_t* out, unsigned depth) {
    if (depth > kDeepest) return wrong("the constant expression nests too deep; simplify it");
    if (accept('-')) {
        if (!unary(out, depth + 1)) return false;
        *out = static_cast<int64_t>(0 - static_cast<uint64_t>(*out));
        return true;
    }
    if (accept('+')) return unary(out, depth + 1);
    if (accept('~')) {
        if (!unary(out, depth + 1)) return false;
        *out = ~*out;
        return true;
    }
    if (accept('!')) {
        if (!unary(out, depth + 1)) return false;
        *out = *out == 0;
        return true;
    }
    if (accept('(')) {
        // a cast: (.s64) or (.u64) changes nothing in 64-bit arithmetic of this range
        if (token().is_directive("s64") || token().is_directive("u64")) {
            advance();
            return expect(')') && unary(out, depth + 1);
        }
        return ternary(out, depth + 1) && expect(')');
    }
    if (token().kind == Token::Kind::kInteger) {
        *out = static_cast<int64_t>(token().bits);
        advance();
        return true;
    }
    if (token().kind == Token::Kind::kName && token().text == "WARP_SZ") {
        *out = 32;
        advance();
        return true;
    }
    return wrong("expected an integer but found '" + std::string(token().text) + "'; check the PTX text");
}

}  // namespace bitfusion::soft
