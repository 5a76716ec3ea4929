// Code: decoded instructions in the form that the interpreter runs.
//
// A function's registers live in a register file, one array of 32 lanes a register; an operand is the byte
// offset of such an array, either in the register file of the current call or (kConstantOperand) in the
// constant bank, where every immediate stands ready as 32 equal lanes. Predicates are one 32-bit word.
// Owner: Program. Immutable after assemble(). Units: bytes; program counters count instructions of the whole
// program.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace bitfusion::soft {

struct Warp;
struct Instruction;

// Executes one instruction for the lanes of `mask` (never 0).
using Handler = void (*)(Warp& warp, const Instruction& instruction, uint32_t mask);

inline constexpr uint32_t kConstantOperand = 0x8000'0000;
inline constexpr uint32_t kNoGuard = UINT32_MAX;
inline constexpr uint32_t kNegatedGuard = 0x8000'0000;
inline constexpr uint32_t kNoFunction = UINT32_MAX;

// Registers that every call has, at fixed offsets: where its part of the thread's stack begins, and where
// dynamic shared memory begins, 64 and 32 bits wide.
inline constexpr uint32_t kLocalBaseOffset = 0;
inline constexpr uint32_t kDynamicSharedOffset = 256;
inline constexpr uint32_t kDynamicShared32Offset = 512;
inline constexpr uint32_t kFixedRegisterBytes = 640;

// Shared memory beyond the program's own, for programs that look at %reserved_smem_offset_*.
inline constexpr uint32_t kReservedSharedBytes = 1024;

struct Instruction {
    Handler handler = nullptr;
    uint32_t op[5] = {};        // destination first; what the handler says
    uint32_t guard = kNoGuard;  // offset of the predicate, with kNegatedGuard for @!p
    int64_t immediate = 0;      // address offset, branch target, lookup table, ...
    uint32_t extra = 0;         // first of further operands in Code::operands, or what the handler says
    uint32_t flags = 0;         // what the handler says
};

struct Origin {
    uint32_t line = 0;  // in its module's text
    uint32_t text = 0;  // index into Code::texts
};

struct FramePlace {
    uint32_t offset = 0;  // in the frame of the function
    uint32_t size = 0;
};

// Functions that the software GPU implements itself.
enum class Builtin : uint8_t { kNone, kPrint, kAssertFail, kAllocate, kRelease, kSetConditional };

struct Function {
    std::string name;
    bool kernel = false;
    bool defined = false;
    Builtin builtin = Builtin::kNone;
    uint32_t entry = 0;  // program counter
    uint32_t end = 0;    // one past the last instruction
    uint32_t register_bytes = kFixedRegisterBytes;
    uint32_t registers = 0;    // live at once at most, in 32-bit registers
    uint32_t frame_bytes = 0;  // local variables and parameters, multiple of 16
    uint32_t stack_bytes = 0;  // deepest chain from here, recursion counted once
    bool recursive = false;    // the chain is not bounded, or a call goes through a pointer
    std::vector<FramePlace> results;
    std::vector<FramePlace> parameters;  // kernels: offsets in the launch's parameters
    uint32_t static_shared_bytes = 0;    // kernels
};

struct CallSite {
    uint32_t function = kNoFunction;  // kNoFunction: through a pointer
    std::vector<FramePlace> results;  // in the caller's frame
    std::vector<FramePlace> arguments;
};

// One constant: `width` 4 or 8 bytes a lane.
struct BankEntry {
    enum class Kind : uint8_t { kValue, kVariable, kShared };
    Kind kind = Kind::kValue;
    uint8_t width = 8;
    uint32_t index = 0;   // variable
    uint32_t offset = 0;  // in the bank
    uint64_t value = 0;   // or addend
};

struct Code {
    std::vector<Instruction> instructions;
    std::vector<Origin> origins;  // parallel to instructions
    std::vector<std::string> texts;
    std::vector<uint32_t> operands;
    std::vector<Function> functions;
    std::vector<CallSite> calls;
    std::vector<std::vector<uint32_t>> branch_tables;
    std::vector<BankEntry> bank;
    uint32_t bank_bytes = 0;
    std::vector<uint32_t> kernel_functions;  // kernel -> function
    uint64_t serial = 0;                     // tells one program's function addresses from another's
    uint64_t const_bytes = 0;
    bool uses_reserved_shared = false;  // %reserved_smem_offset_*: what cooperative groups keep at the end
};

// Function pointers: kFunctionWindowBase + number. Programs get disjoint numbers.
uint64_t function_address(const Code& code, uint32_t function);
// kNoFunction when `address` is not of this program.
uint32_t function_at(const Code& code, uint64_t address);

}  // namespace bitfusion::soft
