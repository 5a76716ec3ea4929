#include "device/soft/ptx/builder.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>
#include <stdexcept>

#include "device/soft/ptx/decoder.h"

namespace bitfusion::soft {

namespace {

// Decoded programs take many times the memory of their text.
constexpr uint64_t kMostTextBytes = 64 << 20;
constexpr uint64_t kMostPointerCalls = 1 << 26;
constexpr uint64_t kMostConstBytes = 10 * 65536;
constexpr int kOutOfMemory = 2;
constexpr uint32_t kFunctionNumbers = 1 << 20;  // function numbers a program may use

std::atomic<uint64_t> next_serial{0};

bool is_linked(const VariableText& text) { return text.external || text.linkage != Linkage::kStatic; }

Builtin builtin_named(std::string_view name) {
    if (name == "vprintf") return Builtin::kPrint;
    if (name == "__assertfail") return Builtin::kAssertFail;
    if (name == "malloc") return Builtin::kAllocate;
    if (name == "free") return Builtin::kRelease;
    if (name == "cudaGraphSetConditional") return Builtin::kSetConditional;
    return Builtin::kNone;
}

}  // namespace

Builder::Builder(std::vector<ModuleText> modules)
    : modules_(std::move(modules)), code_(std::make_unique<Code>()), own_(modules_.size()) {
    code_->serial = next_serial.fetch_add(1, std::memory_order_relaxed) % (uint64_t{1} << 12);
}

Status Builder::add_variable(uint32_t module, uint32_t index) {
    VariableText& text = modules_[module].variables[index];
    Symbol symbol;
    Symbol* known = nullptr;
    // variables declared inside functions are not in the module's table of names
    const auto named = modules_[module].variable_names.find(text.name);
    const bool top_level = named != modules_[module].variable_names.end() && named->second == index;
    if (top_level && is_linked(text)) {
        const auto at = linked_.find(text.name);
        if (at != linked_.end()) known = &at->second;
    }
    if (text.space == Space::kShared) {
        if (text.external) {
            symbol.kind = Symbol::Kind::kDynamicShared;
        } else {
            if (text.size > 1u << 24)
                return tl::unexpected<Error>(
                    syntax_error(text.line, "the shared variable is too large; make it smaller"));
            symbol = {Symbol::Kind::kShared, static_cast<uint32_t>(shared_.size())};
            shared_.push_back({text.size, text.alignment, 0, {}});
        }
        variable_symbols_[module].push_back(symbol);
        if (top_level) own_[module][text.name] = symbol;
        return {};
    }
    Variable variable;
    variable.name = text.name;
    variable.linkage = text.linkage;
    variable.space = text.space == Space::kConst ? VariableSpace::kConst : VariableSpace::kGlobal;
    variable.size = text.size;
    variable.alignment = text.alignment;
    variable.managed = text.managed;
    variable.image = text.image;
    variable.initial = std::move(text.initial);
    if (known != nullptr) {
        if (known->kind != Symbol::Kind::kVariable)
            return fail("symbol '" + std::string(text.name) +
                            "' is a function in one module and a variable in another; rename one",
                        kInvalidPtx);
        symbol = *known;
        Variable& earlier = variables_[symbol.index];
        if (!text.external) {
            const bool defined = variable_defined_[symbol.index];
            const bool strong = text.linkage == Linkage::kVisible;
            if (defined && strong && earlier.linkage == Linkage::kVisible)
                return fail("symbol '" + std::string(text.name) +
                                "' is defined in two modules; rename one or make it .weak",
                            kInvalidPtx);
            if (!defined || (strong && earlier.linkage != Linkage::kVisible)) {
                if (text.linkage == Linkage::kCommon) variable.size = std::max(variable.size, earlier.size);
                earlier = std::move(variable);
                relocation_texts_[symbol.index] = text.relocations;
                variable_modules_[symbol.index] = module;
                variable_defined_[symbol.index] = true;
            } else if (text.linkage == Linkage::kCommon) {
                earlier.size = std::max(earlier.size, variable.size);
            }
        }
    } else {
        symbol = {Symbol::Kind::kVariable, static_cast<uint32_t>(variables_.size())};
        variables_.push_back(std::move(variable));
        relocation_texts_.push_back(text.relocations);
        variable_modules_.push_back(module);
        variable_defined_.push_back(!text.external);
        if (top_level && is_linked(text)) linked_[text.name] = symbol;
    }
    variable_symbols_[module].push_back(symbol);
    if (top_level) own_[module][text.name] = symbol;
    return {};
}

Status Builder::collect_variables() {
    variable_symbols_.resize(modules_.size());
    for (uint32_t m = 0; m < modules_.size(); ++m)
        for (uint32_t i = 0; i < modules_[m].variables.size(); ++i)
            if (auto added = add_variable(m, i); !added) return added;
    for (size_t i = 0; i < variables_.size(); ++i)
        if (!variable_defined_[i])
            return fail("variable '" + variables_[i].name +
                            "' is external and no linked module defines it; link the module that does",
                        kSymbolNotFound);
    uint64_t const_bytes = 0;
    for (const Variable& variable : variables_)
        if (variable.space == VariableSpace::kConst) {
            const_bytes = (const_bytes + variable.alignment - 1) / variable.alignment * variable.alignment;
            const_bytes += variable.size;
        }
    if (const_bytes > kMostConstBytes)
        return fail("the .const variables need more than 655360 bytes; move some to .global", kInvalidPtx);
    code_->const_bytes = const_bytes;
    return {};
}

Status Builder::collect_functions() {
    for (uint32_t m = 0; m < modules_.size(); ++m) {
        for (const FunctionText& text : modules_[m].functions) {
            const bool linked = text.external || text.linkage != Linkage::kStatic || !text.defined;
            const auto at = linked ? linked_.find(text.name) : linked_.end();
            Symbol symbol;
            if (at != linked_.end()) {
                symbol = at->second;
                if (symbol.kind != Symbol::Kind::kFunction)
                    return fail("symbol '" + std::string(text.name) +
                                    "' is a function in one module and a variable in another; rename one",
                                kInvalidPtx);
                const FunctionText* earlier = function_texts_[symbol.index];
                if (text.defined && earlier->defined && text.linkage == Linkage::kVisible &&
                    earlier->linkage == Linkage::kVisible)
                    return fail("symbol '" + std::string(text.name) +
                                    "' is defined in two modules; rename one or make it .weak",
                                kInvalidPtx);
                if (text.defined && (!earlier->defined || earlier->linkage == Linkage::kWeak)) {
                    function_texts_[symbol.index] = &text;
                    function_modules_[symbol.index] = m;
                }
            } else {
                symbol = {Symbol::Kind::kFunction, static_cast<uint32_t>(function_texts_.size())};
                function_texts_.push_back(&text);
                function_modules_.push_back(m);
                if (linked) linked_[text.name] = symbol;
            }
            own_[m][text.name] = symbol;
        }
    }
    for (uint32_t m = 0; m < modules_.size(); ++m)
        for (const auto& [alias, name] : modules_[m].aliases) {
            const Symbol function = find(m, name);
            if (function.kind != Symbol::Kind::kFunction || !function_texts_[function.index]->defined ||
                function_texts_[function.index]->kernel)
                return fail("'.alias " + std::string(alias) + "' names '" + std::string(name) +
                                "', which is no function of this module; check the PTX text",
                            kInvalidPtx);
            own_[m][alias] = function;
            linked_[alias] = function;
        }
    if (function_texts_.size() >= kFunctionNumbers)
        return fail("the program has too many functions; split it", kInvalidPtx);
    for (const FunctionText* text : function_texts_) {
        Function function;
        function.name = text->name;
        function.kernel = text->kernel;
        function.defined = text->defined;
        if (!text->defined) function.builtin = builtin_named(text->name);
        code_->functions.push_back(std::move(function));
    }
    reach_.resize(function_texts_.size());
    return {};
}

Symbol Builder::find(uint32_t module, std::string_view name) const {
    const auto own = own_[module].find(name);
    return own == own_[module].end() ? Symbol{} : own->second;
}

uint32_t Builder::constant(BankEntry::Kind kind, uint32_t index, uint64_t value, uint32_t width) {
    const auto key = std::make_tuple(static_cast<uint8_t>(kind), index, value, width);
    const auto [at, fresh] = constants_.emplace(key, code_->bank_bytes);
    if (fresh) {
        BankEntry entry;
        entry.kind = kind;
        entry.width = static_cast<uint8_t>(width);
        entry.index = index;
        entry.offset = code_->bank_bytes;
        entry.value = value;
        code_->bank.push_back(entry);
        code_->bank_bytes += width * 32;
    }
    return at->second;
}

uint32_t Builder::text(std::string_view text) {
    const auto [at, fresh] = texts_.emplace(std::string(text), static_cast<uint32_t>(code_->texts.size()));
    if (fresh) code_->texts.emplace_back(text);
    return at->second;
}

Status Builder::decode_functions() {
    for (uint32_t i = 0; i < function_texts_.size(); ++i) {
        const FunctionText& text = *function_texts_[i];
        FunctionDecoder decoder(*this, modules_[function_modules_[i]], function_modules_[i], i, text);
        if (auto declared = decoder.declare(); !declared) return declared;
    }
    for (uint32_t i = 0; i < function_texts_.size(); ++i) {
        const FunctionText& text = *function_texts_[i];
        if (!text.defined) continue;
        FunctionDecoder decoder(*this, modules_[function_modules_[i]], function_modules_[i], i, text);
        if (auto decoded = decoder.decode(); !decoded) return decoded;
        if (code_->bank_bytes >= kConstantOperand / 2 || code_->instructions.size() > 1u << 28)
            return fail("the program is too large for the software GPU; split it", kInvalidPtx);
    }
    return {};
}

Status Builder::relocate() {
    for (size_t i = 0; i < variables_.size(); ++i) {
        for (const RelocationText& text : relocation_texts_[i]) {
            const Symbol symbol = find(variable_modules_[i], text.name);
            Relocation relocation;
            relocation.offset = text.offset;
            relocation.size = text.size;
            relocation.shift = text.shift;
            relocation.addend = text.addend;
            relocation.index = symbol.index;
            if (symbol.kind == Symbol::Kind::kFunction) {
                relocation.target = Relocation::Target::kFunction;
                takes_address(symbol.index);
            } else if (symbol.kind != Symbol::Kind::kVariable) {
                return fail("the initial value of '" + variables_[i].name + "' names '" +
                                std::string(text.name) + "', which has no address; check the PTX text",
                            kInvalidPtx);
            }
            variables_[i].relocations.push_back(relocation);
        }
    }
    return {};
}

// A shared variable gets one place for the whole program, different from those of all variables that a kernel
// reaches together with it.
void Builder::lay_out_shared() {
    std::vector<std::set<uint32_t>> of_kernel;
    for (uint32_t f = 0; f < code_->functions.size(); ++f) {
        if (!code_->functions[f].kernel || !code_->functions[f].defined) continue;
        std::set<uint32_t> seen{f};
        std::vector<uint32_t> stack{f};
        bool dynamic = false;
        std::set<uint32_t> used;
        while (!stack.empty()) {
            const Reach& reach = reach_[stack.back()];
            stack.pop_back();
            used.insert(reach.shared.begin(), reach.shared.end());
            dynamic |= reach.dynamic;
            for (const uint32_t callee : reach.callees)
                if (seen.insert(callee).second) stack.push_back(callee);
            if (reach.pointer)
                for (const uint32_t callee : address_taken_)
                    if (seen.insert(callee).second) stack.push_back(callee);
        }
        for (const uint32_t variable : used) shared_[variable].kernels.insert(f);
        for (size_t k = 0; k < kernels_.size(); ++k)
            if (code_->kernel_functions[k] == f) kernels_[k].uses_dynamic_shared = dynamic;
    }
    // those of many kernels first, so that they take the low places everywhere
    std::vector<uint32_t> order;
    for (uint32_t v = 0; v < shared_.size(); ++v)
        if (!shared_[v].kernels.empty()) order.push_back(v);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        return shared_[a].kernels.size() > shared_[b].kernels.size();
    });
    std::vector<uint32_t> placed;
    for (const uint32_t v : order) {
        SharedVariable& variable = shared_[v];
        uint64_t offset = 0;
        // lowest gap among the variables that share a kernel with this one
        std::vector<std::pair<uint64_t, uint64_t>> taken;
        for (const uint32_t other : placed) {
            const bool together =
                std::any_of(variable.kernels.begin(), variable.kernels.end(),
                            [&](uint32_t kernel) { return shared_[other].kernels.contains(kernel); });
            if (together)
                taken.emplace_back(shared_[other].offset, shared_[other].offset + shared_[other].size);
        }
        std::sort(taken.begin(), taken.end());
        const auto align = [&](uint64_t value) {
            return (value + variable.alignment - 1) / variable.alignment * variable.alignment;
        };
        for (const auto& [begin, end] : taken) {
            if (align(offset) + variable.size <= begin) break;
            offset = std::max(offset, end);
        }
        variable.offset = static_cast<uint32_t>(std::min<uint64_t>(align(offset), 1u << 31));
        placed.push_back(v);
        for (const uint32_t kernel : variable.kernels) {
            uint32_t& bytes = code_->functions[kernel].static_shared_bytes;
            bytes = static_cast<uint32_t>(
                std::min<uint64_t>(std::max<uint64_t>(bytes, variable.offset + variable.size), 1u << 31));
        }
    }
    for (BankEntry& entry : code_->bank)
        if (entry.kind == BankEntry::Kind::kShared) {
            entry.kind = BankEntry::Kind::kValue;
            entry.value += shared_[entry.index].offset;
        }
}

