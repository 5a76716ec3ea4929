// A pool with a few servers and clients, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pool/pool.h"

namespace bitfusion::pool {

class PoolFixture : public testing::Test {
  protected:
    void add_server(const std::string& id, const std::vector<uint64_t>& sizes) {
        Server server;
        server.id = id;
        server.address = id + ":56001";
        for (uint32_t i = 0; i < sizes.size(); ++i)
            server.gpus.push_back({i, sizes[i], "", "Tesla V100", "7.0"});
        expect_ok(pool.put_server(server, now));
        expect_ok(pool.server_up(id, {}, now));
    }

    void add_client(const std::string& id, double quota = 64) {
        Client client;
        client.id = id;
        client.quota = Share::from(quota);
        expect_ok(pool.put_client(client, now));
    }

    Claim claim(const std::string& id, const std::string& client, Request ask) {
        Claim claim;
        claim.id = id;
        claim.client = client;
        claim.ask = ask;
        return claim;
    }

    // "server:0,1" of a lease, "wait 3" of a claim with its place, "400" of a refusal.
    std::string ask(const std::string& id, const std::string& client, Request request) {
        return submit(claim(id, client, request));
    }

    std::string submit(Claim claim) {
        const std::string id = claim.id;
        const auto standing = pool.submit(std::move(claim), now);
        text = standing ? standing->text : standing.error().what;
        if (!standing) return std::to_string(standing.error().code);
        return where(id);
    }

    std::string where(const std::string& id) {
        if (const Lease* lease = pool.lease(id)) {
            std::string gpus;
            for (const Part& part : lease->grant.parts)
                gpus += (gpus.empty() ? "" : ",") + std::to_string(part.ordinal);
            return lease->server + ":" + gpus;
        }
        const auto standing = pool.standing(id);
        return standing ? "wait " + std::to_string(standing->place) : "gone";
    }

    void finish(const std::string& lease) {
        pool.end(lease, "released", now);
        expect_ok(pool.over(lease, now));
    }

    static void expect_ok(const Status& status) { EXPECT_TRUE(status) << status.error().what; }

    bool says(const std::string& part) const { return text.find(part) != std::string::npos; }

    static constexpr Request kWhole{1, {}, {}};
    static Request whole(uint32_t gpus) { return {gpus, {}, {}}; }
    static Request part(uint32_t gpus, double fraction) { return {gpus, {}, fraction}; }
    static Request mib(uint32_t gpus, uint64_t mib) { return {gpus, mib, {}}; }

    Pool pool;
    Time now{std::chrono::hours(1)};
    std::string text;  // of the last answer
};

}  // namespace bitfusion::pool
