// Kernel arguments as they travel: one packed block, laid out as the kernel declares its parameters, and back
// to what the driver takes: an array of pointers, one a parameter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;

// A copy of one block; the pointers are valid as long as it lives.
class KernelArguments {
  public:
    KernelArguments() = default;
    KernelArguments(const KernelArguments&) = delete;
    KernelArguments& operator=(const KernelArguments&) = delete;

    // `function` is the kernel's name. CUDA_ERROR_INVALID_HANDLE when its layout is not known,
    // CUDA_ERROR_INVALID_VALUE when the block is too short for it.
    CUresult unpack(Session& s, uint64_t function, std::span<const uint8_t> block);
    void** pointers() { return pointers_; }
    size_t count() const { return count_; }
    // Whether the kernel was launched before, with whatever arguments.
    bool launched_before() const { return *launched_; }
    // The kernel has been launched with them.
    void launched() { *launched_ = true; }

  private:
    // Most kernels have few and small arguments; those need no memory.
    alignas(16) std::array<uint8_t, 4096> small_;
    std::vector<uint64_t> large_;  // words, so that it is aligned for every parameter type
    std::array<void*, 64> few_{};
    std::vector<void*> many_;
    void** pointers_ = nullptr;
    size_t count_ = 0;
    bool* launched_ = nullptr;
};

}  // namespace bitfusion::worker
