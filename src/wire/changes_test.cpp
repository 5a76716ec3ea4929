#include "wire/changes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bitfusion::wire {
namespace {

constexpr uint64_t kBase = 0x2b0000000000;

struct Pair {
    explicit Pair(size_t bytes) : now(bytes, 7), known(bytes, 7) {}
    std::vector<uint8_t> now;
    std::vector<uint8_t> known;
    Changes gather(size_t bridge = 0, size_t most = SIZE_MAX) {
        Changes changes;
        gather_changes(now.data(), known.data(), now.size(), kBase, bridge, most, &changes);
        return changes;
    }
};

TEST(ChangesTest, EqualMemoryHasNone) {
    Pair pair(10000);
    EXPECT_TRUE(pair.gather().empty());
}

TEST(ChangesTest, OneByteTravelsAsItsWord) {
    Pair pair(10000);
    pair.now[5001] = 1;
    const Changes changes = pair.gather();
    ASSERT_EQ(changes.runs.size(), 1u);
    EXPECT_EQ(changes.runs[0].address, kBase + 5000);
    EXPECT_EQ(changes.runs[0].bytes, 4u);
    EXPECT_EQ(changes.data, (std::vector<uint8_t>{7, 1, 7, 7}));
    EXPECT_EQ(pair.now, pair.known);
    EXPECT_TRUE(pair.gather().empty());
}

TEST(ChangesTest, BytesBetweenTwoRunsStayOut) {
    Pair pair(64);
    pair.now[0] = 1;
    pair.now[16] = 1;
    EXPECT_EQ(pair.gather().runs.size(), 2u);
    pair.now[0] = 2;
    pair.now[16] = 2;
    const Changes bridged = pair.gather(12);
    ASSERT_EQ(bridged.runs.size(), 1u);
    EXPECT_EQ(bridged.runs[0].bytes, 20u);
}

TEST(ChangesTest, RunsGoOnFromBlockToBlock) {
    Pair pair(3 * 4096);
    std::fill(pair.now.begin() + 4000, pair.now.begin() + 9000, uint8_t{9});
    const Changes changes = pair.gather();
    ASSERT_EQ(changes.runs.size(), 1u);
    EXPECT_EQ(changes.runs[0].address, kBase + 4000);
    EXPECT_EQ(changes.runs[0].bytes, 5000u);
}

TEST(ChangesTest, OddEndsAreSeen) {
    Pair pair(4097);
    pair.now[4096] = 1;
    const Changes changes = pair.gather();
    ASSERT_EQ(changes.runs.size(), 1u);
    EXPECT_EQ(changes.runs[0].address, kBase + 4096);
    EXPECT_EQ(changes.runs[0].bytes, 1u);
}

TEST(ChangesTest, StopsWhenEnoughIsGathered) {
    Pair pair(8 * 4096);
    std::fill(pair.now.begin(), pair.now.end(), uint8_t{9});
    Changes first;
    const size_t seen =
        gather_changes(pair.now.data(), pair.known.data(), pair.now.size(), kBase, 0, 8192, &first);
    EXPECT_EQ(seen, 8192u);
    EXPECT_EQ(first.data.size(), 8192u);
    EXPECT_EQ(pair.gather().data.size(), 6u * 4096);
}

TEST(ChangesTest, RunsOfTwoAllocationsAreNeverOne) {
    Pair pair(3 * 4096);
    std::fill(pair.now.begin(), pair.now.end(), uint8_t{9});
    Changes changes;
    const auto gather = [&](size_t page) {
        const size_t at = page * 4096;
        gather_changes(pair.now.data() + at, pair.known.data() + at, 4096, kBase + at, 0, SIZE_MAX, &changes);
    };
    gather(0);
    gather(1);
    changes.part();
    gather(2);
    ASSERT_EQ(changes.runs.size(), 2u);
    EXPECT_EQ(changes.runs[0].bytes, 2u * 4096);
    EXPECT_EQ(changes.runs[1].address, kBase + 2 * 4096);
    EXPECT_EQ(changes.data.size(), 3u * 4096);
}

TEST(ChangesTest, VisitsWhatWasGathered) {
    Pair pair(64);
    pair.now[8] = 1;
    pair.now[40] = 2;
    const Changes changes = pair.gather();
    std::vector<uint64_t> seen;
    EXPECT_TRUE(each_change(changes.run_bytes(), changes.data, [&](uint64_t address, auto data) {
        seen.push_back(address + data.size());
        return true;
    }));
    EXPECT_EQ(seen, (std::vector<uint64_t>{kBase + 12, kBase + 44}));
}

TEST(ChangesTest, RefusesWhatDoesNotFitTogether) {
    const auto any = [](uint64_t, std::span<const uint8_t>) { return true; };
    const wire::Run run{kBase, 4};
    const std::span<const uint8_t> runs(reinterpret_cast<const uint8_t*>(&run), sizeof run);
    const std::vector<uint8_t> data(5);
    EXPECT_FALSE(each_change(runs.first(15), {data.data(), 4}, any));
    EXPECT_FALSE(each_change(runs, {data.data(), 3}, any));
    EXPECT_FALSE(each_change(runs, {data.data(), 5}, any));
    EXPECT_TRUE(each_change(runs, {data.data(), 4}, any));
    EXPECT_TRUE(each_change({}, {}, any));
    const wire::Run huge{kBase, UINT64_MAX};
    EXPECT_FALSE(each_change({reinterpret_cast<const uint8_t*>(&huge), sizeof huge}, data, any));
}

}  // namespace
}  // namespace bitfusion::wire
