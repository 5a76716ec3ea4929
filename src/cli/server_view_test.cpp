#include "cli/server_view.h"

#include <gtest/gtest.h>

namespace bitfusion::cli {
namespace {

using nlohmann::json;

const Endpoint kServer = {"10.0.0.1", 56001};

TEST(ServerView, ReadsWhatIsThereAndLeavesTheRestOpen) {
    const auto view = view_server(
        kServer,
        json::parse(R"({"version":"1.2","running_tasks":3,"leader":true,"driver_version":null,"gpus":[
                 {"ordinal":0,"name":"A\nB","memory_mib":10,"free_mib":4,"allocated_mib":6,"power_w":9.6,
                  "fan_percent":null,"persistence":true,"temperature_c":"hot"}]})"));
    ASSERT_TRUE(view) << view.error().what;
    EXPECT_TRUE(view->leader);
    EXPECT_EQ(view->running_tasks, 3);
    const GpuView& gpu = view->gpus.at(0);
    EXPECT_EQ(gpu.name, "A?B");
    EXPECT_EQ(gpu.power_w, 10);
    EXPECT_FALSE(gpu.fan_percent);
    EXPECT_FALSE(gpu.temperature_c);
    EXPECT_EQ(gpu.persistence, true);
}

TEST(ServerView, RefusesOtherDocuments) {
    for (const char* text : {"{}", R"({"version":1,"running_tasks":0,"gpus":[]})",
                             R"({"version":"1","running_tasks":0,"gpus":{}})", R"({"version":"1","gpus":[]})",
                             R"({"version":"1","running_tasks":0,"gpus":[7]})",
                             R"({"version":"1","running_tasks":0,"gpus":[{"ordinal":0}]})",
                             R"({"version":"1","running_tasks":0,"gpus":[
                                {"ordinal":0,"memory_mib":-1,"free_mib":0,"allocated_mib":0}]})"}) {
        const auto view = view_server(kServer, json::parse(text));
        ASSERT_FALSE(view) << text;
        EXPECT_NE(view.error().what.find("10.0.0.1:56001 does not answer like a bitfusion manager"),
                  std::string::npos);
    }
}

}  // namespace
}  // namespace bitfusion::cli
