#include "daemon/observer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "store/open.h"

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;

class ObserverTest : public testing::Test {
  protected:
    ObserverTest() {
        char name[] = "/tmp/bitfusion-observer-XXXXXX";
        folder_ = mkdtemp(name);
        settings_.listen = "127.0.0.1";
        settings_.state_dir = (folder_ / "state").string();
        store::SqliteOptions options;
        options.path = folder_ / "pool.db";
        store_ = store::open_sqlite(options).value();
        scheduler_.emplace(io_, *store_);
        leases_.emplace(io_, children_, counters_, *scheduler_);
    }
    ~ObserverTest() override {
        // What still waits in the queue belongs to the objects below.
        observer_.reset();
        leases_->stop();
        scheduler_->close();
        children_.stop();
        io_.poll();
        fs::remove_all(folder_);
    }

    Observer& start() {
        observer_.reset();
        observer_ =
            std::make_unique<Observer>(io_, settings_, inventory_, *leases_, counters_, "/nonexistent");
        observer_->start([] {});
        io_.poll();
        return *observer_;
    }
    health::Finding finding(const std::string& name) {
        for (const health::Checked& result : observer_->check(std::chrono::seconds(0))) {
            if (name == result.check->name) return result.finding;
        }
        ADD_FAILURE() << name;
        return {};
    }
    bool counted(const std::string& name) {
        for (const health::Checked& result : observer_->check(std::chrono::seconds(0))) {
            if (name == result.check->name) return result.counted;
        }
        return false;
    }

    asio::io_context io_{1};
    Settings settings_;
    Counters counters_;
    Children children_{io_};
    Inventory inventory_{io_, children_, "/nonexistent", {}};
    std::unique_ptr<store::Store> store_;
    std::optional<Scheduler> scheduler_;
    std::optional<Leases> leases_;
    std::unique_ptr<Observer> observer_;
    fs::path folder_;
};

TEST_F(ObserverTest, KeepsWhatItMeasuresInItsFolder) {
    Observer& observer = start();
    ASSERT_NE(observer.history(), nullptr) << observer.history_error();
    const auto names = observer.history()->names("server/");
    EXPECT_EQ(names, (std::vector<std::string>{"server/gpus", "server/gpus_allocated", "server/leases",
                                               "server/sessions"}));
    EXPECT_TRUE(fs::exists(folder_ / "state/history/0.series"));
    EXPECT_EQ(finding("cass_buckets").verdict, health::Verdict::kPass);
}

TEST_F(ObserverTest, WithoutAFolderItServesAndSaysSo) {
    settings_.state_dir.clear();
    Observer& observer = start();
    EXPECT_EQ(observer.history(), nullptr);
    EXPECT_NE(finding("cass_buckets").details.find("--state-dir"), std::string::npos);
    ASSERT_TRUE(observer.set_counted("ecc", false));
    EXPECT_FALSE(counted("ecc"));
}

TEST_F(ObserverTest, AFolderThatCannotBeMadeIsSaid) {
    std::ofstream(folder_ / "file") << "x";
    settings_.state_dir = (folder_ / "file/state").string();
    EXPECT_EQ(start().history(), nullptr);
    EXPECT_NE(finding("cass_buckets").details.find("choose another --state-dir"), std::string::npos);
}

TEST_F(ObserverTest, OneManagerAFolder) {
    start();
    Observer second(io_, settings_, inventory_, *leases_, counters_, "/nonexistent");
    second.start([] {});
    EXPECT_NE(second.history_error().find("another manager uses"), std::string::npos);
    second.stop();
    io_.poll();
}

TEST_F(ObserverTest, TogglesAreKeptAndADamagedFileLetsEverythingCount) {
    ASSERT_TRUE(start().set_counted("ecc", false));
    EXPECT_EQ(observer_->set_counted("nothing", false).error().code, 404);
    start();
    EXPECT_FALSE(counted("ecc"));
    EXPECT_TRUE(counted("mtu"));
    std::ofstream(folder_ / "state/health.json") << "{\"off\": [\"ecc\"";
    start();
    EXPECT_TRUE(counted("ecc"));
}

TEST_F(ObserverTest, AsksWhoKnowsTheStoreAndTheQueue) {
    start();
    EXPECT_EQ(finding("cass_nodetool").verdict, health::Verdict::kPass);
    EXPECT_FALSE(observer_->census().waiting);
    observer_->ask_store([](health::Store* store) {
        store->kind = "etcd";
        store->quorum = false;
    });
    observer_->ask_queue([] { return size_t{4}; });
    EXPECT_EQ(finding("cass_nodetool").verdict, health::Verdict::kFatal);
    EXPECT_EQ(observer_->census().waiting, 4u);
}

}  // namespace
}  // namespace bitfusion::daemon
