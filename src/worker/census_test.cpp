#include "worker/census.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

namespace bitfusion::worker {
namespace {

constexpr uint64_t kNow = 1'000'000 * Census::kSliceNs;
constexpr uint32_t kDead = (1u << 22) + 1;  // above the largest pid of Linux

uint32_t own_pid() { return static_cast<uint32_t>(getpid()); }

class CensusTest : public ::testing::Test {
  protected:
    std::unique_ptr<CensusMemory> memory_ = std::make_unique<CensusMemory>();
};

TEST_F(CensusTest, AProgramIsListedWhereItHasAContext) {
    Census census;
    census.join(memory_.get(), own_pid(), 42, "train");
    EXPECT_TRUE(census.processes(0).empty());
    census.uses(1);
    census.charge(1, 4096);
    census.charge(1, 1024);
    census.refund(1, 1024);
    EXPECT_TRUE(census.processes(0).empty());
    ASSERT_EQ(census.processes(1).size(), 1u);
    EXPECT_EQ(census.processes(1)[0].pid, 42u);
    EXPECT_EQ(census.processes(1)[0].used_bytes, 4096u);
    EXPECT_EQ(census.processes(1)[0].name, "train");
}

TEST_F(CensusTest, WorkersOfALeaseSeeEachOther) {
    Census one;
    one.join(memory_.get(), own_pid(), 42, "one");
    one.uses(0);
    {
        Census two;
        two.join(memory_.get(), own_pid(), 43, std::string(200, 'x'));
        two.uses(0);
        ASSERT_EQ(one.processes(0).size(), 2u);
        EXPECT_EQ(one.processes(0)[1].name.size(), CensusMemory::kNameBytes);
    }
    EXPECT_EQ(one.processes(0).size(), 1u);
}

TEST_F(CensusTest, AKilledWorkerIsNotListedAndItsSlotIsTaken) {
    for (auto& slot : memory_->slots) {
        slot.worker = kDead;
        slot.gpus = 1;
        slot.bytes[0] = 5;
        slot.busy_since_ns[0] = 1;
    }
    Census census;
    EXPECT_TRUE(census.processes(0).empty());
    census.join(memory_.get(), own_pid(), 42, "train");
    EXPECT_TRUE(census.processes(0).empty());
    EXPECT_EQ(census.busy_percent(0, kNow), 0u);
    census.uses(0);
    ASSERT_EQ(census.processes(0).size(), 1u);
    EXPECT_EQ(census.processes(0)[0].used_bytes, 0u);
}

TEST_F(CensusTest, LoadIsTheShareOfTheLastSecond) {
    Census census;
    census.join(memory_.get(), own_pid(), 42, "train");
    census.begin_load(0, kNow);
    census.begin_load(0, kNow + 10);  // a second kernel at the same time counts once
    census.end_load(0, kNow + Census::kWindowNs / 4);
    census.end_load(0, kNow + Census::kWindowNs / 2);
    EXPECT_NEAR(census.busy_percent(0, kNow + Census::kWindowNs), 50, 7);
    EXPECT_EQ(census.busy_percent(1, kNow + Census::kWindowNs), 0u);
    EXPECT_EQ(census.busy_percent(0, kNow + 3 * Census::kWindowNs), 0u);
}

TEST_F(CensusTest, AKernelThatStillRunsCounts) {
    Census census;
    census.join(memory_.get(), own_pid(), 42, "train");
    census.begin_load(0, kNow);
    EXPECT_NEAR(census.busy_percent(0, kNow + Census::kWindowNs / 2), 50, 1);
    EXPECT_EQ(census.busy_percent(0, kNow + 10 * Census::kWindowNs), 100u);
    census.end_load(0, kNow + 10 * Census::kWindowNs);
    EXPECT_GE(census.busy_percent(0, kNow + 10 * Census::kWindowNs), 93u);
}

TEST_F(CensusTest, NumbersOfACompromisedWorkerAreBounded) {
    Census census;
    census.join(memory_.get(), own_pid(), 42, "train");
    for (auto& bucket : memory_->busy[0]) {
        bucket.slice = ~uint64_t{0};
        bucket.busy_ns = ~uint64_t{0};
    }
    memory_->slots[0].busy_since_ns[0] = ~uint64_t{0};
    EXPECT_LE(census.busy_percent(0, kNow), 100u);
    EXPECT_TRUE(census.processes(-1).empty());
    EXPECT_TRUE(census.processes(Usage::kMostGpus).empty());
}

TEST(CensusWithoutMemory, DoesNothing) {
    Census census;
    census.join(nullptr, own_pid(), 42, "train");
    census.uses(0);
    census.charge(0, 1);
    census.begin_load(0, kNow);
    census.end_load(0, kNow + 1);
    EXPECT_TRUE(census.processes(0).empty());
    EXPECT_EQ(census.busy_percent(0, kNow), 0u);
}

}  // namespace
}  // namespace bitfusion::worker
