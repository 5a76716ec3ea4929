// Kernel arguments: from what a program gives a launch or a kernel node to the packed block that travels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/function.h"
#include "cuda_types.gen.h"
#include "wire/codec.h"

namespace bitfusion::client {

// One of CUDA's two forms: an array of pointers, one a parameter, or `extra`, a list that holds a ready-made
// block.
class KernelArguments {
  public:
    void** parameters = nullptr;
    const void* block = nullptr;
    size_t bytes = 0;

    // CUDA_ERROR_INVALID_VALUE when both forms are given, or neither where the kernel has parameters.
    CUresult take(const Function& function, void** params, void** extra);
    // Maps pinned memory whose host address stands among them.
    void map(const Function& function) const;
    // Writes `bytes` bytes: the parameters at their places, padding as zeros.
    void pack(const Function& function, wire::Writer& w) const;

  private:
    std::vector<uint8_t> copied_;
};

}  // namespace bitfusion::client
