#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>

#include "health/checks.h"

namespace bitfusion::health {
namespace {

constexpr double kLeastBogomips = 2000;
constexpr int64_t kLeastFreeMib = 2048;
constexpr int64_t kFastMbits = 10000;
constexpr int64_t kLeastMtu = 4096;
constexpr uint64_t kLeastOpenFiles = 4096;
constexpr uint64_t kConfiguredOpenFiles = 100000;

bool real_gpus(const Node& node) { return node.gpus.backend == "real" && !node.gpus.list.empty(); }

std::string without_gpus(const Node& node) {
    return node.gpus.backend == "soft" ? "software GPUs only" : "this server has no GPU";
}

void append(std::string* list, const std::string& part) { *list += (list->empty() ? "" : ", ") + part; }

// Interfaces whose link is up and at least 10 Gbit/s. Virtual ones tell no speed, or -1.
std::vector<std::string> fast_interfaces(const Files& files) {
    std::vector<std::string> fast;
    for (const std::string& name : files.entries("/sys/class/net")) {
        if (files.number("/sys/class/net/" + name + "/speed").value_or(-1) >= kFastMbits)
            fast.push_back(name);
    }
    return fast;
}

}  // namespace

std::optional<int64_t> memory_mib(const Files& files, const std::string& key) {
    const auto table = files.text("/proc/meminfo");
    if (!table) return std::nullopt;
    std::stringstream lines(*table);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key + ":")) return strtoll(line.c_str() + key.size() + 1, nullptr, 10) / 1024;
    }
    return std::nullopt;
}

Finding check_processor_speed(const Node& node) {
    const auto table = node.files.text("/proc/cpuinfo");
    if (!table) return marginal("/proc/cpuinfo cannot be read; mount /proc");
    double least = 0;
    size_t cores = 0;
    std::stringstream lines(*table);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("bogomips") && !line.starts_with("BogoMIPS")) continue;
        const size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const double speed = strtod(line.c_str() + colon + 1, nullptr);
        least = cores == 0 ? speed : std::min(least, speed);
        ++cores;
    }
    if (cores == 0) return marginal("/proc/cpuinfo has no bogomips; the speed of this host is not known");
    const std::string seen =
        std::to_string(cores) + " cores, " + std::to_string(std::lround(least)) + " bogomips";
    if (least < kLeastBogomips) return marginal(seen + ", less than 2000: the host will hold the GPUs up");
    return pass(seen);
}

Finding check_host_memory(const Node& node) {
    const auto total = memory_mib(node.files, "MemTotal");
    const auto available = memory_mib(node.files, "MemAvailable");
    if (!total || !available) return marginal("/proc/meminfo cannot be read; mount /proc");
    const std::string seen = std::to_string(*available) + " of " + std::to_string(*total) + " MiB available";
    if (*available < 256) return fatal(seen + "; end programs or add memory");
    if (*available < kLeastFreeMib || *available < *total / 10)
        return marginal(seen + ", less than 2 GiB or a tenth; end programs or add memory");
    return pass(seen);
}

Finding check_subnets(const Node& node) {
    if (node.addresses.empty())
        return marginal("no interface beside loopback has an address: only programs of this machine connect");
    if (node.side == Side::kServer) {
        std::string names;
        for (const Address& address : node.addresses) append(&names, address.interface);
        return pass("interfaces: " + names);
    }
    std::string routed, matched;
    for (const Remote& remote : node.remotes) {
        const auto shares = [&](const Address& ours) {
            return std::any_of(remote.addresses.begin(), remote.addresses.end(),
                               [&](const Address& theirs) { return same_subnet(ours, theirs); });
        };
        const bool common = std::any_of(node.addresses.begin(), node.addresses.end(), shares);
        append(common ? &matched : &routed, remote.server);
    }
    if (!routed.empty())
        return marginal("no common subnet with " + routed +
                        ": traffic is routed; give client and server interfaces in one subnet");
    if (matched.empty()) return marginal("no server told its interfaces; see vcenter_check");
    return pass("common subnet with " + matched);
}

Finding check_memory_operations(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.gpus.list.empty()) return pass("this server has no GPU");
    std::string without, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.memory_operations) append(&unknown, gpu_text(gpu));
        if (gpu.memory_operations && !*gpu.memory_operations) append(&without, gpu_text(gpu));
    }
    if (!unknown.empty()) return marginal("not told by " + unknown + "; install one release of bitfusion");
    if (without.empty()) return pass("stream memory operations on every GPU");
    if (node.gpus.backend == "soft") return pass("software GPUs have no stream memory operations");
    return marginal("no stream memory operations on " + without + "; install a driver of CUDA 12 or later");
}

