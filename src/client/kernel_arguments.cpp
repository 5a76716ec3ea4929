#include "client/kernel_arguments.h"

#include <algorithm>
#include <cstring>

#include "client/mapped_memory.h"

namespace bitfusion::client {

namespace {

// CUDA's list of a ready-made block.
CUresult take_block(void** extra, const void** block, size_t* given) {
    bool sized = false;
    for (void** at = extra; *at != CU_LAUNCH_PARAM_END; at += 2) {
        if (*at == CU_LAUNCH_PARAM_BUFFER_POINTER)
            *block = at[1];
        else if (*at == CU_LAUNCH_PARAM_BUFFER_SIZE)
            *given = *static_cast<size_t*>(at[1]), sized = true;
        else
            return CUDA_ERROR_INVALID_VALUE;
    }
    return *block == nullptr || !sized ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

}  // namespace

CUresult KernelArguments::take_other(const Function& f, void** params, void** extra) {
    parameters = params;
    if (params != nullptr && extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
    size_t given = 0;
    if (extra != nullptr) {
        const CUresult taken = take_block(extra, &block, &given);
        if (taken != CUDA_SUCCESS) return taken;
        given = std::min(given, bytes);
    } else if (params == nullptr && !f.parameters.empty()) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    // A block may end early: NCCL's kernels have 4 KiB of parameters and are given those that they read.
    const bool is_short = block != nullptr && given < bytes;
    if (is_short || any_managed()) {  // arguments may lie there, and they are packed under a lock
        copied_.resize(bytes);
        if (block != nullptr && given != 0) memcpy(copied_.data(), block, given);
        for (size_t i = 0; block == nullptr && i < f.parameters.size(); ++i)
            memcpy(copied_.data() + f.parameters[i].offset, params[i], f.parameters[i].size);
        block = copied_.data();
    }
    return CUDA_SUCCESS;
}

void KernelArguments::map_pinned(const Function& f) const {
    if (block != nullptr) return map_arguments(block, bytes);
    for (size_t i = 0; i < f.parameters.size(); ++i) map_arguments(parameters[i], f.parameters[i].size);
}

}  // namespace bitfusion::client
