// Texture and surface references: the functions of the driver. All of them are deprecated by CUDA, and all of
// them only change or tell what is bound.
#include <algorithm>
#include <optional>

#include "device/soft/array.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/image_reference.h"
#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "device/soft/texture.h"
#include "device/soft/texture_limits.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

using ReferencePtr = std::shared_ptr<ImageReference>;
using State = ImageReference::State;

// body(ImageReference&) with the reference that a handle names.
template <typename Body>
CUresult with(CUtexref handle, Body&& body) {
    return entry_in_context([&](const ContextPtr&) -> CUresult {
        const ReferencePtr reference = driver().texture_references.find(handle);
        return reference == nullptr ? CUDA_ERROR_INVALID_VALUE : body(*reference);
    });
}

// Changes the state when `good`.
template <typename Change>
CUresult set(CUtexref handle, bool good, const Change& change) {
    return with(handle, [&](ImageReference& reference) {
        if (!good) return CUDA_ERROR_INVALID_VALUE;
        reference.change(change);
        return CUDA_SUCCESS;
    });
}

// Writes what `part` reads from the state; without a value INVALID_VALUE.
template <typename T, typename Part>
CUresult get(T* out, CUtexref handle, const Part& part) {
    return with(handle, [&](ImageReference& reference) -> CUresult {
        const std::optional<T> value = part(reference.state());
        if (out == nullptr || !value) return CUDA_ERROR_INVALID_VALUE;
        *out = *value;
        return CUDA_SUCCESS;
    });
}

bool good_filter(CUfilter_mode mode) {
    return mode == CU_TR_FILTER_MODE_POINT || mode == CU_TR_FILTER_MODE_LINEAR;
}

// Binds the resource if a texture can be made of it as things stand.
CUresult bind(ImageReference& reference, const CUDA_RESOURCE_DESC& resource, CUarray_format format,
              unsigned channels) {
    BoundImage probe;
    CUDA_TEXTURE_DESC plain{};
    if (resource.resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY) plain.flags = CU_TRSF_NORMALIZED_COORDINATES;
    const CUresult result = make_texture(resource, plain, nullptr, &probe);
    if (result != CUDA_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
    reference.change([&](State& state) {
        state.bound = true;
        state.resource = resource;
        state.format = format;
        state.channels = static_cast<int>(channels);
    });
    return CUDA_SUCCESS;
}

template <typename Handle>
CUresult find_reference(Handle* out, CUmodule handle, const char* name, bool surface,
                        Handle ImageReference::*number) {
    return entry_in_context([&](const ContextPtr&) {
        const ModulePtr module = driver().modules.find(handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (out == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto variable = module->program().find_variable(name);
        if (!variable) return CUDA_ERROR_NOT_FOUND;
        for (const ReferencePtr& reference : module->references) {
            if (reference->address != module->addresses[*variable] || reference->is_surface != surface)
                continue;
            *out = (*reference).*number;
            return CUDA_SUCCESS;
        }
        return CUDA_ERROR_NOT_FOUND;
    });
}

CUresult cuModuleGetTexRef(CUtexref* out, CUmodule module, const char* name) {
    return find_reference(out, module, name, false, &ImageReference::texture_handle);
}
CUresult cuModuleGetSurfRef(CUsurfref* out, CUmodule module, const char* name) {
    return find_reference(out, module, name, true, &ImageReference::surface_handle);
}

CUresult cuTexRefCreate(CUtexref* out) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto reference = std::make_shared<ImageReference>(0, false);
        *out = reference->texture_handle = driver().texture_references.issue();
        driver().texture_references.add(*out, std::move(reference));
        return CUDA_SUCCESS;
    });
}
CUresult cuTexRefDestroy(CUtexref handle) {
    return with(handle, [&](ImageReference& reference) {
        if (reference.address != 0) return CUDA_ERROR_INVALID_VALUE;  // a module's own
        driver().texture_references.remove(handle);
        return CUDA_SUCCESS;
    });
}

// --- what is bound

