#include <cstring>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/memory.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

// Managed memory is the same memory for host and device here: where it should be is always where it is.
// Advice and prefetches are kept so that the program can read them back.
namespace bitfusion::soft {
namespace {

CUresult cuMemAllocManaged(CUdeviceptr* out, size_t bytes, unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
        const CUresult captured = forbid_in_capture(context);
        if (captured != CUDA_SUCCESS) return captured;
        return allocate_managed(context, bytes, flags, out);
    });
}

bool managed_range(CUdeviceptr address, size_t bytes) {
    const auto found = driver().memory.find(address);
    return found && found->kind == MemoryKind::kManaged && bytes != 0 && bytes <= found->end() - address;
}

bool good_location(const CUmemLocation& location) {
    switch (location.type) {
        case CU_MEM_LOCATION_TYPE_DEVICE:
            return driver().gpu_of(location.id) != nullptr;
        case CU_MEM_LOCATION_TYPE_HOST:
        case CU_MEM_LOCATION_TYPE_HOST_NUMA:
        case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
            return true;
        default:
            return false;
    }
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, CUmemLocation location, unsigned int flags,
                               CUstream stream) {
    return entry_on_stream(stream, [&](const ContextPtr&, const StreamPtr&) {
        if (flags != 0 || !good_location(location) || !managed_range(address, bytes))
            return CUDA_ERROR_INVALID_VALUE;
        driver().memory.update(address,
                               [&](Allocation& allocation) { allocation.hints.last_prefetch = location; });
        return CUDA_SUCCESS;
    });
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUmemLocation location) {
    return entry_in_context([&](const ContextPtr&) {
        const bool located = advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION ||
                             advice == CU_MEM_ADVISE_SET_ACCESSED_BY ||
                             advice == CU_MEM_ADVISE_UNSET_ACCESSED_BY;
        if (located && !good_location(location)) return CUDA_ERROR_INVALID_VALUE;
        if (!managed_range(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
        const int user = location.type == CU_MEM_LOCATION_TYPE_DEVICE ? location.id : CU_DEVICE_CPU;
        CUresult result = CUDA_SUCCESS;
        driver().memory.update(address, [&](Allocation& allocation) {
            ManagedHints& hints = allocation.hints;
            switch (advice) {
                case CU_MEM_ADVISE_SET_READ_MOSTLY:
                case CU_MEM_ADVISE_UNSET_READ_MOSTLY:
                    hints.read_mostly = advice == CU_MEM_ADVISE_SET_READ_MOSTLY;
                    break;
                case CU_MEM_ADVISE_SET_PREFERRED_LOCATION:
                    hints.preferred = location;
                    break;
                case CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
                    hints.preferred = ManagedHints{}.preferred;
                    break;
                case CU_MEM_ADVISE_SET_ACCESSED_BY:
                    hints.accessed_by.insert(user);
                    break;
                case CU_MEM_ADVISE_UNSET_ACCESSED_BY:
                    hints.accessed_by.erase(user);
                    break;
                default:
                    result = CUDA_ERROR_INVALID_VALUE;
            }
        });
        return result;
    });
}

int device_of(const CUmemLocation& location) {
    if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) return location.id;
    return location.type == CU_MEM_LOCATION_TYPE_INVALID ? CU_DEVICE_INVALID : CU_DEVICE_CPU;
}

CUresult answer(const ManagedHints& hints, CUmem_range_attribute attribute, void* data, size_t bytes) {
    if (data == nullptr || bytes < 4 || bytes % 4 != 0) return CUDA_ERROR_INVALID_VALUE;
    const auto put = [&](int value) {
        if (bytes != 4) return CUDA_ERROR_INVALID_VALUE;
        memcpy(data, &value, sizeof value);
        return CUDA_SUCCESS;
    };
    switch (attribute) {
        case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY:
            return put(hints.read_mostly ? 1 : 0);
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
            return put(device_of(hints.preferred));
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION:
            return put(device_of(hints.last_prefetch));
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
            return put(static_cast<int>(hints.preferred.type));
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID:
            return put(hints.preferred.id);
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
            return put(static_cast<int>(hints.last_prefetch.type));
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID:
            return put(hints.last_prefetch.id);
        case CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY: {
            auto at = hints.accessed_by.begin();
            for (size_t i = 0; i < bytes / 4; ++i) {
                const int device = at == hints.accessed_by.end() ? CU_DEVICE_INVALID : *at++;
                memcpy(static_cast<char*>(data) + 4 * i, &device, sizeof device);
            }
            return CUDA_SUCCESS;
        }
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult read_range(void** data, const size_t* sizes, const CUmem_range_attribute* attributes,
                    size_t attribute_count, CUdeviceptr address, size_t bytes) {
    return entry_initialized([&] {
        if (!managed_range(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
        const ManagedHints hints = driver().memory.find(address)->hints;
        for (size_t i = 0; i < attribute_count; ++i) {
            const CUresult result = answer(hints, attributes[i], data[i], sizes[i]);
            if (result != CUDA_SUCCESS) return result;
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuMemRangeGetAttribute(void* data, size_t size, CUmem_range_attribute attribute, CUdeviceptr address,
                                size_t bytes) {
    return read_range(&data, &size, &attribute, 1, address, bytes);
}

CUresult cuMemRangeGetAttributes(void** data, size_t* sizes, CUmem_range_attribute* attributes,
                                 size_t attribute_count, CUdeviceptr address, size_t bytes) {
    return entry_initialized([&] {
        if (data == nullptr || sizes == nullptr || attributes == nullptr || attribute_count == 0)
            return CUDA_ERROR_INVALID_VALUE;
        return read_range(data, sizes, attributes, attribute_count, address, bytes);
    });
}

CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t bytes, unsigned int flags) {
    return entry_on_stream(stream, [&](const ContextPtr&, const StreamPtr&) {
        if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
            return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(address);
        if (!found || found->kind != MemoryKind::kManaged || found->base != address)
            return CUDA_ERROR_INVALID_VALUE;
        return bytes == 0 || bytes == found->bytes ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    });
}

}  // namespace

void serve_managed_memory(DriverTable* table) {
    BF_SERVE(cuMemAllocManaged);
    BF_SERVE(cuMemPrefetchAsync_v2);
    BF_SERVE(cuMemAdvise_v2);
    BF_SERVE(cuMemRangeGetAttribute);
    BF_SERVE(cuMemRangeGetAttributes);
    BF_SERVE(cuStreamAttachMemAsync);
}

}  // namespace bitfusion::soft
