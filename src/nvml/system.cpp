// What concerns no single device: error texts, and kinds of hardware that a lease has none of.
#include "nvml/device.h"
#include "nvml/library.h"
#include "nvml/snapshot.h"
#include "nvml_hand.gen.h"
#include "nvml_snapshot.gen.h"

namespace bitfusion::nvml {
namespace {

nvmlReturn_t none(unsigned* count) {
    if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *count = 0;
    return NVML_SUCCESS;
}

}  // namespace

const char* nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
        case NVML_SUCCESS:
            return "Success";
        case NVML_ERROR_UNINITIALIZED:
            return "Uninitialized";
        case NVML_ERROR_INVALID_ARGUMENT:
            return "Invalid Argument";
        case NVML_ERROR_NOT_SUPPORTED:
            return "Not Supported";
        case NVML_ERROR_NO_PERMISSION:
            return "Insufficient Permissions";
        case NVML_ERROR_ALREADY_INITIALIZED:
            return "Already Initialized";
        case NVML_ERROR_NOT_FOUND:
            return "Not Found";
        case NVML_ERROR_INSUFFICIENT_SIZE:
            return "Insufficient Size";
        case NVML_ERROR_INSUFFICIENT_POWER:
            return "Insufficient External Power";
        case NVML_ERROR_DRIVER_NOT_LOADED:
            return "Driver Not Loaded";
        case NVML_ERROR_TIMEOUT:
            return "Timeout";
        case NVML_ERROR_IRQ_ISSUE:
            return "Interrupt Request Issue";
        case NVML_ERROR_LIBRARY_NOT_FOUND:
            return "NVML Shared Library Not Found";
        case NVML_ERROR_FUNCTION_NOT_FOUND:
            return "Function Not Found";
        case NVML_ERROR_CORRUPTED_INFOROM:
            return "Corrupted infoROM";
        case NVML_ERROR_GPU_IS_LOST:
            return "GPU is lost";
        case NVML_ERROR_RESET_REQUIRED:
            return "GPU requires reset";
        case NVML_ERROR_OPERATING_SYSTEM:
            return "GPU access blocked by the operating system";
        case NVML_ERROR_LIB_RM_VERSION_MISMATCH:
            return "Driver/library version mismatch";
        case NVML_ERROR_IN_USE:
            return "In use by another client";
        case NVML_ERROR_MEMORY:
            return "Insufficient Memory";
        case NVML_ERROR_NO_DATA:
            return "No data";
        case NVML_ERROR_INSUFFICIENT_RESOURCES:
            return "Insufficient Resources";
        case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
            return "Argument version mismatch";
        case NVML_ERROR_DEPRECATED:
            return "Deprecated";
        case NVML_ERROR_NOT_READY:
            return "Not Ready";
        case NVML_ERROR_GPU_NOT_FOUND:
            return "GPU not found";
        case NVML_ERROR_INVALID_STATE:
            return "Invalid State";
        default:
            return "Unknown Error";
    }
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* cudaDriverVersion) {
    return snapshot::nvmlSystemGetCudaDriverVersion_v2(cudaDriverVersion);
}

nvmlReturn_t nvmlUnitGetCount(unsigned int* unitCount) { return none(unitCount); }
nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int* deviceCount) { return none(deviceCount); }
nvmlReturn_t nvmlGetBlacklistDeviceCount(unsigned int* deviceCount) { return none(deviceCount); }
nvmlReturn_t nvmlSystemGetHicVersion(unsigned int* hwbcCount, nvmlHwbcEntry_t*) { return none(hwbcCount); }

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t* temperature) {
    if (temperature == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!has_version(temperature, sizeof(nvmlTemperature_v1_t), 1))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    unsigned celsius = 0;
    const nvmlReturn_t result = snapshot::nvmlDeviceGetTemperature(device, temperature->sensorType, &celsius);
    if (result == NVML_SUCCESS) temperature->temperature = static_cast<int>(celsius);
    return result;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t* pci) {
    if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlPciInfo_t whole{};
    const nvmlReturn_t result = snapshot::nvmlDeviceGetNvLinkRemotePciInfo_v2(device, link, &whole);
    // The struct of the first version ends before the long bus id.
    if (result == NVML_SUCCESS)
        __builtin_memcpy(static_cast<void*>(pci), &whole, offsetof(nvmlPciInfo_t, busId));
    return result;
}

nvmlReturn_t nvmlDeviceGetTopologyNearestGpus(nvmlDevice_t device, nvmlGpuTopologyLevel_t level,
                                              unsigned int* count, nvmlDevice_t* deviceArray) {
    unsigned own = 0;
    unsigned devices = 0;
    if (count == nullptr || (*count != 0 && deviceArray == nullptr) ||
        nvmlDeviceGetIndex(device, &own) != NVML_SUCCESS)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (const nvmlReturn_t result = nvmlDeviceGetCount_v2(&devices); result != NVML_SUCCESS) return result;
    unsigned found = 0;
    for (unsigned i = 0; i < devices; ++i) {
        nvmlGpuTopologyLevel_t distance{};
        if (i == own ||
            snapshot::nvmlDeviceGetTopologyCommonAncestor(device, handle_of(i), &distance) != NVML_SUCCESS ||
            distance != level)
            continue;
        if (found < *count) deviceArray[found] = handle_of(i);
        ++found;
    }
    *count = found;
    return NVML_SUCCESS;
}

}  // namespace bitfusion::nvml
