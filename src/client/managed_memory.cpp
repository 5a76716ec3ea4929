#include "client/managed_memory.h"

#include <memory>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "client/clear_address.h"
#include "client/context.h"
#include "client/device.h"
#include "client/handover.h"
#include "client/managed_hints.h"
#include "client/managed_pages.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kPage = 4096;

struct Extent {
    uint64_t base;
    size_t bytes;
};

struct Prefetches {
    std::mutex lock;
    std::vector<Extent> to_host;  // at the next synchronisation
    std::atomic<bool> any{false};
};

Prefetches& prefetches() {
    static Prefetches* const made = std::make_unique<Prefetches>().release();  // outlives every exit handler
    return *made;
}

bool is_managed(CUdeviceptr address, size_t bytes) {
    const auto range = range_of(address);
    return range && range->kind == MemoryRange::Kind::kManaged && bytes != 0 &&
           bytes <= range->bytes - (address - range->base);
}

bool good_location(const CUmemLocation& location) {
    switch (location.type) {
        case CU_MEM_LOCATION_TYPE_DEVICE:
            return device_facts(location.id) != nullptr;
        case CU_MEM_LOCATION_TYPE_HOST:
        case CU_MEM_LOCATION_TYPE_HOST_NUMA:
        case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
            return true;
        default:
            return false;
    }
}

CUmemLocation location_of(CUdevice device) {
    return device == CU_DEVICE_CPU ? CUmemLocation{CU_MEM_LOCATION_TYPE_HOST, 0}
                                   : CUmemLocation{CU_MEM_LOCATION_TYPE_DEVICE, device};
}

CUresult check_stream(CUstream stream) {
    unsigned flags = 0;
    return cuStreamGetFlags(stream, &flags);
}

// Where memory is changes how fast it is reached, never what is in it: the GPU's side stays where it is, and
// the host's pages are sent ahead, or fetched when the stream has come there.
CUresult prefetch(CUdeviceptr address, size_t bytes, const CUmemLocation& location) {
    hint_prefetch(address, bytes, location);
    if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) return hand_over_range(address, bytes);
    Prefetches& p = prefetches();
    const std::lock_guard<std::mutex> lock(p.lock);
    p.to_host.push_back({address, bytes});
    p.any = true;
    return CUDA_SUCCESS;
}

