#include "health/test_machine.h"

namespace bitfusion::health {
namespace {

using Performance = TestMachine;

TEST_F(Performance, ProcessorSpeed) {
    EXPECT_FINDING(check_processor_speed(node), kPass, "2 cores, 5400 bogomips");
    write("/proc/cpuinfo", "BogoMIPS\t: 50.00\n");
    EXPECT_FINDING(check_processor_speed(node), kMarginal, "1 cores, 50 bogomips");
    write("/proc/cpuinfo", "model name : x\n");
    EXPECT_FINDING(check_processor_speed(node), kMarginal, "no bogomips");
}

TEST_F(Performance, HostMemory) {
    write("/proc/meminfo", "MemTotal:  4194304 kB\nMemAvailable: 1048576 kB\n");
    EXPECT_FINDING(check_host_memory(node), kMarginal, "1024 of 4096 MiB");
    write("/proc/meminfo", "MemTotal:  4194304 kB\nMemAvailable: 204800 kB\n");
    EXPECT_FINDING(check_host_memory(node), kFatal, "200 of 4096 MiB");
    write("/proc/meminfo", "");
    EXPECT_FINDING(check_host_memory(node), kMarginal, "mount /proc");
}

TEST_F(Performance, Subnets) {
    node.side = Side::kClient;
    node.remotes = {{"10.0.0.1:56001", {{"net1", "10.0.0.1", 24}}}};
    EXPECT_FINDING(check_subnets(node), kPass, "10.0.0.1:56001");
    node.remotes.push_back({"10.0.1.1:56001", {{"net1", "10.0.1.1", 24}}});
    EXPECT_FINDING(check_subnets(node), kMarginal, "no common subnet with 10.0.1.1:56001");
    node.remotes[1].addresses[0].prefix = 8;  // theirs is wide, ours is not: packets to us are routed
    EXPECT_FINDING(check_subnets(node), kMarginal, "10.0.1.1");
    node.remotes.clear();
    EXPECT_FINDING(check_subnets(node), kMarginal, "no server");
    node.addresses.clear();
    EXPECT_FINDING(check_subnets(node), kMarginal, "loopback");
}

TEST_F(Performance, MemoryOperations) {
    node.gpus.list[1].memory_operations = false;
    EXPECT_FINDING(check_memory_operations(node), kMarginal, "GPU 1");
    node.gpus.list[0].memory_operations.reset();
    EXPECT_FINDING(check_memory_operations(node), kMarginal, "not told by GPU 0");
}

TEST_F(Performance, MtuOfFastInterfacesOnly) {
    write("/sys/class/net/eno2/speed", "1000\n");
    write("/sys/class/net/eno2/mtu", "1500\n");
    write("/sys/class/net/veth0/mtu", "1500\n");
    EXPECT_FINDING(check_mtu(node), kPass, "ens1 9000");
    write("/sys/class/net/ens1/mtu", "4096\n");
    EXPECT_FINDING(check_mtu(node), kPass, "ens1 4096");
    write("/sys/class/net/ens1/mtu", "1500\n");
    EXPECT_FINDING(check_mtu(node), kMarginal, "ens1 1500; run: ip link set dev");
    remove("/sys/class/net/ens1/speed");
    EXPECT_FINDING(check_mtu(node), kPass, "no interface of 10 Gbit/s");
}

TEST_F(Performance, GpuStatistics) {
    node.gpus.list[0].utilization_percent = 101;
    EXPECT_FINDING(check_gpu_statistics(node), kMarginal, "impossible values from GPU 0");
    node.gpus.list[0].utilization_percent = 100;
    node.gpus.list[0].memory_used_mib = 99999;
    EXPECT_FINDING(check_gpu_statistics(node), kMarginal, "impossible values from GPU 0");
    node.gpus.list[0].memory_used_mib.reset();
    EXPECT_FINDING(check_gpu_statistics(node), kMarginal, "no utilisation or memory from GPU 0");
}

TEST_F(Performance, Topology) {
    write("/sys/bus/pci/devices/0000:b3:00.0/numa_node", "1\n");
    EXPECT_FINDING(check_topology(node), kMarginal, "GPU 1 (node 1)");
    write("/sys/bus/pci/devices/0000:b3:00.0/numa_node", "-1\n");
    EXPECT_FINDING(check_topology(node), kPass, "fast interface");
    remove("/sys/bus/pci/devices/0000:b3:00.0");
    EXPECT_FINDING(check_topology(node), kMarginal, "GPU 1 is not in /sys");
}

TEST_F(Performance, PciWidth) {
    write("/sys/bus/pci/devices/0000:65:00.0/current_link_width", "8\n");
    EXPECT_FINDING(check_pci_width(node), kMarginal, "GPU 0 x8 of x16");
    write("/sys/bus/pci/devices/0000:65:00.0/max_link_width", "255\n");
    EXPECT_FINDING(check_pci_width(node), kMarginal, "no link width of GPU 0");
}

TEST_F(Performance, OpenFiles) {
    node.open_files = 4095;
    EXPECT_FINDING(check_open_files(node), kFatal, "cannot allocate memory");
    node.open_files = 4096;
    EXPECT_FINDING(check_open_files(node), kMarginal, "100000 are advised");
}

}  // namespace
}  // namespace bitfusion::health
