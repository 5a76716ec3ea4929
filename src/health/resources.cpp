#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "health/checks.h"

namespace bitfusion::health {
namespace {

constexpr uint64_t kMib = 1 << 20;
// A worker pins at most 64 MiB of staging; this is room for sixteen sessions.
constexpr int64_t kStagingMib = 1024;

void append(std::string* list, const std::string& part) { *list += (list->empty() ? "" : ", ") + part; }

// "" when it is there with the mode that it needs.
std::string wrong_file(const std::string& path, bool runs) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return path + " is missing";
    if (!S_ISREG(status.st_mode)) return path + " is no file";
    if (runs && (status.st_mode & 0111) == 0) return path + " cannot be executed";
    if ((status.st_mode & 0002) != 0) return path + " can be written by everybody";
    return "";
}

bool has_group(const Files& files) {
    const auto groups = files.text("/etc/group");
    return groups && (groups->starts_with("bitfusion:") || groups->find("\nbitfusion:") != std::string::npos);
}

// Size of a GPU's BAR 1 from the second line "start end flags" of its resource file; nothing when unreadable.
std::optional<uint64_t> bar1_bytes(const Files& files, const std::string& folder) {
    const auto table = files.text(folder + "/resource");
    if (!table) return std::nullopt;
    std::stringstream lines(*table);
    std::string line;
    if (!std::getline(lines, line) || !std::getline(lines, line)) return std::nullopt;
    std::stringstream fields(line);
    uint64_t start = 0;
    uint64_t end = 0;
    if (!(fields >> std::hex >> start >> end)) return std::nullopt;
    return end > start ? end - start + 1 : 0;
}

}  // namespace

Finding check_disk_space(const Node& node) {
    struct statvfs disk {};
    if (statvfs(node.data_folder.c_str(), &disk) != 0)
        return marginal(node.data_folder + ": " + strerror(errno) + "; make the folder or choose another");
    const uint64_t free = disk.f_bavail * disk.f_frsize / kMib;
    const uint64_t total = disk.f_blocks * disk.f_frsize / kMib;
    const std::string seen =
        node.data_folder + ": " + std::to_string(free) + " of " + std::to_string(total) + " MiB free";
    if (free < 100) return fatal(seen + "; make room: nothing can be saved");
    if (free < 1024 || free < total / 20)
        return marginal(seen + ", less than 1 GiB or a twentieth; make room");
    return pass(seen);
}

Finding check_installation(const Node& node) {
    const std::string& root = node.installation;
    std::string broken;
    for (const std::string& wrong :
         {wrong_file(root + "/bin/bitfusion", true),
          node.side == Side::kServer ? wrong_file(root + "/lib/bitfusion/bitfusion-worker", true)
                                     : wrong_file(root + "/lib/bitfusion/cuda/libcuda.so.1", false)}) {
        if (!wrong.empty()) append(&broken, wrong);
    }
    if (!broken.empty())
        return fatal(broken + "; install the complete bundle again, bin and lib side by side");
    std::string lacking;
    if (!has_group(node.files)) append(&lacking, "the group bitfusion (groupadd --system bitfusion)");
    if (!node.files.exists("/etc/security/limits.d/bitfusion-limits.conf"))
        append(&lacking, "/etc/security/limits.d/bitfusion-limits.conf");
    if (node.side == Side::kServer && !node.files.exists("/lib/systemd/system/bitfusion-manager.service") &&
        !node.files.exists("/etc/systemd/system/bitfusion-manager.service"))
        append(&lacking, "bitfusion-manager.service");
    if (!lacking.empty())
        return marginal("runs, but lacks " + lacking + "; see share/bitfusion of the bundle");
    return pass(root);
}

Finding check_pci_setup(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.gpus.backend != "real" || node.gpus.list.empty())
        return pass(node.gpus.backend == "soft" ? "software GPUs are not on PCI" : "this server has no GPU");
    std::string sizes, unmapped, unknown;
    for (const Gpu& gpu : node.gpus.list) {
        const auto bytes = bar1_bytes(node.files, pci_folder(gpu));
        if (!bytes)
            append(&unknown, gpu_text(gpu));
        else if (*bytes == 0)
            append(&unmapped, gpu_text(gpu));
        else
            append(&sizes, std::to_string(*bytes / kMib) + " MiB");
    }
    if (!unmapped.empty())
        return fatal(
            "BAR 1 is not mapped: " + unmapped +
            "; switch \"Above 4G decoding\" on in the firmware, or raise the MMIO size of the machine");
    if (!unknown.empty()) return marginal("/sys tells no BAR of " + unknown + "; mount /sys");
    const bool iommu = !node.files.entries("/sys/class/iommu").empty();
    return pass("BAR 1: " + sizes + "; IOMMU " + (iommu ? "on" : "off"));
}

Finding check_shadow_memory(const Node& node) {
    const auto total = memory_mib(node.files, "MemTotal");
    if (!total) return marginal("/proc/meminfo cannot be read; mount /proc");
    const std::string seen = "MemTotal " + std::to_string(*total) + " MiB";
    if (*total < kStagingMib) return fatal(seen + ", 1024 MiB are needed for pinned staging; add memory");
    if (node.side == Side::kClient)
        return pass(seen + ", enough for staging; nothing of a GPU is shadowed here");
    int64_t gpus = 0;
    for (const Gpu& gpu : node.gpus.list) gpus += gpu.memory_mib;
    const std::string both = seen + ", GPUs " + std::to_string(gpus) + " MiB";
    if (*total < gpus)
        return marginal(both +
                        ": programs that keep copies of GPU memory on the host may run out; add memory");
    return pass(both);
}

}  // namespace bitfusion::health
