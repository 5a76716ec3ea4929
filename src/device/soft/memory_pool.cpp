#include "device/soft/memory_pool.h"

#include <algorithm>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/graph_memory.h"
#include "device/soft/memory.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

MemoryPool::MemoryPool(CUmemoryPool number, Gpu& of, uint64_t most)
    : handle(number), gpu(of), most_bytes(most) {}

bool MemoryPool::charge(uint64_t bytes) {
    const std::lock_guard lock(mutex);
    if (most_bytes != 0 && bytes > most_bytes - used) return false;
    used += bytes;
    used_high = std::max(used_high, used);
    return true;
}

void MemoryPool::discharge(uint64_t bytes) {
    const std::lock_guard lock(mutex);
    used -= bytes;
}

namespace {

using PoolPtr = std::shared_ptr<MemoryPool>;

PoolPtr default_pool(Gpu& gpu) {
    Gpu::Pools& pools = gpu.pools();
    const std::lock_guard lock(pools.mutex);
    if (pools.fallback == nullptr) {
        pools.fallback = std::make_shared<MemoryPool>(driver().pools.issue(), gpu, 0);
        pools.fallback->is_default = true;
        driver().pools.add(pools.fallback->handle, pools.fallback);
    }
    return pools.fallback;
}

PoolPtr current_pool(Gpu& gpu) {
    PoolPtr fallback = default_pool(gpu);
    const std::lock_guard lock(gpu.pools().mutex);
    return gpu.pools().current != nullptr ? gpu.pools().current : fallback;
}

CUresult allocate_from(const ContextPtr& context, const StreamPtr& stream, const PoolPtr& pool, size_t bytes,
                       CUdeviceptr* out) {
    if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (stream->capturing.load(std::memory_order_acquire)) {
        const std::lock_guard lock(driver().graph_mutex);
        if (stream->capture != nullptr) return capture_allocation(context, *stream, bytes, out);
    }
    const uint64_t taken = pool->gpu.arena().round_up(bytes);
    if (!pool->charge(taken)) return CUDA_ERROR_OUT_OF_MEMORY;
    uint64_t address = pool->gpu.take(bytes);
    if (address == 0) {
        // Frees that the stream has not reached yet may make room: in stream order they come first.
        synchronize(*context);
        address = pool->gpu.take(bytes);
    }
    if (address == 0) {
        pool->discharge(taken);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    Allocation allocation;
    allocation.base = address;
    allocation.bytes = bytes;
    allocation.taken = bytes;
    allocation.kind = MemoryKind::kPooled;
    allocation.gpu = &pool->gpu;
    allocation.context_id = context->id;
    allocation.context = context->handle;
    allocation.id = driver().memory.next_id();
    allocation.pool = pool;
    driver().memory.add(std::move(allocation));
    *out = address;
    return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr* out, size_t bytes, CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        return allocate_from(context, stream, current_pool(context->gpu), bytes, out);
    });
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* out, size_t bytes, CUmemoryPool pool, CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const PoolPtr found = driver().pools.find(pool);
        if (found == nullptr || found->imported_from != nullptr) return CUDA_ERROR_INVALID_VALUE;
        return allocate_from(context, stream, found, bytes, out);
    });
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const auto found = driver().memory.find(address);
        if (!found || found->base != address || found->freeing) return CUDA_ERROR_INVALID_VALUE;
        if (found->kind == MemoryKind::kGraph) return submit(context, stream, FreeWork{address});
        if (found->kind != MemoryKind::kPooled && found->kind != MemoryKind::kDevice)
            return CUDA_ERROR_INVALID_VALUE;
        // What was not allocated by a graph cannot be freed by one.
        if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
        driver().memory.update(address, [](Allocation& allocation) { allocation.freeing = true; });
        return submit(context, stream, FreeWork{address});
    });
}

// --- pools as objects

CUresult get_default_pool(CUmemoryPool* out, CUdevice device) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = default_pool(*gpu)->handle;
        return CUDA_SUCCESS;
    });
}

CUresult get_current_pool(CUmemoryPool* out, CUdevice device) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = current_pool(*gpu)->handle;
        return CUDA_SUCCESS;
    });
}

CUresult set_current_pool(CUdevice device, CUmemoryPool pool) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        PoolPtr found = driver().pools.find(pool);
        if (found == nullptr || &found->gpu != gpu || found->imported_from != nullptr)
            return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(gpu->pools().mutex);
        gpu->pools().current = std::move(found);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* out, CUdevice device) {
    return get_default_pool(out, device);
}

CUresult cuDeviceGetMemPool(CUmemoryPool* out, CUdevice device) { return get_current_pool(out, device); }

CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) { return set_current_pool(device, pool); }

