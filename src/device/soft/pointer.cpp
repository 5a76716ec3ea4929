#include <cstring>

#include "device/soft/entry.h"
#include "device/soft/memory_pool.h"
#include "device/soft/serve.h"
#include "device/soft/virtual_memory.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

template <typename T>
void put(void* data, T value) {
    memcpy(data, &value, sizeof value);
}

void* host_pointer(uint64_t address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

size_t value_bytes(CUpointer_attribute attribute) {
    switch (attribute) {
        case CU_POINTER_ATTRIBUTE_CONTEXT:
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        case CU_POINTER_ATTRIBUTE_BUFFER_ID:
        case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
        case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
        case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
        case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
        case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
            return 8;
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
            return 4;
        case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
        case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
        case CU_POINTER_ATTRIBUTE_MAPPED:
        case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
        case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
            return 1;
        default:
            return 0;
    }
}

CUresult answer(const Allocation& allocation, CUpointer_attribute attribute, uint64_t address, void* data) {
    const bool host_side =
        allocation.kind == MemoryKind::kPinned || allocation.kind == MemoryKind::kRegistered;
    const bool managed = allocation.kind == MemoryKind::kManaged;
    switch (attribute) {
        case CU_POINTER_ATTRIBUTE_CONTEXT:
            put(data, allocation.context);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
            put(data, static_cast<unsigned>(host_side ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE));
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
            put(data, CUdeviceptr{address});
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_HOST_POINTER:
            if (!host_side && !managed) return CUDA_ERROR_INVALID_VALUE;
            put(data, host_pointer(address));
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
            put(data, allocation.sync_memops);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_BUFFER_ID:
        case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
            put(data, static_cast<unsigned long long>(allocation.id));
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_IS_MANAGED:
            put(data, managed);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
            put(data, allocation.gpu != nullptr ? allocation.gpu->ordinal() : 0);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_MAPPED:
            put(data, true);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
            put(data, CUdeviceptr{allocation.base});
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
            put(data, size_t{allocation.bytes});
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
            put(data, static_cast<int>(allocation.writable   ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE
                                       : allocation.readable ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READ
                                                             : CU_POINTER_ATTRIBUTE_ACCESS_FLAG_NONE));
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
            put(data, allocation.pool != nullptr ? allocation.pool->handle : CUmemoryPool{nullptr});
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
            put(data, allocation.kind == MemoryKind::kDevice);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
        case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
            put(data, false);
            return CUDA_SUCCESS;
        case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES: {
            const bool pooled = allocation.pool != nullptr && allocation.pool->shareable;
            const bool mapped =
                allocation.physical != nullptr &&
                allocation.physical->properties.requestedHandleTypes != CU_MEM_HANDLE_TYPE_NONE;
            put(data, pooled || mapped ? uint64_t{CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR} : uint64_t{0});
            return CUDA_SUCCESS;
        }
        case CU_POINTER_ATTRIBUTE_P2P_TOKENS:
            return CUDA_ERROR_NOT_SUPPORTED;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

std::optional<Allocation> find_visible(CUdeviceptr address) {
    auto found = driver().memory.find(address);
    if (found && found->kind == MemoryKind::kArray) found.reset();
    return found;
}

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr address) {
    return entry_initialized([&] {
        if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto found = find_visible(address);
        return found ? answer(*found, attribute, address, data) : CUDA_ERROR_INVALID_VALUE;
    });
}

// Unlike the singular form this one succeeds for memory that the driver does not know: every answer is then
// empty.
CUresult cuPointerGetAttributes(unsigned int count, CUpointer_attribute* attributes, void** data,
                                CUdeviceptr address) {
    return entry_initialized([&] {
        if (count == 0 || attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (unsigned i = 0; i < count; ++i) {
            if (data[i] == nullptr || value_bytes(attributes[i]) == 0) return CUDA_ERROR_INVALID_VALUE;
        }
        const auto found = find_visible(address);
        for (unsigned i = 0; i < count; ++i) {
            if (found && answer(*found, attributes[i], address, data[i]) == CUDA_SUCCESS) continue;
            if (attributes[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
                put(data[i], static_cast<int>(CU_DEVICE_INVALID));
            else
                memset(data[i], 0, value_bytes(attributes[i]));
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuPointerSetAttribute(const void* value, CUpointer_attribute attribute, CUdeviceptr address) {
    return entry_initialized([&] {
        if (value == nullptr || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS)
            return CUDA_ERROR_INVALID_VALUE;
        unsigned wanted = 0;
        memcpy(&wanted, value, sizeof wanted);
        const bool known = driver().memory.update(
            address, [&](Allocation& allocation) { allocation.sync_memops = wanted != 0; });
        if (!known) return CUDA_ERROR_INVALID_VALUE;
        // What was begun before must be done.
        ContextPtr context;
        return wanted != 0 && current_context(&context) == CUDA_SUCCESS ? synchronize(*context)
                                                                        : CUDA_SUCCESS;
    });
}

}  // namespace

void serve_pointers(DriverTable* table) {
    BF_SERVE(cuPointerGetAttribute);
    BF_SERVE(cuPointerGetAttributes);
    BF_SERVE(cuPointerSetAttribute);
}

}  // namespace bitfusion::soft
