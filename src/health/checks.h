// The functions behind checks(), by the type of the check; see the table in check.cpp for what each looks at.
#pragma once

#include "health/check.h"
#include "health/node.h"

namespace bitfusion::health {

Finding check_store_history(const Node& node);
Finding check_store_members(const Node& node);
Finding check_store_quorum(const Node& node);
Finding check_store_replicas(const Node& node);
Finding check_controllers(const Node& node);
Finding check_lost_packets(const Node& node);

Finding check_compute_mode(const Node& node);
Finding check_ecc(const Node& node);
Finding check_gpu_interfaces(const Node& node);
Finding check_pci_enumeration(const Node& node);
Finding check_peer_access(const Node& node);
Finding check_temperature(const Node& node);
Finding check_xid(const Node& node);

Finding check_processor_speed(const Node& node);
Finding check_host_memory(const Node& node);
Finding check_subnets(const Node& node);
Finding check_memory_operations(const Node& node);
Finding check_mtu(const Node& node);
Finding check_gpu_statistics(const Node& node);
Finding check_topology(const Node& node);
Finding check_pci_width(const Node& node);
Finding check_open_files(const Node& node);

Finding check_disk_space(const Node& node);
Finding check_installation(const Node& node);
Finding check_pci_setup(const Node& node);
Finding check_shadow_memory(const Node& node);
Finding check_cuda_version(const Node& node);
Finding check_libraries(const Node& node);
Finding check_driver_version(const Node& node);

// What several of them share.
Finding pass(std::string details);
Finding marginal(std::string details);
Finding fatal(std::string details);
// "GPU 3"
std::string gpu_text(const Gpu& gpu);
// The folder of a GPU in sysfs; "" when it has no PCI address. "00000000:65:00.0" is 0000:65:00.0 there.
std::string pci_folder(const Gpu& gpu);
// NVIDIA's display and 3D controllers that PCI shows: vendor 10de, class 03.
std::vector<std::string> pci_gpus(const Files& files);
// "MemTotal" or "MemAvailable" of /proc/meminfo in MiB.
std::optional<int64_t> memory_mib(const Files& files, const std::string& key);

}  // namespace bitfusion::health
