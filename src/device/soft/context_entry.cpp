#include <algorithm>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kApiVersion = 3020;
constexpr unsigned kFlagsMask = CU_CTX_FLAGS_MASK;

bool good_flags(unsigned flags) {
    const unsigned schedule = flags & CU_CTX_SCHED_MASK;
    return (flags & ~kFlagsMask) == 0 && schedule != 3 && schedule <= CU_CTX_SCHED_BLOCKING_SYNC;
}

// Null: the device has no memory left for it.
ContextPtr make_context(Gpu& gpu, CUcontext handle, bool primary, unsigned flags) {
    if (!gpu.charge(kContextBytes)) return nullptr;
    auto context = std::make_shared<Context>(gpu, handle, driver().next_id(), primary, flags);
    context->legacy = std::make_shared<Stream>(Stream::Kind::kLegacy, nullptr, context, CU_STREAM_DEFAULT,
                                               kLeastPriority, driver().next_id());
    driver().contexts.add(handle, context);
    return context;
}

// A handle that may be made current: a live context, or the primary one of a device before it is retained.
bool known(CUcontext handle) {
    if (driver().contexts.find(handle) != nullptr) return true;
    return std::any_of(driver().gpus.begin(), driver().gpus.end(),
                       [&](const auto& gpu) { return gpu->primary().handle == handle; });
}

// --- primary contexts

CUresult cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice device) {
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        Gpu::Primary& primary = gpu->primary();
        const std::lock_guard lock(primary.mutex);
        if (primary.context == nullptr)
            primary.context = make_context(*gpu, primary.handle, true, primary.flags);
        if (primary.context == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
        ++primary.retained;
        *out = primary.handle;
        return CUDA_SUCCESS;
    });
}

void end_primary(Gpu::Primary& primary) {
    if (primary.context == nullptr) return;
    tear_down(primary.context);
    driver().contexts.remove(primary.handle);
    primary.context->alive.store(false);
    primary.context = nullptr;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        Gpu::Primary& primary = gpu->primary();
        const std::lock_guard lock(primary.mutex);
        if (primary.retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
        if (--primary.retained == 0) end_primary(primary);
        return CUDA_SUCCESS;
    });
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        Gpu::Primary& primary = gpu->primary();
        const std::lock_guard lock(primary.mutex);
        end_primary(primary);
        // Who still holds a reference may go on: the context starts afresh, as the driver documents.
        if (primary.retained == 0) return CUDA_SUCCESS;
        primary.context = make_context(*gpu, primary.handle, true, primary.flags);
        return primary.context != nullptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    });
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (!good_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
        Gpu::Primary& primary = gpu->primary();
        const std::lock_guard lock(primary.mutex);
        primary.flags = flags;
        if (primary.context != nullptr) primary.context->flags = flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int* flags, int* active) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Gpu::Primary& primary = gpu->primary();
        const std::lock_guard lock(primary.mutex);
        *flags = primary.flags;
        *active = primary.context != nullptr ? 1 : 0;
        return CUDA_SUCCESS;
    });
}

// --- created contexts

