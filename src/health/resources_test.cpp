#include "health/test_machine.h"

namespace bitfusion::health {
namespace {

using Resources = TestMachine;

TEST_F(Resources, DiskSpace) {
    EXPECT_FINDING(check_disk_space(node), kPass, "MiB free");
    node.data_folder = root_ + "/gone";
    EXPECT_FINDING(check_disk_space(node), kMarginal, "make the folder");
    node.data_folder = "/proc";  // has no room at all
    EXPECT_FINDING(check_disk_space(node), kFatal, "nothing can be saved");
}

TEST_F(Resources, Installation) {
    chmod((node.installation + "/lib/bitfusion/bitfusion-worker").c_str(), 0644);
    EXPECT_FINDING(check_installation(node), kFatal, "bitfusion-worker cannot be executed");
    chmod((node.installation + "/lib/bitfusion/bitfusion-worker").c_str(), 0757);
    EXPECT_FINDING(check_installation(node), kFatal, "can be written by everybody");
    chmod((node.installation + "/lib/bitfusion/bitfusion-worker").c_str(), 0755);
    write("/etc/group", "root:x:0:\nnotbitfusion:x:1:\n");
    EXPECT_FINDING(check_installation(node), kMarginal, "groupadd");
    remove("/lib/systemd");
    EXPECT_FINDING(check_installation(node), kMarginal, "bitfusion-manager.service");
    node.side = Side::kClient;
    EXPECT_FINDING(check_installation(node), kFatal, "libcuda.so.1 is missing");
}

TEST_F(Resources, PciSetup) {
    EXPECT_FINDING(check_pci_setup(node), kPass, "BAR 1: 131072 MiB, 131072 MiB; IOMMU off");
    write("/sys/class/iommu/dmar0/x", "");
    EXPECT_FINDING(check_pci_setup(node), kPass, "IOMMU on");
    write("/sys/bus/pci/devices/0000:b3:00.0/resource", "0x0 0x0 0x0\n0x0 0x0 0x0\n");
    EXPECT_FINDING(check_pci_setup(node), kFatal, "not mapped: GPU 1");
    remove("/sys/bus/pci/devices/0000:b3:00.0");
    EXPECT_FINDING(check_pci_setup(node), kMarginal, "GPU 1");
}

TEST_F(Resources, ShadowMemory) {
    EXPECT_FINDING(check_shadow_memory(node), kPass, "GPUs 30218 MiB");
    write("/proc/meminfo", "MemTotal:  20971520 kB\n");
    EXPECT_FINDING(check_shadow_memory(node), kMarginal, "MemTotal 20480 MiB, GPUs 30218 MiB");
    node.side = Side::kClient;
    EXPECT_FINDING(check_shadow_memory(node), kPass, "nothing of a GPU is shadowed");
    write("/proc/meminfo", "MemTotal:  524288 kB\n");
    EXPECT_FINDING(check_shadow_memory(node), kFatal, "pinned staging");
}

TEST_F(Resources, Versions) {
    EXPECT_FINDING(check_cuda_version(node), kPass, "CUDA 13.0");
    node.gpus.cuda_version = 11080;
    EXPECT_FINDING(check_cuda_version(node), kFatal, "CUDA 11.8, 12.0 is needed");
    node.gpus.driver_version = "525.60.13";
    EXPECT_FINDING(check_driver_version(node), kPass, "525.60.13");
    node.gpus.driver_version = "525.60.12";
    EXPECT_FINDING(check_driver_version(node), kFatal, "525.60.13 is needed");
    node.gpus.driver_version = "unknown";
    EXPECT_FINDING(check_driver_version(node), kMarginal, "tells no version");
    node.gpus.backend = "soft";
    EXPECT_FINDING(check_driver_version(node), kPass, "need no driver");
}

TEST_F(Resources, Libraries) {
    node.gpus.management_gpus.reset();
    EXPECT_FINDING(check_libraries(node), kMarginal, "libnvidia-ml.so.1");
    node.gpus.error = "libcuda.so.1: cannot open shared object file; install NVIDIA's driver";
    EXPECT_FINDING(check_libraries(node), kFatal, "install NVIDIA's driver");
    node.gpus.error.clear();
    // The bundle's own copy goes before the system's, so a damaged one is noticed.
    write("/opt/bitfusion/lib/bitfusion/private/libzstd.so.1", "no library");
    EXPECT_FINDING(check_libraries(node), kFatal, "libzstd.so.1");
    node.side = Side::kClient;
    EXPECT_FINDING(check_libraries(node), kFatal, "lib/bitfusion/cuda/libcuda.so.1");
}

}  // namespace
}  // namespace bitfusion::health
