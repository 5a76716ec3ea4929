// Who uses a GPU: the programs of this lease with a context on it, by their pids on the client.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "nvml/library.h"
#include "nvml/memory.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr unsigned kNoInstance = 0xffffffff;  // not a MIG instance

// Fills the caller's array as far as it goes; its element's layout depends on the function's version.
template <typename Info, typename Fill>
nvmlReturn_t list_processes(nvmlDevice_t device, unsigned* count, Info* infos, const Fill& fill) {
    if (count == nullptr || (*count != 0 && infos == nullptr)) return NVML_ERROR_INVALID_ARGUMENT;
    MemoryUse use;
    if (const nvmlReturn_t result = ask_memory(device, &use); result != NVML_SUCCESS) return result;
    const auto found = static_cast<unsigned>(use.processes.size());
    const bool fits = found <= *count;
    if (fits) {
        for (unsigned i = 0; i < found; ++i) {
            infos[i] = {};
            fill(use.processes[i], &infos[i]);
        }
    }
    *count = found;
    return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

nvmlReturn_t first_version(nvmlDevice_t device, unsigned* count, nvmlProcessInfo_v1_t* infos) {
    return list_processes(device, count, infos,
                          [](const wire::ProcessFact& fact, nvmlProcessInfo_v1_t* info) {
                              info->pid = fact.pid;
                              info->usedGpuMemory = fact.used_bytes;
                          });
}

template <typename Info>
nvmlReturn_t with_instances(nvmlDevice_t device, unsigned* count, Info* infos) {
    return list_processes(device, count, infos, [](const wire::ProcessFact& fact, Info* info) {
        info->pid = fact.pid;
        info->usedGpuMemory = fact.used_bytes;
        info->gpuInstanceId = info->computeInstanceId = kNoInstance;
    });
}

// Graphics and MPS clients: programs of a lease are neither.
nvmlReturn_t none(nvmlDevice_t device, unsigned* count) {
    unsigned index = 0;
    if (count == nullptr || nvmlDeviceGetIndex(device, &index) != NVML_SUCCESS)
        return NVML_ERROR_INVALID_ARGUMENT;
    *count = 0;
    return NVML_SUCCESS;
}

std::string name_on_this_machine(unsigned pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::string name;
    std::getline(file, name, '\0');
    return name;
}

// Programs of the lease on other machines, or of users whose /proc entries are hidden.
std::string name_in_the_lease(unsigned pid) {
    unsigned devices = 0;
    if (nvmlDeviceGetCount_v2(&devices) != NVML_SUCCESS) return "";
    for (unsigned i = 0; i < devices; ++i) {
        nvmlDevice_t device = nullptr;
        MemoryUse use;
        if (nvmlDeviceGetHandleByIndex_v2(i, &device) != NVML_SUCCESS ||
            ask_memory(device, &use) != NVML_SUCCESS)
            continue;
        const auto found = std::find_if(use.processes.begin(), use.processes.end(),
                                        [&](const wire::ProcessFact& fact) { return fact.pid == pid; });
        if (found != use.processes.end()) return found->name;
    }
    return "";
}

}  // namespace

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int* infoCount,
                                                  nvmlProcessInfo_v1_t* infos) {
    return first_version(device, infoCount, infos);
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int* infoCount,
                                                     nvmlProcessInfo_v2_t* infos) {
    return with_instances(device, infoCount, infos);
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int* infoCount,
                                                     nvmlProcessInfo_t* infos) {
    return with_instances(device, infoCount, infos);
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(nvmlDevice_t device, unsigned int* infoCount,
                                                   nvmlProcessInfo_v1_t*) {
    return none(device, infoCount);
}
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned int* infoCount,
                                                      nvmlProcessInfo_v2_t*) {
    return none(device, infoCount);
}
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int* infoCount,
                                                      nvmlProcessInfo_t*) {
    return none(device, infoCount);
}

nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses(nvmlDevice_t device, unsigned int* infoCount,
                                                     nvmlProcessInfo_v1_t*) {
    return none(device, infoCount);
}
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int* infoCount,
                                                        nvmlProcessInfo_v2_t*) {
    return none(device, infoCount);
}
nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int* infoCount,
                                                        nvmlProcessInfo_t*) {
    return none(device, infoCount);
}

nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char* name, unsigned int length) {
    if (name == nullptr || length == 0) return NVML_ERROR_INVALID_ARGUMENT;
    std::string found = name_on_this_machine(pid);
    if (found.empty()) found = name_in_the_lease(pid);
    if (found.empty()) return NVML_ERROR_NOT_FOUND;
    if (found.size() >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(name, found.c_str(), found.size() + 1);
    return NVML_SUCCESS;
}

}  // namespace bitfusion::nvml