CUresult prefetch_all(const CUdeviceptr* addresses, const size_t* sizes, size_t count,
                      const CUmemLocation* locations, const size_t* starts, size_t location_count,
                      unsigned long long flags, CUstream stream, bool discard) {
    if (addresses == nullptr || sizes == nullptr || count == 0 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (locations == nullptr || starts == nullptr || location_count == 0 || location_count > count ||
        starts[0] != 0)
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < location_count; ++i) {
        if (!good_location(locations[i]) || starts[i] >= count || (i != 0 && starts[i] <= starts[i - 1]))
            return CUDA_ERROR_INVALID_VALUE;
    }
    for (size_t i = 0; i < count; ++i) {
        if (!is_managed(addresses[i], sizes[i])) return CUDA_ERROR_INVALID_VALUE;
    }
    // Batches are not allowed on the legacy stream.
    if (stream == nullptr || stream == CU_STREAM_LEGACY) return CUDA_ERROR_INVALID_VALUE;
    const CUresult checked = check_stream(stream);
    if (checked != CUDA_SUCCESS) return checked;
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
        if (at + 1 < location_count && starts[at + 1] == i) ++at;
        if (discard) discard_managed(addresses[i], sizes[i]);
        const CUresult result = prefetch(addresses[i], sizes[i], locations[at]);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemAllocManaged(CUdeviceptr* dptr, size_t bytesize, unsigned int flags) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
    if (bytesize > SIZE_MAX - kPage) return CUDA_ERROR_OUT_OF_MEMORY;
    MemoryRange range;
    range.kind = MemoryRange::Kind::kManaged;
    range.bytes = bytesize;
    range.mapped_bytes = (bytesize + kPage - 1) / kPage * kPage;  // pages are never shared with others
    CUdeviceptr address = 0;
    const CUresult result = allocate_clear(
        &address, &range.mapped_bytes,
        [&] { return remote::cuMemAllocManaged(&address, range.mapped_bytes, CU_MEM_ATTACH_GLOBAL); },
        [](CUdeviceptr p) { remote::cuMemFree_v2(p); });
    if (result != CUDA_SUCCESS) return result;
    range.base = address;
    range.context = current_context();
    range.device = current_device();
    if (!trusts_addresses() && !manage_pages(address, range.mapped_bytes, range.context, true)) {
        remote::cuMemFree_v2(address);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    remember_range(range);
    g_sharing = true;
    *dptr = address;
    return CUDA_SUCCESS;
}

CUresult free_managed(const MemoryRange& range) {
    unmanage_pages(range.base, range.mapped_bytes);
    forget_hints(range.base, range.bytes);
    return remote::cuMemFree_v2(range.base);
}

CUresult adopt_managed_variable(MemoryRange range) {
    range.kind = MemoryRange::Kind::kManaged;
    range.mapped_bytes = range.bytes;
    if (!reserve_addresses(range.base, range.bytes)) {
        BF_LOG("client", kError,
               "the address %#llx of a managed variable is in use in this process; start it without a fixed "
               "memory layout",
               static_cast<unsigned long long>(range.base));
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (!trusts_addresses() && !manage_pages(range.base, range.bytes, range.context, false))
        return CUDA_ERROR_OUT_OF_MEMORY;
    remember_range(range);
    g_sharing = true;
    return CUDA_SUCCESS;
}

void drop_managed_variables(const std::vector<MemoryRange>& ranges) {
    for (const MemoryRange& range : ranges) {
        unmanage_pages(range.base, range.bytes);
        forget_hints(range.base, range.bytes);
    }
}

void finish_prefetches() {
    Prefetches& p = prefetches();
    if (!p.any.load(std::memory_order_relaxed)) return;
    std::vector<Extent> due;
    {
        const std::lock_guard<std::mutex> lock(p.lock);
        due.swap(p.to_host);
        p.any = false;
    }
    for (const Extent& extent : due) fetch_managed(extent.base, extent.bytes);
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr devPtr, size_t count, CUmemLocation location, unsigned int flags,
                               CUstream hStream) {
    if (flags != 0 || !is_managed(devPtr, count)) return CUDA_ERROR_INVALID_VALUE;
    if (location.type == CU_MEM_LOCATION_TYPE_DEVICE && device_facts(location.id) == nullptr)
        return CUDA_ERROR_INVALID_DEVICE;
    if (!good_location(location)) return CUDA_ERROR_INVALID_VALUE;
    const CUresult checked = check_stream(hStream);
    return checked == CUDA_SUCCESS ? prefetch(devPtr, count, location) : checked;
}

CUresult cuMemPrefetchAsync(CUdeviceptr devPtr, size_t count, CUdevice dstDevice, CUstream hStream) {
    return cuMemPrefetchAsync_v2(devPtr, count, location_of(dstDevice), 0, hStream);
}

CUresult cuMemPrefetchBatchAsync(CUdeviceptr* dptrs, size_t* sizes, size_t count, CUmemLocation* prefetchLocs,
                                 size_t* prefetchLocIdxs, size_t numPrefetchLocs, unsigned long long flags,
                                 CUstream hStream) {
    return prefetch_all(dptrs, sizes, count, prefetchLocs, prefetchLocIdxs, numPrefetchLocs, flags, hStream,
                        false);
}

CUresult cuMemDiscardAndPrefetchBatchAsync(CUdeviceptr* dptrs, size_t* sizes, size_t count,
                                           CUmemLocation* prefetchLocs, size_t* prefetchLocIdxs,
                                           size_t numPrefetchLocs, unsigned long long flags,
                                           CUstream hStream) {
    return prefetch_all(dptrs, sizes, count, prefetchLocs, prefetchLocIdxs, numPrefetchLocs, flags, hStream,
                        true);
}

CUresult cuMemDiscardBatchAsync(CUdeviceptr* dptrs, size_t* sizes, size_t count, unsigned long long flags,
                                CUstream hStream) {
    if (dptrs == nullptr || sizes == nullptr || count == 0 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
        if (!is_managed(dptrs[i], sizes[i])) return CUDA_ERROR_INVALID_VALUE;
    }
    if (hStream == nullptr || hStream == CU_STREAM_LEGACY) return CUDA_ERROR_INVALID_VALUE;
    const CUresult checked = check_stream(hStream);
    if (checked != CUDA_SUCCESS) return checked;
    for (size_t i = 0; i < count; ++i) discard_managed(dptrs[i], sizes[i]);
    return CUDA_SUCCESS;
}

CUresult cuMemAdvise_v2(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUmemLocation location) {
    const bool located = advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION ||
                         advice == CU_MEM_ADVISE_SET_ACCESSED_BY || advice == CU_MEM_ADVISE_UNSET_ACCESSED_BY;
    if (located && location.type == CU_MEM_LOCATION_TYPE_DEVICE && device_facts(location.id) == nullptr)
        return CUDA_ERROR_INVALID_DEVICE;
    if (located && !good_location(location)) return CUDA_ERROR_INVALID_VALUE;
    if (!is_managed(devPtr, count)) return CUDA_ERROR_INVALID_VALUE;
    return hint_advice(devPtr, count, advice, location);
}

CUresult cuMemAdvise(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUdevice device) {
    return cuMemAdvise_v2(devPtr, count, advice, location_of(device));
}

CUresult cuMemRangeGetAttributes(void** data, size_t* dataSizes, CUmem_range_attribute* attributes,
                                 size_t numAttributes, CUdeviceptr devPtr, size_t count) {
    if (data == nullptr || dataSizes == nullptr || attributes == nullptr || numAttributes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (!is_managed(devPtr, count)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < numAttributes; ++i) {
        const CUresult result = read_hint(data[i], dataSizes[i], attributes[i], devPtr, count);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

CUresult cuMemRangeGetAttribute(void* data, size_t dataSize, CUmem_range_attribute attribute,
                                CUdeviceptr devPtr, size_t count) {
    return cuMemRangeGetAttributes(&data, &dataSize, &attribute, 1, devPtr, count);
}

// Any page may be touched at any time, whatever it is attached to: there is nothing to do but to check.
CUresult cuStreamAttachMemAsync(CUstream hStream, CUdeviceptr dptr, size_t length, unsigned int flags) {
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
        return CUDA_ERROR_INVALID_VALUE;
    if (flags == CU_MEM_ATTACH_SINGLE && (hStream == nullptr || hStream == CU_STREAM_LEGACY))
        return CUDA_ERROR_INVALID_VALUE;
    const CUresult checked = check_stream(hStream);
    if (checked != CUDA_SUCCESS) return checked;
    const auto range = range_of(dptr);
    if (!range || range->kind != MemoryRange::Kind::kManaged || range->base != dptr)
        return CUDA_ERROR_INVALID_VALUE;
    return length == 0 || length == range->bytes ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace bitfusion::client
