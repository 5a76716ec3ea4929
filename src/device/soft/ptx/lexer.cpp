#include "device/soft/ptx/lexer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <string>

#include "device/soft/ptx/types.h"

namespace bitfusion::soft {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%';
}
bool in_name(char c) { return starts_name(c) || is_digit(c); }
int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

char Lexer::following() const {
    size_t next = position_;
    while (at(next) == ' ' || at(next) == '\t' || at(next) == '\n' || at(next) == '\r') ++next;
    return at(next);
}

bool Lexer::skip_blank() {
    bool line_start = position_ == 0;
    for (;;) {
        const char c = at(position_);
        if (c == '\n') {
            ++line_;
            ++position_;
            line_start = true;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            ++position_;
        } else if (c == '/' && at(position_ + 1) == '/') {
            while (position_ < source_.size() && source_[position_] != '\n') ++position_;
        } else if (c == '/' && at(position_ + 1) == '*') {
            const size_t end = source_.find("*/", position_ + 2);
            if (end == std::string_view::npos) return false;
            const auto body = source_.substr(position_, end - position_);
            line_ += static_cast<uint32_t>(std::count(body.begin(), body.end(), '\n'));
            position_ = end + 2;
        } else if (c == '#' && line_start) {
            while (position_ < source_.size() && source_[position_] != '\n') ++position_;
        } else {
            return true;
        }
    }
}

void Lexer::number() {
    const size_t start = position_;
    const char second = at(position_ + 1);
    token_.kind = Token::Kind::kInteger;
    if (at(position_) == '0' && (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
        const size_t digits = second == 'f' || second == 'F' ? 8 : 16;
        uint64_t bits = 0;
        for (size_t i = 0; i < digits; ++i) {
            const int value = hex_value(at(start + 2 + i));
            if (value < 0) {
                token_.kind = Token::Kind::kBad;
                token_.text = source_.substr(start, 2 + i);
                position_ = start + 2 + i;
                return;
            }
            bits = bits << 4 | static_cast<uint64_t>(value);
        }
        position_ = start + 2 + digits;
        token_.kind = digits == 8 ? Token::Kind::kFloat32 : Token::Kind::kFloat64;
        token_.bits = bits;
        token_.text = source_.substr(start, position_ - start);
        return;
    }
    uint64_t base = 10;
    if (at(position_) == '0') {
        if (second == 'x' || second == 'X') {
            base = 16;
            position_ += 2;
        } else if (second == 'b' || second == 'B') {
            base = 2;
            position_ += 2;
        } else if (is_digit(second)) {
            base = 8;
        }
    }
    uint64_t value = 0;
    bool overflow = false;
    size_t end = position_;
    for (int digit; (digit = hex_value(at(end))) >= 0 && static_cast<uint64_t>(digit) < base; ++end) {
        const auto wide = static_cast<Wide>(value) * base + static_cast<unsigned>(digit);
        overflow |= (wide >> 64) != 0;
        value = static_cast<uint64_t>(wide);
    }
    const bool fraction = at(end) == '.' && is_digit(at(end + 1));
    const bool point = at(end) == '.' && !starts_name(at(end + 1));
    const bool exponent =
        (at(end) == 'e' || at(end) == 'E') &&
        (is_digit(at(end + 1)) || ((at(end + 1) == '-' || at(end + 1) == '+') && is_digit(at(end + 2))));
    if ((base == 10 || base == 8) && (fraction || point || exponent)) {
        if (at(end) == '.') ++end;
        while (is_digit(at(end))) ++end;
        if (at(end) == 'e' || at(end) == 'E') {
            ++end;
            if (at(end) == '-' || at(end) == '+') ++end;
            while (is_digit(at(end))) ++end;
        }
        const std::string text(source_.substr(start, end - start));
        token_.kind = Token::Kind::kFloat64;
        token_.bits = std::bit_cast<uint64_t>(std::strtod(text.c_str(), nullptr));
    } else {
        token_.bits = value;
        token_.is_unsigned = value >> 63 != 0;
        if (at(end) == 'U') {
            token_.is_unsigned = true;
            ++end;
        }
        if (overflow || (end == position_ && base != 10)) token_.kind = Token::Kind::kBad;
    }
    position_ = end;
    token_.text = source_.substr(start, end - start);
}

void Lexer::punct() {
    static constexpr std::array<std::string_view, 8> kDouble{"<<", ">>", "==", "!=", "<=", ">=", "&&", "||"};
    const std::string_view two = source_.substr(position_, 2);
    const bool pair = std::find(kDouble.begin(), kDouble.end(), two) != kDouble.end();
    token_.text = source_.substr(position_, pair ? 2 : 1);
    static constexpr std::string_view kSingles = "{}[]()<>,;:+-*/%=!|&^~?@.";
    token_.kind = pair || kSingles.find(token_.text[0]) != std::string_view::npos ? Token::Kind::kPunct
                                                                                  : Token::Kind::kBad;
    position_ += token_.text.size();
}

const Token& Lexer::next() {
    token_ = Token{};
    const bool clean = skip_blank();
    token_.line = line_;
    const char c = at(position_);
    if (!clean) {
        token_.kind = Token::Kind::kBad;
        token_.text = source_.substr(position_, 2);
        position_ = source_.size();
    } else if (position_ >= source_.size() || c == '\0') {
        token_.kind = Token::Kind::kEnd;
    } else if (starts_name(c)) {
        const size_t start = position_++;
        while (in_name(at(position_)) ||
               (at(position_) == '.' && source_[start] == '%' && starts_name(at(position_ + 1))))
            ++position_;
        token_.kind = Token::Kind::kName;
        token_.text = source_.substr(start, position_ - start);
        if (token_.text == "%") token_.kind = Token::Kind::kPunct;
    } else if (is_digit(c)) {
        number();
    } else if (c == '.' && in_name(at(position_ + 1))) {
        const size_t start = ++position_;
        while (in_name(at(position_)) || (at(position_) == ':' && at(position_ + 1) == ':') ||
               (at(position_) == ':' && at(position_ - 1) == ':'))
            ++position_;
        token_.kind = Token::Kind::kDirective;
        token_.text = source_.substr(start, position_ - start);
    } else if (c == '"') {
        const size_t end = source_.find('"', position_ + 1);
        if (end == std::string_view::npos) {
            token_.kind = Token::Kind::kBad;
            token_.text = source_.substr(position_, 1);
            position_ = source_.size();
        } else {
            token_.kind = Token::Kind::kString;
            token_.text = source_.substr(position_ + 1, end - position_ - 1);
            line_ += static_cast<uint32_t>(std::count(token_.text.begin(), token_.text.end(), '\n'));
            position_ = end + 1;
        }
    } else {
        punct();
    }
    return token_;
}

std::string_view Lexer::opcode() {
    const size_t start = static_cast<size_t>(token_.text.data() - source_.data());
    size_t end = start;
    while (in_name(at(end)) || at(end) == '.' ||
           (at(end) == ':' && (at(end + 1) == ':' || at(end - 1) == ':')))
        ++end;
    position_ = end;
    next();
    return source_.substr(start, end - start);
}

}  // namespace bitfusion::soft
