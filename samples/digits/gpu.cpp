#include "digits/gpu.h"

#include <cstdio>
#include <cstdlib>

namespace digits {

void check(CUresult result, const char* call) {
    if (result == CUDA_SUCCESS) return;
    const char* name = nullptr;
    const char* text = nullptr;
    cuGetErrorName(result, &name);
    cuGetErrorString(result, &text);
    std::fprintf(stderr, "digits: %s failed: %s (%d, %s); %s\n", call, name ? name : "unknown error",
                 static_cast<int>(result), text ? text : "no text",
                 result == CUDA_ERROR_NO_DEVICE || result == CUDA_ERROR_NOT_INITIALIZED
                     ? "start it with: bitfusion run -n 1 -- digits"
                     : "run it again with BITFUSION_LOG=debug and read what the driver says");
    std::exit(1);
}

Gpu::Gpu(const char* ptx) {
    check(cuInit(0), "cuInit");
    check(cuDeviceGet(&device_, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context_), "cuCtxSetCurrent");
    check(cuModuleLoadData(&module_, ptx), "cuModuleLoadData");
    check(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}

Gpu::~Gpu() {
    check(cuStreamDestroy_v2(stream_), "cuStreamDestroy");
    check(cuModuleUnload(module_), "cuModuleUnload");
    check(cuDevicePrimaryCtxRelease_v2(device_), "cuDevicePrimaryCtxRelease");
}

CUfunction Gpu::kernel(const char* name) const {
    CUfunction function = nullptr;
    check(cuModuleGetFunction(&function, module_, name), name);
    return function;
}

void Gpu::wait() const { check(cuStreamSynchronize(stream_), "cuStreamSynchronize"); }

std::string Gpu::describe() const {
    char name[256] = "";
    char bus[32] = "";
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    int version = 0;
    check(cuDeviceGetName(name, sizeof name, device_), "cuDeviceGetName");
    check(cuDeviceGetPCIBusId(bus, sizeof bus, device_), "cuDeviceGetPCIBusId");
    check(cuMemGetInfo_v2(&free_bytes, &total_bytes), "cuMemGetInfo");
    check(cuDriverGetVersion(&version), "cuDriverGetVersion");
    char line[512];
    std::snprintf(line, sizeof line, "%s, %zu MiB (%zu MiB free), CUDA driver %d.%d, bus %s", name,
                  total_bytes >> 20, free_bytes >> 20, version / 1000, version % 1000 / 10, bus);
    return line;
}

}  // namespace digits
