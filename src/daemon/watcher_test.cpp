#include "daemon/watcher.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

namespace bitfusion::daemon {
namespace {

using std::chrono::seconds;

// Workers are shell scripts here: descriptor 3 is the daemon's.
class WatcherTest : public testing::Test {
  protected:
    WatcherTest() {
        char name[] = "/tmp/bitfusion-watcher-XXXXXX";
        folder_ = mkdtemp(name);
    }
    ~WatcherTest() override {
        watcher_.reset();
        children_.stop();
        std::filesystem::remove_all(folder_);
    }

    // `script` runs with "asked": returns when the daemon asks, ends the script when it is gone.
    void watch_with(const std::string& script) {
        const std::string path = folder_ + "/worker";
        std::ofstream(path) << "#!/bin/sh\necho $$ >> " << folder_ << "/starts\n"
                            << "asked() { [ -n \"$(head -c1 <&3)\" ] || exit 0; }\n"
                            << script;
        chmod(path.c_str(), 0700);
        watcher_.emplace(io_, children_, path, std::vector<std::string>{"worker"});
    }

    Result<std::string> look() {
        std::optional<Result<std::string>> seen;
        asio::co_spawn(
            io_, [&]() -> Task<void> { seen = co_await watcher_->look(); }, asio::detached);
        while (!seen) {
            if (io_.run_one_for(seconds(30)) == 0) return fail("nothing happens");
        }
        return *seen;
    }

    std::vector<pid_t> starts() const {
        std::ifstream in(folder_ + "/starts");
        std::vector<pid_t> pids;
        for (pid_t pid = 0; in >> pid;) pids.push_back(pid);
        return pids;
    }

    asio::io_context io_{1};
    Children children_{io_};
    std::string folder_;
    std::optional<Watcher> watcher_;
};

constexpr const char* kAnswers = "n=0; while asked; do n=$((n+1)); echo noise; echo \"line $n\" >&3; done\n";

TEST_F(WatcherTest, OneProcessAnswersEveryLook) {
    watch_with(kAnswers);
    for (int n = 1; n <= 5; ++n) EXPECT_EQ(look().value_or("?"), "line " + std::to_string(n));
    EXPECT_EQ(starts().size(), 1u);
}

TEST_F(WatcherTest, ItsDeathBetweenTwoLooksIsNotNoticed) {
    watch_with(kAnswers);
    for (size_t lives = 1; lives <= 3; ++lives) {
        EXPECT_EQ(look().value_or("?"), "line 1");
        EXPECT_EQ(look().value_or("?"), "line 2");
        ASSERT_EQ(starts().size(), lives);
        kill(starts().back(), SIGKILL);
    }
}

TEST_F(WatcherTest, ADeathDuringALookIsMadeUpForOnce) {
    watch_with("if [ -e " + folder_ + "/once ]; then asked; echo second >&3; asked; fi\n: > " + folder_ +
               "/once\nasked\nkill -9 $$\n");
    EXPECT_EQ(look().value_or("?"), "second");
    EXPECT_EQ(starts().size(), 2u);
}

TEST_F(WatcherTest, OneThatAlwaysDiesIsStartedLessAndLessOften) {
    watch_with("exit 7\n");
    const auto first = look();
    ASSERT_FALSE(first);
    EXPECT_NE(first.error().what.find("exited with status 7 without a report; run it by hand to see why: "),
              std::string::npos)
        << first.error().what;
    const size_t tries = starts().size();
    EXPECT_EQ(tries, 2u);
    const auto second = look();
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().what.find("it is tried again in 1 s"), std::string::npos) << second.error().what;
    EXPECT_EQ(starts().size(), tries);
    EXPECT_EQ(Watcher::pause_after(0), seconds(0));
    EXPECT_EQ(Watcher::pause_after(1), seconds(0));
    EXPECT_EQ(Watcher::pause_after(2), seconds(1));
    EXPECT_EQ(Watcher::pause_after(4), seconds(4));
    EXPECT_EQ(Watcher::pause_after(1000), seconds(60));
}

TEST_F(WatcherTest, OneThatWritesWithoutEndIsStopped) {
    watch_with("asked; head -c 3000000 /dev/zero | tr '\\0' x >&3; asked\n");
    const auto seen = look();
    ASSERT_FALSE(seen);
    EXPECT_NE(seen.error().what.find("more than 1 MiB"), std::string::npos) << seen.error().what;
}

TEST_F(WatcherTest, OneThatIsNotThereIsNamed) {
    watcher_.emplace(io_, children_, folder_ + "/none", std::vector<std::string>{"worker"});
    const auto seen = look();
    ASSERT_FALSE(seen);
    EXPECT_NE(seen.error().what.find("/none: No such file"), std::string::npos) << seen.error().what;
}

TEST_F(WatcherTest, TheProcessEndsWithTheWatcher) {
    watch_with(kAnswers);
    EXPECT_EQ(look().value_or("?"), "line 1");
    EXPECT_EQ(children_.count(), 1u);
    watcher_->stop();
    while (children_.count() != 0 && io_.run_one_for(seconds(30)) != 0) {
    }
    EXPECT_EQ(children_.count(), 0u);
    EXPECT_FALSE(look());
    EXPECT_EQ(starts().size(), 1u);
}

}  // namespace
}  // namespace bitfusion::daemon
