#include "cli/commands.h"
#include "cli/listing.h"

namespace bitfusion::cli {
namespace {

// Widths of the text inside the cells, without the blank on either side.
constexpr size_t kBox = 86;
constexpr size_t kLeft = 36;
constexpr size_t kMiddle = 23;
constexpr size_t kRight = 21;

std::string padded(const std::string& text, size_t width) {
    std::string out = text.substr(0, width);
    out.append(width - out.size(), ' ');
    return out;
}

std::string right_aligned(const std::string& text, size_t width) {
    if (text.size() >= width) return text.substr(0, width);
    return std::string(width - text.size(), ' ') + text;
}

// `left`, and `right` at the end of the width; the left text gives way.
std::string justified(const std::string& left, const std::string& right, size_t width) {
    if (right.size() + 1 >= width) return right.substr(0, width);
    return padded(left, width - right.size() - 1) + " " + right;
}

std::string number(const std::optional<int64_t>& value, const char* unit) {
    return value ? std::to_string(*value) + unit : "N/A";
}

std::string word(const std::string& text) { return text.empty() ? "N/A" : text; }

std::string row(const std::string& left, const std::string& middle, const std::string& right) {
    return "| " + left + " | " + middle + " | " + right + " |\n";
}

std::string memory(const std::string& part, uint64_t all) {
    return padded(part, 8) + "MB / " + padded(std::to_string(all), 8) + "MB";
}

std::string gpu_rows(const GpuView& gpu) {
    const std::string persistence = !gpu.persistence ? "N/A" : *gpu.persistence ? "Enabled" : "Disabled";
    const std::string fan = gpu.fan_percent ? std::to_string(*gpu.fan_percent) + " %" : "N/A";
    const std::string power =
        right_aligned(number(gpu.power_w, "W"), 4) + " / " + right_aligned(number(gpu.power_limit_w, "W"), 4);
    const std::string used = gpu.memory_used_mib ? std::to_string(*gpu.memory_used_mib) : "N/A";
    return row(justified(padded(std::to_string(gpu.ordinal), 5) + gpu.name, persistence, kLeft),
               memory(std::to_string(gpu.allocated_mib), gpu.memory_mib),
               justified(word(gpu.pci), right_aligned(number(gpu.ecc_errors, ""), 4), kRight)) +
           row(justified(
                   padded(fan, 6) + padded(number(gpu.temperature_c, "C"), 5) + word(gpu.performance_state),
                   power, kLeft),
               memory(used, gpu.memory_mib),
               justified(right_aligned(number(gpu.utilization_percent, "%"), 4), word(gpu.compute_mode),
                         kRight));
}

}  // namespace

std::string smi_text(const std::vector<Listed>& servers) {
    const std::string edge = "+" + std::string(kBox + 2, '-') + "+\n";
    const std::string columns = "+" + std::string(kLeft + 2, '-') + "+" + std::string(kMiddle + 2, '-') +
                                "+" + std::string(kRight + 2, '-') + "+\n";
    std::string text;
    for (const Listed& server : servers) {
        const bool has_gpus = server.view && !server.view->gpus.empty();
        const std::string driver = has_gpus ? "Driver Version: " + word(server.view->driver_version) : "";
        text += edge + "| " + justified(server.endpoint.text(), driver, kBox) + " |\n";
        if (!has_gpus) {
            text += edge;
            continue;
        }
        text +=
            columns +
            "| GPU  Name              Persistence-M | Virt Mem    Alloc / All | BusId  Vol Uncorr ECC |\n"
            "| Fan  Temp  Perf        Pwr:Usage/Cap | Phy Mem     Used  / All | GPU-Util   Compute M. |\n"
            "|======================================+=========================+=======================|\n";
        for (const GpuView& gpu : server.view->gpus) text += gpu_rows(gpu) + columns;
    }
    return text;
}

int smi_command(const SmiOptions& options) {
    return listing_command(options.servers, options.json, true, smi_text);
}

}  // namespace bitfusion::cli
