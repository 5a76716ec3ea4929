#include "smi/table.h"

#include <cstdio>

namespace bitfusion::smi {
namespace {

constexpr size_t kMostName = 27;         // of a product
constexpr size_t kMostProcessName = 35;  // the end of a path tells more than its beginning
constexpr unsigned kMilli = 1000;

const std::string kBox = "+" + std::string(89, '-') + "+\n";
const std::string kCells =
    "+" + std::string(41, '-') + "+" + std::string(24, '-') + "+" + std::string(22, '-') + "+\n";

template <typename... Values>
std::string format(const char* pattern, Values... values) {
    char text[256];
    snprintf(text, sizeof text, pattern, values...);
    return text;
}

template <typename T>
std::string with_unit(const std::optional<T>& value, const char* unit) {
    return value ? std::to_string(*value) + unit : "N/A";
}

std::string watts(const Gpu::Number& milliwatts) {
    return milliwatts ? std::to_string((*milliwatts + kMilli / 2) / kMilli) + "W" : "N/A";
}

std::string mebibytes(const std::optional<uint64_t>& bytes) {
    return bytes ? std::to_string(*bytes >> 20) + "MiB" : "N/A";
}

std::string on_off(const Gpu::Switch& state) { return !state ? "N/A" : *state ? "On" : "Off"; }

std::string ecc_text(const Gpu& gpu) {
    if (gpu.ecc && !*gpu.ecc) return "Off";
    return gpu.ecc_uncorrected_volatile ? std::to_string(*gpu.ecc_uncorrected_volatile) : "N/A";
}

std::string mode_text(std::optional<std::string> mode) {
    if (!mode) return "N/A";
    if (*mode == "Exclusive_Process") return "E. Process";
    if (*mode == "Exclusive_Thread") return "E. Thread";
    return *mode;
}

std::string shortened(const std::string& text, size_t most) {
    return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string end_of(const std::string& text, size_t most) {
    return text.size() <= most ? text : "..." + text.substr(text.size() - (most - 3));
}

std::string gpu_rows(const Gpu& gpu) {
    const std::string state = gpu.performance_state ? "P" + std::to_string(*gpu.performance_state) : "N/A";
    std::string out = format("|%4u  %-31s%-3s |   %16s %3s |%21s |\n", gpu.index,
                             shortened(gpu.name, kMostName).c_str(), on_off(gpu.persistence).c_str(),
                             gpu.bus_id.c_str(), on_off(gpu.display_active).c_str(), ecc_text(gpu).c_str());
    out += format("|%4s%6s%6s%16s / %5s |%11s / %9s |%8s%13s |\n", with_unit(gpu.fan_percent, "%").c_str(),
                  with_unit(gpu.temperature, "C").c_str(), state.c_str(), watts(gpu.power).c_str(),
                  watts(gpu.power_limit).c_str(), mebibytes(gpu.memory_used).c_str(),
                  mebibytes(gpu.memory_total).c_str(), with_unit(gpu.utilization, "%").c_str(),
                  mode_text(gpu.compute_mode).c_str());
    const char* mig = !gpu.mig ? "N/A" : *gpu.mig ? "Enabled" : "Disabled";
    out += format("|%41s|%24s|%21s |\n", "", "", mig);
    return out + kCells;
}

std::string process_rows(const Reading& reading) {
    std::string out;
    for (const Gpu& gpu : reading.gpus) {
        for (const Process& process : gpu.processes) {
            out +=
                format("|%5u   N/A  N/A%16u%7s   %-36s%10s |\n", gpu.index, process.pid, "C",
                       end_of(process.name, kMostProcessName).c_str(), mebibytes(process.used_bytes).c_str());
        }
    }
    return out.empty() ? format("|  %-87s|\n", "No running processes found") : out;
}

}  // namespace

std::string time_text(std::time_t now) {
    std::tm parts{};
    localtime_r(&now, &parts);
    char text[64];
    strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
    return text;
}

std::string cuda_text(const std::optional<int>& version) {
    return version ? std::to_string(*version / 1000) + "." + std::to_string(*version % 1000 / 10) : "N/A";
}

std::string table(const Reading& reading, std::time_t now) {
    std::string out = time_text(now) + std::string(7, ' ') + "\n" + kBox;
    out += format("| NVIDIA-SMI %-22s Driver Version: %-14s CUDA Version: %-9s|\n",
                  reading.driver_version.c_str(), reading.driver_version.c_str(),
                  cuda_text(reading.cuda_version).c_str());
    out += kCells;
    out += "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |\n";
    out += "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |\n";
    out += "|                                         |                        |               MIG M. |\n";
    out += "|=========================================+========================+======================|\n";
    for (const Gpu& gpu : reading.gpus) out += gpu_rows(gpu);
    out += "\n" + kBox;
    out += "| Processes:                                                                              |\n";
    out += "|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |\n";
    out += "|        ID   ID                                                               Usage      |\n";
    out += "|=========================================================================================|\n";
    return out + process_rows(reading) + kBox;
}

}  // namespace bitfusion::smi
