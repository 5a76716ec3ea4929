#include "daemon/metrics.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

health::Finding found() { return {health::Verdict::kMarginal, "x"}; }

class Metrics : public testing::Test {
  protected:
    Metrics() {
        report_.backend = "real";
        Gpu gpu;
        gpu.ordinal = 0;
        gpu.uuid = "GPU-1";
        gpu.name = "Tesla \"T4\"\\";
        gpu.memory_mib = 15109;
        gpu.telemetry = {{"pci", "00000000:13:00.0"}, {"memory_used_mib", 11},
                         {"temperature_c", 36},       {"power_w", 10},
                         {"power_limit_w", 70},       {"utilization_percent", 0},
                         {"fan_percent", nullptr},    {"ecc_errors", 0}};
        report_.gpus = {gpu};
        census_.gpus[0] = {7554, 2};
        census_.gpus_allocated = 0.5;
        census_.clients = {{"node-7", 0.5}};
        census_.leases = 2;
        census_.sessions = 3;
        census_.traffic = {1000, 2000, 30};
        counters_.leases_granted = 5;
        counters_.hello_ticket = 1;
        counters_.attach_times.add(0.02);
        counters_.attach_times.add(9);
    }
    std::string text() const {
        return metrics_text({"0.1.0",
                             "server-1",
                             report_,
                             census_,
                             counters_,
                             {{&health::checks()[6], found(), true}, {&health::checks()[7], found(), false}},
                             "s-1",
                             "p-1",
                             pool_use_,
                             interfaces_});
    }

    Report report_;
    Census census_;
    Counters counters_;
    std::optional<PoolUse> pool_use_;
    std::map<std::string, InterfaceBytes> interfaces_;
};

