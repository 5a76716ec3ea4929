#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/probe_client.h"
#include "cli/tool.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

// The two lines of the guide that need no RDMA, with the client's name in its place.
TEST(NetPerf, IsTheTextOfTheGuide) {
    const json document = json::parse(R"({"servers":[{"address":"10.202.8.169:56001","pairs":[
        {"client_interface":"ens160","server_interface":"net1","server_ip":"10.202.8.169","kind":"tcp",
         "latency_us":51.2,"latency_1mb_us":636.0,"bandwidth_gb_per_s":1.7099},
        {"client_interface":"ens1","server_interface":"net9","server_ip":"10.1.1.1","kind":"tcp","error":"timed out"},
        {"client_interface":"ens192f0","server_interface":"net2","server_ip":"10.202.8.169","kind":"tcp",
         "latency_us":46.7,"latency_1mb_us":514.0,"bandwidth_gb_per_s":2.139}]}]})");
    EXPECT_EQ(
        net_perf_text("client-7", document),
        "Displayed results are calculated from round-trip measurements\n"
        "BW(1MB) = 1000/(LAT(1MB) - LAT(1B))\n"
        "[ client-7] ens160 => [10.202.8.169] net1 ( tcp) Single packet lat = 51 us, bw(1MB) = 1.71 GB/s\n"
        "[ client-7] ens192f0 => [10.202.8.169] net2 ( tcp) Single packet lat = 47 us, bw(1MB) = 2.14 "
        "GB/s\n");
}

TEST(NetPerf, BandwidthFollowsTheFormulaOfTheGuide) {
    EXPECT_DOUBLE_EQ((Measurement{50, 550}).bandwidth(), 2.0);
    EXPECT_EQ((Measurement{50, 50}).bandwidth(), 0);
}

TEST(Health, HasAHeadForEveryServerAndThisNode) {
    const json document = json::parse(R"({"servers":[
        {"address":"10.0.0.1:56001","report":{"status":"marginal","checks":[
            {"status":"marginal","type":"performance","name":"mtu","details":"MTU below 4096: ens1 1500","counted":true}]}},
        {"address":"10.0.0.2:56001","error":"cannot reach it"}],
        "node":{"status":"pass","checks":[
            {"status":"pass","type":"system resources","name":"install","details":"/opt","counted":true}]}})");
    EXPECT_EQ(health_text(document),
              "- server 0 [10.0.0.1:56001]: marginal\n"
              "Status    Type              Name              Details\n"
              "marginal  performance       mtu               MTU below 4096: ens1 1500\n"
              "- server 1 [10.0.0.2:56001]: no answer\n"
              "- this node: pass\n"
              "Status    Type              Name              Details\n"
              "pass      system resources  install           /opt\n");
}

TEST(Stats, ShowsWhatServersTell) {
    const json document = json::parse(R"({"servers":[
        {"address":"10.0.0.1:56001","stats":{"gpus_allocated":1.5,"leases":2,"sessions":3,"received_bytes":1500000,
         "sent_bytes":999,"round_trips":42,"attached":4,"attach_seconds":0.2,
         "gpus":[{"ordinal":0,"name":"Tesla T4","memory_mib":15109,"allocated_mib":7554,"partitions":1,
                  "utilization_percent":7},{"ordinal":1,"name":"x\ny","utilization_percent":null}]}},
        {"address":"10.0.0.2:56001","error":"x"}]})");
    EXPECT_EQ(stats_text(document),
              " - server 0 [10.0.0.1:56001]: 1.50 GPUs allocated, 2 leases, 3 sessions\n"
              "   |- received 1.5 MB, sent 999 B, round trips 42, attached 4 programs in 50 ms each\n"
              "   |- GPU 0: 7554 / 15109 MiB allocated in 1 partitions, 7% busy, Tesla T4\n"
              "   |- GPU 1: 0 / 0 MiB allocated in 0 partitions, N/A busy, x?y\n"
              " - server 1 [10.0.0.2:56001]: no answer\n");
}

TEST(Backups, AreATable) {
    const json document = json::parse(
        R"({"backups":[{"name":"before-the-move","created":1700000000,"bytes":4711,"version":"0.1.0"}]})");
    EXPECT_EQ(backups_text(document),
              "Name                      Created               Bytes       Version\n"
              "before-the-move           2023-11-14T22:13:20Z  4711        0.1.0\n");
}

TEST(Tool, TakesWhatAProgramPrintsAndSaysWhyNot) {
    const auto hello = output_of({"printf", "hello"}, 100, std::chrono::seconds(10));
    ASSERT_TRUE(hello) << hello.error().what;
    EXPECT_EQ(*hello, "hello");
    EXPECT_EQ(output_of({"printf", "hello"}, 3, std::chrono::seconds(10)).value_or("?"), "hel");
    EXPECT_FALSE(output_of({"false"}, 3, std::chrono::seconds(10)));
    EXPECT_FALSE(output_of({"/nonexistent"}, 3, std::chrono::seconds(10)));
    EXPECT_FALSE(output_of({"sleep", "60"}, 3, std::chrono::seconds(1)));
}

}  // namespace
}  // namespace bitfusion::cli
