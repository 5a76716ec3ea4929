#include "store/outage.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace bitfusion::store {
namespace {

using namespace std::chrono_literals;

// Waits for what the outage's thread does.
class Tries {
  public:
    bool ask() {
        const std::lock_guard lock(mutex_);
        ++count_;
        changed_.notify_all();
        return answers_;
    }
    void answer() {
        const std::lock_guard lock(mutex_);
        answers_ = true;
    }
    int wait_for_more_than(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return count_ > count; });
        return count_;
    }
    int count() {
        const std::lock_guard lock(mutex_);
        return count_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool answers_ = false;
    int count_ = 0;
};

void wait_until_over(Outage& outage) {
    while (outage.now()) std::this_thread::yield();
}

TEST(Outage, LastsUntilTheStoreAnswers) {
    Tries tries;
    Outage outage([&] { return tries.ask(); }, 1ms);
    EXPECT_FALSE(outage.now());
    EXPECT_EQ(tries.count(), 0) << "nobody is asked without need";
    outage.begin({"it does not answer", 2});
    ASSERT_TRUE(outage.now());
    EXPECT_EQ(outage.now()->what, "it does not answer");
    EXPECT_EQ(outage.now()->code, 2);
    tries.wait_for_more_than(3);
    EXPECT_TRUE(outage.now());
    tries.answer();
    wait_until_over(outage);
}

TEST(Outage, TheFirstReasonStays) {
    Tries tries;
    Outage outage([&] { return tries.ask(); }, 1h);
    outage.begin({"first", 2});
    outage.begin({"second", 2});
    EXPECT_EQ(outage.now()->what, "first");
}

TEST(Outage, BeginsAgain) {
    Tries tries;
    Outage outage([&] { return tries.ask(); }, 1ms);
    tries.answer();
    for (int i = 0; i < 3; ++i) {
        const int before = tries.count();
        outage.begin({"again", 2});
        tries.wait_for_more_than(before);
        wait_until_over(outage);
    }
}

TEST(Outage, EndsWithItsObjectInTheMiddleOfIt) {
    Tries tries;
    {
        Outage outage([&] { return tries.ask(); }, 1h);
        outage.begin({"it does not answer", 2});
    }
    EXPECT_EQ(tries.count(), 0) << "it was not time yet";
}

}  // namespace
}  // namespace bitfusion::store
