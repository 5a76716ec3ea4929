// TestMachine: a machine in a folder, for the tests of the checks. Healthy as made; a test breaks one thing.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "health/checks.h"

namespace bitfusion::health {

class TestMachine : public testing::Test {
  protected:
    TestMachine() {
        char name[] = "/tmp/bitfusion-health-XXXXXX";
        root_ = mkdtemp(name);
        node.side = Side::kServer;
        node.files = Files(root_);
        node.open_files = 100000;
        node.installation = root_ + "/opt/bitfusion";
        node.data_folder = root_;
        node.controllers = {{"10.0.0.1:56001", ""}};
        node.addresses = {{"ens1", "10.0.0.5", 24}};
        node.gpus.backend = "real";
        node.gpus.driver_version = "580.65.06";
        node.gpus.cuda_version = 13000;
        node.gpus.management_gpus = 2;
        node.gpus.management_cuda_version = 13000;
        node.gpus.list = {gpu(0, "00000000:65:00.0", "1"), gpu(1, "00000000:B3:00.0", "0")};
        for (const std::string address : {"0000:65:00.0", "0000:b3:00.0"}) {
            const std::string folder = "/sys/bus/pci/devices/" + address + "/";
            write(folder + "vendor", "0x10de\n");
            write(folder + "class", "0x030200\n");
            write(folder + "numa_node", "0\n");
            write(folder + "current_link_width", "16\n");
            write(folder + "max_link_width", "16\n");
            write(folder + "resource",
                  "0x00000000a0000000 0x00000000a0ffffff 0x0000000000040200\n"
                  "0x0000200000000000 0x0000201fffffffff 0x000000000014220c\n");
        }
        write("/sys/class/net/ens1/speed", "25000\n");
        write("/sys/class/net/ens1/mtu", "9000\n");
        write("/sys/class/net/ens1/device/numa_node", "0\n");
        for (const char* counter : {"rx_dropped", "tx_dropped", "rx_errors", "rx_bytes"})
            write(std::string("/sys/class/net/ens1/statistics/") + counter, "7\n");
        write("/sys/class/net/lo/statistics/rx_dropped", "0\n");
        write("/proc/cpuinfo",
              "processor\t: 0\nbogomips\t: 5400.00\n\nprocessor\t: 1\nbogomips\t: 5400.03\n");
        write("/proc/meminfo", "MemTotal:       263840000 kB\nMemFree: 1 kB\nMemAvailable:   200000000 kB\n");
        write("/dev/kmsg", "6,1,0,-;Linux version 6.1\n");
        write("/etc/group", "root:x:0:\nbitfusion:x:101:\n");
        write("/etc/security/limits.d/bitfusion-limits.conf", "\n");
        write("/lib/systemd/system/bitfusion-manager.service", "\n");
        for (const char* file : {"bin/bitfusion", "lib/bitfusion/bitfusion-worker"}) {
            write(std::string("/opt/bitfusion/") + file, "\n");
            chmod((node.installation + "/" + file).c_str(), 0755);
        }
    }
    ~TestMachine() override { std::filesystem::remove_all(root_); }

    void write(const std::string& inside, const std::string& text) {
        const std::filesystem::path path = root_ + inside;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    void remove(const std::string& inside) { std::filesystem::remove_all(root_ + inside); }

    static Gpu gpu(int64_t ordinal, const std::string& pci, const std::string& peers) {
        Gpu one;
        one.ordinal = ordinal;
        one.name = "Tesla T4";
        one.pci = pci;
        one.memory_mib = 15109;
        one.memory_used_mib = 11;
        one.temperature_c = 36;
        one.utilization_percent = 0;
        one.ecc_errors = 0;
        one.compute_mode = "Default";
        one.memory_operations = true;
        one.peers = peers;
        return one;
    }

    std::string root_;
    Node node;
};

// The check answers this verdict and its details contain `part`.
#define EXPECT_FINDING(call, wanted, part)                                       \
    do {                                                                         \
        const Finding found = (call);                                            \
        EXPECT_EQ(found.verdict, Verdict::wanted) << found.details;              \
        EXPECT_NE(found.details.find(part), std::string::npos) << found.details; \
    } while (0)

}  // namespace bitfusion::health
