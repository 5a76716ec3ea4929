// What every store does, whichever it is.
#include <functional>
#include <thread>

#include "store/etcd_process.h"
#include "store/store_fixture.h"

namespace bitfusion::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Opens a store of one kind; each call of `open` opens the same.
struct Kind {
    std::string name;
    std::function<std::function<Result<std::unique_ptr<Store>>()>()> make;
};

std::function<Result<std::unique_ptr<Store>>()> sqlite() {
    auto folder = std::make_shared<Folder>();
    return [folder] { return open_sqlite({folder->file("pool.db")}); };
}

std::function<Result<std::unique_ptr<Store>>()> etcd() {
    // One process for all tests of this one, each with keys of its own.
    static const std::vector<std::unique_ptr<EtcdProcess>> cluster = start_etcd(1);
    static int count = 0;
    if (cluster.empty()) return {};
    EtcdOptions options{{cluster.front()->endpoint()}};
    options.prefix = "/test-" + std::to_string(++count) + "/";
    return [options] { return open_etcd(options); };
}

class AnyStore : public testing::TestWithParam<Kind> {
  protected:
    void SetUp() override {
        open_ = GetParam().make();
        if (!open_) GTEST_SKIP() << kNoEtcd;
        reopen();
    }

    void reopen() {
        store.reset();
        auto opened = open_();
        ASSERT_TRUE(opened) << opened.error().what;
        store = std::move(*opened);
    }

    Result<std::unique_ptr<Store>> reopened() { return open_(); }

    uint64_t put(const std::string& key, const std::string& value) {
        const auto done = store->commit({{}, {{key, value}}});
        EXPECT_TRUE(done && done->done) << (done ? "" : done.error().what);
        return done ? done->revision : 0;
    }

    std::string text(const std::string& prefix) {
        const auto snapshot = store->read(prefix);
        if (!snapshot) return snapshot.error().what;
        std::string all;
        for (const Entry& entry : snapshot->entries) all += entry.key + "=" + entry.value + " ";
        return all;
    }

    std::unique_ptr<Store> store;

  private:
    std::function<Result<std::unique_ptr<Store>>()> open_;
};

TEST_P(AnyStore, KeepsWhatIsCommitted) {
    put("a/1", "one");
    put("a/2", std::string("nul\0\xff", 5));
    put("b/1", "");
    EXPECT_EQ(text("a/"), "a/1=one a/2=" + std::string("nul\0\xff", 5) + " ");
    reopen();
    EXPECT_EQ(text("b/"), "b/1= ");
    const auto gone = store->commit({{}, {{"a/1", std::nullopt}, {"a/9", std::nullopt}, {"a/3", "three"}}});
    ASSERT_TRUE(gone && gone->done);
    reopen();
    EXPECT_EQ(text("a/"), "a/2=" + std::string("nul\0\xff", 5) + " a/3=three ");
    EXPECT_EQ(text("a/3"), "a/3=three ");
    EXPECT_EQ(text("c"), "");
}

TEST_P(AnyStore, WritesAllOrNothingOnConditions) {
    const uint64_t first = put("k", "1");
    const auto done = store->commit({{{"k", first}, {"new", 0}}, {{"k", "2"}, {"new", "x"}}});
    ASSERT_TRUE(done && done->done);
    const auto stale = store->commit({{{"k", first}}, {{"k", "3"}, {"other", "x"}}});
    ASSERT_TRUE(stale);
    EXPECT_FALSE(stale->done);
    const auto exists = store->commit({{{"new", 0}}, {{"k", "4"}}});
    ASSERT_TRUE(exists);
    EXPECT_FALSE(exists->done);
    EXPECT_EQ(text("k"), "k=2 ");
    EXPECT_EQ(text("o"), "");
    const auto snapshot = store->read("k");
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(snapshot->entries.at(0).revision, done->revision);
    EXPECT_GE(snapshot->revision, done->revision);
}

TEST_P(AnyStore, OfManyWritersOneWins) {
    put("counter", "0");
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
        writers.emplace_back([this] {
            for (int added = 0; added < 10;) {
                const auto now = store->read("counter");
                ASSERT_TRUE(now) << now.error().what;
                const Entry& entry = now->entries.at(0);
                const auto done = store->commit({{{"counter", entry.revision}},
                                                 {{"counter", std::to_string(std::stoi(entry.value) + 1)}}});
                ASSERT_TRUE(done) << done.error().what;
                added += done->done ? 1 : 0;
            }
        });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(text("counter"), "counter=40 ");
}