TEST_F(Metrics, AreExactlyThis) {
    const std::string gpu =
        "{gpu=\"0\",UUID=\"GPU-1\",pci_bus_id=\"00000000:13:00.0\",device=\"nvidia0\","
        "modelName=\"Tesla \\\"T4\\\"\\\\\",Hostname=\"server-1\"} ";
    const std::string ours = "{gpu=\"0\",uuid=\"GPU-1\",model=\"Tesla \\\"T4\\\"\\\\\"} ";
    const std::string expected =
        "# HELP bitfusion_build_info Version of this server; always 1.\n"
        "# TYPE bitfusion_build_info gauge\n"
        "bitfusion_build_info{version=\"0.1.0\",backend=\"real\",server=\"s-1\",pool=\"p-1\"} 1\n"
        "# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).\n"
        "# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n"
        "DCGM_FI_DEV_GPU_TEMP" +
        gpu +
        "36\n"
        "# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).\n"
        "# TYPE DCGM_FI_DEV_POWER_USAGE gauge\n"
        "DCGM_FI_DEV_POWER_USAGE" +
        gpu +
        "10\n"
        "# HELP DCGM_FI_DEV_POWER_MGMT_LIMIT Power limit in force (in W).\n"
        "# TYPE DCGM_FI_DEV_POWER_MGMT_LIMIT gauge\n"
        "DCGM_FI_DEV_POWER_MGMT_LIMIT" +
        gpu +
        "70\n"
        "# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).\n"
        "# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n"
        "DCGM_FI_DEV_GPU_UTIL" +
        gpu +
        "0\n"
        "# HELP DCGM_FI_DEV_FB_TOTAL Framebuffer memory of the GPU (in MiB).\n"
        "# TYPE DCGM_FI_DEV_FB_TOTAL gauge\n"
        "DCGM_FI_DEV_FB_TOTAL" +
        gpu +
        "15109\n"
        "# HELP DCGM_FI_DEV_FB_USED Framebuffer memory used (in MiB).\n"
        "# TYPE DCGM_FI_DEV_FB_USED gauge\n"
        "DCGM_FI_DEV_FB_USED" +
        gpu +
        "11\n"
        "# HELP DCGM_FI_DEV_FB_FREE Framebuffer memory free (in MiB).\n"
        "# TYPE DCGM_FI_DEV_FB_FREE gauge\n"
        "DCGM_FI_DEV_FB_FREE" +
        gpu +
        "15098\n"
        "# HELP DCGM_FI_DEV_ECC_DBE_VOL_TOTAL Uncorrected volatile ECC errors.\n"
        "# TYPE DCGM_FI_DEV_ECC_DBE_VOL_TOTAL gauge\n"
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL" +
        gpu +
        "0\n"
        "# HELP bitfusion_gpu_allocated_mebibytes Memory of the GPU that is given to leases.\n"
        "# TYPE bitfusion_gpu_allocated_mebibytes gauge\n"
        "bitfusion_gpu_allocated_mebibytes" +
        ours +
        "7554\n"
        "# HELP bitfusion_gpu_partitions Partitions on the GPU.\n"
        "# TYPE bitfusion_gpu_partitions gauge\n"
        "bitfusion_gpu_partitions" +
        ours +
        "2\n"
        "# HELP bitfusion_gpus GPUs of this server.\n"
        "# TYPE bitfusion_gpus gauge\n"
        "bitfusion_gpus 1\n"
        "# HELP bitfusion_gpus_allocated GPUs given to leases; a partition counts as its fraction.\n"
        "# TYPE bitfusion_gpus_allocated gauge\n"
        "bitfusion_gpus_allocated 0.5\n"
        "# HELP bitfusion_leases Leases.\n"
        "# TYPE bitfusion_leases gauge\n"
        "bitfusion_leases 2\n"
        "# HELP bitfusion_sessions Processes of clients that have a worker.\n"
        "# TYPE bitfusion_sessions gauge\n"
        "bitfusion_sessions 3\n"
        "# HELP bitfusion_client_gpus_allocated GPUs given to a client; a partition counts as its fraction.\n"
        "# TYPE bitfusion_client_gpus_allocated gauge\n"
        "bitfusion_client_gpus_allocated{client=\"node-7\"} 0.5\n"
        "# HELP bitfusion_received_bytes_total Bytes that workers received from programs.\n"
        "# TYPE bitfusion_received_bytes_total counter\n"
        "bitfusion_received_bytes_total 1000\n"
        "# HELP bitfusion_sent_bytes_total Bytes that workers sent to programs.\n"
        "# TYPE bitfusion_sent_bytes_total counter\n"
        "bitfusion_sent_bytes_total 2000\n"
        "# HELP bitfusion_round_trips_total Calls of programs that waited for an answer.\n"
        "# TYPE bitfusion_round_trips_total counter\n"
        "bitfusion_round_trips_total 30\n"
        "# HELP bitfusion_attach_seconds Time from a program's connection until a worker serves it.\n"
        "# TYPE bitfusion_attach_seconds histogram\n"
        "bitfusion_attach_seconds_bucket{le=\"0.005\"} 0\n"
        "bitfusion_attach_seconds_bucket{le=\"0.01\"} 0\n"
        "bitfusion_attach_seconds_bucket{le=\"0.025\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"0.05\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"0.1\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"0.25\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"0.5\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"1\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"2.5\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"5\"} 1\n"
        "bitfusion_attach_seconds_bucket{le=\"+Inf\"} 2\n"
        "bitfusion_attach_seconds_sum 9.02\n"
        "bitfusion_attach_seconds_count 2\n"
        "# HELP bitfusion_leases_granted_total Leases granted.\n"
        "# TYPE bitfusion_leases_granted_total counter\n"
        "bitfusion_leases_granted_total 5\n"
        "# HELP bitfusion_leases_refused_total Requests for leases refused.\n"
        "# TYPE bitfusion_leases_refused_total counter\n"
        "bitfusion_leases_refused_total 0\n"
        "# HELP bitfusion_leases_ended_total Leases that ended.\n"
        "# TYPE bitfusion_leases_ended_total counter\n"
        "bitfusion_leases_ended_total 0\n"
        "# HELP bitfusion_workers_started_total Workers started.\n"
        "# TYPE bitfusion_workers_started_total counter\n"
        "bitfusion_workers_started_total 0\n"
        "# HELP bitfusion_workers_failed_total Workers that failed.\n"
        "# TYPE bitfusion_workers_failed_total counter\n"
        "bitfusion_workers_failed_total 0\n"
        "# HELP bitfusion_control_requests_total Requests on the control port.\n"
        "# TYPE bitfusion_control_requests_total counter\n"
        "bitfusion_control_requests_total 0\n"
        "# HELP bitfusion_rejected_connections_total Connections that were closed or refused, by reason.\n"
        "# TYPE bitfusion_rejected_connections_total counter\n"
        "bitfusion_rejected_connections_total{reason=\"control_malformed\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"control_timeout\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"control_overload\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"hello_malformed\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"hello_timeout\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"hello_version\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"hello_ticket\"} 1\n"
        "bitfusion_rejected_connections_total{reason=\"hello_busy\"} 0\n"
        "bitfusion_rejected_connections_total{reason=\"hello_overload\"} 0\n"
        "# HELP bitfusion_health Health of this server: 0 pass, 1 marginal, 2 fatal.\n"
        "# TYPE bitfusion_health gauge\n"
        "bitfusion_health 1\n"
        "# HELP bitfusion_health_check A check's verdict: 0 pass, 1 marginal, 2 fatal.\n"
        "# TYPE bitfusion_health_check gauge\n"
        "bitfusion_health_check{check=\"ecc\",counted=\"true\"} 1\n"
        "bitfusion_health_check{check=\"gpu_api\",counted=\"false\"} 1\n";
    EXPECT_EQ(text(), expected);
}

