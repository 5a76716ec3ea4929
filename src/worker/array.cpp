// Arrays: charged to the partition before the driver sees them, and entered into the array table.
#include <algorithm>
#include <bit>

#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

template <typename Handle>
uint64_t number(Handle handle) {
    return reinterpret_cast<uint64_t>(handle);
}

bool is_layered(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    return (d.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
}

wire::ArrayShape shape_of(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    return wire::array_shape(d.Width, d.Height, d.Depth, static_cast<uint32_t>(d.Format), d.NumChannels);
}

template <typename Handle, typename Create>
CUresult charged(Session& s, Handle* out, const CUDA_ARRAY3D_DESCRIPTOR& d, unsigned levels,
                 const Create& create) {
    // Memory that comes later would not be counted; no device says that it has such arrays.
    if ((d.Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) != 0)
        return CUDA_ERROR_NOT_SUPPORTED;
    const int device = s.current_device();
    const uint64_t cost = wire::array_cost(d.Width, d.Height, d.Depth, static_cast<uint32_t>(d.Format),
                                           d.NumChannels, levels, is_layered(d));
    if (!s.memory.charge(device, cost)) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult result = create();
    if (result != CUDA_SUCCESS) {
        s.memory.refund(device, cost);
        return result;
    }
    s.arrays.add(number(*out), {shape_of(d), device, cost, s.context_name(), 0});
    return CUDA_SUCCESS;
}

// A level or a plane: a handle that ends with the array that it is a part of.
CUresult add_part(Session& s, CUarray part, uint64_t parent) {
    CUDA_ARRAY3D_DESCRIPTOR d{};
    const CUresult result = s.driver.cuArray3DGetDescriptor_v2(&d, part);
    if (result == CUDA_SUCCESS) s.arrays.add(number(part), {shape_of(d), 0, 0, s.context_name(), parent});
    return result;
}

void forget_array(Session& s, uint64_t handle) {
    for (const uint64_t part : s.arrays.parts_of(handle))
        s.handles.forget(s.handles.name_of(reinterpret_cast<CUarray>(part), 0));
    s.arrays.remove(handle, &s.memory);
}

// The driver's destruction waits for the GPU, which may be waiting for the client, who is heard on this
// thread.
template <typename Destroy>
CUresult when_no_host_function_runs(Session& s, uint64_t handle, const Destroy& destroy) {
    if (!s.host_functions.any_open()) return destroy();
    CUcontext context = nullptr;
    s.driver.cuCtxGetCurrent(&context);
    s.wait({[&s] { return s.host_functions.any_open() ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS; },
            [&s, handle, destroy, context](CUresult) {
                s.driver.cuCtxPushCurrent_v2(context);
                // Its context may have ended meanwhile, and the array with it.
                if (s.arrays.find(handle) != nullptr) destroy();
                CUcontext popped = nullptr;
                s.driver.cuCtxPopCurrent_v2(&popped);
            }});
    return CUDA_SUCCESS;
}

}  // namespace

CUresult cuArray3DCreate_v2(Session& s, CUarray* pHandle, const CUDA_ARRAY3D_DESCRIPTOR* pAllocateArray) {
    return charged(s, pHandle, *pAllocateArray, 1,
                   [&] { return s.driver.cuArray3DCreate_v2(pHandle, pAllocateArray); });
}

CUresult cuArrayDestroy(Session& s, CUarray hArray) {
    const ArrayTable::Entry* entry = s.arrays.find(number(hArray));
    if (entry == nullptr || entry->parent != 0) return CUDA_ERROR_INVALID_HANDLE;
    return when_no_host_function_runs(s, number(hArray), [&s, hArray] {
        const CUresult result = s.driver.cuArrayDestroy(hArray);
        if (result == CUDA_SUCCESS) forget_array(s, number(hArray));
        return result;
    });
}

CUresult cuArrayGetPlane(Session& s, CUarray* pPlaneArray, CUarray hArray, unsigned int planeIdx) {
    if (s.driver.cuArrayGetPlane == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuArrayGetPlane(pPlaneArray, hArray, planeIdx);
    return result != CUDA_SUCCESS ? result : add_part(s, *pPlaneArray, number(hArray));
}

CUresult cuMipmappedArrayCreate(Session& s, CUmipmappedArray* pHandle,
                                const CUDA_ARRAY3D_DESCRIPTOR* pMipmappedArrayDesc,
                                unsigned int numMipmapLevels) {
    const CUDA_ARRAY3D_DESCRIPTOR& d = *pMipmappedArrayDesc;
    const size_t longest = std::max({d.Width, d.Height, is_layered(d) ? size_t{0} : d.Depth, size_t{1}});
    const auto most = static_cast<unsigned>(std::bit_width(longest));
    return charged(s, pHandle, d, std::clamp(numMipmapLevels, 1u, most), [&] {
        return s.driver.cuMipmappedArrayCreate(pHandle, pMipmappedArrayDesc, numMipmapLevels);
    });
}

CUresult cuMipmappedArrayGetLevel(Session& s, CUarray* pLevelArray, CUmipmappedArray hMipmappedArray,
                                  unsigned int level) {
    const CUresult result = s.driver.cuMipmappedArrayGetLevel(pLevelArray, hMipmappedArray, level);
    return result != CUDA_SUCCESS ? result : add_part(s, *pLevelArray, number(hMipmappedArray));
}

CUresult cuMipmappedArrayDestroy(Session& s, CUmipmappedArray hMipmappedArray) {
    if (s.arrays.find(number(hMipmappedArray)) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    return when_no_host_function_runs(s, number(hMipmappedArray), [&s, hMipmappedArray] {
        const CUresult result = s.driver.cuMipmappedArrayDestroy(hMipmappedArray);
        if (result == CUDA_SUCCESS) forget_array(s, number(hMipmappedArray));
        return result;
    });
}

}  // namespace bitfusion::worker
