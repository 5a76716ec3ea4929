#include "daemon/attendance.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bitfusion::daemon {
namespace {

Attendance sample() {
    Attendance attendance;
    attendance.server.id = "server-1";
    attendance.server.address = "127.0.0.1:56001";
    attendance.server.hostname = "host";
    attendance.server.instance = "2f6a";
    attendance.server.gpus.push_back({0, 4096, "GPU-1", "Tesla T4", "7.5"});
    attendance.leases = {"a", "b"};
    attendance.heard = {"a"};
    attendance.used = {"b"};
    attendance.kept = {"a", "b"};
    attendance.over = {"c"};
    attendance.ends = {{"d", "released"}};
    return attendance;
}

TEST(Attendance, ArrivesAsItWasSent) {
    const auto read = attendance_from(to_json(sample()));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->server, sample().server);
    EXPECT_FALSE(read->leaving);
    EXPECT_EQ(read->leases, sample().leases);
    EXPECT_EQ(read->heard, sample().heard);
    EXPECT_EQ(read->used, sample().used);
    EXPECT_EQ(read->kept, sample().kept);
    EXPECT_EQ(read->over, sample().over);
    EXPECT_EQ(read->ends, sample().ends);
}

TEST(Attendance, WhatIsMalformedIsRefused) {
    const auto good = nlohmann::json::parse(to_json(sample()));
    for (const auto& [key, value] : good.items()) {
        auto without = good;
        without.erase(key);
        EXPECT_FALSE(attendance_from(without.dump())) << key;
        auto wrong = good;
        wrong[key] = 17;
        EXPECT_FALSE(attendance_from(wrong.dump())) << key;
    }
    auto many = good;
    many["over"] = std::vector<std::string>(5000, "lease");
    EXPECT_FALSE(attendance_from(many.dump()));
    auto nameless = good;
    nameless["heard"] = {""};
    EXPECT_FALSE(attendance_from(nameless.dump()));
    EXPECT_FALSE(attendance_from("[]"));
    EXPECT_FALSE(attendance_from("{"));
}

TEST(Orders, ArriveAsTheyWereSent) {
    Orders orders;
    pool::Lease lease;
    lease.id = "lease-1";
    lease.client = "client";
    lease.server = "server-1";
    lease.ask.gpus = 1;
    lease.grant.parts = {{0, 1024}};
    lease.grant.partition_mib = 1024;
    lease.state = pool::LeaseState::kEnding;
    lease.end_reason = "released";
    lease.note = "{}";
    orders.leases = {lease};
    orders.accepts = false;
    orders.waiting = 3;
    orders.error = "no";
    const auto read = orders_from(to_json(orders));
    ASSERT_TRUE(read) << read.error().what;
    ASSERT_EQ(read->leases.size(), 1u);
    EXPECT_EQ(read->leases[0].id, "lease-1");
    EXPECT_EQ(read->leases[0].state, pool::LeaseState::kEnding);
    EXPECT_EQ(read->leases[0].grant.parts[0].memory_mib, 1024u);
    EXPECT_FALSE(read->accepts);
    EXPECT_EQ(read->waiting, 3u);
    EXPECT_EQ(read->error, "no");
    EXPECT_FALSE(orders_from(R"({"leases":[{"key":"pool/lease/x","value":"no"}]})"));
}

}  // namespace
}  // namespace bitfusion::daemon
