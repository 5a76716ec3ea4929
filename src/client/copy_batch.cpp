// Batches of copies: all are checked before the first is made. A batch has no order inside; the stream's
// order is one that it allows.
#include <cstdint>
#include <vector>

#include "client/array.h"
#include "client/context.h"
#include "client/copy.h"
#include "client/memory_map.h"
#include "client/stream.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kMostCopies = 1 << 20;

bool good_order(CUmemcpySrcAccessOrder order) {
    return order >= CU_MEMCPY_SRC_ACCESS_ORDER_STREAM && order <= CU_MEMCPY_SRC_ACCESS_ORDER_ANY;
}

SourceRead read_of(CUmemcpySrcAccessOrder order) {
    return order == CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL ? SourceRead::kDuringCall
                                                               : SourceRead::kInStream;
}

CUresult check_stream(CUstream stream) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (stream == nullptr || stream == CU_STREAM_LEGACY) return CUDA_ERROR_INVALID_VALUE;
    return is_capturing(stream) ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

// An address that lies in device memory must do so with all of the copy.
bool good_side(CUdeviceptr address, size_t bytes) {
    return bytes == 0 || (address != 0 && (!is_device(address, 1) || is_device(address, bytes)));
}

struct RowBatch {
    const CUdeviceptr* to;
    const CUdeviceptr* from;
    const size_t* sizes;
    size_t count;
    const CUmemcpyAttributes* attributes;
    const size_t* firsts;
    size_t attribute_count;
};

