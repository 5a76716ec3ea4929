// Program: one PTX module (or several linked ones), checked, decoded and immutable.
//
// assemble() turns text into a Program; every instruction is decoded once, so an instruction that the
// software GPU does not know fails here, by name, and never while a kernel runs. LoadedProgram is a Program
// whose variables have found a place in device memory; one Program may be loaded many times (once per
// context). Launching a kernel of a LoadedProgram is in device/soft/simt/grid.h.
//
// Owner: the caller, through shared_ptr. Threads: both classes are immutable after construction; any thread
// may use them. Units: bytes. Errors: Error::code carries the CUresult that a driver reports:
//   218 CUDA_ERROR_INVALID_PTX             syntax, types, an instruction that PTX has not ("line 40: ...")
//   801 CUDA_ERROR_NOT_SUPPORTED           an instruction that PTX has and the software GPU has not, by name
//   222 CUDA_ERROR_UNSUPPORTED_PTX_VERSION .version is newer than AssembleOptions::newest_version
//   209 CUDA_ERROR_NO_BINARY_FOR_GPU       .target asks for a newer GPU than AssembleOptions::device_sm
//   302 CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND   an external symbol that no linked module defines
//   2   CUDA_ERROR_OUT_OF_MEMORY           no host memory to assemble or load it
//   1   CUDA_ERROR_INVALID_VALUE           addresses handed to load() do not fit the program
// Source document: NVIDIA, "PTX ISA" 9.0, chapters 4 to 11.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bitfusion::soft {

struct Code;  // decoded instructions and constants; simt's business (device/soft/ptx/code.h)

enum class Linkage : uint8_t {
    kStatic,   // no directive: seen inside its module only, still found by cuModuleGetGlobal
    kVisible,  // .visible
    kWeak,     // .weak: the first definition wins
    kCommon,   // .common: several definitions are one variable
};

// A kernel parameter as cuFuncGetParamInfo tells it; cuLaunchKernel's kernelParams[i] points at `size` bytes.
struct Parameter {
    std::string name;
    uint32_t offset = 0;
    uint32_t size = 0;
    uint32_t alignment = 1;
};

struct Kernel {
    std::string name;  // as in PTX, mangled
    Linkage linkage = Linkage::kStatic;
    std::vector<Parameter> parameters;
    uint32_t parameter_bytes = 0;                // end of the last parameter
    uint32_t max_threads_per_block = 1024;       // .maxntid or .reqntid, 1024 without them
    std::array<uint32_t, 3> required_block{};    // .reqntid; all zero without it
    std::array<uint32_t, 3> required_cluster{};  // .reqnctapercluster; all zero without it
    uint32_t static_shared_bytes = 0;            // .shared variables reached from this kernel
    bool uses_dynamic_shared = false;            // an .extern .shared array is reached from it
    uint32_t local_bytes = 0;                    // per thread: deepest chain of calls, recursion counted once
    uint32_t const_bytes = 0;                    // .const variables of the program
    uint32_t registers = 0;                      // per thread, estimated the way ptxas would, 1..255
    uint32_t ptx_version = 0;                    // 90 for .version 9.0
    uint32_t target_sm = 0;                      // 75 for .target sm_75 and compute_75
};

enum class VariableSpace : uint8_t { kGlobal, kConst };

// A place in a variable's initial bytes that receives an address when the program is loaded.
struct Relocation {
    enum class Target : uint8_t { kVariable, kFunction };
    Target target = Target::kVariable;
    uint32_t index = 0;   // into Program::variables(), or the function's number
    uint32_t offset = 0;  // inside the variable that holds it
    uint32_t size = 8;    // 4 or 8 bytes, little endian
    uint32_t shift = 0;   // mask(): the byte of the address that goes here, in bits; 0 without mask()
    int64_t addend = 0;
};

// A variable that names a texture or surface instead of holding data: .texref, .surfref.
enum class ImageVariable : uint8_t { kNone, kTexture, kSurface };

// A module-scope .global or .const variable. Samplers of their own do not exist in this GPU.
struct Variable {
    std::string name;
    Linkage linkage = Linkage::kStatic;
    VariableSpace space = VariableSpace::kGlobal;
    uint64_t size = 0;  // may be 0 (unsized arrays); the driver still gives it a distinct address
    uint32_t alignment = 1;
    bool managed = false;  // .attribute(.managed)
    ImageVariable image = ImageVariable::kNone;
    std::vector<std::byte> initial;  // shorter than size: the rest is zero
    std::vector<Relocation> relocations;
};

struct AssembleOptions {
    uint32_t device_sm = 120;      // refuse a .target newer than this
    uint32_t newest_version = 93;  // refuse a .version newer than this
};

class Program {
  public:
    // Use assemble().
    Program(std::vector<Kernel> kernels, std::vector<Variable> variables, std::unique_ptr<const Code> code);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    const std::vector<Kernel>& kernels() const { return kernels_; }
    const std::vector<Variable>& variables() const { return variables_; }
    // Index into kernels() or variables(). A name that only one linked module has is found whatever its
    // linkage.
    std::optional<uint32_t> find_kernel(std::string_view name) const;
    std::optional<uint32_t> find_variable(std::string_view name) const;

    const Code& code() const { return *code_; }

  private:
    std::vector<Kernel> kernels_;
    std::vector<Variable> variables_;
    std::unique_ptr<const Code> code_;
};

// Assembles one module. `ptx` may end with NUL bytes. Nothing of `ptx` is kept.
Result<std::shared_ptr<const Program>> assemble(std::string_view ptx, const AssembleOptions& options = {});

// Assembles several modules and links them into one (cuLinkAddData, cuLinkComplete): .visible, .weak and
// .common symbols of one satisfy .extern of another; two strong definitions of one name are an error.
Result<std::shared_ptr<const Program>> assemble(std::span<const std::string_view> modules,
                                                const AssembleOptions& options = {});

// A Program at its addresses in device memory.
class LoadedProgram {
  public:
    // `addresses[i]` is where Program::variables()[i] lives: a host address of this process with at least
    // `size` writable bytes, aligned to `alignment`. The initial bytes and relocations are written there
    // before load() returns. The memory must outlive the LoadedProgram and every launch of it.
    static Result<std::shared_ptr<const LoadedProgram>> load(std::shared_ptr<const Program> program,
                                                             std::span<const uint64_t> addresses);
    ~LoadedProgram();
    LoadedProgram(const LoadedProgram&) = delete;
    LoadedProgram& operator=(const LoadedProgram&) = delete;

    const std::shared_ptr<const Program>& program() const { return program_; }
    uint64_t address_of(uint32_t variable) const { return addresses_[variable]; }
    // Constants of the code at their final values; simt reads them.
    const std::byte* constant_bank() const { return bank_; }

  private:
    LoadedProgram() = default;

    std::shared_ptr<const Program> program_;
    std::vector<uint64_t> addresses_;
    std::vector<uint64_t> bank_storage_;
    const std::byte* bank_ = nullptr;
};

}  // namespace bitfusion::soft
