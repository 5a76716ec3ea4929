// What only etcd does: members that die, leases that run out, history that is forgotten. With real processes.
#include <map>

#include "store/etcd_process.h"
#include "store/ledger.h"

namespace bitfusion::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class EtcdStore : public testing::Test {
  protected:
    void start(size_t members) {
        cluster = start_etcd(members);
        if (cluster.empty()) GTEST_SKIP() << kNoEtcd;
        for (const auto& member : cluster) options.endpoints.push_back(member->endpoint());
        ASSERT_EQ(cluster.size(), members);
        auto opened = open_etcd(options);
        ASSERT_TRUE(opened) << opened.error().what;
        store = std::move(*opened);
    }

    std::vector<std::unique_ptr<EtcdProcess>> cluster;
    EtcdOptions options;
    std::unique_ptr<Store> store;
};

TEST_F(EtcdStore, KeepsWhatWasAnsweredWhileMembersDie) {
    start(3);
    if (!store) return;
    std::map<std::string, std::string> answered;
    size_t number = 0;
    const auto write = [&](size_t count) {
        const auto until = Clock::now() + seconds(60);
        for (size_t done = 0; done < count && Clock::now() < until;) {
            const std::string key = "k/" + std::to_string(number);
            const auto commit = store->commit({{}, {{key, std::to_string(number)}}});
            // No answer: it is there or not, and asking again does no harm.
            if (!commit) {
                EXPECT_EQ(commit.error().code, kUnreachable) << commit.error().what;
                continue;
            }
            answered[key] = std::to_string(number++);
            ++done;
        }
    };
    write(20);
    for (size_t victim = 0; victim < 3; ++victim) {
        cluster[victim]->kill_now();
        write(20);
        cluster[victim]->start();
        ASSERT_TRUE(cluster[victim]->serves());
        write(5);
    }
    EXPECT_EQ(answered.size(), 95u);
    auto all = store->read("k/");
    for (const auto until = Clock::now() + seconds(30); !all && Clock::now() < until;)
        all = store->read("k/");
    ASSERT_TRUE(all) << all.error().what;
    std::map<std::string, std::string> found;
    for (const Entry& entry : all->entries) found[entry.key] = entry.value;
    EXPECT_EQ(found, answered);
}

TEST_F(EtcdStore, TakesTheRoleFromWhoGivesNoSignOfLife) {
    start(1);
    if (!store) return;
    auto other = open_etcd(options);
    ASSERT_TRUE(other) << other.error().what;
    auto first = store->campaign("scheduler", "a", seconds(2));
    ASSERT_TRUE(first && *first);
    const Condition fence = (*first)->fence();
    auto snapshot = (*other)->read(role_key("scheduler"));
    ASSERT_TRUE(snapshot);
    auto watch = (*other)->watch(role_key("scheduler"), snapshot->revision);
    ASSERT_TRUE(watch) << watch.error().what;
    // It is not kept: the watch tells when it runs out.
    std::vector<Watch::Event> events;
    for (const auto until = Clock::now() + seconds(30); events.empty() && Clock::now() < until;) {
        auto got = (*watch)->next(milliseconds(1000));
        ASSERT_TRUE(got) << got.error().what;
        events = std::move(*got);
    }
    ASSERT_EQ(events.size(), 1u);
    EXPECT_FALSE(events[0].value);
    auto second = (*other)->campaign("scheduler", "b", seconds(30));
    ASSERT_TRUE(second && *second);
    EXPECT_FALSE(*(*first)->keep());
    const auto late = store->commit({{fence}, {{"k", "late"}}});
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->done);
    EXPECT_TRUE(*(*second)->keep());
    // The deposed one's end does not take the role from the new one.
    first->reset();
    EXPECT_TRUE(*(*second)->keep());
}

TEST_F(EtcdStore, HandsThePoolFromOneSchedulerToTheNext) {
    start(1);
    if (!store) return;
    constexpr pool::Time now{std::chrono::hours(1)};
    auto other = open_etcd(options);
    ASSERT_TRUE(other);
    auto first = Ledger::open(*store, std::move(*store->campaign(kScheduler, "a", seconds(30))), now);
    ASSERT_TRUE(first) << first.error().what;
    const auto prepare = [&](pool::Pool& pool) -> Status {
        pool::Server server;
        server.id = "s";
        server.gpus = {{0, 1000, "", "Tesla", "7.0"}};
        if (auto ok = pool.put_server(server, now); !ok) return ok;
        if (auto ok = pool.server_up("s", {}, now); !ok) return ok;
        return pool.put_client({"c", "", true, {}, {}, {}}, now);
    };
    ASSERT_TRUE(first->run(now, prepare));
    const auto ask = [&](Ledger& ledger, const std::string& id) {
        return ledger.run(now, [&](pool::Pool& pool) {
            pool::Claim claim;
            claim.id = id;
            claim.client = "c";
            return pool.submit(claim, now);
        });
    };
    ASSERT_TRUE(ask(*first, "1"));
    ASSERT_TRUE(ask(*first, "2"));
    // The role changes hands behind the back of the first.
    const auto taken = (*other)->commit({{}, {{role_key(kScheduler), std::nullopt}}});
    ASSERT_TRUE(taken && taken->done);
    auto second = Ledger::open(**other, std::move(*(*other)->campaign(kScheduler, "b", seconds(30))), now);
    ASSERT_TRUE(second) << second.error().what;
    const auto stale = first->run(now, [&](pool::Pool& pool) {
        pool.end("1", "released", now);
        return pool.over("1", now);
    });
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code, 503);
    ASSERT_NE(second->pool().lease("1"), nullptr);
    ASSERT_NE(second->pool().claim("2"), nullptr);
    ASSERT_TRUE(second->run(now, [&](pool::Pool& pool) { return pool.server_up("s", {"1"}, now); }));
    EXPECT_EQ(ask(*second, "2")->state, pool::Standing::State::kWaiting);
    ASSERT_TRUE(second->run(now, [&](pool::Pool& pool) {
        pool.end("1", "released", now);
        return pool.over("1", now);
    }));
    EXPECT_NE(second->pool().lease("2"), nullptr);
}

}  // namespace
}  // namespace bitfusion::store
