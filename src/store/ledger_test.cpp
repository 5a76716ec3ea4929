#include "store/ledger.h"

#include <functional>
#include <map>

#include "store/records.h"
#include "store/store_fixture.h"

namespace bitfusion::store {
namespace {

using pool::Pool;
using std::chrono::seconds;

constexpr pool::Time kStart{std::chrono::hours(1)};

pool::Server server(const std::string& id, size_t gpus) {
    pool::Server server;
    server.id = id;
    server.address = id + ":56001";
    for (uint32_t i = 0; i < gpus; ++i) server.gpus.push_back({i, 1000, "", "Tesla", "7.0"});
    return server;
}

pool::Claim claim(const std::string& id, const std::string& client, uint32_t gpus, double fraction = 0) {
    pool::Claim claim;
    claim.id = id;
    claim.client = client;
    claim.ask.gpus = gpus;
    if (fraction > 0) claim.ask.fraction = fraction;
    return claim;
}

// All that the store says about the pool, as text.
std::string text_of(Store& store) {
    std::string text;
    const auto snapshot = store.read(kPoolPrefix);
    for (const Entry& entry : snapshot->entries) {
        if (entry.key != kSequenceKey) text += entry.key + " " + entry.value + "\n";
    }
    return text;
}

std::string text_of(const Pool& pool) {
    std::map<std::string, std::string> all;
    const pool::Records records = pool.records();
    const auto add = [&all](const pool::Change& change) {
        const Write write = write_of(change);
        all[write.key] = *write.value;
    };
    if (!(records.settings == pool::Settings{})) add(records.settings);
    for (const auto& record : records.servers) add(record);
    for (const auto& record : records.clients) add(record);
    for (const auto& record : records.claims) add(record);
    for (const auto& record : records.leases) add(record);
    std::string text;
    for (const auto& [key, value] : all) text += key + " " + value + "\n";
    return text;
}

// A day in the life of a pool, one command after the other. Each may be repeated, as callers do that got no
// answer.
using Command = std::function<Status(Pool&)>;

Status status_of(const Result<pool::Standing>& standing) {
    if (!standing) return tl::unexpected(standing.error());
    return {};
}

std::vector<Command> day() {
    const auto submit = [](pool::Claim claim) {
        return [claim](Pool& pool) { return status_of(pool.submit(claim, kStart)); };
    };
    const auto finish = [](std::string id) {
        return [id](Pool& pool) {
            pool.end(id, "released", kStart);
            return pool.over(id, kStart);
        };
    };
    std::vector<Command> commands;
    commands.push_back([](Pool& pool) { return pool.set_settings({pool::Share::whole(8)}, kStart); });
    for (const char* id : {"a", "b"}) {
        commands.push_back([id](Pool& pool) { return pool.put_server(server(id, 2), kStart); });
        commands.push_back([id](Pool& pool) { return pool.server_up(id, {}, kStart); });
    }
    for (const char* id : {"c", "d", "e"})
        commands.push_back([id](Pool& pool) { return pool.put_client({id, "", true, {}, {}, {}}, kStart); });
    commands.push_back(submit(claim("1", "c", 2)));
    commands.push_back(submit(claim("2", "c", 1, 0.5)));
    commands.push_back(submit(claim("3", "d", 2)));
    commands.push_back(submit(claim("4", "e", 1)));
    commands.push_back(submit(claim("5", "d", 1, 0.25)));
    commands.push_back(finish("1"));
    commands.push_back(submit(claim("6", "e", 1, 0.75)));
    commands.push_back([](Pool& pool) { return pool.set_accepts("b", false, kStart); });
    commands.push_back(finish("2"));
    commands.push_back([](Pool& pool) { return pool.put_client({"e", "", false, {}, {}, {}}, kStart); });
    commands.push_back(finish("3"));
    commands.push_back([](Pool& pool) {
        return pool.server("b") == nullptr ? Status() : pool.remove_server("b", true, kStart);
    });
    commands.push_back(
        [](Pool& pool) { return pool.client("d") == nullptr ? Status() : pool.remove_client("d", kStart); });
    commands.push_back(submit(claim("7", "c", 2)));
    return commands;
}

// Whatever the store holds must be a pool, and the pool of the ledger must be what the store holds.
void expect_sound(MemoryStore& store, const Ledger& ledger) {
    EXPECT_EQ(text_of(store), text_of(ledger.pool()));
    auto records = read_records(store);
    ASSERT_TRUE(records) << records.error().what;
    const auto again = Pool::restore(std::move(*records), kStart);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(text_of(*again), text_of(ledger.pool()));
}

TEST(Ledger, WritesDownEachCommandBeforeItAnswers) {
    MemoryStore store;
    auto ledger = Ledger::open(store, nullptr, kStart);
    ASSERT_TRUE(ledger) << ledger.error().what;
    for (const Command& command : day()) {
        const Status done = ledger->run(kStart, command);
        EXPECT_TRUE(done) << done.error().what;
        expect_sound(store, *ledger);
    }
    EXPECT_NE(ledger->pool().lease("7"), nullptr);
    EXPECT_EQ(ledger->pool().lease("6"), nullptr);
}

TEST(Ledger, LosesNothingAndGivesNothingTwiceWhereverItIsCut) {
    MemoryStore whole;
    auto uncut = Ledger::open(whole, nullptr, kStart);
    ASSERT_TRUE(uncut);
    for (const Command& command : day()) ASSERT_TRUE(uncut->run(kStart, command));
    ASSERT_GT(whole.commits, 15u);
    for (size_t cut = 1; cut <= whole.commits; ++cut) {
        for (const bool after : {false, true}) {
            SCOPED_TRACE("cut " + std::string(after ? "after" : "before") + " write " + std::to_string(cut));
            MemoryStore store;
            (after ? store.cut_after : store.cut_before) = cut;
            auto ledger = Ledger::open(store, nullptr, kStart);
            ASSERT_TRUE(ledger);
            size_t failures = 0;
            for (const Command& command : day()) {
                Status done = ledger->run(kStart, command);
                expect_sound(store, *ledger);
                if (!done) {
                    ++failures;
                    EXPECT_EQ(done.error().code, 503) << done.error().what;
                    done = ledger->run(kStart, command);
                }
                EXPECT_TRUE(done) << done.error().what;
            }
            EXPECT_EQ(failures, 1u);
            EXPECT_EQ(text_of(store), text_of(whole));
        }
    }
}

TEST(Ledger, GoesOnAfterAnotherProcessTookOver) {
    // At each write the process dies, and a new one reads the store; servers report again.
    MemoryStore whole;
    auto uncut = Ledger::open(whole, nullptr, kStart);
    ASSERT_TRUE(uncut);
    for (const Command& command : day()) ASSERT_TRUE(uncut->run(kStart, command));
    for (size_t cut = 1; cut <= whole.commits; ++cut) {
        for (const bool after : {false, true}) {
            SCOPED_TRACE("died " + std::string(after ? "after" : "before") + " write " + std::to_string(cut));
            MemoryStore store;
            (after ? store.cut_after : store.cut_before) = cut;
            auto ledger = Ledger::open(store, nullptr, kStart);
            ASSERT_TRUE(ledger);
            for (const Command& command : day()) {
                if (ledger->run(kStart, command)) continue;
                ledger = Ledger::open(store, nullptr, kStart);
                ASSERT_TRUE(ledger) << ledger.error().what;
                for (const char* id : {"a", "b"}) {
                    if (ledger->pool().server(id) == nullptr) continue;
                    const Status up =
                        ledger->run(kStart, [&](Pool& pool) { return pool.server_up(id, {}, kStart); });
                    EXPECT_TRUE(up) << up.error().what;
                }
                const Status again = ledger->run(kStart, command);
                EXPECT_TRUE(again) << again.error().what;
                expect_sound(store, *ledger);
            }
            EXPECT_EQ(text_of(store), text_of(whole));
        }
    }
}

TEST(Ledger, SplitsWhatIsTooMuchForOneTransaction) {
    MemoryStore store;
    auto ledger = Ledger::open(store, nullptr, kStart);
    ASSERT_TRUE(ledger);
    const auto run = [&](const Command& command) {
        const Status done = ledger->run(kStart, command);
        EXPECT_TRUE(done) << done.error().what;
    };
    run([](Pool& pool) { return pool.put_server(server("a", 64), kStart); });
    run([](Pool& pool) { return pool.server_up("a", {}, kStart); });
    run([](Pool& pool) { return pool.put_client({"c", "", true, {}, {}, {}}, kStart); });
    for (int i = 0; i < 300; ++i)
        run([i](Pool& pool) {
            return status_of(pool.submit(claim(std::to_string(i), "c", 1, 0.2), kStart));
        });
    const size_t before = store.commits;
    store.cut_before = before + 2;
    const Status cut = ledger->run(kStart, [](Pool& pool) { return pool.remove_client("c", kStart); });
    EXPECT_FALSE(cut);
    expect_sound(store, *ledger);
    EXPECT_NE(ledger->pool().client("c"), nullptr);  // the last to go
    size_t told = 0;
    for (const pool::Notice& notice : ledger->take_notices())
        told += notice.kind == pool::Notice::Kind::kEnding ? 1 : 0;
    EXPECT_GE(told, 99u);
    run([](Pool& pool) { return pool.remove_client("c", kStart); });
    EXPECT_EQ(ledger->pool().client("c"), nullptr);
    expect_sound(store, *ledger);
    EXPECT_GE(store.commits, before + 4);
}

TEST(Ledger, OfADeposedSchedulerWritesNothingMore) {
    Folder folder;
    auto store = open_sqlite({folder.file("pool.db")});
    ASSERT_TRUE(store) << store.error().what;
    auto role = (*store)->campaign(kScheduler, "a", seconds(5));
    ASSERT_TRUE(role && *role);
    auto ledger = Ledger::open(**store, std::move(*role), kStart);
    ASSERT_TRUE(ledger) << ledger.error().what;
    const auto put = [&](const std::string& id) {
        return ledger->run(kStart, [&](Pool& pool) { return pool.put_server(server(id, 1), kStart); });
    };
    EXPECT_TRUE(put("a"));
    EXPECT_TRUE(*ledger->keep());
    const auto other = (*store)->commit({{}, {{role_key(kScheduler), "b"}}});
    ASSERT_TRUE(other && other->done);
    const Status late = put("b");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, 503);
    EXPECT_FALSE(put("c"));
    EXPECT_FALSE(*ledger->keep());
    const auto records = read_records(**store);
    ASSERT_TRUE(records);
    EXPECT_EQ(records->servers.size(), 1u);
}

TEST(Ledger, IsNotOpenedOverContradictions) {
    MemoryStore store;
    const auto put = [&](const pool::Change& change) {
        const Write write = write_of(change);
        ASSERT_TRUE(store.commit({{}, {write}}));
    };
    put(server("a", 1));
    put(pool::Client{"c", "", true, {}, {}, {}});
    pool::Lease lease{"1", "c", "a", {1, {}, {}}, {0, {{0, 1000}}}, pool::Share::whole(1)};
    put(lease);
    EXPECT_TRUE(Ledger::open(store, nullptr, kStart));
    lease.id = "2";
    put(lease);
    const auto twice = Ledger::open(store, nullptr, kStart);
    ASSERT_FALSE(twice);
    EXPECT_NE(twice.error().what.find("GPU 0 of server a is given away twice"), std::string::npos)
        << twice.error().what;
    EXPECT_NE(twice.error().what.find("restore the store from a backup"), std::string::npos);
}

// A store that does not answer at all while the test says so.
class MuteStore : public MemoryStore {
  public:
    bool mute = false;

