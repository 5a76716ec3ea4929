#include "store/records.h"

#include <gtest/gtest.h>

#include "store/ledger.h"

namespace bitfusion::store {
namespace {

pool::Claim claim() {
    pool::Claim claim;
    claim.id = "claim-1";
    claim.client = "client-1";
    claim.ask = {2, std::nullopt, 0.33};
    claim.filters = {*pool::parse_filter("device.name!=Tesla K80"),
                     *pool::parse_filter("server.cuda-version>=11.2")};
    claim.servers = {"10.0.0.7:56001", "server-2"};
    claim.timeout = std::chrono::seconds(90);
    claim.persistent = true;
    claim.note = "{\"user\": \"j\\u00fcrgen\"}";
    claim.turn = {1'500'000, 42};
    return claim;
}

TEST(Records, AreTheSameAfterWritingAndReading) {
    pool::Settings settings;
    settings.quota = pool::Share::from(3.5);
    settings.idle_limit = std::chrono::minutes(7);
    pool::Server server{"server-1", 3, "10.0.0.7:56001", "host", "12.4", "550.54.15", true, false, {}};
    server.gpus = {{0, 81559, "GPU-1", "NVIDIA H100 80GB HBM3", "9.0"}, {1, 16160, "", "Tesla V100", "7.0"}};
    pool::Client client{
        "client-1", "a name", false, pool::Share::whole(2), std::nullopt, std::chrono::seconds(5)};
    pool::Lease lease{"lease-1",     "client-1",          "server-1",
                      {1, 1024, {}}, {1024, {{0, 1024}}}, pool::Share{12'556}};
    lease.state = pool::LeaseState::kEnding;
    lease.end_reason = "released";
    lease.why_here = "tight";
    pool::Records records;
    for (const pool::Change& change : std::vector<pool::Change>{settings, server, client, claim(), lease}) {
        const Write write = write_of(change);
        ASSERT_TRUE(write.value);
        const Status added = add_record(records, {write.key, *write.value, 1});
        ASSERT_TRUE(added) << added.error().what;
    }
    EXPECT_EQ(records.settings, settings);
    EXPECT_EQ(records.servers.at(0), server);
    EXPECT_EQ(records.clients.at(0), client);
    const pool::Claim& again = records.claims.at(0);
    const pool::Claim wanted = claim();
    EXPECT_EQ(again.id, wanted.id);
    EXPECT_EQ(again.client, wanted.client);
    EXPECT_EQ(again.ask.fraction, wanted.ask.fraction);
    EXPECT_EQ(again.ask.gpus, 2u);
    EXPECT_EQ(again.filters, wanted.filters);
    EXPECT_EQ(again.servers, wanted.servers);
    EXPECT_EQ(again.timeout, wanted.timeout);
    EXPECT_EQ(again.note, wanted.note);
    EXPECT_EQ(again.turn, wanted.turn);
    EXPECT_TRUE(again.persistent);
    const pool::Lease& held = records.leases.at(0);
    EXPECT_EQ(held.share, lease.share);
    EXPECT_EQ(held.state, pool::LeaseState::kEnding);
    EXPECT_EQ(held.grant.parts.at(0).memory_mib, 1024u);
    EXPECT_EQ(held.ask.memory_mib, 1024u);
    EXPECT_EQ(held.end_reason, "released");
}

TEST(Records, ThatAreDamagedAreNamed) {
    const Write good = write_of(pool::Change(claim()));
    const auto why = [](const std::string& key, const std::string& value) {
        pool::Records records;
        const Status added = add_record(records, {key, value, 1});
        EXPECT_FALSE(added) << value;
        if (added) return std::string();
        EXPECT_EQ(added.error().code, kCorrupt);
        EXPECT_NE(added.error().what.find(key), std::string::npos);
        return added.error().what;
    };
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string value = *good.value;
        const size_t at = value.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return value.replace(at, from.size(), to);
    };
    for (size_t size = 0; size < good.value->size(); ++size) why(good.key, good.value->substr(0, size));
    EXPECT_NE(why(good.key, with("\"gpus\":2", "\"gpus\":-2")).find("gpus"), std::string::npos);
    EXPECT_NE(why(good.key, with("\"gpus\":2", "\"gpus\":4294967296")).find("too large"), std::string::npos);
    EXPECT_NE(why(good.key, with("\"gpus\":2", "\"cpus\":2")).find("has no gpus"), std::string::npos);
    EXPECT_NE(why(good.key, with("true", "1")).find("persistent"), std::string::npos);
    EXPECT_NE(why(good.key, with("device.name", "device.game")).find("names no field"), std::string::npos);
    EXPECT_NE(why("pool/claim/other", *good.value).find("id of another"), std::string::npos);
    EXPECT_NE(why("pool/secret/1", "{}").find("no kind"), std::string::npos);
    why("pool/settings", "[]");
}

}  // namespace
}  // namespace bitfusion::store
