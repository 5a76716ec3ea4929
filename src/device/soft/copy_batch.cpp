#include "device/soft/array.h"
#include "device/soft/capture.h"
#include "device/soft/copy.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr size_t kMostCopies = 1 << 20;

struct BatchCopy {
    CopyPlan plan;
    SourceRead read = SourceRead::kInStream;
};

bool good_order(CUmemcpySrcAccessOrder order) {
    return order >= CU_MEMCPY_SRC_ACCESS_ORDER_STREAM && order <= CU_MEMCPY_SRC_ACCESS_ORDER_ANY;
}

SourceRead read_of(CUmemcpySrcAccessOrder order) {
    return order == CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL ? SourceRead::kDuringCall
                                                               : SourceRead::kInStream;
}

// Every copy is checked before the first is submitted. A batch has no order inside; stream order is one that
// it allows.
CUresult submit_batch(const ContextPtr& context, const StreamPtr& stream, std::vector<BatchCopy> copies) {
    if (stream->kind == Stream::Kind::kLegacy) return CUDA_ERROR_INVALID_VALUE;
    if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
    for (BatchCopy& copy : copies) {
        const CUresult result = copy_later(context, stream, std::move(copy.plan), copy.read);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

CUresult cuMemcpyBatchAsync_v2(CUdeviceptr* to, CUdeviceptr* from, size_t* sizes, size_t count,
                               CUmemcpyAttributes* attributes, size_t* first_copies, size_t attribute_count,
                               CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (to == nullptr || from == nullptr || sizes == nullptr || count == 0 || count > kMostCopies)
            return CUDA_ERROR_INVALID_VALUE;
        if (attributes == nullptr || first_copies == nullptr || attribute_count == 0 ||
            attribute_count > count)
            return CUDA_ERROR_INVALID_VALUE;
        if (first_copies[0] != 0) return CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < attribute_count; ++i) {
            if (!good_order(attributes[i].srcAccessOrder) || first_copies[i] >= count)
                return CUDA_ERROR_INVALID_VALUE;
            if (i != 0 && first_copies[i] <= first_copies[i - 1]) return CUDA_ERROR_INVALID_VALUE;
        }
        std::vector<BatchCopy> copies(count);
        size_t attribute = 0;
        for (size_t i = 0; i < count; ++i) {
            while (attribute + 1 < attribute_count && first_copies[attribute + 1] <= i) ++attribute;
            copies[i].read = read_of(attributes[attribute].srcAccessOrder);
            const CUresult result =
                plan_row(to[i], Place::kAny, from[i], Place::kAny, sizes[i], &copies[i].plan);
            if (result != CUDA_SUCCESS) return result;
        }
        return submit_batch(context, stream, std::move(copies));
    });
}

// One side of a copy in the form of cuMemcpy3D. Widths and offsets of arrays count elements.
struct Side {
    CUmemorytype type = CU_MEMORYTYPE_UNIFIED;
    CUdeviceptr address = 0;
    CUarray array = nullptr;
    CUoffset3D offset{};
    size_t pitch = 0;
    size_t height = 0;
    size_t element = 1;
};

CUresult read_side(const CUmemcpy3DOperand& operand, Side* side) {
    if (operand.type == CU_MEMCPY_OPERAND_TYPE_POINTER) {
        side->address = operand.op.ptr.ptr;
        side->pitch = operand.op.ptr.rowLength;
        side->height = operand.op.ptr.layerHeight;
        return CUDA_SUCCESS;
    }
    if (operand.type != CU_MEMCPY_OPERAND_TYPE_ARRAY) return CUDA_ERROR_INVALID_VALUE;
    const auto array = driver().arrays.find(operand.op.array.array);
    if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    side->type = CU_MEMORYTYPE_ARRAY;
    side->array = array->handle;
    side->element = rows_of(array->description).unit;
    if (side->element == 0) return CUDA_ERROR_INVALID_VALUE;  // its planes are copied, one by one
    side->offset = operand.op.array.offset;
    // Beyond the largest array every offset is wrong; the product must not wrap into range.
    if (side->offset.x > SIZE_MAX / side->element) return CUDA_ERROR_INVALID_VALUE;
    side->offset.x *= side->element;
    return CUDA_SUCCESS;
}

CUresult plan_operation(const CUDA_MEMCPY3D_BATCH_OP& operation, CopyPlan* plan) {
    Side from;
    Side to;
    CUresult result = read_side(operation.src, &from);
    if (result == CUDA_SUCCESS) result = read_side(operation.dst, &to);
    if (result != CUDA_SUCCESS) return result;
    const size_t element = from.array != nullptr ? from.element : to.element;
    if (to.array != nullptr && to.element != element) return CUDA_ERROR_INVALID_VALUE;
    CUDA_MEMCPY3D box{};
    box.srcMemoryType = from.type;
    box.srcDevice = from.address;
    box.srcArray = from.array;
    box.srcXInBytes = from.offset.x;
    box.srcY = from.offset.y;
    box.srcZ = from.offset.z;
    box.srcHeight = from.height;
    box.dstMemoryType = to.type;
    box.dstDevice = to.address;
    box.dstArray = to.array;
    box.dstXInBytes = to.offset.x;
    box.dstY = to.offset.y;
    box.dstZ = to.offset.z;
    box.dstHeight = to.height;
    if (__builtin_mul_overflow(operation.extent.width, element, &box.WidthInBytes) ||
        __builtin_mul_overflow(from.pitch, element, &box.srcPitch) ||
        __builtin_mul_overflow(to.pitch, element, &box.dstPitch))
        return CUDA_ERROR_INVALID_VALUE;
    box.Height = operation.extent.height;
    box.Depth = operation.extent.depth;
    return plan_box(box, plan);
}

CUresult cuMemcpy3DBatchAsync_v2(size_t count, CUDA_MEMCPY3D_BATCH_OP* operations, unsigned long long flags,
                                 CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (operations == nullptr || count == 0 || count > kMostCopies || flags != 0)
            return CUDA_ERROR_INVALID_VALUE;
        std::vector<BatchCopy> copies(count);
        for (size_t i = 0; i < count; ++i) {
            const CUextent3D& extent = operations[i].extent;
            if (!good_order(operations[i].srcAccessOrder) || extent.width == 0 || extent.height == 0 ||
                extent.depth == 0)
                return CUDA_ERROR_INVALID_VALUE;
            copies[i].read = read_of(operations[i].srcAccessOrder);
            const CUresult result = plan_operation(operations[i], &copies[i].plan);
            if (result != CUDA_SUCCESS) return result;
        }
        return submit_batch(context, stream, std::move(copies));
    });
}

}  // namespace

void serve_copy_batches(DriverTable* table) {
    BF_SERVE(cuMemcpyBatchAsync_v2);
    BF_SERVE(cuMemcpy3DBatchAsync_v2);
}

}  // namespace bitfusion::soft
