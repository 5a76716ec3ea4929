#include "device/soft/memory.h"

#include <sys/sysinfo.h>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/imported_memory.h"
#include "device/soft/memory_pool.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr uint64_t kPitchAlignment = 512;

CUresult cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
    return entry_in_context([&](const ContextPtr& context) {
        if (free_bytes == nullptr && total == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const uint64_t all = context->gpu.memory_bytes();
        if (free_bytes != nullptr) *free_bytes = all - context->gpu.used_bytes();
        if (total != nullptr) *total = all;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        return allocate(context, bytes, 512, MemoryKind::kDevice, out);
    });
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* out, size_t* pitch, size_t width, size_t height,
                            unsigned int element) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || pitch == nullptr || width == 0 || height == 0) return CUDA_ERROR_INVALID_VALUE;
        if (element != 4 && element != 8 && element != 16) return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        const uint64_t row = (width + kPitchAlignment - 1) & ~(kPitchAlignment - 1);
        if (row < width || height > context->gpu.memory_bytes() / row) return CUDA_ERROR_OUT_OF_MEMORY;
        const CUresult result = allocate(context, row * height, 512, MemoryKind::kDevice, out);
        if (result == CUDA_SUCCESS) *pitch = row;
        return result;
    });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
    return entry_in_context([&](const ContextPtr& context) {
        const auto found = driver().memory.find(address);
        if (!found || found->base != address || found->freeing) return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        // The graph keeps its memory; the program only says that it is done with it.
        if (found->kind == MemoryKind::kGraph) return CUDA_SUCCESS;
        wait_for_device(found->gpu != nullptr ? *found->gpu : context->gpu);
        return release(address, {MemoryKind::kDevice, MemoryKind::kPooled, MemoryKind::kManaged})
                   ? CUDA_SUCCESS
                   : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
    return entry_in_context([&](const ContextPtr&) {
        const auto found = driver().memory.find(address);
        if (!found || found->kind == MemoryKind::kArray) return CUDA_ERROR_NOT_FOUND;
        if (base != nullptr) *base = found->base;
        if (bytes != nullptr) *bytes = found->bytes;
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult allocate(const ContextPtr& context, uint64_t bytes, uint64_t alignment, MemoryKind kind,
                  CUdeviceptr* out) {
    const uint64_t address = context->gpu.take(bytes, alignment);
    if (address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
    Allocation allocation;
    allocation.base = address;
    allocation.bytes = bytes;
    allocation.taken = bytes;
    allocation.kind = kind;
    allocation.gpu = &context->gpu;
    allocation.context_id = context->id;
    allocation.context = context->handle;
    allocation.id = driver().memory.next_id();
    driver().memory.add(std::move(allocation));
    *out = address;
    return CUDA_SUCCESS;
}

CUresult allocate_managed(const ContextPtr& context, uint64_t bytes, unsigned flags, CUdeviceptr* out) {
    struct sysinfo host {};
    if (sysinfo(&host) == 0 && bytes / host.mem_unit > host.totalram) return CUDA_ERROR_OUT_OF_MEMORY;
    const uint64_t address = driver().host_arena->take(bytes, 4096);
    if (address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
    Allocation allocation;
    allocation.base = address;
    allocation.bytes = bytes;
    allocation.taken = bytes;
    allocation.kind = MemoryKind::kManaged;
    allocation.gpu = &context->gpu;
    allocation.context_id = context->id;
    allocation.context = context->handle;
    allocation.flags = flags;
    allocation.id = driver().memory.next_id();
    driver().memory.add(std::move(allocation));
    *out = address;
    return CUDA_SUCCESS;
}

void wait_for_device(const Gpu& gpu) {
    std::vector<TaskPtr> tails;
    {
        const std::lock_guard lock(driver().scheduler.mutex());
        for (const ContextPtr& context : driver().contexts.all()) {
            if (&context->gpu != &gpu) continue;
            const auto more = all_tails_locked(*context);
            tails.insert(tails.end(), more.begin(), more.end());
        }
    }
    driver().scheduler.wait(tails);
}

bool release(CUdeviceptr address, std::initializer_list<MemoryKind> kinds) {
    const auto removed = driver().memory.remove(address, kinds);
    if (!removed) return false;
    if (removed->imported != nullptr) return true;
    if (removed->kind == MemoryKind::kManaged)
        driver().host_arena->give(address, removed->taken);
    else
        removed->gpu->give(address, removed->taken);
    if (removed->pool != nullptr) removed->pool->discharge(removed->gpu->arena().round_up(removed->taken));
    return true;
}

void serve_memory(DriverTable* table) {
    BF_SERVE(cuMemGetInfo_v2);
    BF_SERVE(cuMemAlloc_v2);
    BF_SERVE(cuMemAllocPitch_v2);
    BF_SERVE(cuMemFree_v2);
    BF_SERVE(cuMemGetAddressRange_v2);
}

}  // namespace bitfusion::soft
