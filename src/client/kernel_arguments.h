// Kernel arguments: from what a program gives a launch or a kernel node to the packed block that travels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "client/function.h"
#include "client/managed_pages.h"
#include "client/memory_map.h"
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
    CUresult take(const Function& function, void** params, void** extra) {
        bytes = function.parameter_bytes;
        if (params == nullptr || extra != nullptr || any_managed())
            return take_other(function, params, extra);
        parameters = params;
        return CUDA_SUCCESS;
    }
    // Maps pinned memory whose host address stands among them.
    void map(const Function& function) const {
        if (ever_pinned()) map_pinned(function);
    }
    // Writes `bytes` bytes: the parameters at their places, padding as zeros.
    void pack(const Function& function, wire::Writer& w) const {
        uint8_t* const to = w.place(bytes);
        if (block != nullptr) {
            memcpy(to, block, bytes);
            return;
        }
        size_t at = 0;
        void** parameter = parameters;
        for (const auto [offset, size] : function.parameters) {
            if (at < offset) memset(to + at, 0, offset - at);  // padding between parameters
            copy_parameter(to + offset, *parameter++, size);
            at = size_t{offset} + size;
        }
    }

  private:
    // Nearly every parameter is of one of two sizes: no call for those.
    static void copy_parameter(uint8_t* to, const void* from, size_t size) {
        if (size == 8)
            memcpy(to, from, 8);
        else if (size == 4)
            memcpy(to, from, 4);
        else
            memcpy(to, from, size);
    }
    CUresult take_other(const Function& function, void** params, void** extra);
    void map_pinned(const Function& function) const;

    std::vector<uint8_t> copied_;
};

}  // namespace bitfusion::client
