#include "daemon/pool_keep.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "identity/registry.h"
#include "store/store_fixture.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

// A pool with everything that a backup holds.
class Keeping : public testing::Test {
  protected:
    Keeping() {
        store::SqliteOptions options;
        options.path = folder_.file("pool.db");
        store_ = store::open_sqlite(options).value();
        scheduler_.emplace(io_, *store_);
        scheduler_->set_cluster({"this-pool", "secret"}, nullptr);
        Member self;
        self.id = "server";
        self.name = "host";
        self.control_address = "127.0.0.1:56001";
        EXPECT_TRUE(scheduler_->open(self, std::chrono::seconds(600)));
        Report report;
        report.backend = "soft";
        Gpu gpu;
        gpu.memory_mib = 4096;
        gpu.telemetry = json::object();
        report.gpus.push_back(gpu);
        EXPECT_TRUE(scheduler_->put_gpus(report));
        keep_.emplace(*store_, *scheduler_);
        pool::Client client;
        client.id = "client";
        client.quota = pool::Share::from(3.5);
        client.enabled = false;
        put(client);
        settings([](pool::Settings& all) { all.quota = pool::Share::whole(8); });
        accept(false);
        token_ = identity::Registry::open(*store_)
                     ->create_token("t", identity::Role::kClient, 0, false, true, 1)
                     ->id;
    }
    ~Keeping() override { scheduler_->close(); }

    template <typename Command>
    void run(Command command) {
        const auto ran = scheduler_->run(command);
        ASSERT_TRUE(ran) << ran.error().what;
    }
    void put(const pool::Client& client) {
        run([&](pool::Pool& pool, pool::Time now) { return pool.put_client(client, now); });
    }
    void accept(bool accepts) {
        run([&](pool::Pool& pool, pool::Time now) { return pool.set_accepts("server", accepts, now); });
    }
    void settings(const std::function<void(pool::Settings&)>& change) {
        run([&](pool::Pool& pool, pool::Time now) {
            pool::Settings next = pool.settings();
            change(next);
            return pool.set_settings(next, now);
        });
    }
    std::map<std::string, std::string> everything() {
        std::map<std::string, std::string> all;
        const auto found = store_->read("");
        for (const store::Entry& entry : found->entries) all[entry.key] = entry.value;
        return all;
    }
    void refused(const json& root, const std::string& why) {
        const auto read = PoolKeep::read(root.dump());
        ASSERT_FALSE(read) << why;
        EXPECT_EQ(read.error().code, 400);
        EXPECT_NE(read.error().what.find("nothing was changed"), std::string::npos) << read.error().what;
    }

    store::Folder folder_;
    asio::io_context io_;
    std::unique_ptr<store::Store> store_;
    std::optional<Scheduler> scheduler_;
    std::optional<PoolKeep> keep_;
    std::string token_;
};

TEST_F(Keeping, WhatWasSetComesBack) {
    const auto saved = keep_->save();
    ASSERT_TRUE(saved) << saved.error().what;
    pool::Client client;
    client.id = "client";
    client.quota = pool::Share::whole(1);
    put(client);
    settings([](pool::Settings& all) { all.quota = pool::Share::whole(2); });
    accept(true);
    const auto kept = PoolKeep::read(*saved);
    ASSERT_TRUE(kept) << kept.error().what;
    EXPECT_EQ(kept->id, "this-pool");
    const auto restored = keep_->restore(*kept);
    ASSERT_TRUE(restored) << restored.error().what;
    const pool::Pool& pool = *scheduler_->pool();
    EXPECT_EQ(pool.settings().quota, pool::Share::whole(8));
    EXPECT_EQ(pool.client("client")->quota, pool::Share::from(3.5));
    EXPECT_FALSE(pool.client("client")->enabled);
    EXPECT_FALSE(pool.server("server")->accepts);
}

TEST_F(Keeping, LeasesAreNotTouched) {
    accept(true);
    pool::Client client;
    client.id = "client";
    const auto saved = keep_->save();
    pool::Claim claim;
    claim.id = "lease";
    claim.client = "client";
    claim.ask.gpus = 1;
    put(client);
    const auto standing = scheduler_->submit(claim, client);
    ASSERT_TRUE(standing) << standing.error().what;
    ASSERT_TRUE(keep_->restore(*PoolKeep::read(*saved)));
    const pool::Lease* lease = scheduler_->pool()->lease("lease");
    ASSERT_NE(lease, nullptr);
    EXPECT_EQ(lease->state, pool::LeaseState::kGranted);
}

TEST_F(Keeping, NeitherKeysNorLeasesAreSaved) {
    const auto saved = keep_->save();
    ASSERT_TRUE(saved);
    const std::string key = everything().at("identity/key");
    EXPECT_EQ(saved->find(key), std::string::npos);
    EXPECT_EQ(saved->find("identity/key"), std::string::npos);
    EXPECT_EQ(saved->find("cluster/secret"), std::string::npos);
    EXPECT_NE(saved->find("identity/token/" + token_), std::string::npos);
    const json parsed = json::parse(*saved);
    for (const json& entry : parsed["entries"]) {
        EXPECT_FALSE(entry["key"].get<std::string>().starts_with("pool/lease/"));
        EXPECT_FALSE(entry["key"].get<std::string>().starts_with("pool/sequence"));
    }
}

TEST_F(Keeping, RestoringTwiceIsRestoringOnce) {
    const auto kept = PoolKeep::read(*keep_->save());
    ASSERT_TRUE(kept);
    ASSERT_TRUE(keep_->restore(*kept));
    const auto once = everything();
    ASSERT_TRUE(keep_->restore(*kept));
    EXPECT_EQ(everything(), once);
}

TEST_F(Keeping, DamagedOrForeignContentsAreRefused) {
    const json good = json::parse(*keep_->save());
    EXPECT_TRUE(PoolKeep::read(good.dump()));
    for (const char* key : {"format", "id", "entries"}) {
        json without = good;
        without.erase(key);
        refused(without, key);
        json wrong = good;
        wrong[key] = nullptr;
        refused(wrong, key);
    }
    json later = good;
    later["format"] = 2;
    refused(later, "format");
    for (size_t i = 0; i < good["entries"].size(); ++i) {
        json damaged = good;
        damaged["entries"][i]["value"] = "{";
        refused(damaged, damaged["entries"][i]["key"]);
        json swapped = good;
        swapped["entries"][i]["key"] = "identity/key";
        refused(swapped, "a key of the pool");
        swapped["entries"][i]["key"] = "pool/lease/x";
        refused(swapped, "a lease");
        swapped["entries"][i]["key"] = "cluster/secret";
        refused(swapped, "the servers' secret");
    }
    json hostile = good;
    hostile["entries"].push_back({{"key", "control/server/../../x"}, {"value", "{}"}});
    refused(hostile, "no id");
    EXPECT_FALSE(PoolKeep::read(""));
    EXPECT_FALSE(PoolKeep::read("[]"));
    EXPECT_FALSE(PoolKeep::read(std::string(100000, '[')));
}

TEST_F(Keeping, OnlyTheServerThatSchedulesRestores) {
    EXPECT_TRUE(keep_->ready());
    scheduler_->close();
    const auto ready = keep_->ready();
    ASSERT_FALSE(ready);
    EXPECT_EQ(ready.error().code, 409);
    EXPECT_NE(ready.error().what.find("nothing was changed"), std::string::npos);
}

}  // namespace
}  // namespace bitfusion::daemon
