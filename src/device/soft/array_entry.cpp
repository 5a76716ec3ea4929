// Arrays and mipmapped arrays: the functions of the driver.
#include <algorithm>
#include <bit>

#include "device/soft/array.h"
#include "device/soft/capture.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/images.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

using ArrayPtr = std::shared_ptr<Array>;
using MipmappedPtr = std::shared_ptr<MipmappedArray>;

ArrayPtr add_array(const ContextPtr& context, const CUDA_ARRAY3D_DESCRIPTOR& description,
                   std::shared_ptr<const ArrayStorage> storage, uint64_t offset, bool part) {
    const uint64_t address = storage->address + offset;
    auto array =
        std::make_shared<Array>(driver().arrays.issue(), context, description, std::move(storage), address);
    array->part = part;
    driver().arrays.add(array->handle, array);
    return array;
}

CUresult make_array(const ContextPtr& context, CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR& description) {
    CUresult result = check_array(description, false);
    if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
    if (result != CUDA_SUCCESS) return result;
    const std::vector<CUDA_ARRAY3D_DESCRIPTOR> planes = planes_of(description);
    std::vector<uint64_t> offsets;
    std::shared_ptr<const ArrayStorage> storage;
    result = allocate_array(context, planes.empty() ? std::vector{description} : planes, &offsets, &storage);
    if (result != CUDA_SUCCESS) return result;
    const ArrayPtr array = add_array(context, description, storage, 0, false);
    for (size_t i = 0; i < planes.size(); ++i)
        array->components.push_back(add_array(context, planes[i], storage, offsets[i], true));
    *out = array->handle;
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
        const ArrayPtr array = driver().arrays.find(handle);
        if (array == nullptr || array->part) return CUDA_ERROR_INVALID_HANDLE;
        const CUresult result = synchronize(*context);
        for (const ArrayPtr& plane : array->components) driver().arrays.remove(plane->handle);
        driver().arrays.remove(handle);
        driver().images.storage_changed();
        return result;
    });
}

CUresult cuArrayGetPlane(CUarray* out, CUarray handle, unsigned int number) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const ArrayPtr array = driver().arrays.find(handle);
        if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (number >= array->components.size()) return CUDA_ERROR_INVALID_VALUE;
        *out = array->components[number]->handle;
        return CUDA_SUCCESS;
    });
}

// Told of sparse arrays and of arrays whose memory comes later; there are none.
template <typename Properties>
CUresult properties_of(const Properties* out, bool known) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return known ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES* out, CUarray handle) {
    return entry_in_context(
        [&](const ContextPtr&) { return properties_of(out, driver().arrays.find(handle) != nullptr); });
}
CUresult cuMipmappedArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES* out, CUmipmappedArray handle) {
    return entry_in_context([&](const ContextPtr&) {
        return properties_of(out, driver().mipmapped_arrays.find(handle) != nullptr);
    });
}
CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* out, CUarray handle, CUdevice) {
    return entry_in_context(
        [&](const ContextPtr&) { return properties_of(out, driver().arrays.find(handle) != nullptr); });
}
CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* out, CUmipmappedArray handle,
                                               CUdevice) {
    return entry_in_context([&](const ContextPtr&) {
        return properties_of(out, driver().mipmapped_arrays.find(handle) != nullptr);
    });
}

unsigned most_levels(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    const bool stacked = (d.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
    const size_t longest = std::max({d.Width, d.Height, stacked ? size_t{0} : d.Depth});
    return static_cast<unsigned>(std::bit_width(longest));
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray* out, const CUDA_ARRAY3D_DESCRIPTOR* description,
                                unsigned int levels) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || description == nullptr) return CUDA_ERROR_INVALID_VALUE;
        CUresult result = check_array(*description, true);
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        const unsigned count = std::clamp(levels, 1u, most_levels(*description));
        std::vector<CUDA_ARRAY3D_DESCRIPTOR> levels_of;
        for (unsigned level = 0; level < count; ++level)
            levels_of.push_back(level_description(*description, level));
        std::vector<uint64_t> offsets;
        std::shared_ptr<const ArrayStorage> storage;
        result = allocate_array(context, levels_of, &offsets, &storage);
        if (result != CUDA_SUCCESS) return result;
        auto made =
            std::make_shared<MipmappedArray>(driver().mipmapped_arrays.issue(), context, *description);
        for (unsigned level = 0; level < count; ++level)
            made->levels.push_back(add_array(context, levels_of[level], storage, offsets[level], true));
        *out = made->handle;
        driver().mipmapped_arrays.add(*out, std::move(made));
        return CUDA_SUCCESS;
    });
}

CUresult cuMipmappedArrayGetLevel(CUarray* out, CUmipmappedArray handle, unsigned int level) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const MipmappedPtr array = driver().mipmapped_arrays.find(handle);
        if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (level >= array->levels.size()) return CUDA_ERROR_INVALID_VALUE;
        *out = array->levels[level]->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray handle) {
    return entry_in_context([&](const ContextPtr& context) {
        const MipmappedPtr array = driver().mipmapped_arrays.find(handle);
        if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const CUresult result = synchronize(*context);
        for (const ArrayPtr& level : array->levels) driver().arrays.remove(level->handle);
        driver().mipmapped_arrays.remove(handle);
        driver().images.storage_changed();
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
    BF_SERVE(cuArrayGetPlane);
    BF_SERVE(cuArrayGetSparseProperties);
    BF_SERVE(cuArrayGetMemoryRequirements);
    BF_SERVE(cuMipmappedArrayCreate);
    BF_SERVE(cuMipmappedArrayGetLevel);
    BF_SERVE(cuMipmappedArrayDestroy);
    BF_SERVE(cuMipmappedArrayGetSparseProperties);
    BF_SERVE(cuMipmappedArrayGetMemoryRequirements);
}

}  // namespace bitfusion::soft
