// Memory: every allocation is charged to the partition before the driver sees it and entered into the memory
// table.
#include <algorithm>

#include "worker/capture.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// The driver's allocations are multiples of this.
constexpr uint64_t kUnit = 512;
// Of a GPU's memory the driver takes a few MiB for each process that are in no process's list. Who has a part
// of the GPU is not told of them: it would see what its neighbours do.
constexpr uint64_t kOfTheDriver = uint64_t{64} << 20;

uint64_t rounded(uint64_t bytes) {
    return bytes > UINT64_MAX - kUnit ? UINT64_MAX : (bytes + kUnit - 1) / kUnit * kUnit;
}

template <typename Allocate>
CUresult charged(Session& s, uint64_t bytes, CUdeviceptr* address, bool managed, const Allocate& allocate) {
    MemoryTable::Range range{bytes, s.current_device(), rounded(bytes), s.context_name(), true, 0};
    range.managed = managed;
    if (!s.memory.charge(range.device, range.charged)) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult result = allocate();
    if (result == CUDA_SUCCESS)
        s.memory.add(*address, range);
    else
        s.memory.refund(range.device, range.charged);
    return result;
}

// In the order of a stream: out of a pool, or, when the stream records, out of a graph's memory.
template <typename Allocate>
CUresult charged_on_stream(Session& s, uint64_t bytes, CUdeviceptr* address, CUmemoryPool pool,
                           const CUstream& stream, const Allocate& allocate) {
    MemoryTable::Range range{bytes, s.current_device(), rounded(bytes), s.context_name(), true, 0};
    range.pooled = true;
    const bool recorded = s.is_capturing(stream);
    if (!recorded) s.overhead.uses_pool(range.device, pool);
    if (!(recorded ? s.memory.charge(range.device, range.charged)
                   : s.memory.charge_pooled(range.device, range.charged)))
        return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult result = allocate();
    if (result != CUDA_SUCCESS)
        s.memory.refund(range.device, range.charged);
    else if (recorded)
        keep_captured_memory(s, stream, *address, bytes, range.device, range.charged);
    else
        s.memory.add(*address, range);
    return result;
}

// The pool of the current device that allocations without a pool come from.
CUmemoryPool current_pool(Session& s) {
    CUdevice device = 0;
    CUmemoryPool pool = nullptr;
    if (!s.overhead.limits() || s.driver.cuDeviceGetMemPool == nullptr ||
        s.driver.cuCtxGetDevice(&device) != CUDA_SUCCESS ||
        s.driver.cuDeviceGetMemPool(&pool, device) != CUDA_SUCCESS)
        return nullptr;
    return pool;
}

// What stood there is gone, for other processes as well.
void forget(Session& s, CUdeviceptr base) {
    s.memory.remove(base);
    if (s.exchange == nullptr) return;
    s.exchange->withdraw(Exchange::Kind::kMemory, base);
    s.exchange->withdraw(Exchange::Kind::kPoolPointer, base);
}

}  // namespace

CUresult cuMemAlloc_v2(Session& s, CUdeviceptr* dptr, size_t bytesize) {
    return charged(s, bytesize, dptr, false, [&] { return s.driver.cuMemAlloc_v2(dptr, bytesize); });
}

