#include "device/soft/ptx/program.h"

#include <cstring>
#include <new>

#include "device/soft/ptx/code.h"
#include "device/soft/simt/grid.h"

namespace bitfusion::soft {

namespace {

constexpr unsigned kFunctionBits = 20;
constexpr int kInvalidValue = 1;
constexpr int kOutOfMemory = 2;
constexpr uint32_t kLanes = 32;

}  // namespace

uint64_t function_address(const Code& code, uint32_t function) {
    return kFunctionWindowBase + (code.serial << kFunctionBits) + function + 1;
}

uint32_t function_at(const Code& code, uint64_t address) {
    const uint64_t number = address - function_address(code, 0);
    return number < code.functions.size() ? static_cast<uint32_t>(number) : kNoFunction;
}

Program::Program(std::vector<Kernel> kernels, std::vector<Variable> variables,
                 std::unique_ptr<const Code> code)
    : kernels_(std::move(kernels)), variables_(std::move(variables)), code_(std::move(code)) {}

Program::~Program() = default;

std::optional<uint32_t> Program::find_kernel(std::string_view name) const {
    for (uint32_t i = 0; i < kernels_.size(); ++i)
        if (kernels_[i].name == name) return i;
    return std::nullopt;
}

std::optional<uint32_t> Program::find_variable(std::string_view name) const {
    std::optional<uint32_t> found;
    for (uint32_t i = 0; i < variables_.size(); ++i)
        if (variables_[i].name == name) {
            if (variables_[i].linkage != Linkage::kStatic) return i;
            if (!found) found = i;
        }
    return found;
}

LoadedProgram::~LoadedProgram() = default;

Result<std::shared_ptr<const LoadedProgram>> LoadedProgram::load(std::shared_ptr<const Program> program,
                                                                 std::span<const uint64_t> addresses) {
    const auto& variables = program->variables();
    const Code& code = program->code();
    if (addresses.size() != variables.size())
        return fail("the program has " + std::to_string(variables.size()) + " variables but " +
                        std::to_string(addresses.size()) + " addresses were given; give one for each",
                    kInvalidValue);
    for (size_t i = 0; i < variables.size(); ++i)
        if (addresses[i] == 0 || addresses[i] % variables[i].alignment != 0)
            return fail("the address of variable '" + variables[i].name +
                            "' is null or not aligned; allocate " + std::to_string(variables[i].size) +
                            " bytes aligned to " + std::to_string(variables[i].alignment),
                        kInvalidValue);
    struct Open final : LoadedProgram {};
    const std::shared_ptr<LoadedProgram> loaded = std::make_shared<Open>();
    loaded->addresses_.assign(addresses.begin(), addresses.end());
    for (size_t i = 0; i < variables.size(); ++i) {
        const Variable& variable = variables[i];
        auto* place = reinterpret_cast<std::byte*>(addresses[i]);
        if (!variable.initial.empty()) std::memcpy(place, variable.initial.data(), variable.initial.size());
        if (variable.size > variable.initial.size())
            std::memset(place + variable.initial.size(), 0, variable.size - variable.initial.size());
        for (const Relocation& relocation : variable.relocations) {
            uint64_t value = relocation.target == Relocation::Target::kFunction
                                 ? function_address(code, relocation.index)
                                 : addresses[relocation.index];
            value = (value + static_cast<uint64_t>(relocation.addend)) >> relocation.shift;
            std::memcpy(place + relocation.offset, &value, relocation.size);
        }
    }
    try {
        // 64 bytes of slack: vectors of lanes begin on a cache line
        loaded->bank_storage_.resize(code.bank_bytes / 8 + 8);
    } catch (const std::bad_alloc&) {
        return fail("no memory for the constants of the program; free memory", kOutOfMemory);
    }
    auto* bank = reinterpret_cast<std::byte*>(
        (reinterpret_cast<uintptr_t>(loaded->bank_storage_.data()) + 63) & ~uintptr_t{63});
    for (const BankEntry& entry : code.bank) {
        uint64_t value = entry.value;
        if (entry.kind == BankEntry::Kind::kVariable) value += addresses[entry.index];
        for (uint32_t lane = 0; lane < kLanes; ++lane)
            std::memcpy(bank + entry.offset + lane * entry.width, &value, entry.width);
    }
    loaded->bank_ = bank;
    loaded->program_ = std::move(program);
    return loaded;
}

}  // namespace bitfusion::soft
