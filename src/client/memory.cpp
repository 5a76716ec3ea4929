#include <cstring>

#include "client/clear_address.h"
#include "client/context.h"
#include "client/feedback.h"
#include "client/managed_memory.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

void remember(MemoryRange::Kind kind, CUdeviceptr base, size_t bytes) {
    MemoryRange range;
    range.kind = kind;
    range.base = base;
    range.bytes = bytes;
    range.context = current_context();
    range.device = current_device();
    remember_range(range);
}

bool of_graph(CUdeviceptr dptr) {
    const auto range = range_of(dptr);
    return range && range->kind == MemoryRange::Kind::kGraph && range->base == dptr;
}

MemoryRange::Kind kind_on(CUstream stream) {
    return is_capturing(resolve_stream(stream)) ? MemoryRange::Kind::kGraph : MemoryRange::Kind::kPool;
}

}  // namespace

CUresult cuMemAlloc_v2(CUdeviceptr* dptr, size_t bytesize) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = allocate_clear(
        dptr, &bytesize, [&] { return remote::cuMemAlloc_v2(dptr, bytesize); },
        [](CUdeviceptr p) { remote::cuMemFree_v2(p); });
    if (result == CUDA_SUCCESS) remember(MemoryRange::Kind::kDevice, *dptr, bytesize);
    return result;
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* dptr, size_t* pPitch, size_t WidthInBytes, size_t Height,
                            unsigned int ElementSizeBytes) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (dptr == nullptr || pPitch == nullptr) return CUDA_ERROR_INVALID_VALUE;
    size_t bytes = 0;
    const CUresult result = allocate_clear(
        dptr, &bytes,
        [&] {
            const CUresult r =
                remote::cuMemAllocPitch_v2(dptr, pPitch, WidthInBytes, Height, ElementSizeBytes);
            bytes = *pPitch * Height;
            return r;
        },
        [](CUdeviceptr p) { remote::cuMemFree_v2(p); });
    if (result == CUDA_SUCCESS) remember(MemoryRange::Kind::kDevice, *dptr, bytes);
    return result;
}

CUresult cuMemFree_v2(CUdeviceptr dptr) {
    if (dptr == 0) return CUDA_SUCCESS;
    if (forget_range(dptr, MemoryRange::Kind::kDevice)) return remote::cuMemFree_v2(dptr);
    if (forget_range(dptr, MemoryRange::Kind::kPool)) return remote::cuMemFree_v2(dptr);
    if (const auto range = range_of(dptr); range && range->owner == 0) {
        if (const auto gone = forget_range(dptr, MemoryRange::Kind::kManaged)) return free_managed(*gone);
    }
    if (of_graph(dptr)) return remote::cuMemFree_v2(dptr);
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemAllocAsync(CUdeviceptr* dptr, size_t bytesize, CUstream hStream) {
    if (dptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = allocate_clear(
        dptr, &bytesize, [&] { return remote::cuMemAllocAsync(dptr, bytesize, hStream); },
        [&](CUdeviceptr p) { remote::cuMemFreeAsync(p, hStream); });
    if (result == CUDA_SUCCESS) remember(kind_on(hStream), *dptr, bytesize);
    return result;
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream) {
    if (dptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = allocate_clear(
        dptr, &bytesize, [&] { return remote::cuMemAllocFromPoolAsync(dptr, bytesize, pool, hStream); },
        [&](CUdeviceptr p) { remote::cuMemFreeAsync(p, hStream); });
    if (result == CUDA_SUCCESS) remember(kind_on(hStream), *dptr, bytesize);
    return result;
}

CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream) {
    if (dptr == 0) return CUDA_SUCCESS;
    if (!of_graph(dptr) && !forget_range(dptr, MemoryRange::Kind::kPool) &&
        !forget_range(dptr, MemoryRange::Kind::kDevice))
        return CUDA_ERROR_INVALID_VALUE;
    return remote::cuMemFreeAsync(dptr, hStream);
}

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return remote::cuMemGetInfo_v2(free, total);
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* pbase, size_t* psize, CUdeviceptr dptr) {
    const auto range = range_of(dptr);
    if (!range) return CUDA_ERROR_NOT_FOUND;
    if (pbase != nullptr) *pbase = range->base;
    if (psize != nullptr) *psize = range->bytes;
    return CUDA_SUCCESS;
}

// The reuse policies are ints, everything else is 64 bits wide; the wire carries 8 bytes of each.
CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void* value) {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    uint64_t wide = 0;
    const CUresult result = remote::cuMemPoolGetAttribute(pool, attr, &wide);
    if (result != CUDA_SUCCESS) return result;
    const bool policy = attr >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES &&
                        attr <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
    memcpy(value, &wide, policy ? sizeof(int) : sizeof wide);
    return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void* value) {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const bool policy = attr >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES &&
                        attr <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
    uint64_t wide = 0;
    memcpy(&wide, value, policy ? sizeof(int) : sizeof wide);
    return remote::cuMemPoolSetAttribute(pool, attr, &wide);
}

// ---- virtual memory management: the worker reserves, the client reserves the same numbers
// -----------------------

CUresult cuMemAddressReserve(CUdeviceptr* ptr, size_t size, size_t alignment, CUdeviceptr addr,
                             unsigned long long flags) {
    if (ptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return allocate_clear(
        ptr, &size, [&] { return remote::cuMemAddressReserve(ptr, size, alignment, addr, flags); },
        [&](CUdeviceptr p) { remote::cuMemAddressFree(p, size); });
}

CUresult cuMemAddressFree(CUdeviceptr ptr, size_t size) { return remote::cuMemAddressFree(ptr, size); }

CUresult cuMemMap(CUdeviceptr ptr, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
    const CUresult result = remote::cuMemMap(ptr, size, offset, handle, flags);
    if (result == CUDA_SUCCESS) remember(MemoryRange::Kind::kVirtual, ptr, size);
    return result;
}

CUresult cuMemUnmap(CUdeviceptr ptr, size_t size) {
    const CUresult result = remote::cuMemUnmap(ptr, size);
    if (result != CUDA_SUCCESS) return result;
    for (uint64_t at = ptr; at < ptr + size;) {  // one unmap may cover several maps
        const auto gone = forget_range(at, MemoryRange::Kind::kVirtual);
        if (!gone || gone->bytes == 0) break;
        at += gone->bytes;
    }
    return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationGranularity(size_t* granularity, const CUmemAllocationProp* prop,
                                       CUmemAllocationGranularity_flags option) {
    if (granularity == nullptr || prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUmemAllocationProp asked = *prop;
    // Nodes of host memory are the client's, and one is as good as another.
    if (asked.location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA ||
        asked.location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT) {
        asked.location = {CU_MEM_LOCATION_TYPE_HOST, 0};
    }
    return remote::cuMemGetAllocationGranularity(granularity, &asked, option);
}

}  // namespace bitfusion::client
