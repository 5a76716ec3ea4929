#include "health/test_machine.h"

namespace bitfusion::health {
namespace {

using Stability = TestMachine;

TEST_F(Stability, Store) {
    EXPECT_FINDING(check_store_quorum(node), kPass, "memory");
    node.store.kind = "etcd";
    node.store.members = 3;
    node.store.voters = node.store.voters_wanted = 3;
    EXPECT_FINDING(check_store_replicas(node), kPass, "3 of 3");
    node.store.voters = 2;
    EXPECT_FINDING(check_store_replicas(node), kMarginal, "2 of 3");
    node.store.voters_wanted = 2;
    EXPECT_FINDING(check_store_replicas(node), kMarginal, "add a third");
    node.store.leader = false;
    EXPECT_FINDING(check_store_quorum(node), kFatal, "no leader");
    node.store.quorum = false;
    EXPECT_FINDING(check_store_quorum(node), kFatal, "quorum");
    node.store.servers = 3;
    EXPECT_FINDING(check_store_members(node), kMarginal, "3 in the store, 1 seen");
    node.store.error = "connection refused; start etcd";
    EXPECT_FINDING(check_store_members(node), kFatal, "start etcd");
    EXPECT_FINDING(check_store_quorum(node), kFatal, "start etcd");
    EXPECT_FINDING(check_store_replicas(node), kFatal, "start etcd");
}

TEST_F(Stability, History) {
    node.store.history_series = 12;
    EXPECT_FINDING(check_store_history(node), kPass, "12 series");
    node.store.history_damaged = 1;
    EXPECT_FINDING(check_store_history(node), kMarginal, "set aside");
    node.store.history_error = "no --state-dir";
    EXPECT_FINDING(check_store_history(node), kMarginal, "no --state-dir");
}

TEST_F(Stability, Controllers) {
    EXPECT_FINDING(check_controllers(node), kPass, "1 of 1");
    node.controllers.push_back({"10.0.0.2:56001", "cannot reach server 10.0.0.2:56001: connection refused"});
    EXPECT_FINDING(check_controllers(node), kMarginal, "1 of 2 servers answer: cannot reach server 10.0.0.2");
    node.controllers.erase(node.controllers.begin());
    EXPECT_FINDING(check_controllers(node), kFatal, "0 of 1");
    node.controllers.clear();
    EXPECT_FINDING(check_controllers(node), kFatal, "servers.conf");
}

TEST_F(Stability, LostPacketsCountWhenTheyGrow) {
    EXPECT_FINDING(check_lost_packets(node), kPass, "first look: 21");
    node.earlier_losses = losses(node.files);
    EXPECT_EQ(node.earlier_losses, (std::map<std::string, uint64_t>{{"ens1", 21}}));
    EXPECT_FINDING(check_lost_packets(node), kPass, "no packet lost");
    write("/sys/class/net/ens1/statistics/tx_dropped", "12\n");
    EXPECT_FINDING(check_lost_packets(node), kMarginal, "ens1 5;");
    write("/sys/class/net/ens1/statistics/tx_dropped", "7\n");
    write("/sys/class/net/ens1/statistics/rx_bytes", "999999\n");
    EXPECT_FINDING(check_lost_packets(node), kPass, "no packet lost");
    // A restart of the machine sets them to zero.
    write("/sys/class/net/ens1/statistics/rx_errors", "0\n");
    EXPECT_FINDING(check_lost_packets(node), kPass, "no packet lost");
    remove("/sys/class/net");
    EXPECT_FINDING(check_lost_packets(node), kMarginal, "mount /sys");
}

TEST_F(Stability, ComputeMode) {
    node.gpus.list[1].compute_mode = "Exclusive Process";
    EXPECT_FINDING(check_compute_mode(node), kFatal, "GPU 1 Exclusive Process");
    node.gpus.list[1].compute_mode.reset();
    EXPECT_FINDING(check_compute_mode(node), kMarginal, "GPU 1");
    node.gpus.list.clear();
    EXPECT_FINDING(check_compute_mode(node), kPass, "no GPU");
    node.gpus.error = "the driver does not answer; look at dmesg";
    EXPECT_FINDING(check_compute_mode(node), kFatal, "look at dmesg");
}

TEST_F(Stability, Ecc) {
    node.gpus.list[0].ecc_errors.reset();
    EXPECT_FINDING(check_ecc(node), kPass, "off or not there on GPU 0");
    node.gpus.list[1].ecc_errors = 2;
    EXPECT_FINDING(check_ecc(node), kFatal, "GPU 1 2;");
    node.gpus.list[1].ecc_errors.reset();
    node.gpus.management_gpus.reset();
    EXPECT_FINDING(check_ecc(node), kMarginal, "libnvidia-ml.so.1");
}

TEST_F(Stability, GpuInterfaces) {
    node.gpus.management_gpus = 3;
    EXPECT_FINDING(check_gpu_interfaces(node), kFatal, "CUDA sees 2 GPUs, NVML 3");
    node.gpus.management_gpus = 2;
    node.gpus.management_cuda_version = 12040;
    EXPECT_FINDING(check_gpu_interfaces(node), kFatal, "12040");
    node.gpus.management_gpus.reset();
    EXPECT_FINDING(check_gpu_interfaces(node), kMarginal, "NVML does not answer");
}

TEST_F(Stability, PciEnumeration) {
    EXPECT_EQ(pci_gpus(node.files).size(), 2u);
    write("/sys/bus/pci/devices/0000:c1:00.0/vendor", "0x10de\n");
    write("/sys/bus/pci/devices/0000:c1:00.0/class", "0x040300\n");  // its sound is no GPU
    EXPECT_FINDING(check_pci_enumeration(node), kPass, "2 on PCI");
    write("/sys/bus/pci/devices/0000:c1:00.0/class", "0x030000\n");
    EXPECT_FINDING(check_pci_enumeration(node), kFatal, "3 GPUs on PCI, 2 enumerated");
    node.gpus.backend = "soft";
    EXPECT_FINDING(check_pci_enumeration(node), kMarginal, "--backend real");
    remove("/sys/bus/pci");
    EXPECT_FINDING(check_pci_enumeration(node), kPass, "software");
    node.gpus.backend = "real";
    EXPECT_FINDING(check_pci_enumeration(node), kMarginal, "mount /sys");
}

TEST_F(Stability, PeerAccess) {
    node.gpus.list[1].peers = "";
    EXPECT_FINDING(check_peer_access(node), kMarginal, "1->0");
    node.gpus.list[1].peers.reset();
    EXPECT_FINDING(check_peer_access(node), kMarginal, "not told by GPU 1");
    node.gpus.list.pop_back();
    EXPECT_FINDING(check_peer_access(node), kPass, "one GPU");
}

TEST_F(Stability, TemperatureBelowHundred) {
    node.gpus.list[1].temperature_c = 99;
    EXPECT_FINDING(check_temperature(node), kPass, "99 C");
    node.gpus.list[1].temperature_c = 100;
    EXPECT_FINDING(check_temperature(node), kFatal, "GPU 1 100 C");
    node.gpus.list[1].temperature_c.reset();
    EXPECT_FINDING(check_temperature(node), kMarginal, "GPU 1");
}

TEST_F(Stability, XidOfAProgramAndOfTheHardware) {
    write("/dev/kmsg",
          "4,900,1,-;NVRM: Xid (PCI:0000:65:00): 13, pid=77, name=python, Graphics Exception\n"
          "4,901,1,-;NVRM: Xid (PCI:0000:65:00): 13, pid=78, name=python, Graphics Exception\n"
          "4,902,1,-;NVRM: Xid (PCI:0000:65:00): \n4,903,1,-;NVRM: Xid (PCI\n");
    EXPECT_FINDING(check_xid(node), kMarginal, "Xid 13 (2 times)");
    write("/dev/kmsg", "4,900,1,-;NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus.\n");
    EXPECT_FINDING(check_xid(node), kFatal, "Xid 79 (1 times)");
    remove("/dev/kmsg");
    EXPECT_FINDING(check_xid(node), kMarginal, "CAP_SYSLOG");
    node.gpus.backend = "soft";
    EXPECT_FINDING(check_xid(node), kPass, "no Xid");
}

}  // namespace
}  // namespace bitfusion::health