uint64_t Builder::stack_from(uint32_t function, std::vector<uint8_t>& state, std::vector<uint64_t>& bytes) {
    // depth first without recursion of ours: hostile call chains may be long
    struct Visit {
        uint32_t function;
        std::vector<uint32_t> callees;
        size_t next = 0;
    };
    const auto callees_of = [&](uint32_t f) {
        std::vector<uint32_t> list(reach_[f].callees.begin(), reach_[f].callees.end());
        if (reach_[f].pointer)
            for (const uint32_t callee : address_taken_)
                if (!reach_[f].callees.contains(callee)) list.push_back(callee);
        return list;
    };
    std::vector<Visit> visits;
    if (state[function] == 2) return bytes[function];
    visits.push_back({function, callees_of(function)});
    state[function] = 1;
    while (!visits.empty()) {
        Visit& visit = visits.back();
        if (visit.next < visit.callees.size()) {
            const uint32_t callee = visit.callees[visit.next++];
            if (state[callee] == 1) {
                for (size_t i = visits.size(); i-- > 0;) {
                    code_->functions[visits[i].function].recursive = true;
                    if (visits[i].function == callee) break;
                }
            } else if (state[callee] == 0) {
                state[callee] = 1;
                auto list = callees_of(callee);
                visits.push_back({callee, std::move(list)});
            }
            continue;
        }
        uint64_t deepest = 0;
        for (const uint32_t callee : visit.callees) {
            deepest = std::max(deepest, bytes[callee]);
            if (code_->functions[callee].recursive) code_->functions[visit.function].recursive = true;
        }
        bytes[visit.function] =
            std::min<uint64_t>(deepest + code_->functions[visit.function].frame_bytes, 1u << 30);
        state[visit.function] = 2;
        visits.pop_back();
    }
    return bytes[function];
}

