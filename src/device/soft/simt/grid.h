// Grid: runs one kernel launch of a LoadedProgram to its end.
//
// A block is interpreted by one OS thread at a time, warp by warp; blocks spread over the threads of a
// BlockPool and the calling thread. Blocks that run long are set aside so that others get a turn: a grid
// whose blocks wait for each other (cooperative groups, look-back scans, spin locks) makes progress.
//
// Addresses: a device address is a host address of this process. A kernel reaches only what the launch's
// windows allow. Generic addresses of shared and local memory and of kernel parameters lie in the fixed
// ranges below, which no host address of user space ever has.
//
// Threads: run() may be called from many threads at once, also with one BlockPool. It returns when every
// block has ended or the first fault has stopped the grid; after it returns, nothing of the request is used.
// Units: bytes; dimensions in threads, blocks. Errors: run() never throws; what went wrong is in Outcome.
// Source document: NVIDIA, "CUDA C++ Programming Guide", chapters on the execution and memory model.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "device/soft/ptx/program.h"

namespace bitfusion::soft {

// Generic address ranges (not canonical x86-64 or AArch64 user addresses).
inline constexpr uint64_t kSharedWindowBase = 0x0100'0000'0000'0000;  // + offset in the block's shared memory
inline constexpr uint64_t kLocalWindowBase = 0x0200'0000'0000'0000;   // + offset in the thread's stack
inline constexpr uint64_t kParamWindowBase = 0x0300'0000'0000'0000;   // + offset in the kernel's parameters
inline constexpr uint64_t kFunctionWindowBase = 0x0400'0000'0000'0000;  // + number of a device function
inline constexpr uint64_t kSpecialWindowBytes = 0x0000'0001'0000'0000;  // length of each of the ranges

inline constexpr uint32_t kMaxThreadsPerBlock = 1024;
inline constexpr uint32_t kMaxSharedBytesPerBlock = 227 * 1024;  // static + dynamic
inline constexpr uint32_t kMaxParameterBytes = 32764;
inline constexpr uint32_t kWarpSize = 32;

struct Dim3 {
    uint32_t x = 1, y = 1, z = 1;
    uint64_t count() const { return uint64_t{x} * y * z; }
};

// A range of host memory that kernels may touch. Byte `base + i` is allowed iff i < size and
// (granules == nullptr or granules[i >> granule_shift] != 0).
// The granule bytes are read while kernels run: change them with relaxed atomic stores. An allocation made or
// freed inside a window is seen at once by kernels that already run.
struct Window {
    uint64_t base = 0;
    uint64_t size = 0;
    const uint8_t* granules = nullptr;
    unsigned granule_shift = 0;
};

enum class FaultKind : uint8_t {
    kNone = 0,
    kIllegalAddress,       // CUDA_ERROR_ILLEGAL_ADDRESS 700
    kMisalignedAddress,    // CUDA_ERROR_MISALIGNED_ADDRESS 716
    kIllegalInstruction,   // CUDA_ERROR_ILLEGAL_INSTRUCTION 715: an instruction used as the ISA forbids
    kInvalidAddressSpace,  // CUDA_ERROR_INVALID_ADDRESS_SPACE 717: e.g. an atomic on local memory
    kInvalidPc,            // CUDA_ERROR_INVALID_PC 718: call through a bad function pointer, bad branch index
    kStack,                // CUDA_ERROR_HARDWARE_STACK_ERROR 714: the thread's stack is used up
    kAssert,               // CUDA_ERROR_ASSERT 710; Fault::message is CUDA's line for stderr
    kTrap,                 // CUDA_ERROR_LAUNCH_FAILED 719: trap
    kTimeout,              // CUDA_ERROR_LAUNCH_TIMEOUT 702: LaunchRequest::time_limit
    kDeadlock,             // CUDA_ERROR_LAUNCH_TIMEOUT 702: no thread of a block can ever go on
    kCancelled,            // LaunchRequest::cancel became true
    kInvalidLaunch,        // CUDA_ERROR_INVALID_VALUE 1: the request itself; nothing ran; see Fault::message
    kOutOfResources,       // CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES 701: no host memory for the blocks
};

const char* to_string(FaultKind kind);

struct Fault {
    FaultKind kind = FaultKind::kNone;
    std::string kernel;
    Dim3 block{0, 0, 0};      // index
    Dim3 thread{0, 0, 0};     // index
    uint64_t address = 0;     // kIllegalAddress, kMisalignedAddress, kInvalidAddressSpace, kInvalidPc
    uint32_t line = 0;        // in the PTX text; 0 when unknown
    std::string instruction;  // opcode with its suffixes: "ld.global.f32"
    std::string message;      // one line for logs; for kAssert exactly CUDA's text, without newline
};

struct Outcome {
    Fault fault;                // kind kNone: the grid ran to its end
    uint64_t instructions = 0;  // executed by threads (a warp instruction counts its active threads)
    explicit operator bool() const { return fault.kind == FaultKind::kNone; }
};

// OS threads that help run() with blocks. Several concurrent run() share them. With 0 threads the caller of
// run() does all the work. The destructor joins; no run() may be in progress then.
class BlockPool {
  public:
    explicit BlockPool(unsigned threads);
    ~BlockPool();
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    struct State;
    State& state() { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

// malloc() and free() called by kernels. Called from pool threads, several at once. Without them device
// malloc() returns null and free() does nothing, as with a heap limit of 0.
struct DeviceHeap {
    std::function<uint64_t(uint64_t bytes)> allocate;  // 0: no memory; the result lies in one of the windows
    std::function<void(uint64_t address)> release;     // never called with 0
};

class ImageTable;

struct LaunchRequest {
    std::shared_ptr<const LoadedProgram> program;
    uint32_t kernel = 0;  // index into program->program()->kernels()
    Dim3 grid;
    Dim3 block;
    Dim3 cluster;  // {1,1,1}: no clusters
    uint32_t dynamic_shared_bytes = 0;
    bool cooperative = false;               // all blocks are resident at once
    std::span<const std::byte> parameters;  // at least Kernel::parameter_bytes
    std::span<const Window> windows;        // sorted by base, not overlapping, unchanged until run() returns
    uint32_t stack_bytes =
        1024;  // CU_LIMIT_STACK_SIZE: per thread, for recursion and alloca, beyond local_bytes
    uint32_t multiprocessors = 1;  // %nsmid; what the driver says the GPU has
    uint64_t grid_id = 0;          // %gridid
    BlockPool* pool = nullptr;     // nullptr: the calling thread alone
    // Formatted text of one vprintf call. Calls are serialised within a launch; the text of one thread comes
    // in order.
    std::function<void(std::string_view)> print;
    // Sets the value of a conditional node's handle; any thread.
    std::function<void(uint64_t, uint32_t)> set_conditional;
    const DeviceHeap* heap = nullptr;
    const ImageTable* images = nullptr;         // textures and surfaces; may be null
    const std::atomic<bool>* cancel = nullptr;  // polled; may be null
    std::chrono::milliseconds time_limit{0};    // of the whole launch; 0: none
};

Outcome run(const LaunchRequest& request);

}  // namespace bitfusion::soft
