#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "health/checks.h"

namespace bitfusion::health {
namespace {

bool software(const Node& node) { return node.gpus.backend == "soft"; }

// A server whose inventory failed can tell nothing of its GPUs.
std::optional<Finding> no_gpus(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.gpus.list.empty()) return pass("this server has no GPU");
    return std::nullopt;
}

std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

constexpr const char* kNoManagement = "; install libnvidia-ml.so.1, which comes with NVIDIA's driver";

// The kernel's log. /dev/kmsg gives one record a read and never ends: EAGAIN is its end here.
std::optional<std::string> kernel_log(const Files& files) {
    constexpr size_t kMost = 4 << 20;
    const int descriptor = open(files.path("/dev/kmsg").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    std::string text;
    std::array<char, 8192> record;
    bool denied = false;
    while (text.size() < kMost) {
        const ssize_t got = read(descriptor, record.data(), record.size());
        if (got > 0) {
            text.append(record.data(), static_cast<size_t>(got));
            continue;
        }
        // EPIPE: records were overwritten before they were read; the next read goes on after them.
        if (got < 0 && (errno == EPIPE || errno == EINTR)) continue;
        denied = got < 0 && errno != EAGAIN && text.empty();
        break;
    }
    close(descriptor);
    if (denied) return std::nullopt;
    return text;
}

// Number of the first Xid line's code in "... NVRM: Xid (PCI:0000:65:00): 79, pid=..."; -1 when there is
// none.
int xid_of(const std::string& line) {
    const size_t at = line.find("NVRM: Xid (");
    if (at == std::string::npos) return -1;
    const size_t colon = line.find("): ", at);
    if (colon == std::string::npos ||
        !isdigit(static_cast<unsigned char>(line[std::min(colon + 3, line.size() - 1)])))
        return -1;
    return atoi(line.c_str() + colon + 3);
}

// Those that tell of the hardware or of a GPU that is lost; others are as a rule a program's fault.
const std::set<int> kHardwareXids = {48, 61, 62, 63, 64, 74, 79, 92, 94, 95, 110, 119, 120, 140};

}  // namespace

std::string gpu_text(const Gpu& gpu) { return "GPU " + std::to_string(gpu.ordinal); }

std::string pci_folder(const Gpu& gpu) {
    std::string address = gpu.pci;
    if (address.empty()) return "";
    const size_t colon = address.find(':');
    if (colon != std::string::npos && colon > 4) address.erase(0, colon - 4);
    std::transform(address.begin(), address.end(), address.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return "/sys/bus/pci/devices/" + address;
}

std::vector<std::string> pci_gpus(const Files& files) {
    std::vector<std::string> found;
    for (const std::string& name : files.entries("/sys/bus/pci/devices")) {
        const std::string folder = "/sys/bus/pci/devices/" + name;
        if (files.number(folder + "/vendor") != 0x10de) continue;
        if (files.number(folder + "/class").value_or(0) >> 16 == 0x03) found.push_back(name);
    }
    return found;
}

Finding check_compute_mode(const Node& node) {
    if (auto none = no_gpus(node)) return *none;
    if (software(node)) return pass("software GPUs are always shared");
    std::vector<std::string> wrong, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.compute_mode)
            unknown.push_back(gpu_text(gpu));
        else if (*gpu.compute_mode != "Default")
            wrong.push_back(gpu_text(gpu) + " " + *gpu.compute_mode);
    }
    if (!wrong.empty()) return fatal(join(wrong) + ": cannot be shared; run: nvidia-smi -c DEFAULT");
    if (!unknown.empty()) return marginal("not told by " + join(unknown) + kNoManagement);
    return pass("Default");
}

Finding check_ecc(const Node& node) {
    if (auto none = no_gpus(node)) return *none;
    if (software(node)) return pass("software GPUs use the memory of the host");
    std::vector<std::string> wrong, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.ecc_errors)
            unknown.push_back(gpu_text(gpu));
        else if (*gpu.ecc_errors > 0)
            wrong.push_back(gpu_text(gpu) + " " + std::to_string(*gpu.ecc_errors));
    }
    if (!wrong.empty())
        return fatal("uncorrected errors: " + join(wrong) +
                     "; drain the server and reset the GPU: nvidia-smi -r");
    if (!unknown.empty() && !node.gpus.management_gpus)
        return marginal("not told by " + join(unknown) + kNoManagement);
    if (!unknown.empty()) return pass("off or not there on " + join(unknown));
    return pass("no uncorrected error");
}

