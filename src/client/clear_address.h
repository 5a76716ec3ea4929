// Clear addresses: device memory at numbers that are free in this process too (memory_map.h). The worker
// hands out its own addresses; where one is taken here, another is asked for. Any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "base/log.h"
#include "client/memory_map.h"
#include "cuda_types.gen.h"

namespace bitfusion::client {

// More clashes than this in a row mean that the address space is full of the program's own mappings.
constexpr size_t kMostClashes = 16;

// Allocates through `allocate` until the address is free in this process too; ranges that clash are held
// meanwhile, so that the worker hands out others, and then given back through `release`.
template <typename Allocate, typename Release>
CUresult allocate_clear(CUdeviceptr* address, size_t* bytes, const Allocate& allocate,
                        const Release& release) {
    std::vector<CUdeviceptr> clashed;
    CUresult result = CUDA_SUCCESS;
    for (;;) {
        result = allocate();
        if (result != CUDA_SUCCESS || reserve_addresses(*address, *bytes)) break;
        clashed.push_back(*address);
        if (clashed.size() == kMostClashes) {
            BF_LOG("client", kError,
                   "no device address is free in this process; start it without a fixed memory layout");
            result = CUDA_ERROR_OUT_OF_MEMORY;
            break;
        }
    }
    for (const CUdeviceptr c : clashed) release(c);
    return result;
}

}  // namespace bitfusion::client