CUresult cuTexRefSetArray(CUtexref handle, CUarray array, unsigned int flags) {
    return with(handle, [&](ImageReference& reference) {
        const auto found = driver().arrays.find(array);
        if (found == nullptr || flags != CU_TRSA_OVERRIDE_FORMAT) return CUDA_ERROR_INVALID_VALUE;
        CUDA_RESOURCE_DESC resource{};
        resource.resType = CU_RESOURCE_TYPE_ARRAY;
        resource.res.array.hArray = array;
        return bind(reference, resource, found->description.Format, found->description.NumChannels);
    });
}
CUresult cuTexRefSetMipmappedArray(CUtexref handle, CUmipmappedArray array, unsigned int flags) {
    return with(handle, [&](ImageReference& reference) {
        const auto found = driver().mipmapped_arrays.find(array);
        if (found == nullptr || flags != CU_TRSA_OVERRIDE_FORMAT) return CUDA_ERROR_INVALID_VALUE;
        CUDA_RESOURCE_DESC resource{};
        resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
        resource.res.mipmap.hMipmappedArray = array;
        return bind(reference, resource, found->description.Format, found->description.NumChannels);
    });
}
CUresult cuTexRefSetAddress_v2(size_t* offset, CUtexref handle, CUdeviceptr address, size_t bytes) {
    return with(handle, [&](ImageReference& reference) {
        const size_t ahead = address % kTextureAlignment;
        if (ahead != 0 && offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const State state = reference.state();
        CUDA_RESOURCE_DESC resource{};
        resource.resType = CU_RESOURCE_TYPE_LINEAR;
        auto& linear = resource.res.linear;
        linear.devPtr = address - ahead;
        linear.format = state.format;
        linear.numChannels = static_cast<unsigned>(state.channels);
        if (__builtin_add_overflow(bytes, ahead, &linear.sizeInBytes)) return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = bind(reference, resource, state.format, linear.numChannels);
        if (result == CUDA_SUCCESS && offset != nullptr) *offset = ahead;
        return result;
    });
}
CUresult cuTexRefSetAddress2D_v3(CUtexref handle, const CUDA_ARRAY_DESCRIPTOR* description,
                                 CUdeviceptr address, size_t pitch) {
    return with(handle, [&](ImageReference& reference) {
        if (description == nullptr) return CUDA_ERROR_INVALID_VALUE;
        CUDA_RESOURCE_DESC resource{};
        resource.resType = CU_RESOURCE_TYPE_PITCH2D;
        auto& plane = resource.res.pitch2D;
        plane.devPtr = address;
        plane.format = description->Format;
        plane.numChannels = description->NumChannels;
        plane.width = description->Width;
        plane.height = description->Height;
        plane.pitchInBytes = pitch;
        return bind(reference, resource, description->Format, description->NumChannels);
    });
}

CUresult cuTexRefGetArray(CUarray* out, CUtexref handle) {
    return get(out, handle, [](const State& state) -> std::optional<CUarray> {
        if (!state.bound || state.resource.resType != CU_RESOURCE_TYPE_ARRAY) return std::nullopt;
        return state.resource.res.array.hArray;
    });
}
CUresult cuTexRefGetMipmappedArray(CUmipmappedArray* out, CUtexref handle) {
    return get(out, handle, [](const State& state) -> std::optional<CUmipmappedArray> {
        if (!state.bound || state.resource.resType != CU_RESOURCE_TYPE_MIPMAPPED_ARRAY) return std::nullopt;
        return state.resource.res.mipmap.hMipmappedArray;
    });
}
CUresult cuTexRefGetAddress_v2(CUdeviceptr* out, CUtexref handle) {
    return get(out, handle, [](const State& state) -> std::optional<CUdeviceptr> {
        if (state.bound && state.resource.resType == CU_RESOURCE_TYPE_LINEAR)
            return state.resource.res.linear.devPtr;
        if (state.bound && state.resource.resType == CU_RESOURCE_TYPE_PITCH2D)
            return state.resource.res.pitch2D.devPtr;
        return std::nullopt;
    });
}

// --- how it is read

CUresult cuTexRefSetFormat(CUtexref handle, CUarray_format format, int channels) {
    const bool good = channels > 0 && element_bytes(format, static_cast<unsigned>(channels)) != 0;
    return set(handle, good, [&](State& state) {
        state.format = format;
        state.channels = channels;
        if (state.bound && state.resource.resType == CU_RESOURCE_TYPE_LINEAR) {
            state.resource.res.linear.format = format;
            state.resource.res.linear.numChannels = static_cast<unsigned>(channels);
        }
    });
}
CUresult cuTexRefGetFormat(CUarray_format* format, int* channels, CUtexref handle) {
    return with(handle, [&](ImageReference& reference) {
        const State state = reference.state();
        if (format == nullptr || channels == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *format = state.format;
        *channels = state.channels;
        return CUDA_SUCCESS;
    });
}
CUresult cuTexRefSetAddressMode(CUtexref handle, int dimension, CUaddress_mode mode) {
    const bool good = dimension >= 0 && dimension < 3 && mode >= CU_TR_ADDRESS_MODE_WRAP &&
                      mode <= CU_TR_ADDRESS_MODE_BORDER;
    return set(handle, good, [&](State& state) { state.texture.addressMode[dimension] = mode; });
}
CUresult cuTexRefGetAddressMode(CUaddress_mode* out, CUtexref handle, int dimension) {
    return get(out, handle, [&](const State& state) -> std::optional<CUaddress_mode> {
        if (dimension < 0 || dimension >= 3) return std::nullopt;
        return state.texture.addressMode[dimension];
    });
}
CUresult cuTexRefSetFilterMode(CUtexref handle, CUfilter_mode mode) {
    return set(handle, good_filter(mode), [&](State& state) { state.texture.filterMode = mode; });
}
CUresult cuTexRefGetFilterMode(CUfilter_mode* out, CUtexref handle) {
    return get(out, handle, [](const State& state) { return std::optional(state.texture.filterMode); });
}
CUresult cuTexRefSetMipmapFilterMode(CUtexref handle, CUfilter_mode mode) {
    return set(handle, good_filter(mode), [&](State& state) { state.texture.mipmapFilterMode = mode; });
}
CUresult cuTexRefGetMipmapFilterMode(CUfilter_mode* out, CUtexref handle) {
    return get(out, handle, [](const State& state) { return std::optional(state.texture.mipmapFilterMode); });
}
CUresult cuTexRefSetMipmapLevelBias(CUtexref handle, float bias) {
    return set(handle, true, [&](State& state) { state.texture.mipmapLevelBias = bias; });
}
CUresult cuTexRefGetMipmapLevelBias(float* out, CUtexref handle) {
    return get(out, handle, [](const State& state) { return std::optional(state.texture.mipmapLevelBias); });
}
CUresult cuTexRefSetMipmapLevelClamp(CUtexref handle, float least, float most) {
    return set(handle, true, [&](State& state) {
        state.texture.minMipmapLevelClamp = least;
        state.texture.maxMipmapLevelClamp = most;
    });
}
CUresult cuTexRefGetMipmapLevelClamp(float* least, float* most, CUtexref handle) {
    return with(handle, [&](ImageReference& reference) {
        const State state = reference.state();
        if (least == nullptr || most == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *least = state.texture.minMipmapLevelClamp;
        *most = state.texture.maxMipmapLevelClamp;
        return CUDA_SUCCESS;
    });
}
CUresult cuTexRefSetMaxAnisotropy(CUtexref handle, unsigned int ratio) {
    return set(handle, true, [&](State& state) { state.texture.maxAnisotropy = std::clamp(ratio, 1u, 16u); });
}
CUresult cuTexRefGetMaxAnisotropy(int* out, CUtexref handle) {
    return get(out, handle, [](const State& state) {
        return std::optional(static_cast<int>(state.texture.maxAnisotropy));
    });
}
CUresult cuTexRefSetBorderColor(CUtexref handle, float* colour) {
    return set(handle, colour != nullptr,
               [&](State& state) { std::copy_n(colour, 4, state.texture.borderColor); });
}
CUresult cuTexRefGetBorderColor(float* colour, CUtexref handle) {
    return with(handle, [&](ImageReference& reference) {
        if (colour == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const State state = reference.state();
        std::copy_n(state.texture.borderColor, 4, colour);
        return CUDA_SUCCESS;
    });
}
CUresult cuTexRefSetFlags(CUtexref handle, unsigned int flags) {
    constexpr unsigned kKnown = CU_TRSF_READ_AS_INTEGER | CU_TRSF_NORMALIZED_COORDINATES | CU_TRSF_SRGB |
                                CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION;
    return set(handle, (flags & ~kKnown) == 0, [&](State& state) { state.texture.flags = flags; });
}
CUresult cuTexRefGetFlags(unsigned int* out, CUtexref handle) {
    return get(out, handle, [](const State& state) { return std::optional(state.texture.flags); });
}

CUresult cuSurfRefSetArray(CUsurfref handle, CUarray array, unsigned int flags) {
    return entry_in_context([&](const ContextPtr&) {
        const ReferencePtr reference = driver().surface_references.find(handle);
        CUDA_RESOURCE_DESC resource{};
        resource.res.array.hArray = array;
        BoundImage probe;
        if (reference == nullptr || flags != 0 || make_surface(resource, &probe) != CUDA_SUCCESS)
            return CUDA_ERROR_INVALID_VALUE;
        reference->change([&](State& state) {
            state.bound = true;
            state.resource = resource;
        });
        return CUDA_SUCCESS;
    });
}
CUresult cuSurfRefGetArray(CUarray* out, CUsurfref handle) {
    return entry_in_context([&](const ContextPtr&) {
        const ReferencePtr reference = driver().surface_references.find(handle);
        if (out == nullptr || reference == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const State state = reference->state();
        if (!state.bound) return CUDA_ERROR_INVALID_VALUE;
        *out = state.resource.res.array.hArray;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_texture_references(DriverTable* table) {
    BF_SERVE(cuModuleGetTexRef);
    BF_SERVE(cuModuleGetSurfRef);
    BF_SERVE(cuTexRefCreate);
    BF_SERVE(cuTexRefDestroy);
    BF_SERVE(cuTexRefSetArray);
    BF_SERVE(cuTexRefSetMipmappedArray);
    BF_SERVE(cuTexRefSetAddress_v2);
    BF_SERVE(cuTexRefSetAddress2D_v3);
    BF_SERVE(cuTexRefGetArray);
    BF_SERVE(cuTexRefGetMipmappedArray);
    BF_SERVE(cuTexRefGetAddress_v2);
    BF_SERVE(cuTexRefSetFormat);
    BF_SERVE(cuTexRefGetFormat);
    BF_SERVE(cuTexRefSetAddressMode);
    BF_SERVE(cuTexRefGetAddressMode);
    BF_SERVE(cuTexRefSetFilterMode);
    BF_SERVE(cuTexRefGetFilterMode);
    BF_SERVE(cuTexRefSetMipmapFilterMode);
    BF_SERVE(cuTexRefGetMipmapFilterMode);
    BF_SERVE(cuTexRefSetMipmapLevelBias);
    BF_SERVE(cuTexRefGetMipmapLevelBias);
    BF_SERVE(cuTexRefSetMipmapLevelClamp);
    BF_SERVE(cuTexRefGetMipmapLevelClamp);
    BF_SERVE(cuTexRefSetMaxAnisotropy);
    BF_SERVE(cuTexRefGetMaxAnisotropy);
    BF_SERVE(cuTexRefSetBorderColor);
    BF_SERVE(cuTexRefGetBorderColor);
    BF_SERVE(cuTexRefSetFlags);
    BF_SERVE(cuTexRefGetFlags);
    BF_SERVE(cuSurfRefSetArray);
    BF_SERVE(cuSurfRefGetArray);
}

}  // namespace bitfusion::soft
