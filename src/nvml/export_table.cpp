// nvmlInternalGetExportTable: the table of private functions that NVIDIA's nvidia-smi asks for. No header
// describes it; what is known comes from NVIDIA's published stand-in of NVML for release 580, and from what
// nvidia-smi 535 and 550 pass and show: a slot that a release brings keeps its number. Nothing that a caller
// passes is trusted (caller_memory.h).
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/log.h"
#include "nvml/caller_memory.h"
#include "nvml/entry.h"
#include "nvml/memory.h"
#include "nvml_hand.gen.h"
#include "nvml_snapshot.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr size_t kSlots = 512;  // release 580 uses fewer than 256
constexpr size_t kPathBetween = 23;
constexpr size_t kCanBeMonitored = 72;
constexpr size_t kHandleByIndex = 81;
constexpr size_t kComputeProcesses = 213;
constexpr size_t kGraphicsProcesses = 214;
constexpr size_t kMpsProcesses = 215;
constexpr size_t kHostPcieGeneration = 230;
constexpr size_t kTemperatureMargin = 240;
constexpr size_t kAddressingMode = 242;
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

template <typename T>
nvmlReturn_t give(T* to, const T& value) {
    return copy_if_possible(to, &value, sizeof value) ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

bool is_device(const void* argument) {
    unsigned index = 0;
    const auto device = reinterpret_cast<nvmlDevice_t>(const_cast<void*>(argument));
    return nvmlDeviceGetIndex(device, &index) == NVML_SUCCESS;
}

// The path between the devices at two bus ids as `topo -m` shows it: PIX is 0, PXB 1, PHB 2, NODE 3, SYS 4.
// An error would end the matrix: what is not known, such as the way to a network card of the client, is shown
// as Unknown.
unsigned path_between_devices(const std::string& one, const std::string& other) {
    constexpr unsigned kUnknown = ~0u;
    nvmlDevice_t first = nullptr;
    nvmlDevice_t second = nullptr;
    nvmlGpuTopologyLevel_t level{};
    if (nvmlDeviceGetHandleByPciBusId_v2(one.c_str(), &first) != NVML_SUCCESS ||
        nvmlDeviceGetHandleByPciBusId_v2(other.c_str(), &second) != NVML_SUCCESS ||
        snapshot::nvmlDeviceGetTopologyCommonAncestor(first, second, &level) != NVML_SUCCESS)
        return kUnknown;
    return level <= NVML_TOPOLOGY_SINGLE ? 0 : static_cast<unsigned>(level) / 10 - 1;
}

nvmlReturn_t path_between(const char* one, const char* other, unsigned* path) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    std::string first;
    std::string second;
    if (!text_of_caller(one, &first) || !text_of_caller(other, &second))
        return acknowledged("slot 23 of nvidia-smi's private table", "it was given no bus ids");
    return give(path, path_between_devices(first, second));
} catch (...) {
    return caught("nvidia-smi: topology");
}

// Whether dmon and pmon may show the device: all that a lease has can be.
nvmlReturn_t can_be_monitored(nvmlDevice_t device, unsigned* answer) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    return is_device(device) ? give(answer, 1u) : NVML_ERROR_INVALID_ARGUMENT;
} catch (...) {
    return caught("nvidia-smi: monitoring");
}

nvmlReturn_t handle_by_index(unsigned index, nvmlDevice_t* device, unsigned) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    nvmlDevice_t found = nullptr;
    const nvmlReturn_t result = nvmlDeviceGetHandleByIndex_v2(index, &found);
    return result == NVML_SUCCESS ? give(device, found) : result;
} catch (...) {
    return caught("nvidia-smi: handle by index");
}

NamedProcess named(const wire::ProcessFact& fact) {
    NamedProcess entry{};
    entry.pid = fact.pid;
    entry.used_bytes = fact.used_bytes;
    entry.gpu_instance = entry.compute_instance = kNoInstance;
    if (nvmlSystemGetProcessName(fact.pid, entry.name, sizeof entry.name) != NVML_SUCCESS)
        snprintf(entry.name, sizeof entry.name, "%s", fact.name.c_str());
    return entry;
}

