// Structs of the client that hold device ordinals or addresses, to the driver's meaning and back.
#include <algorithm>

#include "worker/session.h"

namespace bitfusion::worker {

// What the exchange can carry: nothing is shared with other hosts.
static bool may_travel(CUmemAllocationHandleType types) {
    return types == CU_MEM_HANDLE_TYPE_NONE || types == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
}

CUresult Session::localise(CUmemLocation& location) {
    CUresult result = CUDA_SUCCESS;
    if (location.type == CU_MEM_LOCATION_TYPE_DEVICE)
        location.id = device(location.id, &result);
    else
        result = CUDA_ERROR_NOT_SUPPORTED;  // the client's host memory is not this host's
    return result;
}
CUresult Session::localise(CUmemAllocationProp& prop) {
    prop.win32HandleMetaData = nullptr;
    if (!may_travel(prop.requestedHandleTypes)) return CUDA_ERROR_NOT_SUPPORTED;
    // Of host memory a program asks the granularity alone; who makes memory checks that it is a device's.
    return prop.location.type == CU_MEM_LOCATION_TYPE_HOST ? CUDA_SUCCESS : localise(prop.location);
}
CUresult Session::localise(CUmemPoolProps& props) {
    props.win32SecurityAttributes = nullptr;
    if (!may_travel(props.handleTypes)) return CUDA_ERROR_NOT_SUPPORTED;
    return localise(props.location);
}
CUresult Session::localise(CUmemAccessDesc& access) { return localise(access.location); }
CUresult Session::localise(CUDA_MEMSET_NODE_PARAMS& set) {
    const wire::Extent row = wire::Extent(set.width) * wire::Extent(set.elementSize);
    return memory.within(set.dst, wire::rows2d(set.pitch, row, set.height).value) ? CUDA_SUCCESS
                                                                                  : CUDA_ERROR_INVALID_VALUE;
}
int Session::ordinal_of(int device) const {
    const auto place = std::find(visible_.begin(), visible_.end(), device);
    return place == visible_.end() ? device : static_cast<int>(place - visible_.begin());
}
void Session::globalise(CUmemAllocationProp& prop) { prop.location.id = ordinal_of(prop.location.id); }

}  // namespace bitfusion::worker