Finding check_gpu_interfaces(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    const auto count = static_cast<int64_t>(node.gpus.list.size());
    if (software(node)) return pass(std::to_string(count) + " software GPUs");
    if (!node.gpus.management_gpus) return marginal(std::string("NVML does not answer") + kNoManagement);
    if (*node.gpus.management_gpus != count)
        return fatal("CUDA sees " + std::to_string(count) + " GPUs, NVML " +
                     std::to_string(*node.gpus.management_gpus) +
                     "; look at nvidia-smi, CUDA_VISIBLE_DEVICES and the device files");
    if (node.gpus.management_cuda_version && *node.gpus.management_cuda_version != node.gpus.cuda_version)
        return fatal("libcuda.so.1 is of CUDA " + std::to_string(node.gpus.cuda_version) +
                     ", libnvidia-ml.so.1 of " + std::to_string(*node.gpus.management_cuda_version) +
                     "; install one driver and restart");
    return pass(std::to_string(count) + " GPUs in CUDA and NVML");
}

Finding check_pci_enumeration(const Node& node) {
    const std::vector<std::string> found = pci_gpus(node.files);
    if (software(node)) {
        if (found.empty()) return pass("software GPUs are not on PCI");
        return marginal(join(found) + " on PCI, but software GPUs are served; start with --backend real");
    }
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.files.entries("/sys/bus/pci/devices").empty())
        return marginal("/sys/bus/pci/devices is empty: PCI cannot be compared; mount /sys");
    if (found.size() > node.gpus.list.size())
        return fatal(std::to_string(found.size()) + " GPUs on PCI, " + std::to_string(node.gpus.list.size()) +
                     " enumerated; look at dmesg for NVRM lines");
    return pass(std::to_string(node.gpus.list.size()) + " GPUs enumerated, " + std::to_string(found.size()) +
                " on PCI");
}

Finding check_peer_access(const Node& node) {
    if (auto none = no_gpus(node)) return *none;
    if (node.gpus.list.size() == 1) return pass("one GPU");
    std::vector<std::string> missing, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.peers) {
            unknown.push_back(gpu_text(gpu));
            continue;
        }
        std::set<std::string> reached;
        std::stringstream list(*gpu.peers);
        for (std::string ordinal; std::getline(list, ordinal, ',');) reached.insert(ordinal);
        for (const Gpu& other : node.gpus.list) {
            if (other.ordinal != gpu.ordinal && !reached.contains(std::to_string(other.ordinal)))
                missing.push_back(std::to_string(gpu.ordinal) + "->" + std::to_string(other.ordinal));
        }
    }
    if (!unknown.empty())
        return marginal("not told by " + join(unknown) + "; install one release of bitfusion");
    if (!missing.empty())
        return marginal("no peer access " + join(missing) +
                        ": copies between these GPUs go through the host; look at nvidia-smi topo -p2p r");
    return pass("every GPU reaches every other");
}

Finding check_temperature(const Node& node) {
    if (auto none = no_gpus(node)) return *none;
    std::vector<std::string> hot, unknown;
    int64_t most = 0;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.temperature_c) {
            unknown.push_back(gpu_text(gpu));
            continue;
        }
        most = std::max(most, *gpu.temperature_c);
        if (*gpu.temperature_c >= 100)
            hot.push_back(gpu_text(gpu) + " " + std::to_string(*gpu.temperature_c) + " C");
    }
    if (!hot.empty()) return fatal(join(hot) + ", 100 C or more; drain the server and look at its cooling");
    if (!unknown.empty() && software(node)) return pass("software GPUs have no temperature of their own");
    if (!unknown.empty()) return marginal("not told by " + join(unknown) + kNoManagement);
    return pass("at most " + std::to_string(most) + " C");
}

Finding check_xid(const Node& node) {
    if (software(node)) return pass("software GPUs have no Xid");
    const auto log = kernel_log(node.files);
    if (!log)
        return marginal("the kernel's log cannot be read; run as root, or give CAP_SYSLOG to the service");
    std::map<int, size_t> seen;
    bool hardware = false;
    std::stringstream lines(*log);
    for (std::string line; std::getline(lines, line);) {
        const int xid = xid_of(line);
        if (xid < 0) continue;
        ++seen[xid];
        hardware = hardware || kHardwareXids.contains(xid);
    }
    if (seen.empty()) return pass("none in the kernel's log");
    std::vector<std::string> parts;
    for (const auto& [xid, count] : seen)
        parts.push_back("Xid " + std::to_string(xid) + " (" + std::to_string(count) + " times)");
    if (hardware) return fatal(join(parts) + "; drain the server, reset or replace the GPU, see dmesg");
    return marginal(join(parts) + ": as a rule a program's fault; see dmesg for its pid");
}

}  // namespace bitfusion::health
