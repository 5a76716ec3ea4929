#include "health/report.h"

#include <nlohmann/json.hpp>

#include "health/test_machine.h"

namespace bitfusion::health {
namespace {

using nlohmann::json;
using Report = TestMachine;

std::vector<Checked> two() {
    std::vector<Checked> results;
    for (const Check& check : checks()) {
        if (std::string(check.name) == "ecc") results.push_back({&check, pass("no uncorrected error"), true});
        if (std::string(check.name) == "diskspace") results.push_back({&check, fatal("full\nof it"), false});
    }
    return results;
}

TEST_F(Report, Json) {
    const json expected = json::parse(R"({"status":"pass","checks":[
        {"status":"pass","type":"stability","name":"ecc","details":"no uncorrected error","counted":true},
        {"status":"fatal","type":"system resources","name":"diskspace","details":"full\nof it","counted":false}]})");
    EXPECT_EQ(to_json(two()), expected);
}

TEST_F(Report, TableHasTheColumnsOfTheGuide) {
    EXPECT_EQ(table(to_json(two())),
              "Status    Type              Name              Details\n"
              "pass      stability         ecc               no uncorrected error\n"
              "fatal     system resources  diskspace         (not counted) full?of it\n");
}

TEST_F(Report, WhatIsNoReportGivesNoTable) {
    for (const char* text : {"null", "[]", "{}", R"({"checks":1})", R"({"checks":[1]})"})
        EXPECT_EQ(table(json::parse(text)), "") << text;
    EXPECT_NE(table(json::parse(R"({"checks":[{}]})")), "");
}

TEST_F(Report, InventoryOfTheWrongTypesIsAbsent) {
    const Gpus gpus = gpus_of(json::parse(
        R"({"backend":"real","cuda_version":"x","gpus":[1,{"ordinal":1,"temperature_c":"hot","ecc_errors":null,
            "memory_operations":true,"peers":"0"}]})"));
    ASSERT_EQ(gpus.list.size(), 1u);
    EXPECT_FALSE(gpus.list[0].temperature_c);
    EXPECT_FALSE(gpus.list[0].ecc_errors);
    EXPECT_EQ(gpus.list[0].memory_operations, true);
    EXPECT_EQ(gpus.cuda_version, 0);
    EXPECT_FALSE(gpus.management_gpus);
    EXPECT_FALSE(gpus_of(json::parse("[]")).error.empty());
}

}  // namespace
}  // namespace bitfusion::health