CUresult check(const RowBatch& b, size_t* failed) {
    if (b.to == nullptr || b.from == nullptr || b.sizes == nullptr || b.count == 0 || b.count > kMostCopies ||
        b.attributes == nullptr || b.firsts == nullptr || b.attribute_count == 0 ||
        b.attribute_count > b.count || b.firsts[0] != 0)
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < b.attribute_count; ++i) {
        if (!good_order(b.attributes[i].srcAccessOrder) || b.firsts[i] >= b.count ||
            (i != 0 && b.firsts[i] <= b.firsts[i - 1]))
            return CUDA_ERROR_INVALID_VALUE;
    }
    for (size_t i = 0; i < b.count; ++i) {
        if (good_side(b.to[i], b.sizes[i]) && good_side(b.from[i], b.sizes[i])) continue;
        *failed = i;
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult copy_rows(const RowBatch& b, CUstream stream, size_t* failed) {
    *failed = SIZE_MAX;  // none in particular
    CUresult result = check_stream(stream);
    if (result == CUDA_SUCCESS) result = check(b, failed);
    size_t attribute = 0;
    for (size_t i = 0; i < b.count && result == CUDA_SUCCESS; ++i) {
        while (attribute + 1 < b.attribute_count && b.firsts[attribute + 1] <= i) ++attribute;
        result = copy_between(b.to[i], b.from[i], b.sizes[i], stream, true,
                              read_of(b.attributes[attribute].srcAccessOrder));
        if (result != CUDA_SUCCESS) *failed = i;
    }
    return result;
}

// ---- copies of three dimensions: extents, row lengths and offsets count elements

// Of the operand's array; 0: a pointer, which takes the other side's.
CUresult element_of(const CUmemcpy3DOperand& operand, uint64_t* bytes) {
    *bytes = 0;
    if (operand.type == CU_MEMCPY_OPERAND_TYPE_POINTER) return CUDA_SUCCESS;
    if (operand.type != CU_MEMCPY_OPERAND_TYPE_ARRAY) return CUDA_ERROR_INVALID_VALUE;
    const auto array = array_of(operand.op.array.array);
    if (!array) return CUDA_ERROR_INVALID_HANDLE;
    *bytes = element_bytes(*array);
    return *bytes == 0 ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

bool times(size_t count, uint64_t element, size_t* bytes) {
    return !__builtin_mul_overflow(count, element, bytes);
}

CUresult to_box(const CUDA_MEMCPY3D_BATCH_OP& op, CUDA_MEMCPY3D* box) {
    uint64_t from = 0;
    uint64_t to = 0;
    CUresult result = element_of(op.src, &from);
    if (result == CUDA_SUCCESS) result = element_of(op.dst, &to);
    if (result != CUDA_SUCCESS) return result;
    if (from != 0 && to != 0 && from != to) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t element = from != 0 ? from : to != 0 ? to : 1;
    if (!good_order(op.srcAccessOrder) || op.extent.width == 0 || op.extent.height == 0 ||
        op.extent.depth == 0 || !times(op.extent.width, element, &box->WidthInBytes))
        return CUDA_ERROR_INVALID_VALUE;
    box->Height = op.extent.height;
    box->Depth = op.extent.depth;
    bool good = true;
    if (from != 0) {
        box->srcMemoryType = CU_MEMORYTYPE_ARRAY;
        box->srcArray = op.src.op.array.array;
        good = times(op.src.op.array.offset.x, element, &box->srcXInBytes);
        box->srcY = op.src.op.array.offset.y;
        box->srcZ = op.src.op.array.offset.z;
    } else {
        const auto& pointer = op.src.op.ptr;
        box->srcMemoryType = CU_MEMORYTYPE_UNIFIED;
        box->srcDevice = pointer.ptr;
        good = times(pointer.rowLength, element, &box->srcPitch) &&
               (pointer.rowLength == 0 || pointer.rowLength >= op.extent.width) &&
               (pointer.layerHeight == 0 || pointer.layerHeight >= op.extent.height);
        box->srcHeight = pointer.layerHeight;
    }
    if (to != 0) {
        box->dstMemoryType = CU_MEMORYTYPE_ARRAY;
        box->dstArray = op.dst.op.array.array;
        good = times(op.dst.op.array.offset.x, element, &box->dstXInBytes) && good;
        box->dstY = op.dst.op.array.offset.y;
        box->dstZ = op.dst.op.array.offset.z;
    } else {
        const auto& pointer = op.dst.op.ptr;
        box->dstMemoryType = CU_MEMORYTYPE_UNIFIED;
        box->dstDevice = pointer.ptr;
        good = times(pointer.rowLength, element, &box->dstPitch) &&
               (pointer.rowLength == 0 || pointer.rowLength >= op.extent.width) &&
               (pointer.layerHeight == 0 || pointer.layerHeight >= op.extent.height) && good;
        box->dstHeight = pointer.layerHeight;
    }
    if (!good) return CUDA_ERROR_INVALID_VALUE;
    return check_box(*box);
}

CUresult copy_boxes(size_t count, const CUDA_MEMCPY3D_BATCH_OP* ops, unsigned long long flags,
                    CUstream stream, size_t* failed) {
    *failed = SIZE_MAX;
    const CUresult ready = check_stream(stream);
    if (ready != CUDA_SUCCESS) return ready;
    if (ops == nullptr || count == 0 || count > kMostCopies || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    std::vector<CUDA_MEMCPY3D> boxes(count);
    for (size_t i = 0; i < count; ++i) {
        const CUresult result = to_box(ops[i], &boxes[i]);
        if (result == CUDA_SUCCESS) continue;
        *failed = i;
        return result;
    }
    for (size_t i = 0; i < count; ++i) {
        const CUresult result = copy_box(boxes[i], stream, true, read_of(ops[i].srcAccessOrder));
        if (result == CUDA_SUCCESS) continue;
        *failed = i;
        return result;
    }
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemcpyBatchAsync_v2(CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                               CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs,
                               CUstream hStream) {
    size_t failed = 0;
    return copy_rows({dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs}, resolve_stream(hStream),
                     &failed);
}

CUresult cuMemcpyBatchAsync(CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                            CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs, size_t* failIdx,
                            CUstream hStream) {
    size_t failed = 0;
    const CUresult result =
        copy_rows({dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs}, resolve_stream(hStream), &failed);
    if (result != CUDA_SUCCESS && failIdx != nullptr) *failIdx = failed;
    return result;
}

CUresult cuMemcpy3DBatchAsync_v2(size_t numOps, CUDA_MEMCPY3D_BATCH_OP* opList, unsigned long long flags,
                                 CUstream hStream) {
    size_t failed = 0;
    return copy_boxes(numOps, opList, flags, resolve_stream(hStream), &failed);
}

CUresult cuMemcpy3DBatchAsync(size_t numOps, CUDA_MEMCPY3D_BATCH_OP* opList, size_t* failIdx,
                              unsigned long long flags, CUstream hStream) {
    size_t failed = 0;
    const CUresult result = copy_boxes(numOps, opList, flags, resolve_stream(hStream), &failed);
    if (result != CUDA_SUCCESS && failIdx != nullptr) *failIdx = failed;
    return result;
}

}  // namespace bitfusion::client
