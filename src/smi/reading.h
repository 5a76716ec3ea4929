// A reading: everything that this program can show, read once. What a GPU does not tell is empty.
// Units are NVML's own: bytes, milliwatts, MHz, percent, degrees Celsius.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smi/management_library.h"

namespace bitfusion::smi {

struct Process {
    unsigned pid = 0;
    std::string name;
    uint64_t used_bytes = 0;
};

struct Gpu {
    using Number = std::optional<unsigned>;
    using Switch = std::optional<bool>;

    unsigned index = 0;
    std::string name, uuid, serial, vbios, part_number;
    std::string bus_id;  // "00000000:65:00.0"
    unsigned pci_domain = 0, pci_bus = 0, pci_device = 0, pci_device_id = 0, pci_subsystem_id = 0;
    Number minor;
    std::optional<std::string> capability;  // "9.0"
    Switch persistence, display_attached, display_active;
    Switch mig, mig_pending, ecc, ecc_pending;
    std::optional<std::string> compute_mode;
    std::optional<uint64_t> ecc_uncorrected_volatile, ecc_corrected_volatile, ecc_uncorrected_aggregate,
        ecc_corrected_aggregate;
    Number fan_percent, temperature, performance_state;
    Number power, power_limit, power_limit_requested, power_limit_default, power_limit_least,
        power_limit_most;
    std::optional<uint64_t> memory_total, memory_used, memory_free, memory_reserved;
    Number utilization, utilization_memory;
    std::array<Number, 4> clock, clock_most;  // by nvmlClockType_t: graphics, SM, memory, video
    Number pcie_generation, pcie_generation_most, pcie_width, pcie_width_most;
    std::vector<Process> processes;
};

struct Reading {
    std::string driver_version;
    std::optional<int> cuda_version;  // 13000
    std::vector<Gpu> gpus;
};

// `chosen` are indexes, UUIDs or bus ids of the GPUs to read; empty: all. The error says what was not found.
Result<Reading> read(const ManagementLibrary& library, const std::vector<std::string>& chosen);

}  // namespace bitfusion::smi
