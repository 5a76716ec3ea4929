#include "device/soft/memset.h"

#include <algorithm>
#include <cstring>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

template <typename T>
void fill(const CUDA_MEMSET_NODE_PARAMS& set) {
    for (size_t row = 0; row < set.height; ++row) {
        auto* first = reinterpret_cast<T*>(static_cast<uintptr_t>(set.dst + row * set.pitch));
        std::fill_n(first, set.width, static_cast<T>(set.value));
    }
}

CUDA_MEMSET_NODE_PARAMS make_set(CUdeviceptr to, size_t pitch, unsigned value, unsigned element, size_t width,
                                 size_t height) {
    CUDA_MEMSET_NODE_PARAMS set{};
    set.dst = to;
    set.pitch = pitch;
    set.value = value;
    set.elementSize = element;
    set.width = width;
    set.height = height;
    return set;
}

// Like a copy inside the device a set does not wait, except for memory that the host reads directly, and
// where the program wants it.
CUresult set_now(const CUDA_MEMSET_NODE_PARAMS& set) {
    return entry_in_context([&](const ContextPtr& context) {
        CUresult result = check_set(set);
        if (result != CUDA_SUCCESS || set.width == 0 || set.height == 0) return result;
        result = forbid_implicit(context, *context->legacy);
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        const auto found = driver().memory.find(set.dst);
        const bool waited_for = (found && (!found->device_side() || found->sync_memops)) ||
                                (context->flags & CU_CTX_SYNC_MEMOPS) != 0;
        return waited_for ? submit_and_wait(context, context->legacy, SetWork{set})
                          : submit(context, context->legacy, SetWork{set});
    });
}

CUresult set_later(const CUDA_MEMSET_NODE_PARAMS& set, CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const CUresult result = check_set(set);
        if (result != CUDA_SUCCESS || set.width == 0 || set.height == 0) return result;
        return submit(context, stream, SetWork{set});
    });
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
    return set_now(make_set(to, 0, value, 1, count, 1));
}
CUresult cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
    return set_now(make_set(to, 0, value, 2, count, 1));
}
CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
    return set_now(make_set(to, 0, value, 4, count, 1));
}
CUresult cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height) {
    return set_now(make_set(to, pitch, value, 1, width, height));
}
CUresult cuMemsetD2D16_v2(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height) {
    return set_now(make_set(to, pitch, value, 2, width, height));
}
CUresult cuMemsetD2D32_v2(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height) {
    return set_now(make_set(to, pitch, value, 4, width, height));
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
    return set_later(make_set(to, 0, value, 1, count, 1), stream);
}
CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
    return set_later(make_set(to, 0, value, 2, count, 1), stream);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
    return set_later(make_set(to, 0, value, 4, count, 1), stream);
}
CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height,
                           CUstream stream) {
    return set_later(make_set(to, pitch, value, 1, width, height), stream);
}
CUresult cuMemsetD2D16Async(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height,
                            CUstream stream) {
    return set_later(make_set(to, pitch, value, 2, width, height), stream);
}
CUresult cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height,
                            CUstream stream) {
    return set_later(make_set(to, pitch, value, 4, width, height), stream);
}

}  // namespace

CUresult check_set(const CUDA_MEMSET_NODE_PARAMS& set) {
    if (set.elementSize != 1 && set.elementSize != 2 && set.elementSize != 4) return CUDA_ERROR_INVALID_VALUE;
    if (set.width == 0 || set.height == 0) return CUDA_SUCCESS;
    if (set.dst % set.elementSize != 0) return CUDA_ERROR_INVALID_VALUE;
    uint64_t row = 0;
    uint64_t extent = 0;
    if (__builtin_mul_overflow(set.width, set.elementSize, &row)) return CUDA_ERROR_INVALID_VALUE;
    if (set.height > 1 && (set.pitch < row || set.pitch % set.elementSize != 0))
        return CUDA_ERROR_INVALID_VALUE;
    if (__builtin_mul_overflow(set.pitch, set.height - 1, &extent) ||
        __builtin_add_overflow(extent, row, &extent))
        return CUDA_ERROR_INVALID_VALUE;
    const auto found = driver().memory.find(set.dst);
    if (!found || found->kind == MemoryKind::kArray) return CUDA_ERROR_INVALID_VALUE;
    return driver().memory.covers(set.dst, extent) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void run_set(const CUDA_MEMSET_NODE_PARAMS& set) {
    if (set.elementSize == 1)
        fill<uint8_t>(set);
    else if (set.elementSize == 2)
        fill<uint16_t>(set);
    else
        fill<uint32_t>(set);
}

void serve_memsets(DriverTable* table) {
    BF_SERVE(cuMemsetD8_v2);
    BF_SERVE(cuMemsetD16_v2);
    BF_SERVE(cuMemsetD32_v2);
    BF_SERVE(cuMemsetD2D8_v2);
    BF_SERVE(cuMemsetD2D16_v2);
    BF_SERVE(cuMemsetD2D32_v2);
    BF_SERVE(cuMemsetD8Async);
    BF_SERVE(cuMemsetD16Async);
    BF_SERVE(cuMemsetD32Async);
    BF_SERVE(cuMemsetD2D8Async);
    BF_SERVE(cuMemsetD2D16Async);
    BF_SERVE(cuMemsetD2D32Async);
}

}  // namespace bitfusion::soft
