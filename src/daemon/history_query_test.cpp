#include "daemon/history_query.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

const HistoryPlace kPlace{"s-1", "p-1"};
const Steps kTens{1000, 1030, 10};

const Measurement& measurement(const std::string& name) {
    const auto named = named_series(name);
    EXPECT_TRUE(named) << name;
    return *named->measurement;
}

// One row may stand for itself.
std::string matrix(json rows) {
    if (!rows.is_array()) rows = json::array({rows});
    return json{{"status", "success"}, {"data", {{"resultType", "matrix"}, {"result", rows}}}}.dump();
}

json row(const json& labels, const json& values) { return {{"metric", labels}, {"values", values}}; }

TEST(HistoryQuery, EveryNameFindsItsMeasurement) {
    std::set<std::string> seen;
    for (const Measurement& one : measurements()) {
        const std::string name = series_of(one, one.label == nullptr ? "" : "x-1");
        EXPECT_TRUE(seen.insert(name).second) << name;
        const auto named = named_series(name);
        ASSERT_TRUE(named) << name;
        EXPECT_EQ(named->measurement, &one);
        EXPECT_EQ(named->subject, one.label == nullptr ? "" : "x-1");
    }
    for (const char* wrong : {"", "gpu/", "gpu/power_w", "gpu//power_w", "gpu/a/b/power_w", "server/gpusx",
                              "gpu/a b/power_w", "client/\xc3\xa9/gpus_allocated"})
        EXPECT_FALSE(named_series(wrong)) << wrong;
}