CUresult create_context(CUcontext* out, unsigned int flags, CUdevice device) {
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (!good_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
        const ContextPtr context = make_context(*gpu, driver().contexts.issue(), false, flags);
        if (context == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
        context_stack().push_back(context->handle);
        *out = context->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxCreate_v4(CUcontext* out, CUctxCreateParams* parameters, unsigned int flags, CUdevice device) {
    return entry_initialized([&] {
        if (parameters != nullptr) {
            if (parameters->execAffinityParams != nullptr && parameters->cigParams != nullptr)
                return CUDA_ERROR_INVALID_VALUE;
            if (parameters->cigParams != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
            if (parameters->numExecAffinityParams > 0) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
        }
        return create_context(out, flags, device);
    });
}

CUresult cuCtxDestroy_v2(CUcontext handle) {
    return entry_initialized([&] {
        if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const ContextPtr context = driver().contexts.find(handle);
        if (context == nullptr || context->primary) return CUDA_ERROR_INVALID_CONTEXT;
        if (driver().contexts.remove(handle) == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        tear_down(context);
        context->alive.store(false);
        std::vector<CUcontext>& stack = context_stack();
        if (!stack.empty() && stack.back() == handle) stack.pop_back();
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxPushCurrent_v2(CUcontext handle) {
    return entry_initialized([&] {
        if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (!known(handle)) return CUDA_ERROR_INVALID_CONTEXT;
        context_stack().push_back(handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxPopCurrent_v2(CUcontext* out) {
    return entry_initialized([&] {
        std::vector<CUcontext>& stack = context_stack();
        if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
        if (out != nullptr) *out = stack.back();
        stack.pop_back();
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetCurrent(CUcontext handle) {
    return entry_initialized([&] {
        std::vector<CUcontext>& stack = context_stack();
        if (handle == nullptr) {
            if (!stack.empty()) stack.pop_back();
            return CUDA_SUCCESS;
        }
        if (!known(handle)) return CUDA_ERROR_INVALID_CONTEXT;
        if (stack.empty())
            stack.push_back(handle);
        else
            stack.back() = handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetCurrent(CUcontext* out) {
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::vector<CUcontext>& stack = context_stack();
        *out = stack.empty() ? nullptr : stack.back();
        return CUDA_SUCCESS;
    });
}

CUresult device_of(CUcontext handle, CUdevice* out) {
    // Answered even for a primary context that is not active: the device of a handle never changes.
    for (const auto& gpu : driver().gpus) {
        if (gpu->primary().handle != handle) continue;
        *out = gpu->device();
        return CUDA_SUCCESS;
    }
    const ContextPtr context = driver().contexts.find(handle);
    if (context == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    *out = context->gpu.device();
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* out) {
    return entry_initialized([&] {
        const std::vector<CUcontext>& stack = context_stack();
        if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return device_of(stack.back(), out);
    });
}

CUresult cuCtxGetDevice_v2(CUdevice* out, CUcontext handle) {
    if (handle == nullptr) return cuCtxGetDevice(out);
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return known(handle) ? device_of(handle, out) : CUDA_ERROR_INVALID_CONTEXT;
    });
}

CUresult cuCtxGetFlags(unsigned int* flags) {
    return entry_initialized([&] {
        ContextPtr context;
        const CUresult result = current_context(&context);
        if (result != CUDA_SUCCESS) return result;
        if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = context->flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetFlags(unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (!good_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
        context->flags = flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetId(CUcontext handle, unsigned long long* id) {
    return entry_initialized([&] {
        ContextPtr context;
        const CUresult result = context_of(handle, &context);
        if (result != CUDA_SUCCESS) return result;
        if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *id = context->id;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetApiVersion(CUcontext handle, unsigned int* version) {
    return entry_initialized([&] {
        ContextPtr context;
        const CUresult result = context_of(handle, &context);
        if (result != CUDA_SUCCESS) return result;
        if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *version = kApiVersion;
        return CUDA_SUCCESS;
    });
}

CUresult synchronize_checked(const ContextPtr& context) {
    const CUresult captured = forbid_in_capture(context);
    return captured != CUDA_SUCCESS ? captured : synchronize(*context);
}

CUresult cuCtxSynchronize() { return entry_in_context(synchronize_checked); }

CUresult cuCtxSynchronize_v2(CUcontext handle) {
    return entry_initialized([&] {
        ContextPtr context;
        CUresult result = context_of(handle, &context);
        if (result == CUDA_SUCCESS) result = context->fault();
        return result != CUDA_SUCCESS ? result : synchronize_checked(context);
    });
}

// --- settings

CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
    return entry_in_context([&](const ContextPtr& context) {
        const std::lock_guard lock(context->mutex);
        switch (limit) {
            case CU_LIMIT_STACK_SIZE:
                if (value > size_t{512} << 10) return CUDA_ERROR_INVALID_VALUE;
                context->limits[limit] = (value + 15) & ~size_t{15};
                return CUDA_SUCCESS;
            case CU_LIMIT_PRINTF_FIFO_SIZE:
                if (value > size_t{1} << 30) return CUDA_ERROR_INVALID_VALUE;
                context->limits[limit] = value;
                context->prints.limit(value);
                return CUDA_SUCCESS;
            case CU_LIMIT_MALLOC_HEAP_SIZE:
                if (value > context->gpu.memory_bytes()) return CUDA_ERROR_INVALID_VALUE;
                context->limits[limit] = value;
                return CUDA_SUCCESS;
            case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
                context->limits[limit] = value;
                return CUDA_SUCCESS;
            case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
                if (value > 128) return CUDA_ERROR_INVALID_VALUE;
                context->limits[limit] = value;
                return CUDA_SUCCESS;
            default:
                return limit < 0 || limit >= CU_LIMIT_MAX ? CUDA_ERROR_INVALID_VALUE
                                                          : CUDA_ERROR_UNSUPPORTED_LIMIT;
        }
    });
}

CUresult cuCtxGetLimit(size_t* value, CUlimit limit) {
    return entry_in_context([&](const ContextPtr& context) {
        if (value == nullptr || limit < 0 || limit >= CU_LIMIT_MAX) return CUDA_ERROR_INVALID_VALUE;
        switch (limit) {
            case CU_LIMIT_STACK_SIZE:
            case CU_LIMIT_PRINTF_FIFO_SIZE:
            case CU_LIMIT_MALLOC_HEAP_SIZE:
            case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
            case CU_LIMIT_MAX_L2_FETCH_GRANULARITY: {
                const std::lock_guard lock(context->mutex);
                *value = context->limits[limit];
                return CUDA_SUCCESS;
            }
            case CU_LIMIT_PERSISTING_L2_CACHE_SIZE:
                *value = 0;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_UNSUPPORTED_LIMIT;
        }
    });
}

CUresult cuCtxGetCacheConfig(CUfunc_cache* config) {
    return entry_in_context([&](const ContextPtr& context) {
        if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(context->mutex);
        *config = context->cache_config;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetCacheConfig(CUfunc_cache config) {
    return entry_in_context([&](const ContextPtr& context) {
        if (config < CU_FUNC_CACHE_PREFER_NONE || config > CU_FUNC_CACHE_PREFER_EQUAL)
            return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(context->mutex);
        context->cache_config = config;
        return CUDA_SUCCESS;
    });
}

// The bank size has been fixed at four bytes since Maxwell: setting another one is accepted and has no
// effect.
CUresult cuCtxGetSharedMemConfig(CUsharedconfig* config) {
    return entry_in_context([&](const ContextPtr&) {
        if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *config = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetSharedMemConfig(CUsharedconfig config) {
    return entry_in_context([&](const ContextPtr&) {
        return config < 0 || config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE ? CUDA_ERROR_INVALID_VALUE
                                                                                : CUDA_SUCCESS;
    });
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    return entry_in_context([&](const ContextPtr&) {
        if (least != nullptr) *least = kLeastPriority;
        if (greatest != nullptr) *greatest = kGreatestPriority;
        return CUDA_SUCCESS;
    });
}

// There is no persisting cache, so nothing persists.
CUresult cuCtxResetPersistingL2Cache() {
    return entry_in_context([](const ContextPtr&) { return CUDA_SUCCESS; });
}

CUresult cuCtxGetExecAffinity(CUexecAffinityParam* parameter, CUexecAffinityType type) {
    return entry_in_context([&](const ContextPtr&) {
        if (parameter == nullptr || type < 0 || type >= CU_EXEC_AFFINITY_TYPE_MAX)
            return CUDA_ERROR_INVALID_VALUE;
        return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    });
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
        const ContextPtr other = driver().contexts.find(peer);
        if (other == nullptr || other == context) return CUDA_ERROR_INVALID_CONTEXT;
        if (&other->gpu == &context->gpu) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
        const std::lock_guard lock(context->mutex);
        return context->peers.insert(other->id).second ? CUDA_SUCCESS
                                                       : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    });
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
    return entry_in_context([&](const ContextPtr& context) {
        const ContextPtr other = driver().contexts.find(peer);
        if (other == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        const std::lock_guard lock(context->mutex);
        return context->peers.erase(other->id) != 0 ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
    });
}

}  // namespace

void serve_contexts(DriverTable* table) {
    BF_SERVE(cuDevicePrimaryCtxRetain);
    BF_SERVE(cuDevicePrimaryCtxRelease_v2);
    BF_SERVE(cuDevicePrimaryCtxReset_v2);
    BF_SERVE(cuDevicePrimaryCtxSetFlags_v2);
    BF_SERVE(cuDevicePrimaryCtxGetState);
    BF_SERVE(cuCtxCreate_v4);
    BF_SERVE(cuCtxDestroy_v2);
    BF_SERVE(cuCtxPushCurrent_v2);
    BF_SERVE(cuCtxPopCurrent_v2);
    BF_SERVE(cuCtxSetCurrent);
    BF_SERVE(cuCtxGetCurrent);
    BF_SERVE(cuCtxGetDevice);
    BF_SERVE(cuCtxGetDevice_v2);
    BF_SERVE(cuCtxGetFlags);
    BF_SERVE(cuCtxSetFlags);
    BF_SERVE(cuCtxGetId);
    BF_SERVE(cuCtxGetApiVersion);
    BF_SERVE(cuCtxSynchronize);
    BF_SERVE(cuCtxSynchronize_v2);
    BF_SERVE(cuCtxSetLimit);
    BF_SERVE(cuCtxGetLimit);
    BF_SERVE(cuCtxGetCacheConfig);
    BF_SERVE(cuCtxSetCacheConfig);
    BF_SERVE(cuCtxGetSharedMemConfig);
    BF_SERVE(cuCtxSetSharedMemConfig);
    BF_SERVE(cuCtxGetStreamPriorityRange);
    BF_SERVE(cuCtxResetPersistingL2Cache);
    BF_SERVE(cuCtxGetExecAffinity);
    BF_SERVE(cuCtxEnablePeerAccess);
    BF_SERVE(cuCtxDisablePeerAccess);
}

}  // namespace bitfusion::soft
