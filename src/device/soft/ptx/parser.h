// Parser: one PTX module's text into ModuleText.
//
// Declarations are checked here (sizes, alignments, duplicate names, limits), instructions are only read. The
// text may be hostile: every count is bounded and nesting is limited. Not thread-safe; one parser, one parse.
// Errors: "line N: ..." with CUDA_ERROR_INVALID_PTX, or the codes that program.h names for versions and
// targets. Source document: "PTX ISA", chapters 4, 5, 7 and 11.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "device/soft/ptx/lexer.h"
#include "device/soft/ptx/syntax.h"

namespace bitfusion::soft {

inline constexpr int kInvalidPtx = 218;
inline constexpr int kNotSupported = 801;
inline constexpr uint64_t kLargestVariable = uint64_t{1} << 40;

// "line 40: what; compile the program for ..." as a driver's JIT log would have it.
Error syntax_error(uint32_t line, std::string what);

Result<ModuleText> parse(std::string_view source, const AssembleOptions& options);

// The rest is the parser's inside, shared by parser.cpp, parse_variable.cpp and parse_function.cpp.
class Parser {
  public:
    Parser(std::string_view source, const AssembleOptions& options) : lexer_(source), options_(options) {}
    Result<ModuleText> module();

  private:
    struct Family {
        Type type;
        uint32_t first;
        uint32_t count;
    };
    struct Scope {
        std::unordered_map<std::string_view, uint32_t> registers;
        std::unordered_map<std::string_view, Family> families;     // prefix of %r<100>
        std::unordered_map<std::string_view, Family> vectors;      // first register and count of .reg .v4 %v
        std::unordered_map<std::string_view, uint32_t> variables;  // FunctionText::variables
        std::unordered_map<std::string_view, uint32_t> module_variables;
        uint32_t number = 0;
    };
    struct Dimension {
        uint64_t count;
        bool given;
    };

    // Failing: error_ is set once, by the first that fails; everything returns false then.
    bool wrong(std::string what);
    bool wrong(const Error& error);
    bool expect(char punct);
    bool accept(char punct);
    const Token& token() const { return lexer_.peek(); }
    void advance() { lexer_.next(); }

    // parser.cpp
    bool header();
    bool top_level();
    bool skip_section();
    bool skip_to_semicolon();
    bool name(std::string_view* out);
    bool integer(uint64_t* out);

    // parse_expression.cpp: constant expressions, 64-bit
    bool expression(int64_t* out, unsigned depth = 0);
    bool ternary(int64_t* out, unsigned depth);
    bool binary(int64_t* out, int least, unsigned depth);
    bool unary(int64_t* out, unsigned depth);

    // parse_variable.cpp
    bool variable(Space space, VariableText base, bool in_function);
    bool declaration_prefix(VariableText* out);  // alignment, type, attributes up to the name
    bool dimensions(std::vector<Dimension>* out);
    bool initializer(VariableText* out, std::vector<Dimension> dimensions);
    bool initial_values(VariableText* out, const std::vector<Dimension>& dims, size_t level, uint64_t base);
    bool initial_element(VariableText* out, uint64_t index);
    bool parameter_list(std::vector<VariableText>* out, FunctionText* owner);
    bool add_module_variable(VariableText variable);

    // parse_function.cpp
    bool function(bool kernel, Linkage linkage, bool external);
    bool tuning(FunctionText* out);
    bool body();
    bool block_item();
    bool body_directive();
    bool labelled(std::string_view label);
    bool registers();
    bool call_prototype(std::string_view label);
    bool statement();
    bool operand(OperandText* out, unsigned depth);
    bool address(OperandText* out, unsigned depth);
    bool name_operand(OperandText* out);
    uint32_t new_register(Type type);
    std::optional<uint32_t> find_register(std::string_view name);
    bool part_operand(std::string_view text, OperandText* out);

    Lexer lexer_;
    const AssembleOptions& options_;
    ModuleText module_;
    std::optional<Error> error_;
    FunctionText* function_ = nullptr;
    uint64_t initial_bytes_ = 0;  // of all variables
    size_t statements_ = 0;
    size_t operands_ = 0;
    bool lists_ = false;  // the statement is a call: (a, b) is a list and no expression
    std::vector<Scope> scopes_;
};

}  // namespace bitfusion::soft
