// Pointer attributes, from the memory map alone.
#include "client/context.h"
#include "client/memory_map.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

template <typename T>
CUresult answer(void* data, T value) {
    *static_cast<T*>(data) = value;
    return CUDA_SUCCESS;
}

bool is_host(const MemoryRange& range) {
    return range.kind == MemoryRange::Kind::kHost || range.kind == MemoryRange::Kind::kMapped;
}

// `known` is nullptr for memory that CUDA knows nothing of: then `missing` says what the plural form answers,
// and the singular form fails.
CUresult one(void* data, CUpointer_attribute attribute, CUdeviceptr pointer, const MemoryRange* known) {
    if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const bool host = known != nullptr && is_host(*known);
    const bool managed = known != nullptr && known->kind == MemoryRange::Kind::kManaged;
    switch (attribute) {
        case CU_POINTER_ATTRIBUTE_CONTEXT:
            return answer<CUcontext>(data, known != nullptr ? known->context : nullptr);
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
            return answer<unsigned>(data, known == nullptr ? 0
                                          : host           ? CU_MEMORYTYPE_HOST
                                                           : CU_MEMORYTYPE_DEVICE);
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
            // Pinned memory that is not mapped yet becomes it under its own address, as far as that is free.
            if (known != nullptr && known->mapped_at != 0)
                return answer<CUdeviceptr>(data, known->mapped_at + (pointer - known->base));
            return answer<CUdeviceptr>(data, known == nullptr ? 0 : pointer);
        case CU_POINTER_ATTRIBUTE_HOST_POINTER:
            if (known != nullptr && !host && !managed) {
                answer<void*>(data, nullptr);
                return CUDA_ERROR_INVALID_VALUE;
            }
            if (known != nullptr && known->kind == MemoryRange::Kind::kMapped)
                return answer<void*>(data, reinterpret_cast<void*>(known->owner + (pointer - known->base)));
            return answer<void*>(data, known != nullptr ? reinterpret_cast<void*>(pointer) : nullptr);
        case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
        case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
            return answer<int>(data, 0);
        case CU_POINTER_ATTRIBUTE_BUFFER_ID:
        case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
            return answer<unsigned long long>(data, known != nullptr ? known->id : 0);
        case CU_POINTER_ATTRIBUTE_IS_MANAGED:
            return answer<unsigned>(data, managed ? 1 : 0);
        case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
            return answer<unsigned>(data,
                                    known != nullptr && known->kind == MemoryRange::Kind::kDevice ? 1 : 0);
        case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
            return answer<unsigned>(data, 0);
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
            return answer<int>(data, known != nullptr ? known->device : static_cast<int>(CU_DEVICE_INVALID));
        case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
            return answer<CUdeviceptr>(data, known != nullptr ? known->base : 0);
        case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
            return answer<size_t>(data, known != nullptr ? known->bytes : 0);
        case CU_POINTER_ATTRIBUTE_MAPPED:
            return answer<unsigned>(data, known != nullptr ? 1 : 0);
        case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
            return answer<unsigned long long>(data, 0);
        case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
            return answer<unsigned>(data, known != nullptr ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE
                                                           : CU_POINTER_ATTRIBUTE_ACCESS_FLAG_NONE);
        case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
            return answer<CUmemoryPool>(data, nullptr);
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

}  // namespace

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr ptr) {
    if (data == nullptr || attribute < CU_POINTER_ATTRIBUTE_CONTEXT) return CUDA_ERROR_INVALID_VALUE;
    const auto range = range_of(ptr);
    if (!range) return CUDA_ERROR_INVALID_VALUE;
    return one(data, attribute, ptr, &*range);
}

CUresult cuPointerGetAttributes(unsigned int numAttributes, CUpointer_attribute* attributes, void** data,
                                CUdeviceptr ptr) {
    if (numAttributes == 0 || attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto range = range_of(ptr);
    for (unsigned i = 0; i < numAttributes; ++i) {
        if (data[i] == nullptr || attributes[i] < CU_POINTER_ATTRIBUTE_CONTEXT ||
            attributes[i] > CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        one(data[i], attributes[i], ptr, range ? &*range : nullptr);
    }
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
