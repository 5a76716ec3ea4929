#include "daemon/inventory.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

TEST(Inventory, ReadsAReport) {
    const auto report = parse_report(
        R"({"backend":"soft","driver_version":"580.1","cuda_version":13000,"error":"","gpus":[
            {"ordinal":0,"uuid":"GPU-1","name":"Soft","memory_mib":4096,"temperature_c":30,"fan_percent":null,
             "pci":"00000000:65:00.0","surprise":[1,2]}]})");
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->backend, "soft");
    EXPECT_EQ(report->cuda_version, 13000);
    ASSERT_EQ(report->gpus.size(), 1u);
    EXPECT_EQ(report->gpus[0].memory_mib, 4096u);
    EXPECT_EQ(report->gpus[0].telemetry["temperature_c"], 30);
    EXPECT_TRUE(report->gpus[0].telemetry["fan_percent"].is_null());
    EXPECT_FALSE(report->gpus[0].telemetry.contains("surprise"));
}

TEST(Inventory, AWorkerWithoutADriverSaysWhy) {
    const auto report = parse_report(R"({"backend":"","driver_version":"","gpus":[],"error":"no driver"})");
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_EQ(report->error, "no driver");
    EXPECT_FALSE(parse_report(R"({"backend":"","gpus":[],"error":""})"));
    EXPECT_FALSE(parse_report(
        R"({"backend":"","error":"x","gpus":[{"ordinal":0,"uuid":"u","name":"n","memory_mib":1}]})"));
}

TEST(Inventory, RefusesWhatIsNotOne) {
    const std::string gpu = R"({"ordinal":0,"uuid":"u","name":"n","memory_mib":1})";
    for (const std::string& text : {
             std::string(""),
             std::string("[]"),
             std::string("{"),
             std::string(R"({"backend":"other","gpus":[]})"),
             std::string(R"({"backend":"soft"})"),
             std::string(R"({"backend":"soft","gpus":{}})"),
             std::string(R"({"backend":"soft","gpus":[1]})"),
             R"({"backend":"soft","gpus":[)" + gpu + "," + gpu + "]}",
             std::string(
                 R"({"backend":"soft","gpus":[{"ordinal":64,"uuid":"u","name":"n","memory_mib":1}]})"),
             std::string(
                 R"({"backend":"soft","gpus":[{"ordinal":-1,"uuid":"u","name":"n","memory_mib":1}]})"),
             std::string(R"({"backend":"soft","gpus":[{"ordinal":0,"uuid":"u","name":"n","memory_mib":0}]})"),
             std::string(R"({"backend":"soft","gpus":[{"ordinal":0,"uuid":7,"name":"n","memory_mib":1}]})"),
             R"({"backend":"soft","gpus":[{"ordinal":0,"uuid":"u","memory_mib":1,"name":")" +
                 std::string(300, 'x') + "\"}]}",
         }) {
        EXPECT_FALSE(parse_report(text)) << text;
    }
}

}  // namespace
}  // namespace bitfusion::daemon