// As many as there is room for.
nvmlReturn_t compute_processes(nvmlDevice_t device, unsigned* count, NamedProcess* entries) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    unsigned room = 0;
    if (!copy_if_possible(&room, count, sizeof room) || (room != 0 && entries == nullptr))
        return NVML_ERROR_INVALID_ARGUMENT;
    MemoryUse use;
    if (const nvmlReturn_t result = ask_memory(device, &use); result != NVML_SUCCESS) return result;
    const unsigned shown = std::min(room, static_cast<unsigned>(use.processes.size()));
    for (unsigned i = 0; i < shown; ++i) {
        if (const nvmlReturn_t given = give(entries + i, named(use.processes[i])); given != NVML_SUCCESS)
            return given;
    }
    return give(count, shown);
} catch (...) {
    return caught("nvidia-smi: processes");
}

// Programs of a lease draw nothing and are no clients of MPS.
nvmlReturn_t no_processes(nvmlDevice_t device, unsigned* count, NamedProcess*) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    return is_device(device) ? give(count, 0u) : NVML_ERROR_INVALID_ARGUMENT;
} catch (...) {
    return caught("nvidia-smi: processes");
}

nvmlReturn_t host_pcie_generation(nvmlDevice_t device, unsigned* generation) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    unsigned found = 0;
    const nvmlReturn_t result = snapshot::nvmlDeviceGetMaxPcieLinkGeneration(device, &found);
    return result == NVML_SUCCESS ? give(generation, found) : result;
} catch (...) {
    return caught("nvidia-smi: PCIe generation");
}

// How many degrees warmer the GPU may become.
nvmlReturn_t temperature_margin(nvmlDevice_t device, int* margin) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    nvmlMarginTemperature_t found{};
    found.version = sizeof found | 1u << 24;
    const nvmlReturn_t result = snapshot::nvmlDeviceGetMarginTemperature(device, &found);
    return result == NVML_SUCCESS ? give(margin, found.marginTemperature) : result;
} catch (...) {
    return caught("nvidia-smi: temperature");
}

nvmlReturn_t addressing_mode(nvmlDevice_t device, unsigned* mode) try {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    nvmlDeviceAddressingMode_t found{};
    found.version = sizeof found | 1u << 24;
    const nvmlReturn_t result = snapshot::nvmlDeviceGetAddressingMode(device, &found);
    return result == NVML_SUCCESS ? give(mode, found.value) : result;
} catch (...) {
    return caught("nvidia-smi: addressing mode");
}

// What concerns no device is acknowledged: nvidia-smi gives up on an error there. What asks something of a
// device is not known: nvidia-smi shows N/A for it, but believes a count that was left as it was.
nvmlReturn_t answer_unknown(const char* name, const void* first, void* second) {
    if (!is_device(first)) return acknowledged(name, "nothing is known of it");
    if (may_be_a_variable(second)) give(static_cast<unsigned*>(second), 0u);
    return not_served(name, "nothing is known of it");
}

template <size_t Slot>
nvmlReturn_t unknown(const void* first, void* second, const void* third, const void* fourth) try {
    static const std::string name = "slot " + std::to_string(Slot) + " of nvidia-smi's private table";
    BF_LOG("nvml", kTrace, "%s: called with %p %p %p %p", name.c_str(), first, second, third, fourth);
    return answer_unknown(name.c_str(), first, second);
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
        t[kPathBetween] = reinterpret_cast<const void*>(&path_between);
        t[kCanBeMonitored] = reinterpret_cast<const void*>(&can_be_monitored);
        t[kHandleByIndex] = reinterpret_cast<const void*>(&handle_by_index);
        t[kComputeProcesses] = reinterpret_cast<const void*>(&compute_processes);
        t[kGraphicsProcesses] = t[kMpsProcesses] = reinterpret_cast<const void*>(&no_processes);
        t[kHostPcieGeneration] = reinterpret_cast<const void*>(&host_pcie_generation);
        t[kTemperatureMargin] = reinterpret_cast<const void*>(&temperature_margin);
        t[kAddressingMode] = reinterpret_cast<const void*>(&addressing_mode);
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