    Result<Snapshot> read(const std::string& prefix) override {
        if (mute) return fail("the test cut this off", kUnreachable);
        return MemoryStore::read(prefix);
    }
    Result<Commit> commit(const Transaction& transaction) override {
        if (mute) return fail("the test cut this off", kUnreachable);
        return MemoryStore::commit(transaction);
    }
};

TEST(Ledger, NobodyIsSilentWhileTheStoreDoesNotAnswer) {
    MuteStore store;
    auto ledger = Ledger::open(store, nullptr, kStart);
    ASSERT_TRUE(ledger);
    const pool::Time limit = pool::Settings().auto_release;
    ASSERT_TRUE(ledger->run(kStart, [](Pool& pool) -> Status {
        pool::Client client;
        client.id = "ann";
        if (auto put = pool.put_server(server("a", 1), kStart); !put) return put;
        if (auto up = pool.server_up("a", {}, kStart); !up) return up;
        if (auto put = pool.put_client(client, kStart); !put) return put;
        return status_of(pool.submit(claim("one", "ann", 1), kStart));
    }));
    const auto granted = [&] { return ledger->pool().lease("one")->state == pool::LeaseState::kGranted; };
    const auto tick = [&](pool::Time now) {
        return ledger->run(now, [now](Pool& pool) -> Status {
            pool.tick(now);
            return {};
        });
    };
    store.mute = true;
    const auto write = ledger->run(kStart, [](Pool& pool) { return pool.set_accepts("a", false, kStart); });
    EXPECT_FALSE(write);
    // Its client speaks all the time, and cannot be heard.
    for (pool::Time now = kStart; now < kStart + 2 * limit; now += limit / 4) {
        EXPECT_FALSE(ledger->run(now, [now](Pool& pool) { return pool.heartbeat("one", now); }));
    }
    store.mute = false;
    const pool::Time back = kStart + 2 * limit;
    ASSERT_TRUE(tick(back));
    EXPECT_TRUE(granted());
    EXPECT_TRUE(ledger->pool().room("a").up);
    // From now on silence counts again.
    ASSERT_TRUE(tick(back + limit + seconds(1)));
    EXPECT_FALSE(granted());
}

}  // namespace
}  // namespace bitfusion::store