TEST(HistoryQuery, NothingOfANameLeavesItsLiteral) {
    const auto named = named_series("client/a\"}or(up)#.*|x/gpus_allocated");
    ASSERT_TRUE(named);
    EXPECT_EQ(named->subject, "a\"}or(up)#.*|x");
    const std::string query = range_query(*named->measurement, {named->subject}, kPlace, 10);
    // The quote is escaped for the expression and, in the literal, for PromQL.
    EXPECT_NE(query.find(R"(client=~"a\\\"\\}or\\(up\\)\\#\\.\\*\\|x")"), std::string::npos) << query;
}

TEST(HistoryQuery, AsksForMeanAndPeakOfThisServerOnly) {
    const std::string query = range_query(measurement("gpu/GPU-1/power_w"), {"GPU-1", "GPU-2"}, kPlace, 300);
    EXPECT_NE(query.find(R"(avg_over_time(DCGM_FI_DEV_POWER_USAGE{UUID=~"GPU\\-1|GPU\\-2"}[300s]))"),
              std::string::npos)
        << query;
    EXPECT_NE(query.find("max_over_time("), std::string::npos);
    EXPECT_NE(
        query.find(R"(and on (job, instance) last_over_time(bitfusion_build_info{server="s-1"}[300s]))"),
        std::string::npos);
    const std::string pool = range_query(measurement("pool/gpus"), {""}, kPlace, 10);
    EXPECT_NE(pool.find(R"(bitfusion_build_info{pool="p-1"})"), std::string::npos) << pool;
}

TEST(HistoryQuery, StepsCoverThePeriodAndAreNoMoreThanAsked) {
    const int64_t now = 1'700'000'003;
    for (const int64_t span : {1, 300, 3600, 86400, 7 * 86400, 30 * 86400, 399 * 86400}) {
        for (const size_t most : {1, 2, 3, 10, 300, 500, 5000}) {
            const Steps steps = steps_between(now - span, now, now, most);
            const auto count = static_cast<size_t>((steps.last - steps.first) / steps.step_s) + 1;
            EXPECT_LE(count, most) << span << " in " << most;
            EXPECT_LE(steps.first - steps.step_s, now - span);
            EXPECT_GE(steps.last, now);
            EXPECT_EQ((steps.last - steps.first) % steps.step_s, 0);
        }
    }
    EXPECT_EQ(steps_between(now - 3600, now, now, 500).step_s, 10u);
    EXPECT_LE(steps_between(0, INT64_MAX, now, 500).last, now + 86400);
    const Steps later = steps_between(now + 100, now + 200, now, 10);
    EXPECT_GT(later.first, later.last);
}

TEST(HistoryQuery, AnswersBecomePoints) {
    const auto ranges = ranges_from(
        matrix(
            {row({{"UUID", "GPU-1"}, {"bitfusion_of", "peak"}}, {{1000, "9"}, {1010, "8.5"}, {1030, "7"}}),
             row({{"UUID", "GPU-1"}, {"bitfusion_of", "mean"}}, {{1000, "3"}, {1010, "4e0"}, {1020, "NaN"}}),
             row({{"UUID", "GPU 2"}, {"bitfusion_of", "mean"}}, {{1020, "1"}})}),
        measurement("gpu/x/power_w"), kTens);
    ASSERT_TRUE(ranges) << ranges.error().what;
    ASSERT_EQ(ranges->size(), 2u);
    const history::Range& one = ranges->at("GPU-1");
    EXPECT_EQ(one.step_s, 10u);
    ASSERT_EQ(one.points.size(), 3u);
    // A step is told at its end and shown at its start.
    EXPECT_EQ(one.points[0].time, 990);
    EXPECT_EQ(one.points[0].mean, 3);
    EXPECT_EQ(one.points[0].peak, 9);
    EXPECT_EQ(one.points[1].mean, 4);
    EXPECT_EQ(one.points[2].time, 1020);
    EXPECT_EQ(ranges->at("GPU_2").points[0].peak, 1);
}

TEST(HistoryQuery, WhatLiesBeyondTheStepsIsDropped) {
    EXPECT_EQ(kTens.asked_last(), 1050);
    const auto ranges =
        ranges_from(matrix(row(json{{"UUID", "GPU-1"}}, {{1030, "3"}, {1040, "4"}, {1050, "5"}})),
                    measurement("gpu/x/power_w"), kTens);
    ASSERT_TRUE(ranges) << ranges.error().what;
    ASSERT_EQ(ranges->at("GPU-1").points.size(), 1u);
    EXPECT_EQ(ranges->at("GPU-1").points[0].mean, 3);
}

TEST(HistoryQuery, ManySubjectsAreSeveralQueriesThatFit) {
    EXPECT_TRUE(grouped({}).empty());
    EXPECT_EQ(grouped({"", ""}).size(), 1u);
    // As long as a name can be, of characters that are written as three.
    const std::vector<std::string> subjects(64, std::string(64, '|'));
    const HistoryPlace place{std::string(64, 's'), std::string(64, 'p')};
    size_t count = 0;
    for (const auto& group : grouped(subjects)) {
        const std::string query = range_query(measurement("client/x/gpus_allocated"), group, place, 86400);
        EXPECT_LE(query.size(), kMostQueryBytes);
        count += group.size();
    }
    EXPECT_EQ(count, 64u);
    EXPECT_EQ(grouped(std::vector<std::string>(64, "GPU-1b2c3d4e-0123-4567-89ab-cdef01234567")).size(), 2u);
}

TEST(HistoryQuery, WhatIsNoAnswerIsRefused) {
    const json labels = {{"UUID", "GPU-1"}, {"bitfusion_of", "mean"}};
    const std::vector<std::string> wrong = {
        "", "<html>", "null", "[]", "{}", R"({"status":"success"})", R"({"status":1,"data":{}})",
        R"({"status":"success","data":{"resultType":"vector","result":[]}})",
        R"({"status":"success","data":{"resultType":"matrix","result":{}}})",
        R"({"status":"error","error":"x"})", matrix({1}),
        matrix({{{"metric", 1}, {"values", json::array()}}}), matrix({row(json::object(), {{1000, "1"}})}),
        matrix({row({{"UUID", 7}}, {{1000, "1"}})}), matrix({row(labels, 1)}), matrix({row(labels, {1})}),
        matrix({row(labels, {{1000, 1}})}), matrix({row(labels, {{1000, "one"}})}),
        matrix({row(labels, {{1000, "1 "}})}), matrix({row(labels, {{"1000", "1"}})}),
        matrix({row(labels, {{1000, "1", 2}})}),
        // Times that were not asked for.
        matrix({row(labels, {{990, "1"}})}), matrix({row(labels, {{1060, "1"}})}),
        matrix({row(labels, {{1005, "1"}})}), matrix({row(labels, {{1e300, "1"}})})};
    for (const std::string& body : wrong)
        EXPECT_FALSE(ranges_from(body, measurement("gpu/x/power_w"), kTens)) << body;
    const std::string deep(200000, '[');
    EXPECT_FALSE(ranges_from(deep, measurement("gpu/x/power_w"), kTens));
    EXPECT_FALSE(ranges_from(std::string(kMostSourceBytes + 1, ' '), measurement("gpu/x/power_w"), kTens));
    json many = json::array();
    for (int i = 0; i < 5000; ++i) many.push_back(row({{"UUID", std::to_string(i)}}, {{1000, "1"}}));
    EXPECT_FALSE(ranges_from(matrix(many), measurement("gpu/x/power_w"), kTens));
}

TEST(HistoryQuery, SubjectsAreNames) {
    const auto vector = [](const json& rows) {
        return json{{"status", "success"}, {"data", {{"resultType", "vector"}, {"result", rows}}}}.dump();
    };
    const Measurement& one = measurement("net/x/rx_bytes_per_second");
    const auto subjects = subjects_from(vector({{{"metric", {{"interface", "eth0"}}}, {"value", {1, "2"}}},
                                                {{"metric", {{"interface", "a/b c"}}}}}),
                                        one);
    ASSERT_TRUE(subjects);
    EXPECT_EQ(*subjects, (std::vector<std::string>{"eth0", "a_b_c"}));
    for (const std::string& wrong :
         {std::string("x"), vector({1}), vector({{{"metric", json::object()}}}), matrix(json::array())})
        EXPECT_FALSE(subjects_from(wrong, one)) << wrong;
    // Of a measurement without subjects there is one series, or none.
    EXPECT_EQ(subjects_from(vector({{{"metric", json::object()}}}), measurement("server/gpus"))->size(), 1u);
}

TEST(HistoryQuery, ARefusalIsMadeHarmless) {
    EXPECT_EQ(refusal_in(R"({"status":"error","error":"query\u001b[31m took\ntoo long"})"),
              "query?[31m took?too long");
    EXPECT_EQ(refusal_in(R"({"error":5})"), "");
    EXPECT_EQ(refusal_in("busy"), "");
    EXPECT_LE(refusal_in(json{{"error", std::string(9999, 'x')}}.dump()).size(), 200u);
}

}  // namespace
}  // namespace bitfusion::daemon
