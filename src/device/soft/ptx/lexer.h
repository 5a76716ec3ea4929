// Lexer: PTX text into tokens, one at a time, with line numbers.
//
// Comments and white space are skipped; `#` lines are skipped too. Token texts are views into the source,
// which must outlive them. Not thread-safe; one lexer belongs to one parser. Hostile input is fine: nothing
// recurses. Source document: "PTX ISA", sections 4.1 to 4.5.
#pragma once

#include <cstdint>
#include <string_view>

namespace bitfusion::soft {

struct Token {
    enum class Kind : uint8_t {
        kEnd,
        kName,       // identifier; may begin with % $ _ and hold dots: %tid.x
        kDirective,  // .visible; the text has no dot; may hold "::"
        kInteger,    // bits holds the value
        kFloat32,    // 0f..., bits holds the 32 bits
        kFloat64,    // 0d... or decimal, bits holds the 64 bits
        kString,     // text without quotes
        kPunct,      // one character in text, or "<<", ">>", "==", "!=", "<=", ">=", "&&", "||"
        kBad,        // a character that PTX does not know, or an unterminated comment or string
    };
    Kind kind = Kind::kEnd;
    uint32_t line = 1;
    std::string_view text;
    uint64_t bits = 0;
    bool is_unsigned = false;  // kInteger with U suffix or too large for s64

    bool is(char punct) const { return kind == Kind::kPunct && text.size() == 1 && text[0] == punct; }
    bool is(std::string_view punct) const { return kind == Kind::kPunct && text == punct; }
    bool is_directive(std::string_view name) const { return kind == Kind::kDirective && text == name; }
};

class Lexer {
  public:
    explicit Lexer(std::string_view source) : source_(source) {}

    // The current token; the same until next().
    const Token& peek() const { return token_; }
    // Goes to the next token and returns it.
    const Token& next();
    // The character that follows the current token, blanks skipped ('\0' at the end).
    char following() const;
    // Reads an opcode with its suffixes, starting with the current kName token:
    // "ld.global.L1::no_allocate.f32". The current token becomes the one after it.
    std::string_view opcode();

  private:
    char at(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
    bool skip_blank();  // false: unterminated comment
    void number();
    void punct();

    std::string_view source_;
    size_t position_ = 0;
    uint32_t line_ = 1;
    Token token_;
};

}  // namespace bitfusion::soft
