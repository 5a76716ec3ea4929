#include <sys/sysinfo.h>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kAllocFlags =
    CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr unsigned kRegisterFlags = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                                    CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;

uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// Pages are committed on first touch, so a request beyond the machine's memory must be refused here.
bool fits_machine(size_t bytes) {
    struct sysinfo host {};
    return sysinfo(&host) != 0 || bytes / host.mem_unit <= host.totalram;
}

CUresult allocate_pinned(const ContextPtr& context, void** out, size_t bytes, unsigned flags) {
    if (out == nullptr || bytes == 0 || (flags & ~kAllocFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult captured = forbid_in_capture(context);
    if (captured != CUDA_SUCCESS) return captured;
    if (!fits_machine(bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
    const uint64_t address = driver().host_arena->take(bytes, 4096);
    if (address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
    Allocation allocation;
    allocation.base = address;
    allocation.bytes = bytes;
    allocation.taken = bytes;
    allocation.kind = MemoryKind::kPinned;
    allocation.gpu = &context->gpu;
    allocation.context_id = context->id;
    allocation.context = context->handle;
    allocation.flags = flags;
    allocation.id = driver().memory.next_id();
    driver().memory.add(std::move(allocation));
    *out = reinterpret_cast<void*>(static_cast<uintptr_t>(address));
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void** out, size_t bytes, unsigned int flags) {
    return entry_in_context(
        [&](const ContextPtr& context) { return allocate_pinned(context, out, bytes, flags); });
}

CUresult cuMemAllocHost_v2(void** out, size_t bytes) {
    return entry_in_context(
        [&](const ContextPtr& context) { return allocate_pinned(context, out, bytes, 0); });
}

CUresult cuMemFreeHost(void* pointer) {
    return entry_in_context([&](const ContextPtr& context) {
        const auto found = driver().memory.find(address_of(pointer));
        if (!found || found->base != address_of(pointer) || found->kind != MemoryKind::kPinned)
            return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        const CUresult result = synchronize(*context);
        if (!driver().memory.remove(found->base, {MemoryKind::kPinned})) return CUDA_ERROR_INVALID_VALUE;
        driver().host_arena->give(found->base, found->taken);
        return result;
    });
}

CUresult cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (pointer == nullptr || bytes == 0 || (flags & ~kRegisterFlags) != 0)
            return CUDA_ERROR_INVALID_VALUE;
        if (address_of(pointer) + bytes < bytes) return CUDA_ERROR_INVALID_VALUE;
        if ((flags & CU_MEMHOSTREGISTER_IOMEMORY) != 0) return CUDA_ERROR_NOT_SUPPORTED;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        if (driver().memory.overlaps(address_of(pointer), bytes))
            return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
        Allocation allocation;
        allocation.base = address_of(pointer);
        allocation.bytes = bytes;
        allocation.kind = MemoryKind::kRegistered;
        allocation.gpu = &context->gpu;
        allocation.context_id = context->id;
        allocation.context = context->handle;
        allocation.flags = flags;
        allocation.id = driver().memory.next_id();
        driver().memory.add(std::move(allocation));
        return CUDA_SUCCESS;
    });
}

CUresult cuMemHostUnregister(void* pointer) {
    return entry_in_context([&](const ContextPtr& context) {
        if (pointer == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        const auto found = driver().memory.find(address_of(pointer));
        if (!found || found->kind != MemoryKind::kRegistered) return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
        if (found->base != address_of(pointer)) return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = synchronize(*context);
        driver().memory.remove(found->base, {MemoryKind::kRegistered});
        return result;
    });
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* out, void* pointer, unsigned int flags) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(address_of(pointer));
        if (!found || (found->kind != MemoryKind::kPinned && found->kind != MemoryKind::kRegistered))
            return CUDA_ERROR_INVALID_VALUE;
        *out = address_of(pointer);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemHostGetFlags(unsigned int* flags, void* pointer) {
    return entry_in_context([&](const ContextPtr&) {
        if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(address_of(pointer));
        if (!found || (found->kind != MemoryKind::kPinned && found->kind != MemoryKind::kRegistered))
            return CUDA_ERROR_INVALID_VALUE;
        *flags = found->flags;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_host_memory(DriverTable* table) {
    BF_SERVE(cuMemHostAlloc);
    BF_SERVE(cuMemAllocHost_v2);
    BF_SERVE(cuMemFreeHost);
    BF_SERVE(cuMemHostRegister_v2);
    BF_SERVE(cuMemHostUnregister);
    BF_SERVE(cuMemHostGetDevicePointer_v2);
    BF_SERVE(cuMemHostGetFlags);
}

}  // namespace bitfusion::soft
