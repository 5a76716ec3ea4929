// Syntax: what the parser hands to the decoder. Names of registers and of variables in functions are
// resolved, names of module-scope things and labels are not. Text views point into the source of the module.
//
// Owner: the assemble() in progress. Not thread-safe. Units: bytes.
// Source document: "PTX ISA", chapters 4, 5 and 11 (directives).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "device/soft/ptx/program.h"
#include "device/soft/ptx/types.h"

namespace bitfusion::soft {

enum class Space : uint8_t { kGeneric, kGlobal, kConst, kShared, kLocal, kParam };

// A place in initial bytes that names a symbol.
struct RelocationText {
    std::string_view name;
    uint32_t offset = 0;
    uint32_t size = 8;
    uint32_t shift = 0;
    int64_t addend = 0;
};

struct VariableText {
    std::string_view name;
    uint32_t line = 0;
    Space space = Space::kGlobal;
    Type type = Type::kB8;
    uint32_t alignment = 1;
    uint64_t size = 0;
    bool unsized = false;   // name[]
    bool external = false;  // .extern
    bool managed = false;
    ImageVariable image = ImageVariable::kNone;
    Linkage linkage = Linkage::kStatic;
    std::vector<std::byte> initial;
    std::vector<RelocationText> relocations;
    uint32_t reg = UINT32_MAX;  // a .reg parameter: the register's number
};

struct OperandText {
    enum class Kind : uint8_t {
        kRegister,  // reg
        kInteger,   // bits
        kFloat32,   // bits
        kFloat64,   // bits
        kSymbol,    // name (or local) + bits
        kSpecial,   // name: %tid.x
        kAddress,   // [base + bits]; base: reg, name/local, or none; more operands of [a, b] in elements
        kVector,    // {elements}
        kPair,      // elements[0] | elements[1]
        kList,      // (elements)
        kSink,      // _
    };
    Kind kind = Kind::kSink;
    bool negated = false;       // !p
    bool minus = false;         // -%a, in video instructions
    std::string_view selector;  // b2 of %a.b2, in video instructions
    bool based_on_register = false;
    uint32_t reg = 0;
    int32_t local = -1;            // index into FunctionText::variables
    int32_t module_variable = -1;  // index into ModuleText::variables for variables declared inside functions
    uint32_t scope = 0;            // where the name was written, for labels
    uint64_t bits = 0;
    std::string_view name;
    std::vector<OperandText> elements;
};

struct Statement {
    uint32_t line = 0;
    std::string_view opcode;  // with all suffixes
    int64_t guard = -1;       // register number; -1: none
    bool guard_negated = false;
    uint32_t scope = 0;
    std::vector<OperandText> operands;
};

struct RegisterText {
    Type type = Type::kB32;
};

// .callprototype: what an indirect call passes.
struct Prototype {
    std::vector<VariableText> results;
    std::vector<VariableText> parameters;
    bool no_return = false;
};

struct LabelKey {
    uint32_t scope = 0;
    std::string_view name;
    bool operator==(const LabelKey&) const = default;
};

struct LabelHash {
    size_t operator()(const LabelKey& key) const {
        return std::hash<std::string_view>()(key.name) * 31 + key.scope;
    }
};

struct FunctionText {
    std::string_view name;
    uint32_t line = 0;
    bool kernel = false;
    bool external = false;
    bool defined = false;
    bool no_return = false;
    Linkage linkage = Linkage::kStatic;
    std::vector<VariableText> results;
    std::vector<VariableText> parameters;
    std::array<uint32_t, 3> max_threads{};
    std::array<uint32_t, 3> required_threads{};
    std::array<uint32_t, 3> required_cluster{};
    std::vector<RegisterText> registers;
    // .local and .param variables of the body; parameters and results are copied here first, in this order.
    std::vector<VariableText> variables;
    std::vector<Statement> statements;
    std::vector<uint32_t> scope_parents{0};
    std::unordered_map<LabelKey, uint32_t, LabelHash> labels;  // statement that follows
    std::unordered_map<LabelKey, Prototype, LabelHash> prototypes;
    std::unordered_map<LabelKey, std::vector<std::string_view>, LabelHash> branch_targets;
};

struct ModuleText {
    uint32_t version = 0;  // 90
    uint32_t target_sm = 0;
    std::vector<VariableText> variables;
    std::vector<FunctionText> functions;
    std::vector<std::array<std::string_view, 2>> aliases;  // .alias name, function
    std::unordered_map<std::string_view, uint32_t> variable_names;
    std::unordered_map<std::string_view, uint32_t> function_names;
};

}  // namespace bitfusion::soft
