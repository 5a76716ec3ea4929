#include "smi/details.h"

#include "smi/table.h"

namespace bitfusion::smi {
namespace {

constexpr size_t kKeyWidth = 42;

class Lines {
  public:
    void fact(size_t depth, const std::string& key, const std::string& value) {
        std::string line = std::string(depth * 4, ' ') + key;
        line.resize(std::max(line.size(), kKeyWidth), ' ');
        text_ += line + ": " + (value.empty() ? "N/A" : value) + "\n";
    }
    void title(size_t depth, const std::string& words) {
        text_ += std::string(depth * 4, ' ') + words + "\n";
    }
    void blank() { text_ += '\n'; }
    const std::string& text() const { return text_; }

  private:
    std::string text_;
};

template <typename T>
std::string number(const std::optional<T>& value, const char* unit = "") {
    return value ? std::to_string(*value) + unit : "";
}

std::string mebibytes(const std::optional<uint64_t>& bytes) {
    return bytes ? std::to_string(*bytes >> 20) + " MiB" : "";
}

std::string watts(const std::optional<unsigned>& milliwatts) {
    if (!milliwatts) return "";
    char text[32];
    snprintf(text, sizeof text, "%u.%02u W", *milliwatts / 1000, *milliwatts % 1000 / 10);
    return text;
}

std::string enabled(const std::optional<bool>& state) {
    return !state ? "" : *state ? "Enabled" : "Disabled";
}

std::string yes_no(const std::optional<bool>& state) { return !state ? "" : *state ? "Yes" : "No"; }

std::string hexadecimal(const char* pattern, unsigned value) {
    char text[32];
    snprintf(text, sizeof text, pattern, value);
    return text;
}

void identity(const Gpu& gpu, Lines* l) {
    l->fact(1, "Product Name", gpu.name);
    l->fact(1, "Display Attached", yes_no(gpu.display_attached));
    l->fact(1, "Display Active", enabled(gpu.display_active));
    l->fact(1, "Persistence Mode", enabled(gpu.persistence));
    l->title(1, "MIG Mode");
    l->fact(2, "Current", enabled(gpu.mig));
    l->fact(2, "Pending", enabled(gpu.mig_pending));
    l->fact(1, "Serial Number", gpu.serial);
    l->fact(1, "GPU UUID", gpu.uuid);
    l->fact(1, "Minor Number", number(gpu.minor));
    l->fact(1, "VBIOS Version", gpu.vbios);
    l->fact(1, "Board Part Number", gpu.part_number);
    l->title(1, "PCI");
    l->fact(2, "Bus", hexadecimal("0x%02X", gpu.pci_bus));
    l->fact(2, "Device", hexadecimal("0x%02X", gpu.pci_device));
    l->fact(2, "Domain", hexadecimal("0x%04X", gpu.pci_domain));
    l->fact(2, "Device Id", hexadecimal("0x%08X", gpu.pci_device_id));
    l->fact(2, "Bus Id", gpu.bus_id);
    l->fact(2, "Sub System Id", hexadecimal("0x%08X", gpu.pci_subsystem_id));
    l->title(2, "GPU Link Info");
    l->title(3, "PCIe Generation");
    l->fact(4, "Max", number(gpu.pcie_generation_most));
    l->fact(4, "Current", number(gpu.pcie_generation));
    l->title(3, "Link Width");
    l->fact(4, "Max", number(gpu.pcie_width_most, "x"));
    l->fact(4, "Current", number(gpu.pcie_width, "x"));
}

void load(const Gpu& gpu, Lines* l) {
    l->fact(1, "Fan Speed", number(gpu.fan_percent, " %"));
    l->fact(1, "Performance State",
            gpu.performance_state ? "P" + std::to_string(*gpu.performance_state) : "");
    l->title(1, "FB Memory Usage");
    l->fact(2, "Total", mebibytes(gpu.memory_total));
    l->fact(2, "Reserved", mebibytes(gpu.memory_reserved));
    l->fact(2, "Used", mebibytes(gpu.memory_used));
    l->fact(2, "Free", mebibytes(gpu.memory_free));
    l->fact(1, "Compute Mode", gpu.compute_mode.value_or(""));
    l->title(1, "Utilization");
    l->fact(2, "GPU", number(gpu.utilization, " %"));
    l->fact(2, "Memory", number(gpu.utilization_memory, " %"));
    l->title(1, "ECC Mode");
    l->fact(2, "Current", enabled(gpu.ecc));
    l->fact(2, "Pending", enabled(gpu.ecc_pending));
    l->title(1, "ECC Errors");
    l->title(2, "Volatile");
    l->fact(3, "Correctable", number(gpu.ecc_corrected_volatile));
    l->fact(3, "Uncorrectable", number(gpu.ecc_uncorrected_volatile));
    l->title(2, "Aggregate");
    l->fact(3, "Correctable", number(gpu.ecc_corrected_aggregate));
    l->fact(3, "Uncorrectable", number(gpu.ecc_uncorrected_aggregate));
    l->title(1, "Temperature");
    l->fact(2, "GPU Current Temp", number(gpu.temperature, " C"));
    l->title(1, "GPU Power Readings");
    l->fact(2, "Power Draw", watts(gpu.power));
    l->fact(2, "Current Power Limit", watts(gpu.power_limit));
    l->fact(2, "Requested Power Limit", watts(gpu.power_limit_requested));
    l->fact(2, "Default Power Limit", watts(gpu.power_limit_default));
    l->fact(2, "Min Power Limit", watts(gpu.power_limit_least));
    l->fact(2, "Max Power Limit", watts(gpu.power_limit_most));
    constexpr const char* kClocks[] = {"Graphics", "SM", "Memory", "Video"};
    l->title(1, "Clocks");
    for (size_t i = 0; i < gpu.clock.size(); ++i) l->fact(2, kClocks[i], number(gpu.clock[i], " MHz"));
    l->title(1, "Max Clocks");
    for (size_t i = 0; i < gpu.clock_most.size(); ++i)
        l->fact(2, kClocks[i], number(gpu.clock_most[i], " MHz"));
}

void processes(const Gpu& gpu, Lines* l) {
    if (gpu.processes.empty()) return l->fact(1, "Processes", "None");
    l->title(1, "Processes");
    for (const Process& process : gpu.processes) {
        l->fact(2, "Process ID", std::to_string(process.pid));
        l->fact(3, "Type", "C");
        l->fact(3, "Name", process.name);
        l->fact(3, "Used GPU Memory", mebibytes(process.used_bytes));
    }
}

}  // namespace

std::string details(const Reading& reading, std::time_t now) {
    Lines l;
    l.blank();
    l.title(0, "==============NVSMI LOG==============");
    l.blank();
    l.fact(0, "Timestamp", time_text(now));
    l.fact(0, "Driver Version", reading.driver_version);
    l.fact(0, "CUDA Version", cuda_text(reading.cuda_version));
    l.blank();
    l.fact(0, "Attached GPUs", std::to_string(reading.gpus.size()));
    for (const Gpu& gpu : reading.gpus) {
        l.title(0, "GPU " + gpu.bus_id);
        identity(gpu, &l);
        load(gpu, &l);
        processes(gpu, &l);
        l.blank();
    }
    return l.text();
}

}  // namespace bitfusion::smi
