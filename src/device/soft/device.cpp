#include <cstdio>
#include <cstring>

#include "device/soft/device_attribute.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

// A function about one device: body(Gpu&).
template <typename Body>
CUresult entry_on_device(CUdevice device, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        return body(*gpu);
    });
}

CUresult cuInit(unsigned int flags) {
    return entry([&] {
        if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
        driver().initialized.store(true, std::memory_order_release);
        return driver().gpus.empty() ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
    });
}

CUresult cuDriverGetVersion(int* version) {
    if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *version = kDriverVersion;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
    return entry_initialized([&] {
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *count = static_cast<int>(driver().gpus.size());
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return entry_initialized([&] {
        if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (driver().gpu_of(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        *device = ordinal;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
    return entry_initialized([&] {
        if (name == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
        if (driver().gpu_of(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        snprintf(name, static_cast<size_t>(length), "%s", kDeviceName);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
    return entry_initialized([&] {
        if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        const auto bytes = gpu->uuid();
        memcpy(uuid->bytes, bytes.data(), sizeof uuid->bytes);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetLuid(char* luid, unsigned int* mask, CUdevice device) {
    return entry_on_device(device, [&](Gpu&) {
        if (luid == nullptr || mask == nullptr) return CUDA_ERROR_INVALID_VALUE;
        // A LUID exists on Windows only.
        return CUDA_ERROR_NOT_SUPPORTED;
    });
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    return entry_initialized([&] {
        if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        *bytes = gpu->memory_bytes();
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
    return entry_initialized([&] {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        return device_attribute(*gpu, attribute, value) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuDeviceGetProperties(CUdevprop* properties, CUdevice device) {
    return entry_on_device(device, [&](Gpu& gpu) {
        if (properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto value = [&](CUdevice_attribute attribute) {
            int found = 0;
            device_attribute(gpu, attribute, &found);
            return found;
        };
        *properties = {};
        properties->maxThreadsPerBlock = value(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
        properties->maxThreadsDim[0] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
        properties->maxThreadsDim[1] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
        properties->maxThreadsDim[2] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
        properties->maxGridSize[0] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
        properties->maxGridSize[1] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
        properties->maxGridSize[2] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
        properties->sharedMemPerBlock = value(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
        properties->totalConstantMemory = value(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
        properties->SIMDWidth = value(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
        properties->memPitch = value(CU_DEVICE_ATTRIBUTE_MAX_PITCH);
        properties->regsPerBlock = value(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
        properties->clockRate = value(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
        properties->textureAlign = value(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
    return entry_on_device(device, [&](Gpu& gpu) {
        if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *major = gpu.cc_major();
        *minor = gpu.cc_minor();
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetPCIBusId(char* text, int length, CUdevice device) {
    return entry_on_device(device, [&](Gpu& gpu) {
        if (text == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
        char whole[16];
        const int size =
            snprintf(whole, sizeof whole, "0000:%02X:00.0", static_cast<unsigned>(gpu.pci_bus()));
        if (size >= length) return CUDA_ERROR_INVALID_VALUE;
        memcpy(text, whole, static_cast<size_t>(size) + 1);
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetByPCIBusId(CUdevice* device, const char* text) {
    return entry_initialized([&] {
        if (device == nullptr || text == nullptr) return CUDA_ERROR_INVALID_VALUE;
        unsigned domain = 0;
        unsigned bus = 0;
        unsigned slot = 0;
        unsigned function = 0;
        // "domain:bus:device.function", "domain:bus:device" and "bus:device.function" are all allowed.
        if (sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3) {
            domain = function = 0;
            if (sscanf(text, "%x:%x.%x", &bus, &slot, &function) != 3) return CUDA_ERROR_INVALID_VALUE;
        }
        for (const auto& gpu : driver().gpus) {
            if (domain == 0 && slot == 0 && function == 0 && static_cast<int>(bus) == gpu->pci_bus()) {
                *device = gpu->device();
                return CUDA_SUCCESS;
            }
        }
        return CUDA_ERROR_INVALID_DEVICE;
    });
}

CUresult cuDeviceGetTexture1DLinearMaxWidth(size_t* width, CUarray_format, unsigned channels,
                                            CUdevice device) {
    return entry_on_device(device, [&](Gpu&) {
        if (width == nullptr || channels == 0 || channels > 4) return CUDA_ERROR_INVALID_VALUE;
        *width = 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetExecAffinitySupport(int* value, CUexecAffinityType type, CUdevice device) {
    return entry_on_device(device, [&](Gpu&) {
        if (value == nullptr || type < 0 || type >= CU_EXEC_AFFINITY_TYPE_MAX)
            return CUDA_ERROR_INVALID_VALUE;
        *value = 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
    return entry_initialized([&] {
        if (can == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (driver().gpu_of(device) == nullptr || driver().gpu_of(peer) == nullptr)
            return CUDA_ERROR_INVALID_DEVICE;
        *can = device != peer ? 1 : 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute attribute, CUdevice from, CUdevice to) {
    return entry_initialized([&] {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (driver().gpu_of(from) == nullptr || driver().gpu_of(to) == nullptr || from == to)
            return CUDA_ERROR_INVALID_DEVICE;
        switch (attribute) {
            case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK:
            case CU_DEVICE_P2P_ATTRIBUTE_ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED:
                *value = 0;
                return CUDA_SUCCESS;
            case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED:
            case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED:
            case CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED:
                *value = 1;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuFlushGPUDirectRDMAWrites(CUflushGPUDirectRDMAWritesTarget, CUflushGPUDirectRDMAWritesScope) {
    return entry_in_context([](const ContextPtr&) { return CUDA_ERROR_NOT_SUPPORTED; });
}

}  // namespace

void serve_devices(DriverTable* table) {
    BF_SERVE(cuInit);
    BF_SERVE(cuDriverGetVersion);
    BF_SERVE(cuDeviceGetCount);
    BF_SERVE(cuDeviceGet);
    BF_SERVE(cuDeviceGetName);
    BF_SERVE(cuDeviceGetUuid_v2);
    BF_SERVE(cuDeviceGetLuid);
    BF_SERVE(cuDeviceTotalMem_v2);
    BF_SERVE(cuDeviceGetAttribute);
    BF_SERVE(cuDeviceGetProperties);
    BF_SERVE(cuDeviceComputeCapability);
    BF_SERVE(cuDeviceGetPCIBusId);
    BF_SERVE(cuDeviceGetByPCIBusId);
    BF_SERVE(cuDeviceGetTexture1DLinearMaxWidth);
    BF_SERVE(cuDeviceGetExecAffinitySupport);
    BF_SERVE(cuDeviceCanAccessPeer);
    BF_SERVE(cuDeviceGetP2PAttribute);
    BF_SERVE(cuFlushGPUDirectRDMAWrites);
}

}  // namespace bitfusion::soft
