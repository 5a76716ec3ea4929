#include <algorithm>

#include "device/soft/gpu.h"
#include "device/soft/module.h"
#include "device/soft/simt/grid.h"

namespace bitfusion::soft {
namespace {

constexpr uint32_t kRegisterGranule = 256;  // registers are given to a warp in such portions

// What the register file allows, in whole warps.
int most_threads(const Kernel& kernel) {
    const uint32_t per_warp = (std::max(kernel.registers, 1u) * kWarpSize + kRegisterGranule - 1) /
                              kRegisterGranule * kRegisterGranule;
    const uint32_t by_registers = kRegistersPerMultiprocessor / per_warp * kWarpSize;
    return static_cast<int>(std::min({kernel.max_threads_per_block, by_registers, kMaxThreadsPerBlock}));
}

int default_dynamic_shared(const Kernel& kernel) {
    return kernel.static_shared_bytes >= kDefaultSharedBytesPerBlock
               ? 0
               : static_cast<int>(kDefaultSharedBytesPerBlock - kernel.static_shared_bytes);
}

}  // namespace

bool function_attribute(const Kernel& kernel, const FunctionSettings& settings, const Gpu& gpu,
                        CUfunction_attribute attribute, int* value) {
    const auto cluster = [&](int axis) {
        const auto required = static_cast<int>(kernel.required_cluster[static_cast<size_t>(axis)]);
        return required != 0 ? required : settings.cluster_size[axis].value_or(0);
    };
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
            *value = most_threads(kernel);
            return true;
        case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
            *value = static_cast<int>(kernel.static_shared_bytes);
            return true;
        case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
            *value = static_cast<int>(kernel.const_bytes);
            return true;
        case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
            *value = static_cast<int>(kernel.local_bytes);
            return true;
        case CU_FUNC_ATTRIBUTE_NUM_REGS:
            *value = static_cast<int>(kernel.registers);
            return true;
        case CU_FUNC_ATTRIBUTE_PTX_VERSION:
            *value = static_cast<int>(kernel.target_sm);
            return true;
        case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
            *value = gpu.cc_major() * 10 + gpu.cc_minor();
            return true;
        case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
            *value = 0;
            return true;
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            *value = settings.max_dynamic_shared.value_or(default_dynamic_shared(kernel));
            return true;
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            *value = settings.carveout.value_or(CU_SHAREDMEM_CARVEOUT_DEFAULT);
            return true;
        case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
            *value = kernel.required_cluster[0] != 0 ? 1 : 0;
            return true;
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
            *value = cluster(0);
            return true;
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
            *value = cluster(1);
            return true;
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
            *value = cluster(2);
            return true;
        case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
            *value = settings.non_portable_cluster.value_or(0);
            return true;
        case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
            *value = settings.cluster_scheduling.value_or(CU_CLUSTER_SCHEDULING_POLICY_DEFAULT);
            return true;
        default:
            return false;
    }
}

CUresult set_function_attribute(const Kernel& kernel, const Gpu& gpu, FunctionSettings* settings,
                                CUfunction_attribute attribute, int value) {
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            if (value < 0 || static_cast<uint32_t>(value) + kernel.static_shared_bytes >
                                 gpu.multiprocessor().block_shared_bytes)
                return CUDA_ERROR_INVALID_VALUE;
            settings->max_dynamic_shared = value;
            return CUDA_SUCCESS;
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            if (value < CU_SHAREDMEM_CARVEOUT_DEFAULT || value > CU_SHAREDMEM_CARVEOUT_MAX_SHARED)
                return CUDA_ERROR_INVALID_VALUE;
            settings->carveout = value;
            return CUDA_SUCCESS;
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
        case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
            if (value < 0 || kernel.required_cluster[0] != 0) return CUDA_ERROR_INVALID_VALUE;
            settings->cluster_size[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH] = value;
            return CUDA_SUCCESS;
        case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
            if (value != 0 && value != 1) return CUDA_ERROR_INVALID_VALUE;
            settings->non_portable_cluster = value;
            return CUDA_SUCCESS;
        case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
            if (value < CU_CLUSTER_SCHEDULING_POLICY_DEFAULT ||
                value > CU_CLUSTER_SCHEDULING_POLICY_LOAD_BALANCING)
                return CUDA_ERROR_INVALID_VALUE;
            settings->cluster_scheduling = value;
            return CUDA_SUCCESS;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

}  // namespace bitfusion::soft