TEST_F(Metrics, AServerWithoutGpusHasNoEmptyFamilies) {
    report_.gpus.clear();
    census_ = {};
    const std::string page = text();
    EXPECT_EQ(page.find("DCGM_"), std::string::npos);
    EXPECT_EQ(page.find("bitfusion_gpu_partitions"), std::string::npos);
    EXPECT_EQ(page.find("bitfusion_client_gpus"), std::string::npos);
    EXPECT_NE(page.find("\nbitfusion_gpus 0\n"), std::string::npos);
}

TEST_F(Metrics, TheQueueIsShownWhereThereIsOne) {
    EXPECT_EQ(text().find("bitfusion_queue_length"), std::string::npos);
    census_.waiting = 3;
    EXPECT_NE(text().find("# TYPE bitfusion_queue_length gauge\nbitfusion_queue_length 3\n"),
              std::string::npos);
}

TEST_F(Metrics, WhoSchedulesTellsOfThePool) {
    EXPECT_EQ(text().find("bitfusion_pool_"), std::string::npos);
    pool_use_ = PoolUse{16, 2.5, 3, {}};
    const std::string page = text();
    EXPECT_NE(page.find("\nbitfusion_pool_gpus 16\n"), std::string::npos);
    EXPECT_NE(page.find("\nbitfusion_pool_gpus_allocated 2.5\n"), std::string::npos);
    EXPECT_NE(page.find("\nbitfusion_pool_queue_length 3\n"), std::string::npos);
}

TEST_F(Metrics, EachInterfaceIsCounted) {
    interfaces_ = {{"eth0", {10, 20}}, {"lo", {1, 2}}};
    const std::string page = text();
    EXPECT_NE(page.find("# TYPE bitfusion_interface_received_bytes_total counter\n"
                        "bitfusion_interface_received_bytes_total{interface=\"eth0\"} 10\n"
                        "bitfusion_interface_received_bytes_total{interface=\"lo\"} 1\n"),
              std::string::npos);
    EXPECT_NE(page.find("\nbitfusion_interface_sent_bytes_total{interface=\"eth0\"} 20\n"),
              std::string::npos);
}

TEST_F(Metrics, TextOfTheNetworkStaysInItsLabel) {
    census_.clients = {{"a\"} 1\nevil 2", 1}};
    EXPECT_NE(text().find("{client=\"a\\\"} 1\\nevil 2\"} 1\n"), std::string::npos);
}

}  // namespace
}  // namespace bitfusion::daemon