void Builder::lay_out_stacks() {
    std::vector<uint8_t> state(code_->functions.size());
    std::vector<uint64_t> bytes(code_->functions.size());
    for (uint32_t f = 0; f < code_->functions.size(); ++f)
        code_->functions[f].stack_bytes = static_cast<uint32_t>(stack_from(f, state, bytes));
}

void Builder::describe_kernels() {
    for (uint32_t f = 0; f < code_->functions.size(); ++f) {
        const Function& function = code_->functions[f];
        const FunctionText& text = *function_texts_[f];
        if (!function.kernel || !function.defined) continue;
        Kernel kernel;
        kernel.name = function.name;
        kernel.linkage = text.linkage;
        for (size_t i = 0; i < text.parameters.size(); ++i) {
            const FramePlace& place = function.parameters[i];
            kernel.parameters.push_back({std::string(text.parameters[i].name), place.offset, place.size,
                                         text.parameters[i].alignment});
            kernel.parameter_bytes = place.offset + place.size;
        }
        const auto product = [](const std::array<uint32_t, 3>& dims) {
            return std::min<uint64_t>(
                uint64_t{dims[0]} * dims[1] > 1024 ? 1024 : uint64_t{dims[0]} * dims[1] * dims[2], 1024);
        };
        if (text.max_threads[0] != 0)
            kernel.max_threads_per_block = static_cast<uint32_t>(product(text.max_threads));
        if (text.required_threads[0] != 0)
            kernel.max_threads_per_block = static_cast<uint32_t>(product(text.required_threads));
        kernel.required_block = text.required_threads;
        kernel.required_cluster = text.required_cluster;
        kernel.const_bytes = static_cast<uint32_t>(code_->const_bytes);
        kernel.ptx_version = modules_[function_modules_[f]].version;
        kernel.target_sm = modules_[function_modules_[f]].target_sm;
        kernel.registers = std::clamp<uint32_t>(function.registers + 2, 4, 255);
        kernels_.push_back(std::move(kernel));
        code_->kernel_functions.push_back(f);
    }
}

