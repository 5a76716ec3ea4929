#include "wire/shared_charge.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "wire/usage.h"

namespace bitfusion::wire {
namespace {

constexpr uint64_t kBytes = 1000;

class SharedChargeTest : public testing::Test {
  protected:
    // As a worker counts it before it is shared.
    void charge(int slot, uint64_t bytes = kBytes, int gpu = 0) {
        usage_->bytes[gpu] += bytes;
        usage_->slots[slot].bytes[gpu] += bytes;
    }
    uint64_t share(int slot, uint64_t bytes = kBytes, int gpu = 0) {
        charge(slot, bytes, gpu);
        return share_charge(usage_.get(), slot, gpu, bytes);
    }
    uint64_t used(int gpu = 0) const { return usage_->bytes[gpu].load(); }

    const std::unique_ptr<Usage> usage_ = std::make_unique<Usage>();
};

TEST_F(SharedChargeTest, CountsOnceUntilTheLastHolderLetsGo) {
    const uint64_t id = share(0);
    ASSERT_NE(id, 0u);
    EXPECT_EQ(used(), kBytes);
    EXPECT_EQ(usage_->slots[0].bytes[0].load(), 0u) << "it is in the record now";
    EXPECT_TRUE(hold_charge(usage_.get(), 5, id));
    EXPECT_TRUE(hold_charge(usage_.get(), 255, id));
    EXPECT_EQ(used(), kBytes);
    release_charge(usage_.get(), 0, id);
    release_charge(usage_.get(), 255, id);
    EXPECT_EQ(used(), kBytes) << "its maker is gone, one that it was given to is not";
    release_charge(usage_.get(), 5, id);
    EXPECT_EQ(used(), 0u);
    EXPECT_FALSE(hold_charge(usage_.get(), 5, id));
}

TEST_F(SharedChargeTest, AHolderHoldsOnceAndLetsGoOnce) {
    const uint64_t id = share(0);
    EXPECT_FALSE(hold_charge(usage_.get(), 0, id)) << "its maker holds it";
    EXPECT_TRUE(hold_charge(usage_.get(), 1, id));
    EXPECT_FALSE(hold_charge(usage_.get(), 1, id));
    release_charge(usage_.get(), 1, id);
    release_charge(usage_.get(), 1, id);
    release_charge(usage_.get(), 2, id);
    EXPECT_EQ(used(), kBytes);
    release_charge(usage_.get(), 0, id);
    EXPECT_EQ(used(), 0u);
}

TEST_F(SharedChargeTest, AKilledHolderHoldsNothing) {
    const uint64_t first = share(3, 100);
    const uint64_t second = share(3, 200, 1);
    charge(3, 50);
    EXPECT_TRUE(hold_charge(usage_.get(), 4, second));
    forget_worker(usage_.get(), 3);
    EXPECT_EQ(used(0), 0u);
    EXPECT_EQ(used(1), 200u) << "the other worker still has it";
    EXPECT_FALSE(hold_charge(usage_.get(), 4, first));
    forget_worker(usage_.get(), 3);
    EXPECT_EQ(used(1), 200u) << "once is enough";
    forget_worker(usage_.get(), 4);
    EXPECT_EQ(used(1), 0u);
}

TEST_F(SharedChargeTest, IdsAreNeverGivenAgain) {
    std::set<uint64_t> ids;
    for (int i = 0; i < 100; ++i) {
        const uint64_t id = share(0);
        EXPECT_TRUE(ids.insert(id).second);
        release_charge(usage_.get(), 0, id);
        for (const uint64_t old : ids) ASSERT_FALSE(hold_charge(usage_.get(), 1, old));
    }
}

TEST_F(SharedChargeTest, RoomIsBounded) {
    std::vector<uint64_t> ids;
    for (int i = 0; i < Usage::kMostShared; ++i) {
        ids.push_back(share(0, 1));
        ASSERT_NE(ids.back(), 0u);
    }
    charge(0, 7);
    EXPECT_EQ(share_charge(usage_.get(), 0, 0, 7), 0u);
    EXPECT_EQ(usage_->slots[0].bytes[0].load(), 7u) << "it is the worker's alone as before";
    release_charge(usage_.get(), 0, ids[17]);
    EXPECT_NE(share_charge(usage_.get(), 0, 0, 7), 0u);
    EXPECT_EQ(used(), Usage::kMostShared - 1u + 7);
}

TEST_F(SharedChargeTest, WrongNumbersNameNothing) {
    const uint64_t id = share(0);
    for (const uint64_t wrong :
         {uint64_t{0}, uint64_t{1}, UINT64_MAX, id + 1, id + (1 << 16), id ^ uint64_t{1} << 63}) {
        EXPECT_FALSE(hold_charge(usage_.get(), 1, wrong)) << wrong;
        release_charge(usage_.get(), 0, wrong);
    }
    for (const int slot : {-1, Usage::kMostWorkers, 1 << 30}) {
        EXPECT_FALSE(hold_charge(usage_.get(), slot, id));
        release_charge(usage_.get(), slot, id);
        release_charges_of(usage_.get(), slot);
        EXPECT_EQ(share_charge(usage_.get(), slot, 0, 1), 0u);
    }
    EXPECT_EQ(share_charge(usage_.get(), 0, Usage::kMostGpus, 1), 0u);
    EXPECT_EQ(share_charge(usage_.get(), 0, -1, 1), 0u);
    EXPECT_EQ(used(), kBytes);
}

// A tenant that writes anything there: nothing outside is touched (the sanitizers' word), nothing hangs.
TEST_F(SharedChargeTest, NoiseInTheMemoryHurtsNobodyElse) {
    std::mt19937_64 random(4);
    for (SharedCharge& record : usage_->shared) {
        record.state = random();
        for (auto& word : record.holders) word = random();
        record.bytes = random();
        record.gpu = random();
    }
    for (int i = 0; i < 1000; ++i) {
        hold_charge(usage_.get(), static_cast<int>(random() % 256), random());
        release_charge(usage_.get(), static_cast<int>(random() % 256), random());
    }
    for (int slot = 0; slot < Usage::kMostWorkers; ++slot) forget_worker(usage_.get(), slot);
    for (int gpu = 0; gpu < Usage::kMostGpus; ++gpu) EXPECT_EQ(used(gpu), 0u) << "never below nothing";
}

TEST_F(SharedChargeTest, WorkersComeAndGoAtOnce) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 2000;
    std::vector<std::atomic<uint64_t>> told(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kRounds; ++i) {
                const uint64_t mine = share(t, 64);
                ASSERT_NE(mine, 0u);
                told[static_cast<size_t>(t)] = mine;
                const uint64_t other = told[static_cast<size_t>((t + 1) % kThreads)].load();
                const bool held = hold_charge(usage_.get(), t, other);
                release_charge(usage_.get(), t, mine);
                if (held) release_charge(usage_.get(), t, other);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(used(), 0u);
    for (const SharedCharge& record : usage_->shared) {
        for (const auto& word : record.holders) ASSERT_EQ(word.load(), 0u);
    }
}

}  // namespace
}  // namespace bitfusion::wire
