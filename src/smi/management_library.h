// The management library as this program finds it: NVML's functions by name, from the libnvidia-ml.so.1 that
// the loader finds first. Under `bitfusion run` that is the stand-in for the lease's GPUs.
#pragma once

#include "base/result.h"
#include "nvml_api.gen.h"

namespace bitfusion::smi {

// Every function that this program calls; null where the library lacks it.
#define BF_SMI_FUNCTIONS(X)                         \
    X(nvmlInit_v2)                                  \
    X(nvmlErrorString)                              \
    X(nvmlSystemGetDriverVersion)                   \
    X(nvmlSystemGetNVMLVersion)                     \
    X(nvmlSystemGetCudaDriverVersion_v2)            \
    X(nvmlSystemGetProcessName)                     \
    X(nvmlDeviceGetCount_v2)                        \
    X(nvmlDeviceGetHandleByIndex_v2)                \
    X(nvmlDeviceGetName)                            \
    X(nvmlDeviceGetUUID)                            \
    X(nvmlDeviceGetSerial)                          \
    X(nvmlDeviceGetVbiosVersion)                    \
    X(nvmlDeviceGetBoardPartNumber)                 \
    X(nvmlDeviceGetMinorNumber)                     \
    X(nvmlDeviceGetPciInfo_v3)                      \
    X(nvmlDeviceGetCudaComputeCapability)           \
    X(nvmlDeviceGetPersistenceMode)                 \
    X(nvmlDeviceGetDisplayMode)                     \
    X(nvmlDeviceGetDisplayActive)                   \
    X(nvmlDeviceGetComputeMode)                     \
    X(nvmlDeviceGetMigMode)                         \
    X(nvmlDeviceGetEccMode)                         \
    X(nvmlDeviceGetTotalEccErrors)                  \
    X(nvmlDeviceGetFanSpeed)                        \
    X(nvmlDeviceGetTemperature)                     \
    X(nvmlDeviceGetPerformanceState)                \
    X(nvmlDeviceGetPowerUsage)                      \
    X(nvmlDeviceGetEnforcedPowerLimit)              \
    X(nvmlDeviceGetPowerManagementLimit)            \
    X(nvmlDeviceGetPowerManagementDefaultLimit)     \
    X(nvmlDeviceGetPowerManagementLimitConstraints) \
    X(nvmlDeviceGetMemoryInfo_v2)                   \
    X(nvmlDeviceGetUtilizationRates)                \
    X(nvmlDeviceGetClockInfo)                       \
    X(nvmlDeviceGetMaxClockInfo)                    \
    X(nvmlDeviceGetCurrPcieLinkGeneration)          \
    X(nvmlDeviceGetMaxPcieLinkGeneration)           \
    X(nvmlDeviceGetCurrPcieLinkWidth)               \
    X(nvmlDeviceGetMaxPcieLinkWidth)                \
    X(nvmlDeviceGetComputeRunningProcesses_v3)

struct ManagementLibrary {
#define BF_SMI_FIELD(name) decltype(&::name) name = nullptr;
    BF_SMI_FUNCTIONS(BF_SMI_FIELD)
#undef BF_SMI_FIELD
};

// Loads and initialises it. The error's code is NVML's where the library is there and does not start.
Result<ManagementLibrary> open_management_library();

}  // namespace bitfusion::smi