bool device_location(const CUmemLocation* location) {
    return location != nullptr && location->type == CU_MEM_LOCATION_TYPE_DEVICE &&
           driver().gpu_of(location->id) != nullptr;
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
    return entry_initialized([&] {
        if (out == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (type != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_NOT_SUPPORTED;
        if (!device_location(location)) return CUDA_ERROR_NOT_SUPPORTED;
        return get_default_pool(out, location->id);
    });
}

CUresult cuMemGetMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
    return entry_initialized([&] {
        if (out == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (type != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_NOT_SUPPORTED;
        if (!device_location(location)) return CUDA_ERROR_NOT_SUPPORTED;
        return get_current_pool(out, location->id);
    });
}

CUresult cuMemSetMemPool(CUmemLocation* location, CUmemAllocationType type, CUmemoryPool pool) {
    return entry_initialized([&] {
        if (location == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (type != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_NOT_SUPPORTED;
        if (!device_location(location)) return CUDA_ERROR_NOT_SUPPORTED;
        return set_current_pool(location->id, pool);
    });
}

CUresult cuMemPoolCreate(CUmemoryPool* out, const CUmemPoolProps* properties) {
    return entry_initialized([&] {
        if (out == nullptr || properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (properties->allocType != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_INVALID_VALUE;
        const bool shareable = properties->handleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
        if (!shareable && properties->handleTypes != CU_MEM_HANDLE_TYPE_NONE) return CUDA_ERROR_NOT_SUPPORTED;
        if (properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
        Gpu* gpu = driver().gpu_of(properties->location.id);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto pool = std::make_shared<MemoryPool>(driver().pools.issue(), *gpu, properties->maxSize);
        pool->shareable = shareable;
        *out = pool->handle;
        driver().pools.add(pool->handle, pool);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolDestroy(CUmemoryPool handle) {
    return entry_initialized([&] {
        const PoolPtr pool = driver().pools.find(handle);
        if (pool == nullptr || pool->is_default) return CUDA_ERROR_INVALID_VALUE;
        driver().pools.remove(handle);
        const std::lock_guard lock(pool->gpu.pools().mutex);
        if (pool->gpu.pools().current == pool) pool->gpu.pools().current = nullptr;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolTrimTo(CUmemoryPool handle, size_t) {
    return entry_initialized([&] {
        // Nothing is cached, so a pool is always trimmed.
        return driver().pools.find(handle) == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    });
}

CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
    return entry_initialized([&] {
        const PoolPtr pool = driver().pools.find(handle);
        if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(pool->mutex);
        switch (attribute) {
            case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
                pool->reuse_event_dependencies = *static_cast<const int*>(value);
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
                pool->reuse_opportunistic = *static_cast<const int*>(value);
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
                pool->reuse_internal_dependencies = *static_cast<const int*>(value);
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
                pool->release_threshold = *static_cast<const cuuint64_t*>(value);
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
            case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
                if (*static_cast<const cuuint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
                pool->used_high = pool->used;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
    return entry_initialized([&] {
        const PoolPtr pool = driver().pools.find(handle);
        if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(pool->mutex);
        switch (attribute) {
            case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
                *static_cast<int*>(value) = pool->reuse_event_dependencies;
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
                *static_cast<int*>(value) = pool->reuse_opportunistic;
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
                *static_cast<int*>(value) = pool->reuse_internal_dependencies;
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
                *static_cast<cuuint64_t*>(value) = pool->release_threshold;
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
            case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
                *static_cast<cuuint64_t*>(value) = pool->used;
                return CUDA_SUCCESS;
            case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
            case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
                *static_cast<cuuint64_t*>(value) = pool->used_high;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuMemPoolSetAccess(CUmemoryPool handle, const CUmemAccessDesc* map, size_t count) {
    return entry_initialized([&] {
        const PoolPtr pool = driver().pools.find(handle);
        if (pool == nullptr || (map == nullptr && count != 0)) return CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < count; ++i) {
            if (!device_location(&map[i].location)) return CUDA_ERROR_INVALID_DEVICE;
            const bool own = map[i].location.id == pool->gpu.ordinal();
            if (own && map[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return CUDA_ERROR_INVALID_VALUE;
        }
        const std::lock_guard lock(pool->mutex);
        for (size_t i = 0; i < count; ++i) pool->access[map[i].location.id] = map[i].flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool handle, CUmemLocation* location) {
    return entry_initialized([&] {
        const PoolPtr pool = driver().pools.find(handle);
        if (pool == nullptr || flags == nullptr || !device_location(location))
            return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(pool->mutex);
        const auto at = pool->access.find(location->id);
        if (location->id == pool->gpu.ordinal())
            *flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        else
            *flags = at == pool->access.end() ? CU_MEM_ACCESS_FLAGS_PROT_NONE : at->second;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_memory_pools(DriverTable* table) {
    BF_SERVE(cuMemAllocAsync);
    BF_SERVE(cuMemAllocFromPoolAsync);
    BF_SERVE(cuMemFreeAsync);
    BF_SERVE(cuDeviceGetDefaultMemPool);
    BF_SERVE(cuDeviceGetMemPool);
    BF_SERVE(cuDeviceSetMemPool);
    BF_SERVE(cuMemGetDefaultMemPool);
    BF_SERVE(cuMemGetMemPool);
    BF_SERVE(cuMemSetMemPool);
    BF_SERVE(cuMemPoolCreate);
    BF_SERVE(cuMemPoolDestroy);
    BF_SERVE(cuMemPoolTrimTo);
    BF_SERVE(cuMemPoolSetAttribute);
    BF_SERVE(cuMemPoolGetAttribute);
    BF_SERVE(cuMemPoolSetAccess);
    BF_SERVE(cuMemPoolGetAccess);
}

}  // namespace bitfusion::soft