Finding check_mtu(const Node& node) {
    std::string small, large;
    for (const std::string& name : fast_interfaces(node.files)) {
        const int64_t mtu = node.files.number("/sys/class/net/" + name + "/mtu").value_or(0);
        append(mtu < kLeastMtu ? &small : &large, name + " " + std::to_string(mtu));
    }
    if (!small.empty())
        return marginal("MTU below 4096: " + small +
                        "; run: ip link set dev <interface> mtu 9000, with jumbo frames on switch and peers");
    return pass(large.empty() ? "no interface of 10 Gbit/s or more" : "MTU: " + large);
}

Finding check_gpu_statistics(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (!real_gpus(node)) return pass(without_gpus(node));
    std::string unread, odd;
    for (const Gpu& gpu : node.gpus.list) {
        if (!gpu.utilization_percent || !gpu.memory_used_mib) {
            append(&unread, gpu_text(gpu));
            continue;
        }
        const bool sane = *gpu.utilization_percent >= 0 && *gpu.utilization_percent <= 100 &&
                          *gpu.memory_used_mib >= 0 &&
                          *gpu.memory_used_mib <= gpu.memory_mib + gpu.memory_mib / 8;
        if (!sane) append(&odd, gpu_text(gpu));
    }
    if (!odd.empty())
        return marginal("impossible values from " + odd + "; restart the server, see nvidia-smi");
    if (!unread.empty())
        return marginal("no utilisation or memory from " + unread +
                        "; install libnvidia-ml.so.1, which comes with NVIDIA's driver");
    return pass(std::to_string(node.gpus.list.size()) + " GPUs");
}

Finding check_topology(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (!real_gpus(node)) return pass(without_gpus(node));
    std::set<int64_t> with_network;
    for (const std::string& name : fast_interfaces(node.files)) {
        const auto numa = node.files.number("/sys/class/net/" + name + "/device/numa_node");
        if (numa && *numa >= 0) with_network.insert(*numa);
    }
    std::string far;
    for (const Gpu& gpu : node.gpus.list) {
        const auto numa = node.files.number(pci_folder(gpu) + "/numa_node");
        if (!numa) return marginal("the NUMA node of " + gpu_text(gpu) + " is not in /sys; mount /sys");
        if (*numa >= 0 && !with_network.empty() && !with_network.contains(*numa))
            append(&far, gpu_text(gpu) + " (node " + std::to_string(*numa) + ")");
    }
    if (!far.empty())
        return marginal("no fast interface on the NUMA node of " + far +
                        "; move a network card, or lease these GPUs last");
    return pass(with_network.empty() ? "one NUMA node, or none told by the interfaces"
                                     : "every GPU has a fast interface on its node");
}

Finding check_pci_width(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (!real_gpus(node)) return pass(without_gpus(node));
    std::string narrow, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        const auto width = node.files.number(pci_folder(gpu) + "/current_link_width");
        const auto most = node.files.number(pci_folder(gpu) + "/max_link_width");
        if (!width || !most || *most == 0 || *most == 255)
            append(&unknown, gpu_text(gpu));
        else if (*width < *most)
            append(&narrow, gpu_text(gpu) + " x" + std::to_string(*width) + " of x" + std::to_string(*most));
    }
    if (!narrow.empty())
        return marginal("fewer lanes than possible: " + narrow + "; reseat the card, see the slot");
    if (!unknown.empty())
        return marginal("/sys tells no link width of " + unknown + ", as in some virtual machines");
    return pass("every GPU has all its lanes");
}

Finding check_open_files(const Node& node) {
    const std::string seen = "nofile " + std::to_string(node.open_files);
    if (node.open_files < kLeastOpenFiles)
        return fatal(seen +
                     ": connecting may fail with \"cannot allocate memory\"; run: ulimit -n 4096, or install "
                     "/etc/security/limits.d/bitfusion-limits.conf");
    if (node.open_files < kConfiguredOpenFiles)
        return marginal(seen +
                        ", 100000 are advised; install /etc/security/limits.d/bitfusion-limits.conf and log "
                        "in again as a member of the group bitfusion");
    return pass(seen);
}

}  // namespace bitfusion::health
