#include "smi/reading.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

namespace bitfusion::smi {
namespace {

// Asks a function for one value; nothing when it is missing or fails.
template <typename T, typename F, typename... Arguments>
std::optional<T> ask(F function, Arguments... arguments) {
    T value{};
    if (function == nullptr || function(arguments..., &value) != NVML_SUCCESS) return std::nullopt;
    return value;
}

template <typename F>
std::string text(F function, nvmlDevice_t device) {
    char value[128] = "";
    return function != nullptr && function(device, value, sizeof value) == NVML_SUCCESS ? value : "";
}

template <typename F>
Gpu::Switch is_on(F function, nvmlDevice_t device) {
    const auto state = ask<nvmlEnableState_t>(function, device);
    return state ? Gpu::Switch(*state == NVML_FEATURE_ENABLED) : std::nullopt;
}

void read_identity(const ManagementLibrary& nvml, nvmlDevice_t device, Gpu* gpu) {
    gpu->name = text(nvml.nvmlDeviceGetName, device);
    gpu->uuid = text(nvml.nvmlDeviceGetUUID, device);
    gpu->serial = text(nvml.nvmlDeviceGetSerial, device);
    gpu->vbios = text(nvml.nvmlDeviceGetVbiosVersion, device);
    gpu->part_number = text(nvml.nvmlDeviceGetBoardPartNumber, device);
    gpu->minor = ask<unsigned>(nvml.nvmlDeviceGetMinorNumber, device);
    if (const auto pci = ask<nvmlPciInfo_t>(nvml.nvmlDeviceGetPciInfo_v3, device)) {
        gpu->bus_id = std::string(pci->busId, strnlen(pci->busId, sizeof pci->busId));
        gpu->pci_domain = pci->domain;
        gpu->pci_bus = pci->bus;
        gpu->pci_device = pci->device;
        gpu->pci_device_id = pci->pciDeviceId;
        gpu->pci_subsystem_id = pci->pciSubSystemId;
    }
    int major = 0;
    int minor = 0;
    if (nvml.nvmlDeviceGetCudaComputeCapability != nullptr &&
        nvml.nvmlDeviceGetCudaComputeCapability(device, &major, &minor) == NVML_SUCCESS)
        gpu->capability = std::to_string(major) + "." + std::to_string(minor);
}

void read_modes(const ManagementLibrary& nvml, nvmlDevice_t device, Gpu* gpu) {
    gpu->persistence = is_on(nvml.nvmlDeviceGetPersistenceMode, device);
    gpu->display_attached = is_on(nvml.nvmlDeviceGetDisplayMode, device);
    gpu->display_active = is_on(nvml.nvmlDeviceGetDisplayActive, device);
    unsigned current = 0;
    unsigned pending = 0;
    if (nvml.nvmlDeviceGetMigMode != nullptr &&
        nvml.nvmlDeviceGetMigMode(device, &current, &pending) == NVML_SUCCESS) {
        gpu->mig = current != 0;
        gpu->mig_pending = pending != 0;
    }
    nvmlEnableState_t ecc{};
    nvmlEnableState_t ecc_pending{};
    if (nvml.nvmlDeviceGetEccMode != nullptr &&
        nvml.nvmlDeviceGetEccMode(device, &ecc, &ecc_pending) == NVML_SUCCESS) {
        gpu->ecc = ecc == NVML_FEATURE_ENABLED;
        gpu->ecc_pending = ecc_pending == NVML_FEATURE_ENABLED;
    }
    const auto errors = [&](nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter) {
        const auto count = ask<unsigned long long>(nvml.nvmlDeviceGetTotalEccErrors, device, type, counter);
        return count ? std::optional<uint64_t>(*count) : std::nullopt;
    };
    gpu->ecc_uncorrected_volatile = errors(NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC);
    gpu->ecc_corrected_volatile = errors(NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC);
    gpu->ecc_uncorrected_aggregate = errors(NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_AGGREGATE_ECC);
    gpu->ecc_corrected_aggregate = errors(NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_AGGREGATE_ECC);
    constexpr std::array<const char*, 4> kModes = {"Default", "Exclusive_Thread", "Prohibited",
                                                   "Exclusive_Process"};
    if (const auto mode = ask<nvmlComputeMode_t>(nvml.nvmlDeviceGetComputeMode, device);
        mode && static_cast<size_t>(*mode) < kModes.size())
        gpu->compute_mode = kModes[static_cast<size_t>(*mode)];
}

void read_power(const ManagementLibrary& nvml, nvmlDevice_t device, Gpu* gpu) {
    gpu->power = ask<unsigned>(nvml.nvmlDeviceGetPowerUsage, device);
    gpu->power_limit = ask<unsigned>(nvml.nvmlDeviceGetEnforcedPowerLimit, device);
    gpu->power_limit_requested = ask<unsigned>(nvml.nvmlDeviceGetPowerManagementLimit, device);
    gpu->power_limit_default = ask<unsigned>(nvml.nvmlDeviceGetPowerManagementDefaultLimit, device);
    unsigned least = 0;
    unsigned most = 0;
    if (nvml.nvmlDeviceGetPowerManagementLimitConstraints != nullptr &&
        nvml.nvmlDeviceGetPowerManagementLimitConstraints(device, &least, &most) == NVML_SUCCESS) {
        gpu->power_limit_least = least;
        gpu->power_limit_most = most;
    }
}

void read_load(const ManagementLibrary& nvml, nvmlDevice_t device, Gpu* gpu) {
    nvmlMemory_v2_t memory{};
    memory.version = sizeof memory | 2u << 24;
    if (nvml.nvmlDeviceGetMemoryInfo_v2 != nullptr &&
        nvml.nvmlDeviceGetMemoryInfo_v2(device, &memory) == NVML_SUCCESS) {
        gpu->memory_total = memory.total;
        gpu->memory_used = memory.used;
        gpu->memory_free = memory.free;
        gpu->memory_reserved = memory.reserved;
    }
    if (const auto rates = ask<nvmlUtilization_t>(nvml.nvmlDeviceGetUtilizationRates, device)) {
        gpu->utilization = rates->gpu;
        gpu->utilization_memory = rates->memory;
    }
    gpu->fan_percent = ask<unsigned>(nvml.nvmlDeviceGetFanSpeed, device);
    gpu->temperature = ask<unsigned>(nvml.nvmlDeviceGetTemperature, device, NVML_TEMPERATURE_GPU);
    if (const auto state = ask<nvmlPstates_t>(nvml.nvmlDeviceGetPerformanceState, device);
        state && *state <= NVML_PSTATE_15)
        gpu->performance_state = static_cast<unsigned>(*state);
    for (size_t i = 0; i < gpu->clock.size(); ++i) {
        gpu->clock[i] = ask<unsigned>(nvml.nvmlDeviceGetClockInfo, device, static_cast<nvmlClockType_t>(i));
        gpu->clock_most[i] =
            ask<unsigned>(nvml.nvmlDeviceGetMaxClockInfo, device, static_cast<nvmlClockType_t>(i));
    }
    gpu->pcie_generation = ask<unsigned>(nvml.nvmlDeviceGetCurrPcieLinkGeneration, device);
    gpu->pcie_generation_most = ask<unsigned>(nvml.nvmlDeviceGetMaxPcieLinkGeneration, device);
    gpu->pcie_width = ask<unsigned>(nvml.nvmlDeviceGetCurrPcieLinkWidth, device);
    gpu->pcie_width_most = ask<unsigned>(nvml.nvmlDeviceGetMaxPcieLinkWidth, device);
}

void read_processes(const ManagementLibrary& nvml, nvmlDevice_t device, Gpu* gpu) {
    std::array<nvmlProcessInfo_t, 512> infos{};
    auto count = static_cast<unsigned>(infos.size());
    if (nvml.nvmlDeviceGetComputeRunningProcesses_v3 == nullptr ||
        nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, infos.data()) != NVML_SUCCESS)
        return;
    for (unsigned i = 0; i < count; ++i) {
        char name[1024] = "";
        const bool named = nvml.nvmlSystemGetProcessName != nullptr &&
                           nvml.nvmlSystemGetProcessName(infos[i].pid, name, sizeof name) == NVML_SUCCESS;
        gpu->processes.push_back({infos[i].pid, named ? name : "[Not Found]", infos[i].usedGpuMemory});
    }
}

bool is_chosen(const Gpu& gpu, const std::string& word) {
    return word == std::to_string(gpu.index) || word == gpu.uuid ||
           strcasecmp(word.c_str(), gpu.bus_id.c_str()) == 0;
}

}  // namespace

