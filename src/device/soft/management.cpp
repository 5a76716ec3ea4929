#include "device/soft/management.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "device/soft/driver.h"
#include "device/soft/load.h"

namespace bitfusion::soft {
namespace {

std::atomic<LoadKeeper*> g_keeper{nullptr};

constexpr unsigned kIdleCelsius = 30;
constexpr unsigned kBusyCelsius = 40;  // more, when kernels run all the time

// Handles are made by find_device() alone, and the caller is our own worker.
const Gpu& gpu_of(nvmlDevice_t device) { return *reinterpret_cast<const Gpu*>(device); }

unsigned busy_percent(const Gpu& gpu) {
    LoadKeeper* keeper = load_keeper();
    return keeper != nullptr ? keeper->busy_percent(gpu.ordinal()) : 0;
}

nvmlReturn_t put_text(const char* text, char* target, unsigned length) {
    const size_t size = strlen(text) + 1;
    if (size > length) return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(target, text, size);
    return NVML_SUCCESS;
}

nvmlReturn_t find_device(const char* pci, nvmlDevice_t* device) {
    unsigned domain = 0;
    unsigned bus = 0;
    if (sscanf(pci, "%x:%x:", &domain, &bus) != 2) return NVML_ERROR_INVALID_ARGUMENT;
    for (const auto& gpu : driver().gpus) {
        if (domain != 0 || static_cast<int>(bus) != gpu->pci_bus()) continue;
        *device = reinterpret_cast<nvmlDevice_t>(gpu.get());
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t uuid_of(nvmlDevice_t device, char* target, unsigned length) {
    const std::array<uint8_t, 16> u = gpu_of(device).uuid();
    char text[48];
    snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
             u[15]);
    return put_text(text, target, length);
}

nvmlReturn_t pci_of(nvmlDevice_t device, nvmlPciInfo_t* pci) {
    *pci = {};
    pci->bus = static_cast<unsigned>(gpu_of(device).pci_bus());
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "0000:%02X:00.0", pci->bus);
    snprintf(pci->busId, sizeof pci->busId, "00000000:%02X:00.0", pci->bus);
    return NVML_SUCCESS;
}

nvmlReturn_t whole_pci_of(nvmlDevice_t device, nvmlPciInfoExt_t* pci) {
    const unsigned version = pci->version;  // the worker asks for the only one
    *pci = {};
    pci->version = version;
    pci->bus = static_cast<unsigned>(gpu_of(device).pci_bus());
    snprintf(pci->busId, sizeof pci->busId, "00000000:%02X:00.0", pci->bus);
    return NVML_SUCCESS;
}

nvmlReturn_t memory_of(nvmlDevice_t device, nvmlMemory_t* memory) {
    const Gpu& gpu = gpu_of(device);
    *memory = {};
    memory->total = gpu.memory_bytes();
    memory->used = gpu.used_bytes();
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

// Each process has software GPUs of its own, so it is the only one.
nvmlReturn_t processes_of(nvmlDevice_t device, unsigned* count, nvmlProcessInfo_t* processes) {
    if (*count == 0) return NVML_ERROR_INSUFFICIENT_SIZE;
    *count = 1;
    processes[0] = {};
    processes[0].pid = static_cast<unsigned>(getpid());
    processes[0].usedGpuMemory = gpu_of(device).used_bytes();
    return NVML_SUCCESS;
}

nvmlReturn_t utilization_of(nvmlDevice_t device, nvmlUtilization_t* utilization) {
    *utilization = {};
    utilization->gpu = busy_percent(gpu_of(device));  // of memory accesses nobody keeps account
    return NVML_SUCCESS;
}

nvmlReturn_t temperature_of(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned* temperature) {
    if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
    *temperature = kIdleCelsius + kBusyCelsius * busy_percent(gpu_of(device)) / 100;
    return NVML_SUCCESS;
}

nvmlReturn_t capability_of(nvmlDevice_t device, int* major, int* minor) {
    *major = gpu_of(device).cc_major();
    *minor = gpu_of(device).cc_minor();
    return NVML_SUCCESS;
}

nvmlReturn_t peer_status(nvmlDevice_t, nvmlDevice_t, nvmlGpuP2PCapsIndex_t index,
                         nvmlGpuP2PStatus_t* status) {
    *status = index == NVML_P2P_CAPS_INDEX_READ || index == NVML_P2P_CAPS_INDEX_WRITE
                  ? NVML_P2P_STATUS_OK
                  : NVML_P2P_STATUS_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

nvmlReturn_t fields_of(nvmlDevice_t, int count, nvmlFieldValue_t* values) {
    for (int i = 0; i < count; ++i) values[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

void fill_facts(ManagementTable* t) {
    t->nvmlSystemGetDriverVersion = [](char* text, unsigned n) { return put_text("software", text, n); };
    t->nvmlSystemGetNVMLVersion = [](char* text, unsigned n) { return put_text("13.0", text, n); };
    t->nvmlSystemGetCudaDriverVersion_v2 = [](int* version) {
        *version = kDriverVersion;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetName = [](nvmlDevice_t, char* text, unsigned n) {
        return put_text(kDeviceName, text, n);
    };
    t->nvmlDeviceGetBrand = [](nvmlDevice_t, nvmlBrandType_t* brand) {
        *brand = NVML_BRAND_UNKNOWN;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetArchitecture = [](nvmlDevice_t, nvmlDeviceArchitecture_t* architecture) {
        *architecture = ~0u;  // NVML_DEVICE_ARCH_UNKNOWN
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetUUID = uuid_of;
    t->nvmlDeviceGetPciInfo_v3 = pci_of;
    t->nvmlDeviceGetPciInfoExt = whole_pci_of;
    t->nvmlDeviceGetCudaComputeCapability = capability_of;
    t->nvmlDeviceGetMinorNumber = [](nvmlDevice_t device, unsigned* minor) {
        *minor = static_cast<unsigned>(gpu_of(device).ordinal());
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetDisplayMode = t->nvmlDeviceGetDisplayActive = [](nvmlDevice_t, nvmlEnableState_t* on) {
        *on = NVML_FEATURE_DISABLED;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetVirtualizationMode = [](nvmlDevice_t, nvmlGpuVirtualizationMode_t* mode) {
        *mode = NVML_GPU_VIRTUALIZATION_MODE_NONE;
        return NVML_SUCCESS;
    };
}

void fill_readings(ManagementTable* t) {
    t->nvmlDeviceGetMemoryInfo = memory_of;
    t->nvmlDeviceGetComputeRunningProcesses_v3 = processes_of;
    t->nvmlDeviceGetUtilizationRates = utilization_of;
    t->nvmlDeviceGetTemperature = temperature_of;
    t->nvmlDeviceGetPersistenceMode = [](nvmlDevice_t, nvmlEnableState_t* mode) {
        *mode = NVML_FEATURE_DISABLED;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetComputeMode = [](nvmlDevice_t, nvmlComputeMode_t* mode) {
        *mode = NVML_COMPUTEMODE_DEFAULT;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetPerformanceState =
        t->nvmlDeviceGetPowerState = [](nvmlDevice_t device, nvmlPstates_t* state) {
            *state = busy_percent(gpu_of(device)) != 0 ? NVML_PSTATE_0 : NVML_PSTATE_8;
            return NVML_SUCCESS;
        };
    t->nvmlDeviceGetP2PStatus = peer_status;
    t->nvmlDeviceOnSameBoard = [](nvmlDevice_t one, nvmlDevice_t other, int* same) {
        *same = one == other;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetTopologyCommonAncestor = [](nvmlDevice_t one, nvmlDevice_t other,
                                                nvmlGpuTopologyLevel_t* level) {
        *level = one == other ? NVML_TOPOLOGY_INTERNAL : NVML_TOPOLOGY_NODE;
        return NVML_SUCCESS;
    };
    t->nvmlDeviceGetFieldValues = fields_of;
}

}  // namespace

void keep_load(LoadKeeper* keeper) { g_keeper.store(keeper); }
LoadKeeper* load_keeper() { return g_keeper.load(std::memory_order_acquire); }

Status open_soft_management(ManagementTable* table) {
    ManagementTable filled;
    filled.nvmlInit_v2 = [] { return NVML_SUCCESS; };
    filled.nvmlDeviceGetHandleByPciBusId_v2 = find_device;
    fill_facts(&filled);
    fill_readings(&filled);
    *table = filled;
    return {};
}

}  // namespace bitfusion::soft
