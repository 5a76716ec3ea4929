#include "client/array.h"

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "client/context.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Arrays {
    std::shared_mutex lock;
    std::unordered_map<uint64_t, ArrayFacts> known;  // arrays and mipmapped arrays, by handle
};

Arrays& arrays() {
    static Arrays* const made = std::make_unique<Arrays>().release();  // outlives every exit handler
    return *made;
}

template <typename Handle>
uint64_t number(Handle handle) {
    return reinterpret_cast<uint64_t>(handle);
}

std::optional<ArrayFacts> facts_of(uint64_t handle) {
    const std::shared_lock<std::shared_mutex> lock(arrays().lock);
    const auto found = arrays().known.find(handle);
    return found == arrays().known.end() ? std::nullopt : std::optional(found->second);
}

void remember(uint64_t handle, const ArrayFacts& facts) {
    const std::unique_lock<std::shared_mutex> lock(arrays().lock);
    arrays().known[handle] = facts;
    if (const auto parent = arrays().known.find(facts.parent); parent != arrays().known.end())
        parent->second.has_parts = true;
}

// Forgets an array and its parts; false when there is none, or when it is itself a part.
bool forget(uint64_t handle) {
    const std::unique_lock<std::shared_mutex> lock(arrays().lock);
    const auto found = arrays().known.find(handle);
    if (found == arrays().known.end() || found->second.parent != 0) return false;
    const bool has_parts = found->second.has_parts;
    arrays().known.erase(found);
    if (has_parts)
        std::erase_if(arrays().known, [&](const auto& entry) { return entry.second.parent == handle; });
    return true;
}

// Memory that comes later is not served; a device says so by its attributes.
bool later(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    return (d.Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) != 0;
}

CUresult create(CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR& description) {
    if (later(description)) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = remote::cuArray3DCreate_v2(out, &description);
    if (result == CUDA_SUCCESS) remember(number(*out), {description, current_context()});
    return result;
}

// A level or a plane: asked for its description once.
CUresult remember_part(CUarray part, uint64_t parent) {
    if (facts_of(number(part))) return CUDA_SUCCESS;
    ArrayFacts facts;
    const CUresult result = remote::cuArray3DGetDescriptor_v2(&facts.description, part);
    facts.context = current_context();
    facts.parent = parent;
    if (result == CUDA_SUCCESS) remember(number(part), facts);
    return result;
}

}  // namespace

std::optional<ArrayFacts> array_of(CUarray array) { return facts_of(number(array)); }

uint64_t element_bytes(const ArrayFacts& array) {
    return wire::element_bytes(static_cast<uint32_t>(array.description.Format),
                               array.description.NumChannels);
}

CUresult check_array_box(CUarray array, uint64_t x, uint64_t y, uint64_t z, uint64_t width, uint64_t height,
                         uint64_t depth) {
    const auto facts = array_of(array);
    if (!facts) return CUDA_ERROR_INVALID_HANDLE;
    const CUDA_ARRAY3D_DESCRIPTOR& d = facts->description;
    const wire::ArrayShape shape =
        wire::array_shape(d.Width, d.Height, d.Depth, static_cast<uint32_t>(d.Format), d.NumChannels);
    return wire::holds_box(shape, x, y, z, width, height, depth) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void forget_arrays_of(CUcontext context) {
    const std::unique_lock<std::shared_mutex> lock(arrays().lock);
    std::erase_if(arrays().known, [&](const auto& entry) { return entry.second.context == context; });
}

CUresult cuArrayCreate_v2(CUarray* pHandle, const CUDA_ARRAY_DESCRIPTOR* pAllocateArray) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pHandle == nullptr || pAllocateArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUDA_ARRAY3D_DESCRIPTOR whole{};
    whole.Width = pAllocateArray->Width;
    whole.Height = pAllocateArray->Height;
    whole.Format = pAllocateArray->Format;
    whole.NumChannels = pAllocateArray->NumChannels;
    return create(pHandle, whole);
}

CUresult cuArray3DCreate_v2(CUarray* pHandle, const CUDA_ARRAY3D_DESCRIPTOR* pAllocateArray) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pHandle == nullptr || pAllocateArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return create(pHandle, *pAllocateArray);
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* pArrayDescriptor, CUarray hArray) {
    CUDA_ARRAY3D_DESCRIPTOR whole{};
    const CUresult result = cuArray3DGetDescriptor_v2(pArrayDescriptor == nullptr ? nullptr : &whole, hArray);
    if (result != CUDA_SUCCESS) return result;
    *pArrayDescriptor = {};
    pArrayDescriptor->Width = whole.Width;
    pArrayDescriptor->Height = whole.Height;
    pArrayDescriptor->Format = whole.Format;
    pArrayDescriptor->NumChannels = whole.NumChannels;
    return CUDA_SUCCESS;
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* pArrayDescriptor, CUarray hArray) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pArrayDescriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto facts = array_of(hArray);
    if (!facts) return CUDA_ERROR_INVALID_HANDLE;
    *pArrayDescriptor = facts->description;
    return CUDA_SUCCESS;
}

CUresult cuArrayDestroy(CUarray hArray) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return forget(number(hArray)) ? remote::cuArrayDestroy(hArray) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuArrayGetPlane(CUarray* pPlaneArray, CUarray hArray, unsigned int planeIdx) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pPlaneArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!array_of(hArray)) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult result = remote::cuArrayGetPlane(pPlaneArray, hArray, planeIdx);
    return result == CUDA_SUCCESS ? remember_part(*pPlaneArray, number(hArray)) : result;
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray* pHandle, const CUDA_ARRAY3D_DESCRIPTOR* pMipmappedArrayDesc,
                                unsigned int numMipmapLevels) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pHandle == nullptr || pMipmappedArrayDesc == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (later(*pMipmappedArrayDesc)) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = remote::cuMipmappedArrayCreate(pHandle, pMipmappedArrayDesc, numMipmapLevels);
    if (result == CUDA_SUCCESS) remember(number(*pHandle), {*pMipmappedArrayDesc, current_context()});
    return result;
}

CUresult cuMipmappedArrayGetLevel(CUarray* pLevelArray, CUmipmappedArray hMipmappedArray,
                                  unsigned int level) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pLevelArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(number(hMipmappedArray))) return CUDA_ERROR_INVALID_HANDLE;
    const CUresult result = remote::cuMipmappedArrayGetLevel(pLevelArray, hMipmappedArray, level);
    return result == CUDA_SUCCESS ? remember_part(*pLevelArray, number(hMipmappedArray)) : result;
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray hMipmappedArray) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return forget(number(hMipmappedArray)) ? remote::cuMipmappedArrayDestroy(hMipmappedArray)
                                           : CUDA_ERROR_INVALID_HANDLE;
}

}  // namespace bitfusion::client
