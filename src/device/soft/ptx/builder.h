// Builder: gathers parsed modules into one Program.
//
// Symbols of all modules are matched first, then every function is decoded, then shared memory and stacks are
// laid out. Not thread-safe; one builder, one assemble(). Errors: as in program.h.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "device/soft/ptx/code.h"
#include "device/soft/ptx/parser.h"
#include "device/soft/ptx/syntax.h"

namespace bitfusion::soft {

inline constexpr int kSymbolNotFound = 302;

struct Symbol {
    enum class Kind : uint8_t { kNone, kVariable, kShared, kDynamicShared, kFunction };
    Kind kind = Kind::kNone;
    uint32_t index = 0;
};

class Builder {
  public:
    explicit Builder(std::vector<ModuleText> modules);
    Result<std::shared_ptr<const Program>> build();

    // What the decoder of one function asks.
    Symbol find(uint32_t module, std::string_view name) const;
    Symbol module_variable(uint32_t module, uint32_t index) const { return variable_symbols_[module][index]; }
    const FunctionText* text_of(uint32_t function) const { return function_texts_[function]; }
    Code& code() { return *code_; }
    // Offset in the constant bank.
    uint32_t constant(BankEntry::Kind kind, uint32_t index, uint64_t value, uint32_t width);
    uint32_t text(std::string_view text);
    // What a function reaches.
    void uses_shared(uint32_t function, uint32_t variable) { reach_[function].shared.insert(variable); }
    void uses_dynamic_shared(uint32_t function) { reach_[function].dynamic = true; }
    void calls(uint32_t function, uint32_t callee) { reach_[function].callees.insert(callee); }
    void calls_pointer(uint32_t function) { reach_[function].pointer = true; }
    void takes_address(uint32_t function) { address_taken_.insert(function); }

  private:
    struct Reach {
        std::set<uint32_t> shared;
        std::set<uint32_t> callees;
        bool dynamic = false;
        bool pointer = false;
    };
    struct SharedVariable {
        uint64_t size = 0;
        uint32_t alignment = 1;
        uint32_t offset = 0;
        std::set<uint32_t> kernels;
    };

    Status collect_variables();
    Status collect_functions();
    Status add_variable(uint32_t module, uint32_t index);
    Status decode_functions();
    Status relocate();
    void lay_out_shared();
    void lay_out_stacks();
    void describe_kernels();
    uint64_t stack_from(uint32_t function, std::vector<uint8_t>& state, std::vector<uint64_t>& bytes);

    std::vector<ModuleText> modules_;
    std::unique_ptr<Code> code_;
    std::vector<Kernel> kernels_;
    std::vector<Variable> variables_;
    std::vector<std::vector<RelocationText>> relocation_texts_;  // per variable
    std::vector<uint32_t> variable_modules_;
    std::vector<bool> variable_defined_;
    std::vector<SharedVariable> shared_;
    std::vector<std::vector<Symbol>> variable_symbols_;              // module, variable
    std::unordered_map<std::string_view, Symbol> linked_;            // .visible, .weak, .common, .extern
    std::vector<std::unordered_map<std::string_view, Symbol>> own_;  // per module
    std::vector<const FunctionText*> function_texts_;
    std::vector<uint32_t> function_modules_;
    std::vector<Reach> reach_;
    std::set<uint32_t> address_taken_;
    std::map<std::tuple<uint8_t, uint32_t, uint64_t, uint32_t>, uint32_t> constants_;
    std::unordered_map<std::string, uint32_t> texts_;
};

}  // namespace bitfusion::soft
