#include "health/check.h"

#include <map>

#include "health/test_machine.h"

namespace bitfusion::health {
namespace {

using Checks = TestMachine;

TEST_F(Checks, AreTheTwentyNineOfTheGuide) {
    std::map<Type, int> counts;
    std::set<std::string> names;
    for (const Check& check : checks()) {
        ++counts[check.type];
        names.insert(check.name);
        EXPECT_GT(std::string(check.subject).size(), 20u) << check.name;
    }
    EXPECT_EQ(counts[Type::kStability], 13);
    EXPECT_EQ(counts[Type::kPerformance], 9);
    EXPECT_EQ(counts[Type::kSystem], 4);
    EXPECT_EQ(counts[Type::kSoftware], 3);
    const std::set<std::string> guide = {
        "cass_buckets", "cass_node_num", "cass_nodetool", "cass_replication", "compute_mode",
        "network",      "ecc",           "gpu_api",       "pci_nvml",         "pci_p2p",
        "temperature",  "vcenter_check", "xid",           "bogomips",         "hostmem",
        "iface_compat", "memops",        "mtu",           "nvidia_stats",     "nvidia_topo",
        "pci_width",    "ulimit_n",      "diskspace",     "install",          "pciinfo",
        "shadow_mem",   "cuda_version",  "libdep",        "driver_version"};
    EXPECT_EQ(names, guide);
}

TEST_F(Checks, AHealthyServerPassesThemAll) {
    const auto results = run_checks(node, {});
    ASSERT_EQ(results.size(), 29u);
    for (const Checked& result : results) {
        // What this test's machine has of disks and libraries is not the test's.
        if (std::string(result.check->name) == "diskspace" || std::string(result.check->name) == "libdep")
            continue;
        EXPECT_EQ(result.finding.verdict, Verdict::kPass)
            << result.check->name << ": " << result.finding.details;
        EXPECT_FALSE(result.finding.details.empty()) << result.check->name;
    }
}

TEST_F(Checks, ClientsHaveTheirOwn) {
    node.side = Side::kClient;
    const auto results = run_checks(node, {});
    std::set<std::string> names;
    for (const Checked& result : results) names.insert(result.check->name);
    const std::set<std::string> expected = {"network",      "vcenter_check", "bogomips", "hostmem",
                                            "iface_compat", "mtu",           "ulimit_n", "diskspace",
                                            "install",      "shadow_mem",    "libdep"};
    EXPECT_EQ(names, expected);
}

TEST_F(Checks, OneThatIsOffRunsAndNoLongerCounts) {
    node.gpus.list[0].temperature_c = 104;
    remove("/etc/group");
    auto results = run_checks(node, {"temperature", "diskspace", "libdep"});
    EXPECT_EQ(overall(results), Verdict::kMarginal);
    results = run_checks(node, {"diskspace", "libdep"});
    EXPECT_EQ(overall(results), Verdict::kFatal);
    results = run_checks(node, {"temperature", "install", "diskspace", "libdep"});
    EXPECT_EQ(overall(results), Verdict::kPass);
    for (const Checked& result : results) {
        if (std::string(result.check->name) != "temperature") continue;
        EXPECT_FALSE(result.counted);
        EXPECT_EQ(result.finding.verdict, Verdict::kFatal);
    }
}

TEST_F(Checks, AnEmptyMachineIsNeverAllRight) {
    Node empty;
    empty.side = Side::kServer;
    empty.files = Files("/nonexistent");
    empty.installation = "/nonexistent";
    empty.data_folder = "/nonexistent";
    empty.gpus.error = "no driver; install one";
    for (const Checked& result : run_checks(empty, {})) {
        const std::string name = result.check->name;
        // These look at what the daemon knows of itself, or at what may be absent.
        if (name.starts_with("cass_") || name == "mtu") continue;
        EXPECT_NE(result.finding.verdict, Verdict::kPass) << name << ": " << result.finding.details;
        EXPECT_FALSE(result.finding.details.empty()) << name;
    }
}

}  // namespace
}  // namespace bitfusion::health
