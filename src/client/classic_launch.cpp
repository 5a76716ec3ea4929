// The launch calls of CUDA 3: shape, shared memory and parameters are set on the function, then it is
// launched. They are deprecated and still exported; what was set is kept here until the launch.
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "client/function.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kMostParameters = 65536;  // bytes; no kernel takes more

struct Setting {
    unsigned x = 0;
    unsigned y = 0;
    unsigned z = 0;
    unsigned shared_bytes = 0;
    std::vector<uint8_t> parameters;
    size_t parameter_bytes = 0;
};

struct Settings {
    std::mutex lock;
    std::map<CUfunction, Setting> of;
};

Settings& settings() {
    static Settings* const made = std::make_unique<Settings>().release();  // outlives every exit handler
    return *made;
}

template <typename Change>
CUresult change(CUfunction function, const Change& apply) {
    if (function_of(function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    Settings& all = settings();
    const std::lock_guard<std::mutex> lock(all.lock);
    return apply(&all.of[function]);
}

CUresult set_parameter(CUfunction function, int offset, const void* data, size_t bytes) {
    if (offset < 0 || data == nullptr || bytes > kMostParameters ||
        static_cast<size_t>(offset) > kMostParameters - bytes)
        return CUDA_ERROR_INVALID_VALUE;
    return change(function, [&](Setting* s) {
        const size_t end = static_cast<size_t>(offset) + bytes;
        if (s->parameters.size() < end) s->parameters.resize(end);
        memcpy(s->parameters.data() + offset, data, bytes);
        return CUDA_SUCCESS;
    });
}

CUresult launch_as_set(CUfunction function, int width, int height, CUstream stream) {
    if (width < 1 || height < 1) return CUDA_ERROR_INVALID_VALUE;
    Setting s;
    const CUresult found = change(function, [&](Setting* kept) {
        s = *kept;
        return CUDA_SUCCESS;
    });
    if (found != CUDA_SUCCESS) return found;
    s.parameters.resize(s.parameter_bytes);
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, s.parameters.data(), CU_LAUNCH_PARAM_BUFFER_SIZE,
                     &s.parameter_bytes, CU_LAUNCH_PARAM_END};
    return cuLaunchKernel(function, static_cast<unsigned>(width), static_cast<unsigned>(height), 1, s.x, s.y,
                          s.z, s.shared_bytes, stream, nullptr, s.parameter_bytes == 0 ? nullptr : extra);
}

}  // namespace

CUresult cuFuncSetBlockShape(CUfunction hfunc, int x, int y, int z) {
    if (x < 1 || y < 1 || z < 1) return CUDA_ERROR_INVALID_VALUE;
    return change(hfunc, [&](Setting* s) {
        s->x = static_cast<unsigned>(x);
        s->y = static_cast<unsigned>(y);
        s->z = static_cast<unsigned>(z);
        return CUDA_SUCCESS;
    });
}

CUresult cuFuncSetSharedSize(CUfunction hfunc, unsigned int bytes) {
    return change(hfunc, [&](Setting* s) {
        s->shared_bytes = bytes;
        return CUDA_SUCCESS;
    });
}

CUresult cuParamSetSize(CUfunction hfunc, unsigned int numbytes) {
    if (numbytes > kMostParameters) return CUDA_ERROR_INVALID_VALUE;
    return change(hfunc, [&](Setting* s) {
        s->parameter_bytes = numbytes;
        return CUDA_SUCCESS;
    });
}

CUresult cuParamSeti(CUfunction hfunc, int offset, unsigned int value) {
    return set_parameter(hfunc, offset, &value, sizeof value);
}
CUresult cuParamSetf(CUfunction hfunc, int offset, float value) {
    return set_parameter(hfunc, offset, &value, sizeof value);
}
CUresult cuParamSetv(CUfunction hfunc, int offset, void* ptr, unsigned int numbytes) {
    return set_parameter(hfunc, offset, ptr, numbytes);
}

// A texture reference of the function's module is the function's without being set.
CUresult cuParamSetTexRef(CUfunction hfunc, int texunit, CUtexref hTexRef) {
    if (texunit != CU_PARAM_TR_DEFAULT || hTexRef == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return function_of(hfunc) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

CUresult cuLaunch(CUfunction f) { return launch_as_set(f, 1, 1, nullptr); }
CUresult cuLaunchGrid(CUfunction f, int grid_width, int grid_height) {
    return launch_as_set(f, grid_width, grid_height, nullptr);
}
CUresult cuLaunchGridAsync(CUfunction f, int grid_width, int grid_height, CUstream hStream) {
    return launch_as_set(f, grid_width, grid_height, hStream);
}

// Of several devices: no device says that it can (CU_DEVICE_ATTRIBUTE_COOPERATIVE_MULTI_DEVICE_LAUNCH).
CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS* launchParamsList, unsigned int numDevices,
                                              unsigned int flags) {
    constexpr unsigned kKnown = CUDA_COOPERATIVE_LAUNCH_MULTI_DEVICE_NO_PRE_LAUNCH_SYNC |
                                CUDA_COOPERATIVE_LAUNCH_MULTI_DEVICE_NO_POST_LAUNCH_SYNC;
    if (launchParamsList == nullptr || numDevices == 0 || (flags & ~kKnown) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (numDevices > 1) {
        BF_LOG("client", kWarn,
               "a cooperative launch on several GPUs is not served; launch on each by itself");
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    const CUDA_LAUNCH_PARAMS& p = *launchParamsList;
    if (p.hStream == nullptr || p.hStream == CU_STREAM_LEGACY || p.hStream == CU_STREAM_PER_THREAD)
        return CUDA_ERROR_INVALID_VALUE;
    return cuLaunchCooperativeKernel(p.function, p.gridDimX, p.gridDimY, p.gridDimZ, p.blockDimX, p.blockDimY,
                                     p.blockDimZ, p.sharedMemBytes, p.hStream, p.kernelParams);
}

}  // namespace bitfusion::client
