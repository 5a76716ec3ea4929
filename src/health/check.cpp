#include "health/check.h"

#include <algorithm>

#include "health/checks.h"

namespace bitfusion::health {

// Thresholds without a source here are the project's own.
const std::vector<Check>& checks() {
    static const std::vector<Check> all = {
        {"cass_buckets", Type::kStability, false,
         "the kept history: files of the layout and retention of this release", check_store_history},
        {"cass_node_num", Type::kStability, false,
         "the store's record of the pool's servers against those that are there", check_store_members},
        {"cass_nodetool", Type::kStability, false, "the store answers, has a quorum and a leader",
         check_store_quorum},
        {"cass_replication", Type::kStability, false,
         "voters of the store as configured; an even number gains nothing", check_store_replicas},
        {"compute_mode", Type::kStability, false, "NVML compute mode: Default, or a GPU cannot be shared",
         check_compute_mode},
        {"network", Type::kStability, true,
         "/sys/class/net/*/statistics/*errors and *dropped: no growth since the last look",
         check_lost_packets},
        {"ecc", Type::kStability, false, "NVML volatile uncorrected ECC errors: none", check_ecc},
        {"gpu_api", Type::kStability, false, "CUDA driver and NVML agree on GPUs and on the CUDA version",
         check_gpu_interfaces},
        {"pci_nvml", Type::kStability, false, "every NVIDIA GPU on PCI (vendor 10de, class 03) is enumerated",
         check_pci_enumeration},
        {"pci_p2p", Type::kStability, false, "cuDeviceCanAccessPeer of every pair of GPUs",
         check_peer_access},
        {"temperature", Type::kStability, false, "NVML temperature: below 100 C (the guide's limit)",
         check_temperature},
        {"vcenter_check", Type::kStability, true, "the servers that decide about GPUs can be reached",
         check_controllers},
        {"xid", Type::kStability, false, "Xid lines in the kernel's log (NVIDIA, \"Xid Errors\")", check_xid},
        {"bogomips", Type::kPerformance, true, "bogomips of /proc/cpuinfo: at least 2000 a core",
         check_processor_speed},
        {"hostmem", Type::kPerformance, true, "MemAvailable of /proc/meminfo: at least 2 GiB and a tenth",
         check_host_memory},
        {"iface_compat", Type::kPerformance, true, "client and server have interfaces in a common subnet",
         check_subnets},
        {"memops", Type::kPerformance, false, "CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS",
         check_memory_operations},
        {"mtu", Type::kPerformance, true,
         "interfaces of 10 Gbit/s and more have an MTU of at least 4096 (the guide's)", check_mtu},
        {"nvidia_stats", Type::kPerformance, false, "NVML statistics are readable and make sense",
         check_gpu_statistics},
        {"nvidia_topo", Type::kPerformance, false, "each GPU has a fast interface on its own NUMA node",
         check_topology},
        {"pci_width", Type::kPerformance, false,
         "current_link_width against max_link_width (Linux, sysfs-bus-pci)", check_pci_width},
        {"ulimit_n", Type::kPerformance, true, "open files: 4096 needed, 100000 configured (the guide's)",
         check_open_files},
        {"diskspace", Type::kSystem, true,
         "free space where this node writes: at least 1 GiB and a twentieth", check_disk_space},
        {"install", Type::kSystem, true, "files, their modes, the group bitfusion, the unit",
         check_installation},
        {"pciinfo", Type::kSystem, false, "BAR 1 of each GPU is mapped; IOMMU", check_pci_setup},
        {"shadow_mem", Type::kSystem, true,
         "memory for pinned staging, and on servers for what GPUs hold (nothing is shadowed on clients)",
         check_shadow_memory},
        {"cuda_version", Type::kSoftware, false, "CUDA of the driver: 12.0 or later", check_cuda_version},
        {"libdep", Type::kSoftware, true, "every library that is opened by name opens", check_libraries},
        {"driver_version", Type::kSoftware, false,
         "NVIDIA driver: 525.60.13 or later (the first with CUDA 12)", check_driver_version},
    };
    return all;
}

std::vector<Checked> run_checks(const Node& node, const std::set<std::string>& off) {
    std::vector<Checked> results;
    for (const Check& check : checks()) {
        if (node.side == Side::kClient && !check.on_clients) continue;
        results.push_back({&check, check.run(node), !off.contains(check.name)});
    }
    return results;
}

Verdict overall(const std::vector<Checked>& results) {
    Verdict worst = Verdict::kPass;
    for (const Checked& result : results) {
        if (result.counted) worst = std::max(worst, result.finding.verdict);
    }
    return worst;
}

const char* text_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPass:
            return "pass";
        case Verdict::kMarginal:
            return "marginal";
        case Verdict::kFatal:
            break;
    }
    return "fatal";
}

const char* text_of(Type type) {
    switch (type) {
        case Type::kStability:
            return "stability";
        case Type::kPerformance:
            return "performance";
        case Type::kSystem:
            return "system resources";
        case Type::kSoftware:
            break;
    }
    return "software version";
}

Finding pass(std::string details) { return {Verdict::kPass, std::move(details)}; }
Finding marginal(std::string details) { return {Verdict::kMarginal, std::move(details)}; }
Finding fatal(std::string details) { return {Verdict::kFatal, std::move(details)}; }

}  // namespace bitfusion::health
