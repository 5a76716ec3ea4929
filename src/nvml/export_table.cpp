// nvmlInternalGetExportTable: the table of private functions that NVIDIA's nvidia-smi asks for. No header
// describes it; what is known comes from NVIDIA's published stand-in of NVML for release 580 and is all that
// is served. Every other slot says NOT_SUPPORTED and is logged: it must never say success.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/log.h"
#include "nvml/entry.h"
#include "nvml/memory.h"
#include "nvml_hand.gen.h"
#include "nvml_snapshot.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr size_t kSlots = 256;
constexpr size_t kHandleByIndex = 81;
constexpr size_t kComputeProcesses = 213;
constexpr size_t kGraphicsProcesses = 214;
constexpr size_t kMpsProcesses = 215;
constexpr size_t kHostPcieGeneration = 230;
constexpr unsigned kNoInstance = 0xffffffff;

constexpr unsigned char kOfNvidiaSmi[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                            0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};

struct NamedProcess {
    unsigned pid;
    unsigned long long used_bytes;
    unsigned gpu_instance;
    unsigned compute_instance;
    unsigned long long protected_bytes;
    char name[4096];
};
static_assert(sizeof(NamedProcess) == 4128 && offsetof(NamedProcess, name) == 32);

nvmlReturn_t handle_by_index(unsigned index, nvmlDevice_t* device, unsigned) try {
    return initialised() ? nvmlDeviceGetHandleByIndex_v2(index, device) : NVML_ERROR_UNINITIALIZED;
} catch (...) {
    return caught("nvidia-smi: handle by index");
}

nvmlReturn_t compute_processes(nvmlDevice_t device, unsigned* count, NamedProcess* entries) try {
    if (count == nullptr || (*count != 0 && entries == nullptr)) return NVML_ERROR_INVALID_ARGUMENT;
    MemoryUse use;
    if (const nvmlReturn_t result = ask_memory(device, &use); result != NVML_SUCCESS) return result;
    const auto found = static_cast<unsigned>(use.processes.size());
    const bool fits = found <= *count;
    *count = found;
    if (!fits) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < found; ++i) {
        entries[i] = {};
        entries[i].pid = use.processes[i].pid;
        entries[i].used_bytes = use.processes[i].used_bytes;
        entries[i].gpu_instance = entries[i].compute_instance = kNoInstance;
        if (nvmlSystemGetProcessName(use.processes[i].pid, entries[i].name, sizeof entries[i].name) !=
            NVML_SUCCESS)
            snprintf(entries[i].name, sizeof entries[i].name, "%s", use.processes[i].name.c_str());
    }
    return NVML_SUCCESS;
} catch (...) {
    return caught("nvidia-smi: processes");
}

// Programs of a lease draw nothing and are no clients of MPS.
nvmlReturn_t no_processes(nvmlDevice_t device, unsigned* count, NamedProcess*) try {
    return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, nullptr);
} catch (...) {
    return caught("nvidia-smi: processes");
}

nvmlReturn_t host_pcie_generation(nvmlDevice_t device, unsigned* generation) try {
    return snapshot::nvmlDeviceGetMaxPcieLinkGeneration(device, generation);
} catch (...) {
    return caught("nvidia-smi: PCIe generation");
}

template <size_t Slot>
nvmlReturn_t unknown() try {
    static const std::string name = "slot " + std::to_string(Slot) + " of nvidia-smi's private table";
    return not_served(name.c_str(), "nothing is known of it");
} catch (...) {
    return caught("nvidia-smi");
}

using Table = std::array<const void*, kSlots>;

template <size_t... Slot>
Table unknown_slots(std::index_sequence<Slot...>) {
    return {reinterpret_cast<const void*>(&unknown<Slot>)...};
}

const Table& table_of_nvidia_smi() {
    static const Table table = [] {
        Table t = unknown_slots(std::make_index_sequence<kSlots>());
        t[0] = reinterpret_cast<const void*>(sizeof t);  // the table's size in bytes
        t[kHandleByIndex] = reinterpret_cast<const void*>(&handle_by_index);
        t[kComputeProcesses] = reinterpret_cast<const void*>(&compute_processes);
        t[kGraphicsProcesses] = t[kMpsProcesses] = reinterpret_cast<const void*>(&no_processes);
        t[kHostPcieGeneration] = reinterpret_cast<const void*>(&host_pcie_generation);
        return t;
    }();
    return table;
}

}  // namespace

nvmlReturn_t nvmlInternalGetExportTable(const void** table, const void* id) {
    if (table == nullptr || id == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *table = nullptr;
    if (memcmp(id, kOfNvidiaSmi, sizeof kOfNvidiaSmi) == 0) {
        *table = table_of_nvidia_smi().data();
        return NVML_SUCCESS;
    }
    std::string text;
    for (size_t i = 0; i < sizeof kOfNvidiaSmi; ++i) {
        char digits[4];
        snprintf(digits, sizeof digits, "%02x", static_cast<const unsigned char*>(id)[i]);
        text += digits;
    }
    return not_served(("private table " + text).c_str(), "nothing is known of it");
}

}  // namespace bitfusion::nvml
