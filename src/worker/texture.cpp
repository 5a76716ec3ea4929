// Textures and surfaces: objects keep the driver's numbers, because kernels use them; what a client says of
// them is looked up here first.
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {

// What the program described, with the driver's handles and only the fields of its kind.
CUresult Session::localise(CUDA_RESOURCE_DESC& resource) {
    CUDA_RESOURCE_DESC clean{};
    clean.resType = resource.resType;
    clean.flags = resource.flags;
    CUresult result = CUDA_SUCCESS;
    switch (resource.resType) {
        case CU_RESOURCE_TYPE_ARRAY: {
            const auto name = reinterpret_cast<uint64_t>(resource.res.array.hArray);
            clean.res.array.hArray = handles.find<CUarray>(name, &result);
            if (clean.res.array.hArray == nullptr) result = CUDA_ERROR_INVALID_HANDLE;
            break;
        }
        case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY: {
            const auto name = reinterpret_cast<uint64_t>(resource.res.mipmap.hMipmappedArray);
            clean.res.mipmap.hMipmappedArray = handles.find<CUmipmappedArray>(name, &result);
            if (clean.res.mipmap.hMipmappedArray == nullptr) result = CUDA_ERROR_INVALID_HANDLE;
            break;
        }
        case CU_RESOURCE_TYPE_LINEAR:
            // Only where it begins, as the driver does: programs give sizes that reach past the allocation
            // (NVIDIA's convolutionFFT2D). What a fetch may read is what a kernel of theirs may read anyway.
            clean.res.linear = resource.res.linear;
            if (!memory.within(clean.res.linear.devPtr, 1)) result = CUDA_ERROR_INVALID_VALUE;
            break;
        case CU_RESOURCE_TYPE_PITCH2D: {
            clean.res.pitch2D = resource.res.pitch2D;
            const auto& plane = clean.res.pitch2D;
            const uint64_t element =
                wire::element_bytes(static_cast<uint32_t>(plane.format), plane.numChannels);
            const wire::Extent row = wire::Extent(plane.width) * wire::Extent(element);
            if (element == 0 || row.value > plane.pitchInBytes ||
                !memory.within(plane.devPtr, wire::rows2d(plane.pitchInBytes, row, plane.height).value))
                result = CUDA_ERROR_INVALID_VALUE;
            break;
        }
        default:
            result = CUDA_ERROR_INVALID_VALUE;
    }
    resource = clean;
    return result;
}

CUresult cuTexObjectCreate(Session& s, CUtexObject* pTexObject, const CUDA_RESOURCE_DESC* pResDesc,
                           const CUDA_TEXTURE_DESC* pTexDesc, const CUDA_RESOURCE_VIEW_DESC* pResViewDesc) {
    if (s.driver.cuTexObjectCreate == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuTexObjectCreate(pTexObject, pResDesc, pTexDesc, pResViewDesc);
    if (result == CUDA_SUCCESS) s.texture_objects[*pTexObject] = s.context_name();
    return result;
}

CUresult cuTexObjectDestroy(Session& s, CUtexObject texObject) {
    if (s.texture_objects.count(texObject) == 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuTexObjectDestroy(texObject);
    if (result == CUDA_SUCCESS) s.texture_objects.erase(texObject);
    return result;
}

CUresult cuSurfObjectCreate(Session& s, CUsurfObject* pSurfObject, const CUDA_RESOURCE_DESC* pResDesc) {
    if (s.driver.cuSurfObjectCreate == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuSurfObjectCreate(pSurfObject, pResDesc);
    if (result == CUDA_SUCCESS) s.surface_objects[*pSurfObject] = s.context_name();
    return result;
}

CUresult cuSurfObjectDestroy(Session& s, CUsurfObject surfObject) {
    if (s.surface_objects.count(surfObject) == 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuSurfObjectDestroy(surfObject);
    if (result == CUDA_SUCCESS) s.surface_objects.erase(surfObject);
    return result;
}

// ---- references: a module's own end with the module

CUresult cuModuleGetTexRef(Session& s, CUtexref* pTexRef, CUmodule hmod, const char* name) {
    if (s.driver.cuModuleGetTexRef == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuModuleGetTexRef(pTexRef, hmod, name);
    if (result == CUDA_SUCCESS) s.handles.name_of(*pTexRef, s.handles.name_of(hmod, s.context_name()));
    return result;
}

CUresult cuModuleGetSurfRef(Session& s, CUsurfref* pSurfRef, CUmodule hmod, const char* name) {
    if (s.driver.cuModuleGetSurfRef == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuModuleGetSurfRef(pSurfRef, hmod, name);
    if (result == CUDA_SUCCESS) s.handles.name_of(*pSurfRef, s.handles.name_of(hmod, s.context_name()));
    return result;
}

CUresult cuTexRefSetAddress2D_v3(Session& s, CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR* desc,
                                 CUdeviceptr dptr, size_t Pitch) {
    if (s.driver.cuTexRefSetAddress2D_v3 == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const uint64_t element = wire::element_bytes(static_cast<uint32_t>(desc->Format), desc->NumChannels);
    const wire::Extent row = wire::Extent(desc->Width) * wire::Extent(element);
    if (row.value > Pitch || !s.memory.within(dptr, wire::rows2d(Pitch, row, desc->Height).value))
        return CUDA_ERROR_INVALID_VALUE;
    return s.driver.cuTexRefSetAddress2D_v3(hTexRef, desc, dptr, Pitch);
}

}  // namespace bitfusion::worker