TEST_P(AnyStore, ReadsMoreThanOnePage) {
    for (int i = 0; i < 25; ++i) {
        Transaction transaction;
        for (int k = 0; k < 100; ++k) transaction.writes.push_back({"n/" + std::to_string(i * 100 + k), "v"});
        const auto done = store->commit(transaction);
        ASSERT_TRUE(done && done->done) << (done ? "" : done.error().what);
    }
    const auto all = store->read("n/");
    ASSERT_TRUE(all) << all.error().what;
    EXPECT_EQ(all->entries.size(), 2500u);
}

TEST_P(AnyStore, WatchesFromARevisionOn) {
    put("a/1", "old");
    const auto snapshot = store->read("a/");
    ASSERT_TRUE(snapshot);
    put("a/2", "between");
    auto watch = store->watch("a/", snapshot->revision);
    ASSERT_TRUE(watch) << watch.error().what;
    put("b/1", "not watched");
    std::thread writer([this] {
        put("a/3", "later");
        const auto gone = store->commit({{}, {{"a/1", std::nullopt}}});
        EXPECT_TRUE(gone && gone->done);
    });
    std::string seen;
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (seen.find("a/1 gone") == std::string::npos && std::chrono::steady_clock::now() < until) {
        const auto events = (*watch)->next(milliseconds(500));
        ASSERT_TRUE(events) << events.error().what;
        for (const Watch::Event& event : *events)
            seen += event.key + (event.value ? "=" + *event.value : " gone") + " ";
    }
    writer.join();
    EXPECT_EQ(seen, "a/2=between a/3=later a/1 gone ");
    const auto quiet = (*watch)->next(milliseconds(1));
    ASSERT_TRUE(quiet);
    EXPECT_TRUE(quiet->empty());
}

TEST_P(AnyStore, GivesARoleToOneAndRefusesTheDeposed) {
    auto first = store->campaign("scheduler", "server-a", seconds(5));
    ASSERT_TRUE(first) << first.error().what;
    ASSERT_NE(*first, nullptr);
    auto second = store->campaign("scheduler", "server-b", seconds(5));
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_EQ(*second, nullptr);
    EXPECT_EQ(text("role/"), "role/scheduler=server-a ");
    const auto kept = (*first)->keep();
    EXPECT_TRUE(kept && *kept);
    const Condition fence = (*first)->fence();
    const auto allowed = store->commit({{fence}, {{"k", "1"}}});
    EXPECT_TRUE(allowed && allowed->done);
    first->reset();
    EXPECT_EQ(text("role/"), "");
    auto third = store->campaign("scheduler", "server-b", seconds(5));
    ASSERT_TRUE(third);
    ASSERT_NE(*third, nullptr);
    const auto late = store->commit({{fence}, {{"k", "2"}}});
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->done);
    EXPECT_EQ(text("k"), "k=1 ");
}

TEST_P(AnyStore, RefusesWhatIsBeyondItsLimits) {
    EXPECT_EQ(store->commit({{}, {{"", "v"}}}).error().code, kMalformed);
    EXPECT_EQ(store->commit({{}, {{"a b", "v"}}}).error().code, kMalformed);
    EXPECT_EQ(store->commit({{}, {{std::string(513, 'k'), "v"}}}).error().code, kMalformed);
    EXPECT_EQ(store->commit({{}, {{"k", std::string(kMostValueBytes + 1, 'v')}}}).error().code, kMalformed);
    EXPECT_EQ(store->commit({{}, {{"k", "v"}, {"k", "w"}}}).error().code, kMalformed);
    Transaction large;
    for (size_t i = 0; i <= kMostWrites; ++i) large.writes.push_back({"k" + std::to_string(i), "v"});
    EXPECT_EQ(store->commit(large).error().code, kMalformed);
    put("long", std::string(kMostValueBytes, 'v'));
    EXPECT_EQ(text("long").size(), kMostValueBytes + 6);
}

TEST_P(AnyStore, OfALaterVersionIsRefused) {
    put("schema", "2");
    EXPECT_EQ(text("schema"), "schema=2 ");
    store.reset();
    // Opening is the fixture's; here it has to fail.
    const auto opened = reopened();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, kTooNew);
    EXPECT_NE(opened.error().what.find("later version"), std::string::npos) << opened.error().what;
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnyStore, testing::Values(Kind{"Sqlite", sqlite}, Kind{"Etcd", etcd}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bitfusion::store
