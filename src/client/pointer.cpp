// Pointer attributes, from the memory map; the server is asked only where memory came from.
#include <cstring>

#include "client/context.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client/stream.h"
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

using Origin = msg::PointerOrigin::Reply;

// As the device attribute has it: nothing is shared between hosts.
constexpr unsigned long long kHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

// The driver knows where memory of the GPU came from; host memory and unknown memory came from no pool.
template <typename Use>
CUresult origin(CUdeviceptr pointer, const MemoryRange* known, const Use& use) {
    Origin of{};
    if (known == nullptr || is_host(*known)) return use(of);
    const CUresult result =
        call(msg::PointerOrigin{pointer}, [&](const msg::PointerOrigin::Reply& reply) { of = reply; });
    const CUresult used = use(of);
    return result == CUDA_SUCCESS ? used : result;
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
            return answer<int>(data, known != nullptr && known->sync_memops ? 1 : 0);
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
            return origin(pointer, known, [&](const Origin& of) {
                return answer<unsigned long long>(data, of.handle_types & kHandleTypes);
            });
        case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
            return answer<unsigned>(data, known != nullptr ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE
                                                           : CU_POINTER_ATTRIBUTE_ACCESS_FLAG_NONE);
        case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
            return origin(pointer, known, [&](const Origin& of) {
                return answer<CUmemoryPool>(data, from_wire_name<CUmemoryPool>(of.pool));
            });
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

CUresult cuPointerSetAttribute(const void* value, CUpointer_attribute attribute, CUdeviceptr ptr) {
    if (value == nullptr || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS) return CUDA_ERROR_INVALID_VALUE;
    unsigned wanted = 0;
    memcpy(&wanted, value, sizeof wanted);
    if (!note_sync_memops(ptr, wanted != 0)) return CUDA_ERROR_INVALID_VALUE;
    if (wanted == 0) return CUDA_SUCCESS;
    g_ever_wanted = true;
    // What was begun before must be done; while a stream captures, nothing synchronous was.
    const CUcontext context = current_context();
    return context == nullptr || any_capture() ? CUDA_SUCCESS : synchronize_context(context);
}

}  // namespace bitfusion::client