Result<Reading> read(const ManagementLibrary& nvml, const std::vector<std::string>& chosen) {
    Reading reading;
    char version[128] = "";
    if (nvml.nvmlSystemGetDriverVersion != nullptr &&
        nvml.nvmlSystemGetDriverVersion(version, sizeof version) == NVML_SUCCESS)
        reading.driver_version = version;
    reading.cuda_version = ask<int>(nvml.nvmlSystemGetCudaDriverVersion_v2);
    unsigned count = 0;
    if (const nvmlReturn_t result = nvml.nvmlDeviceGetCount_v2(&count); result != NVML_SUCCESS)
        return fail(nvml.nvmlErrorString(result), static_cast<int>(result));
    std::vector<bool> found(chosen.size());
    for (unsigned i = 0; i < count; ++i) {
        nvmlDevice_t device = nullptr;
        if (nvml.nvmlDeviceGetHandleByIndex_v2(i, &device) != NVML_SUCCESS) continue;
        Gpu gpu;
        gpu.index = i;
        read_identity(nvml, device, &gpu);
        bool wanted = chosen.empty();
        for (size_t c = 0; c < chosen.size(); ++c) {
            if (!is_chosen(gpu, chosen[c])) continue;
            found[c] = true;
            wanted = true;
        }
        if (!wanted) continue;
        read_modes(nvml, device, &gpu);
        read_power(nvml, device, &gpu);
        read_load(nvml, device, &gpu);
        read_processes(nvml, device, &gpu);
        reading.gpus.push_back(std::move(gpu));
    }
    if (const auto missing = std::find(found.begin(), found.end(), false); missing != found.end()) {
        return fail("Invalid combination of input arguments: no GPU is " +
                    chosen[static_cast<size_t>(missing - found.begin())] + "; list them with -L");
    }
    return reading;
}

}  // namespace bitfusion::smi