Result<std::shared_ptr<const Program>> Builder::build() {
    if (auto done = collect_variables(); !done) return tl::unexpected<Error>(done.error());
    if (auto done = collect_functions(); !done) return tl::unexpected<Error>(done.error());
    if (auto done = decode_functions(); !done) return tl::unexpected<Error>(done.error());
    if (auto done = relocate(); !done) return tl::unexpected<Error>(done.error());
    const auto through_pointers = static_cast<uint64_t>(
        std::count_if(reach_.begin(), reach_.end(), [](const Reach& reach) { return reach.pointer; }));
    if (through_pointers * address_taken_.size() > kMostPointerCalls)
        return fail("too many functions call through pointers; split the program", kInvalidPtx);
    describe_kernels();
    lay_out_shared();
    lay_out_stacks();
    for (size_t k = 0; k < kernels_.size(); ++k) {
        const Function& function = code_->functions[code_->kernel_functions[k]];
        kernels_[k].static_shared_bytes = function.static_shared_bytes;
        kernels_[k].local_bytes = function.stack_bytes;
        for (const uint32_t callee : reach_[code_->kernel_functions[k]].callees)
            kernels_[k].registers =
                std::clamp<uint32_t>(code_->functions[callee].registers + 2, kernels_[k].registers, 255);
    }
    return std::make_shared<const Program>(std::move(kernels_), std::move(variables_), std::move(code_));
}

Result<std::shared_ptr<const Program>> assemble(std::span<const std::string_view> modules,
                                                const AssembleOptions& options) {
    uint64_t text_bytes = 0;
    for (const std::string_view source : modules) text_bytes += source.size();
    if (text_bytes > kMostTextBytes) return fail("the PTX is larger than 64 MiB; split it", kInvalidPtx);
    if (modules.empty()) return fail("there is no module to assemble; pass at least one", kInvalidPtx);
    try {
        std::vector<ModuleText> texts;
        for (const std::string_view source : modules) {
            auto text = parse(source, options);
            if (!text) return tl::unexpected<Error>(text.error());
            texts.push_back(std::move(*text));
        }
        return Builder(std::move(texts)).build();
    } catch (const std::bad_alloc&) {
        return fail("no memory to assemble the program; free memory or split it", kOutOfMemory);
    } catch (const std::length_error&) {
        return fail("no memory to assemble the program; free memory or split it", kOutOfMemory);
    }
}

Result<std::shared_ptr<const Program>> assemble(std::string_view ptx, const AssembleOptions& options) {
    return assemble(std::span(&ptx, 1), options);
}

}  // namespace bitfusion::soft
