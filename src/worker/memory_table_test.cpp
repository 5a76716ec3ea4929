#include "worker/memory_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace bitfusion::worker {
namespace {

constexpr uint64_t kBase = 0x2b0000000000;

class Table : public testing::Test {
  protected:
    void SetUp() override { table_.open(&usage_, 10000); }
    MemoryTable::Range range(uint64_t bytes, uint64_t charged = 0, uint64_t context = 1, bool owned = true) {
        return {bytes, 0, charged, context, owned};
    }
    uint64_t used() const { return usage_.bytes[0].load(); }

    Usage usage_{};
    MemoryTable table_;
};

TEST_F(Table, WithinIsTheRangeAndNothingElse) {
    table_.add(kBase, range(100));
    EXPECT_TRUE(table_.within(kBase, 100));
    EXPECT_TRUE(table_.within(kBase + 99, 1));
    EXPECT_TRUE(table_.within(kBase, 0));
    EXPECT_TRUE(table_.within(kBase + 100, 0)) << "an empty range at the end";
    EXPECT_FALSE(table_.within(kBase + 100, 1));
    EXPECT_FALSE(table_.within(kBase + 101, 0));
    EXPECT_FALSE(table_.within(kBase, 101));
    EXPECT_FALSE(table_.within(kBase - 1, 1));
    EXPECT_FALSE(table_.within(kBase - 1, 0));
    EXPECT_FALSE(table_.within(0, 0));
    EXPECT_FALSE(table_.within(0, UINT64_MAX));
    EXPECT_FALSE(table_.within(UINT64_MAX, 1));
    EXPECT_FALSE(table_.within(kBase + 1, UINT64_MAX)) << "the end wraps";
    EXPECT_FALSE(table_.within(kBase, UINT64_MAX - kBase + 1));
}

TEST_F(Table, NothingIsWithinAnEmptyTable) {
    EXPECT_FALSE(table_.within(0, 0));
    EXPECT_FALSE(table_.within(kBase, 1));
}

TEST_F(Table, RangesThatTouchAreOne) {
    table_.add(kBase, range(100));
    table_.add(kBase + 100, range(50));
    table_.add(kBase + 151, range(50));
    EXPECT_TRUE(table_.within(kBase + 10, 140));
    EXPECT_FALSE(table_.within(kBase + 10, 141)) << "over the gap";
    EXPECT_FALSE(table_.within(kBase + 150, 1));
    EXPECT_TRUE(table_.within(kBase + 151, 50));
}

TEST_F(Table, AgreesWithAPlainList) {
    std::mt19937_64 random(2);
    std::map<uint64_t, uint64_t> plain;
    std::vector<bool> taken(2000);
    for (int i = 0; i < 40; ++i) {
        const uint64_t at = random() % 1900;
        const uint64_t bytes = 1 + random() % 100;
        bool free = true;
        for (uint64_t k = at; k < at + bytes && k < 2000; ++k) free = free && !taken[k];
        if (!free || at + bytes > 2000) continue;
        for (uint64_t k = at; k < at + bytes; ++k) taken[k] = true;
        table_.add(kBase + at, range(bytes));
    }
    for (int i = 0; i < 20000; ++i) {
        const uint64_t at = random() % 2000;
        const uint64_t bytes = 1 + random() % 150;
        bool inside = at + bytes <= 2000;
        for (uint64_t k = at; inside && k < at + bytes; ++k) inside = taken[k];
        ASSERT_EQ(table_.within(kBase + at, bytes), inside) << at << " + " << bytes;
    }
}

TEST_F(Table, ThePartitionIsNotExceeded) {
    EXPECT_TRUE(table_.charge(0, 6000));
    EXPECT_FALSE(table_.charge(0, 4001));
    EXPECT_FALSE(table_.charge(0, UINT64_MAX));
    EXPECT_FALSE(table_.charge(0, UINT64_MAX - 5999)) << "the sum wraps to nothing";
    EXPECT_TRUE(table_.charge(0, 4000));
    EXPECT_EQ(used(), 10000u);
    EXPECT_FALSE(table_.charge(0, 1));
    EXPECT_TRUE(table_.charge(0, 0));
    EXPECT_TRUE(table_.charge(1, 10000)) << "each GPU has its own";
    table_.refund(0, 10000);
    EXPECT_EQ(used(), 0u);
}

TEST_F(Table, WorkersOfALeaseShareThePartition) {
    MemoryTable other;
    other.open(&usage_, 10000);
    EXPECT_TRUE(other.charge(0, 9000));
    EXPECT_FALSE(table_.charge(0, 2000));
    std::vector<std::thread> threads;
    std::atomic<int> granted{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            MemoryTable mine;
            mine.open(&usage_, 10000);
            for (int i = 0; i < 1000; ++i) granted += mine.charge(0, 1) ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(granted.load(), 1000);
    EXPECT_EQ(used(), 10000u);
}

TEST_F(Table, AKilledWorkersShareIsTakenOutAndNobodyElses) {
    MemoryTable killed;
    killed.open(&usage_, 10000, 3);
    ASSERT_TRUE(killed.charge(0, 6000));
    ASSERT_TRUE(killed.charge(1, 100));
    killed.refund(0, 1000);
    ASSERT_TRUE(table_.charge(0, 4000));
    EXPECT_FALSE(table_.charge(0, 2000));
    wire::forget_worker(&usage_, 3);
    EXPECT_EQ(used(), 4000u);
    EXPECT_TRUE(table_.charge(0, 6000));
    wire::forget_worker(&usage_, 3);
    EXPECT_EQ(used(), 10000u) << "once is enough";
    EXPECT_EQ(usage_.bytes[1].load(), 0u);
}

TEST_F(Table, RemovingGivesBackWhatWasCharged) {
    ASSERT_TRUE(table_.charge(0, 512));
    table_.add(kBase, range(100, 512));
    EXPECT_FALSE(table_.remove(kBase + 1)) << "not where it begins";
    EXPECT_TRUE(table_.remove(kBase));
    EXPECT_EQ(used(), 0u);
    EXPECT_FALSE(table_.within(kBase, 1));
    EXPECT_FALSE(table_.remove(kBase)) << "twice";
    EXPECT_EQ(used(), 0u);
}

TEST_F(Table, AVariableOfAModuleCannotBeFreed) {
    table_.add(kBase, range(4, 0, 1, false));
    EXPECT_FALSE(table_.remove(kBase));
    EXPECT_TRUE(table_.within(kBase, 4));
}

TEST_F(Table, WhatAContextHasGoesWithIt) {
    ASSERT_TRUE(table_.charge(0, 1024));
    table_.add(kBase, range(100, 512, 1));
    table_.add(kBase + 4096, range(100, 512, 2));
    table_.remove_context(1);
    EXPECT_FALSE(table_.within(kBase, 1));
    EXPECT_TRUE(table_.within(kBase + 4096, 100));
    EXPECT_EQ(used(), 512u);
    table_.refund_all();
    EXPECT_EQ(used(), 0u);
    EXPECT_FALSE(table_.within(kBase + 4096, 1));
}

TEST_F(Table, UnmappingTakesMappingsOnly) {
    table_.add(kBase, range(100, 0, 0, false));
    table_.add(kBase + 100, range(100, 0, 0, false));
    table_.add(kBase + 200, range(100, 0, 1, true));
    table_.add(kBase + 300, range(100, 0, 0, false));
    table_.remove_mapped(kBase, 300);
    EXPECT_FALSE(table_.within(kBase, 1));
    EXPECT_FALSE(table_.within(kBase + 100, 1));
    EXPECT_TRUE(table_.within(kBase + 200, 200)) << "an allocation and what lies behind";
}

TEST_F(Table, SharedMemoryCountsUntilItsLastHolderLetsGo) {
    MemoryTable other;
    other.open(&usage_, 10000, 1);
    ASSERT_TRUE(table_.charge(0, 6000));
    table_.add(kBase, range(5900, 6000));
    uint64_t id = 0;
    ASSERT_TRUE(table_.share(kBase, &id));
    uint64_t again = 0;
    EXPECT_TRUE(table_.share(kBase, &again));
    EXPECT_EQ(again, id);
    EXPECT_EQ(table_.hold(id), table_.range_at(kBase)->physical) << "one's own";
    auto held = other.hold(id);
    ASSERT_NE(held, nullptr);
    EXPECT_EQ(other.hold(id), held) << "however often it is opened";
    EXPECT_EQ(used(), 6000u);
    EXPECT_TRUE(table_.remove(kBase));
    EXPECT_EQ(used(), 6000u) << "its maker has freed it, but it is there";
    EXPECT_FALSE(table_.charge(0, 4001));
    held = nullptr;
    EXPECT_EQ(used(), 0u);
    EXPECT_EQ(other.hold(id), nullptr);
}

TEST_F(Table, WhatIsHeldOutlivesAKilledMaker) {
    MemoryTable killed;
    killed.open(&usage_, 10000, 3);
    ASSERT_TRUE(killed.charge(0, 7000));
    const auto made = std::make_shared<MemoryTable::Charge>(&killed, 0, 7000);
    uint64_t id = 0;
    ASSERT_TRUE(killed.share(made, &id));
    auto held = table_.hold(id);
    ASSERT_NE(held, nullptr);
    wire::forget_worker(&usage_, 3);
    EXPECT_EQ(used(), 7000u);
    EXPECT_FALSE(table_.charge(0, 3001));
    held = nullptr;
    EXPECT_EQ(used(), 0u);
}

TEST_F(Table, SharesEndWithTheSession) {
    MemoryTable other;
    other.open(&usage_, 10000, 1);
    ASSERT_TRUE(table_.charge(0, 500));
    table_.add(kBase, range(500, 500));
    uint64_t id = 0;
    ASSERT_TRUE(table_.share(kBase, &id));
    other.add(kBase + 4096, {500, 0, 0, 1, false, 0, other.hold(id)});
    table_.refund_all();
    EXPECT_EQ(used(), 500u);
    other.refund_all();
    EXPECT_EQ(used(), 0u);
}

TEST_F(Table, NothingIsSharedWhereNothingIs) {
    uint64_t id = 7;
    EXPECT_FALSE(table_.share(kBase, &id));
    EXPECT_EQ(table_.hold(0), nullptr);
    EXPECT_EQ(table_.hold(12345), nullptr);
}

TEST(TableWithoutLimit, CountsNothingAndRefusesNothing) {
    MemoryTable table;
    EXPECT_TRUE(table.charge(0, UINT64_MAX));
    table.refund(0, 1);
    EXPECT_EQ(table.used(0), 0u);
}

}  // namespace
}  // namespace bitfusion::worker