CUresult cuMemAllocManaged(Session& s, CUdeviceptr* dptr, size_t bytesize, unsigned int flags) {
    if (s.driver.cuMemAllocManaged == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result =
        charged(s, bytesize, dptr, true, [&] { return s.driver.cuMemAllocManaged(dptr, bytesize, flags); });
    if (result != CUDA_SUCCESS) return result;
    // The client's pages begin as zeros, so these must; and the only ones who touch them from now on are the
    // GPU and copies, so that is where they belong.
    CUdevice device = 0;
    if (s.driver.cuMemAdvise_v2 != nullptr && s.driver.cuCtxGetDevice(&device) == CUDA_SUCCESS)
        s.driver.cuMemAdvise_v2(*dptr, bytesize, CU_MEM_ADVISE_SET_PREFERRED_LOCATION,
                                {CU_MEM_LOCATION_TYPE_DEVICE, device});
    CUresult set = CUDA_SUCCESS;
    const CUstream stream = s.mirrors.stream(s.context_name(), &set);
    if (set == CUDA_SUCCESS) set = s.driver.cuMemsetD8Async(*dptr, 0, bytesize, stream);
    if (set == CUDA_SUCCESS) set = s.driver.cuStreamSynchronize(stream);
    if (set != CUDA_SUCCESS && s.driver.cuMemFree_v2(*dptr) == CUDA_SUCCESS) s.memory.remove(*dptr);
    return set;
}

CUresult cuMemAllocPitch_v2(Session& s, CUdeviceptr* dptr, size_t* pPitch, size_t WidthInBytes, size_t Height,
                            unsigned int ElementSizeBytes) {
    // The pitch is the driver's choice: charge the least it can be, then what it became.
    const CUresult result = s.driver.cuMemAllocPitch_v2(dptr, pPitch, WidthInBytes, Height, ElementSizeBytes);
    if (result != CUDA_SUCCESS) return result;
    const uint64_t bytes = (wire::Extent(*pPitch) * wire::Extent(Height)).value;
    const int device = s.current_device();
    if (!s.memory.charge(device, rounded(bytes))) {
        s.driver.cuMemFree_v2(*dptr);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    s.memory.add(*dptr, {bytes, device, rounded(bytes), s.context_name(), true, 0});
    return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(Session& s, CUdeviceptr dptr) {
    const MemoryTable::Range* range = s.memory.range_at(dptr);
    if (range == nullptr || !(range->owned || range->of_graph)) return CUDA_ERROR_INVALID_VALUE;
    if (s.host_functions.any_open()) {
        // The driver's free waits for the GPU, which may be waiting for the client, who is heard on this
        // thread.
        CUcontext context = nullptr;
        s.driver.cuCtxGetCurrent(&context);
        s.wait({[&s] { return s.host_functions.any_open() ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS; },
                [&s, dptr, context](CUresult) {
                    s.driver.cuCtxPushCurrent_v2(context);
                    if (s.driver.cuMemFree_v2(dptr) == CUDA_SUCCESS) forget(s, dptr);
                    CUcontext popped = nullptr;
                    s.driver.cuCtxPopCurrent_v2(&popped);
                }});
        return CUDA_SUCCESS;
    }
    const CUresult result = s.driver.cuMemFree_v2(dptr);
    if (result == CUDA_SUCCESS) forget(s, dptr);
    return result;
}

CUresult cuMemAllocAsync(Session& s, CUdeviceptr* dptr, size_t bytesize, CUstream hStream) {
    return charged_on_stream(s, bytesize, dptr, current_pool(s), hStream, [&] {
        return s.driver.cuMemAllocAsync == nullptr ? CUDA_ERROR_NOT_SUPPORTED
                                                   : s.driver.cuMemAllocAsync(dptr, bytesize, hStream);
    });
}

CUresult cuMemAllocFromPoolAsync(Session& s, CUdeviceptr* dptr, size_t bytesize, CUmemoryPool pool,
                                 CUstream hStream) {
    return charged_on_stream(s, bytesize, dptr, pool, hStream, [&] {
        return s.driver.cuMemAllocFromPoolAsync == nullptr
                   ? CUDA_ERROR_NOT_SUPPORTED
                   : s.driver.cuMemAllocFromPoolAsync(dptr, bytesize, pool, hStream);
    });
}

CUresult cuMemFreeAsync(Session& s, CUdeviceptr dptr, CUstream hStream) {
    const MemoryTable::Range* range = s.memory.range_at(dptr);
    if (range == nullptr || !(range->owned || range->of_graph) || s.driver.cuMemFreeAsync == nullptr)
        return CUDA_ERROR_INVALID_VALUE;
    const bool of_graph = range->of_graph;
    s.overhead.changed(range->device);  // the pool may keep it
    const CUresult result = s.driver.cuMemFreeAsync(dptr, hStream);
    if (result == CUDA_SUCCESS && !of_graph) forget(s, dptr);
    return result;
}

void serve(Session& s, const Frame& frame, const msg::PointerOrigin& m) {
    CUresult result = s.enter_if_alive(frame);
    if (result == CUDA_SUCCESS && s.memory.range_holding(m.address) == nullptr)
        result = CUDA_ERROR_INVALID_VALUE;
    msg::PointerOrigin::Reply reply;
    CUmemoryPool pool = nullptr;
    if (result == CUDA_SUCCESS)
        result = s.driver.cuPointerGetAttribute(&pool, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, m.address);
    if (result == CUDA_SUCCESS)
        result = s.driver.cuPointerGetAttribute(&reply.handle_types,
                                                CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, m.address);
    if (result == CUDA_SUCCESS) reply.pool = s.handles.name_of(pool, s.context_name());
    s.reply_with(frame, result, reply);
}

CUresult cuMemGetInfo_v2(Session& s, size_t* free, size_t* total) {
    const CUresult result = s.driver.cuMemGetInfo_v2(free, total);
    if (result != CUDA_SUCCESS || s.memory.partition() == 0) return result;
    s.overhead.look(s.current_device());
    const uint64_t used = s.memory.used(s.current_device());
    *total = s.memory.partition();
    const uint64_t left = *total - std::min<uint64_t>(used, *total);
    *free = *free + kOfTheDriver < left ? *free : left;
    return CUDA_SUCCESS;
}

// ---- virtual memory management
// -------------------------------------------------------------------------------------

CUresult cuMemAddressReserve(Session& s, CUdeviceptr* ptr, size_t size, size_t alignment, CUdeviceptr addr,
                             unsigned long long flags) {
    if (s.driver.cuMemAddressReserve == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    return s.driver.cuMemAddressReserve(ptr, size, alignment, addr, flags);
}

CUresult cuMemAddressFree(Session& s, CUdeviceptr ptr, size_t size) {
    if (s.driver.cuMemAddressFree == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    return s.driver.cuMemAddressFree(ptr, size);
}

CUresult cuMemCreate(Session& s, CUmemGenericAllocationHandle* handle, size_t size,
                     const CUmemAllocationProp* prop, unsigned long long flags) {
    if (s.driver.cuMemCreate == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    if (prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return CUDA_ERROR_NOT_SUPPORTED;  // memory of this host, which no partition counts
    CUmemAllocationProp seen = *prop;
    s.globalise(seen);
    const int device = s.gpu_of_lease(seen.location.id);
    if (!s.memory.charge(device, size)) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult result = s.driver.cuMemCreate(handle, size, prop, flags);
    if (result != CUDA_SUCCESS) {
        s.memory.refund(device, size);
        return result;
    }
    s.allocations[*handle] = {std::make_shared<MemoryTable::Charge>(&s.memory, device, size)};
    return CUDA_SUCCESS;
}

CUresult cuMemRelease(Session& s, CUmemGenericAllocationHandle handle) {
    if (s.driver.cuMemRelease == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuMemRelease(handle);
    const auto found = s.allocations.find(handle);
    if (result == CUDA_SUCCESS && found != s.allocations.end() && --found->second.references == 0) {
        s.handles.forget(s.handles.name_of(handle, s.context_name()));
        s.allocations.erase(found);
    }
    return result;
}

CUresult cuMemRetainAllocationHandle(Session& s, CUmemGenericAllocationHandle* handle, void* addr) {
    if (s.driver.cuMemRetainAllocationHandle == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuMemRetainAllocationHandle(handle, addr);
    if (result != CUDA_SUCCESS) return result;
    const auto found = s.allocations.find(*handle);
    if (found != s.allocations.end()) {
        ++found->second.references;
        return result;
    }
    // Released before, and alive only as a mapping.
    const MemoryTable::Range* range = s.memory.range_holding(reinterpret_cast<uint64_t>(addr));
    if (range != nullptr) s.allocations[*handle] = {range->physical};
    return result;
}

CUresult cuMemMap(Session& s, CUdeviceptr ptr, size_t size, size_t offset,
                  CUmemGenericAllocationHandle handle, unsigned long long flags) {
    if (s.driver.cuMemMap == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuMemMap(ptr, size, offset, handle, flags);
    if (result == CUDA_SUCCESS) {
        const auto found = s.allocations.find(handle);
        s.memory.add(ptr, {size, s.current_device(), 0, 0, false, 0,
                           found != s.allocations.end() ? found->second.charge : nullptr});
    }
    return result;
}

CUresult cuMemUnmap(Session& s, CUdeviceptr ptr, size_t size) {
    if (s.driver.cuMemUnmap == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuMemUnmap(ptr, size);
    if (result == CUDA_SUCCESS) s.memory.remove_mapped(ptr, size);
    return result;
}

}  // namespace bitfusion::worker
