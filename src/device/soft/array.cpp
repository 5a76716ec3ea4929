#include "device/soft/array.h"

#include "device/soft/capture.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/memory.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

Array::Array(CUarray number, const ContextPtr& of, const CUDA_ARRAY3D_DESCRIPTOR& as, uint64_t at,
             uint64_t size)
    : handle(number), context(of), gpu(of->gpu), description(as), address(at), bytes(size) {}

// The storage goes when the last copy that uses the array is over.
Array::~Array() { release(address, {MemoryKind::kArray}); }

uint64_t Array::row_bytes() const { return description.Width * element_bytes(description); }

uint64_t element_bytes(const CUDA_ARRAY3D_DESCRIPTOR& description) {
    if (description.NumChannels != 1 && description.NumChannels != 2 && description.NumChannels != 4)
        return 0;
    switch (description.Format) {
        case CU_AD_FORMAT_UNSIGNED_INT8:
        case CU_AD_FORMAT_SIGNED_INT8:
            return description.NumChannels;
        case CU_AD_FORMAT_UNSIGNED_INT16:
        case CU_AD_FORMAT_SIGNED_INT16:
        case CU_AD_FORMAT_HALF:
            return uint64_t{2} * description.NumChannels;
        case CU_AD_FORMAT_UNSIGNED_INT32:
        case CU_AD_FORMAT_SIGNED_INT32:
        case CU_AD_FORMAT_FLOAT:
            return uint64_t{4} * description.NumChannels;
        default:
            return 0;
    }
}

namespace {

using ArrayPtr = std::shared_ptr<Array>;

constexpr uint64_t kMostExtent = 1 << 17;

CUresult make_array(const ContextPtr& context, CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR& description) {
    const uint64_t element = element_bytes(description);
    if (element == 0 || description.Width == 0) return CUDA_ERROR_INVALID_VALUE;
    if (description.Depth != 0 && description.Height == 0) return CUDA_ERROR_INVALID_VALUE;
    if (description.Width > kMostExtent || description.Height > kMostExtent ||
        description.Depth > kMostExtent)
        return CUDA_ERROR_INVALID_VALUE;
    // Layers and cube maps would need textures to be of use, sparse arrays cuMemMapArrayAsync.
    if ((description.Flags & ~static_cast<unsigned>(CUDA_ARRAY3D_SURFACE_LDST)) != 0)
        return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult captured = forbid_in_capture(context);
    if (captured != CUDA_SUCCESS) return captured;
    const uint64_t rows = description.Height == 0 ? 1 : description.Height;
    const uint64_t planes = description.Depth == 0 ? 1 : description.Depth;
    const uint64_t bytes = description.Width * element * rows * planes;
    CUdeviceptr address = 0;
    const CUresult result = allocate(context, bytes, 512, MemoryKind::kArray, &address);
    if (result != CUDA_SUCCESS) return result;
    // Kernels reach arrays through textures only, never by address.
    context->gpu.arena().set_open(address, bytes, false);
    auto array = std::make_shared<Array>(driver().arrays.issue(), context, description, address, bytes);
    *out = array->handle;
    driver().arrays.add(array->handle, array);
    return CUDA_SUCCESS;
}

CUresult cuArrayCreate_v2(CUarray* out, const CUDA_ARRAY_DESCRIPTOR* description) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || description == nullptr) return CUDA_ERROR_INVALID_VALUE;
        CUDA_ARRAY3D_DESCRIPTOR whole{};
        whole.Width = description->Width;
        whole.Height = description->Height;
        whole.Format = description->Format;
        whole.NumChannels = description->NumChannels;
        return make_array(context, out, whole);
    });
}

CUresult cuArray3DCreate_v2(CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR* description) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || description == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return make_array(context, out, *description);
    });
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* out, CUarray handle) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const ArrayPtr array = driver().arrays.find(handle);
        if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = {};
        out->Width = array->description.Width;
        out->Height = array->description.Height;
        out->Format = array->description.Format;
        out->NumChannels = array->description.NumChannels;
        return CUDA_SUCCESS;
    });
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* out, CUarray handle) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const ArrayPtr array = driver().arrays.find(handle);
        if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = array->description;
        return CUDA_SUCCESS;
    });
}

CUresult cuArrayDestroy(CUarray handle) {
    return entry_in_context([&](const ContextPtr& context) {
        if (driver().arrays.find(handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const CUresult result = synchronize(*context);
        driver().arrays.remove(handle);
        return result;
    });
}

}  // namespace

void serve_arrays(DriverTable* table) {
    BF_SERVE(cuArrayCreate_v2);
    BF_SERVE(cuArray3DCreate_v2);
    BF_SERVE(cuArrayGetDescriptor_v2);
    BF_SERVE(cuArray3DGetDescriptor_v2);
    BF_SERVE(cuArrayDestroy);
}

}  // namespace bitfusion::soft
