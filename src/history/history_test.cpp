#include "history/history.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

namespace bitfusion::history {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDay = 86400;
constexpr int64_t kBegin = 1700000000 / 1800 * 1800;

class HistoryTest : public testing::Test {
  protected:
    HistoryTest() {
        char name[] = "/tmp/bitfusion-history-XXXXXX";
        folder_ = mkdtemp(name);
    }
    ~HistoryTest() override { fs::remove_all(folder_); }

    History open(size_t most = 16) {
        auto history = History::open(folder_ / "history", most);
        EXPECT_TRUE(history) << history.error().what;
        return std::move(*history);
    }
    fs::path file(int number) const { return folder_ / "history" / (std::to_string(number) + ".series"); }

    fs::path folder_;
};

TEST_F(HistoryTest, GivesBackWhatWasRecorded) {
    History history = open();
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(history.record("gpu/a/used", kBegin + 10 * i, i));
    const auto range = history.range("gpu/a/used", kBegin, kBegin + 50, kBegin + 50, 100);
    ASSERT_TRUE(range);
    EXPECT_EQ(range->step_s, 10u);
    ASSERT_EQ(range->points.size(), 6u);
    EXPECT_EQ(range->points[3].time, kBegin + 30);
    EXPECT_EQ(range->points[3].mean, 3);
}

TEST_F(HistoryTest, SeveralMeasurementsOfAStepBecomeMeanAndPeak) {
    History history = open();
    for (double value : {1.0, 5.0, 3.0}) ASSERT_TRUE(history.record("a", kBegin, value));
    const auto range = history.range("a", kBegin, kBegin, kBegin, 10);
    ASSERT_TRUE(range);
    ASSERT_EQ(range->points.size(), 1u);
    EXPECT_DOUBLE_EQ(range->points[0].mean, 3.0);
    EXPECT_DOUBLE_EQ(range->points[0].peak, 5.0);
}

TEST_F(HistoryTest, ThirtyDaysKeepTheirSizeAndCoarserStepsReachFurther) {
    History history = open();
    // Every minute for 31 days: what is older than the rings falls out, the rest is there.
    const int64_t end = kBegin + 31 * kDay;
    for (int64_t time = kBegin; time <= end; time += 60)
        ASSERT_TRUE(history.record("a", time, static_cast<double>((time - kBegin) / kDay)));
    EXPECT_EQ(fs::file_size(file(0)), kSeriesBytes);
    struct stat status {};
    ASSERT_EQ(stat(file(0).c_str(), &status), 0);
    EXPECT_LE(static_cast<uint64_t>(status.st_blocks) * 512, kSeriesBytes + 8192);

    const auto month = history.range("a", end - 30 * kDay + 1800, end, end, 2000);
    ASSERT_TRUE(month);
    EXPECT_EQ(month->step_s, 1800u);
    EXPECT_GE(month->points.size(), 1438u);
    EXPECT_DOUBLE_EQ(month->points.front().mean, 1);
    EXPECT_DOUBLE_EQ(month->points.back().mean, 31);

    EXPECT_EQ(history.range("a", end - 6 * kDay, end, end, 2016)->step_s, 300u);
    EXPECT_EQ(history.range("a", end - 1 * kDay, end, end, 2000)->step_s, 60u);
    EXPECT_EQ(history.range("a", end - 300, end, end, 2000)->step_s, 10u);
}

TEST_F(HistoryTest, FewPointsAreJoinedFromNeighbours) {
    History history = open();
    for (int i = 0; i < 1440; ++i) ASSERT_TRUE(history.record("a", kBegin + i * 1800, i));
    const int64_t end = kBegin + 1439 * 1800;
    const auto range = history.range("a", kBegin, end, end, 10);
    ASSERT_TRUE(range);
    ASSERT_LE(range->points.size(), 10u);
    ASSERT_GE(range->points.size(), 9u);
    EXPECT_DOUBLE_EQ(range->points[0].mean, (0 + 143) / 2.0);
    EXPECT_DOUBLE_EQ(range->points[0].peak, 143);
}

TEST_F(HistoryTest, APauseLeavesAGapAndNoOldPoints) {
    History history = open();
    for (int i = 0; i < 2160; ++i) ASSERT_TRUE(history.record("a", kBegin + i * 10, 1));
    const int64_t later = kBegin + 10 * 2160 + 3600;
    ASSERT_TRUE(history.record("a", later, 2));
    const auto range = history.range("a", later - 1800, later, later, 1000);
    ASSERT_TRUE(range);
    ASSERT_EQ(range->points.size(), 1u);
    EXPECT_EQ(range->points[0].mean, 2);
}

TEST_F(HistoryTest, SurvivesReopeningAndGoesOnInTheSameStep) {
    {
        History history = open();
        ASSERT_TRUE(history.record("a", kBegin, 2));
    }
    History history = open();
    ASSERT_TRUE(history.record("a", kBegin + 1, 4));
    const auto range = history.range("a", kBegin, kBegin, kBegin + 1, 10);
    ASSERT_TRUE(range);
    ASSERT_EQ(range->points.size(), 1u);
    EXPECT_DOUBLE_EQ(range->points[0].mean, 3);
    EXPECT_EQ(history.names(), std::vector<std::string>{"a"});
}

TEST_F(HistoryTest, AClockThatGoesBackIsRefused) {
    History history = open();
    ASSERT_TRUE(history.record("a", kBegin, 1));
    const auto back = history.record("a", kBegin - 60, 1);
    ASSERT_FALSE(back);
    EXPECT_NE(back.error().what.find("clock"), std::string::npos);
}

TEST_F(HistoryTest, ADamagedFileIsSetAsideAndTheOthersStay) {
    {
        History history = open();
        ASSERT_TRUE(history.record("a", kBegin, 1));
        ASSERT_TRUE(history.record("b", kBegin, 2));
        ASSERT_TRUE(history.record("c", kBegin, 3));
    }
    {
        std::fstream bytes(file(0), std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekp(20);
        bytes.put('!');
    }
    fs::resize_file(file(1), 1000);
    History history = open();
    EXPECT_EQ(history.names(), std::vector<std::string>{"c"});
    EXPECT_EQ(history.damaged(), 2u);
    EXPECT_TRUE(fs::exists(file(0).string() + ".damaged"));
    EXPECT_TRUE(history.record("a", kBegin, 1));
    EXPECT_EQ(history.range("c", kBegin, kBegin, kBegin, 1)->points.size(), 1u);
}

TEST_F(HistoryTest, DamagedSlotsAreNoPoints) {
    {
        History history = open();
        ASSERT_TRUE(history.record("a", kBegin, 1));
    }
    {
        std::fstream bytes(file(0), std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekp(static_cast<std::streamoff>(kHeaderBytes));
        for (size_t i = 0; i < 2160 * sizeof(Slot); ++i) bytes.put('\xff');
    }
    History history = open();
    EXPECT_TRUE(history.range("a", kBegin - 100, kBegin, kBegin, 100)->points.empty());
    EXPECT_TRUE(history.record("a", kBegin + 10, 1));
}

TEST_F(HistoryTest, IsBounded) {
    History history = open(2);
    ASSERT_TRUE(history.record("a", kBegin, 1));
    ASSERT_TRUE(history.record("b", kBegin, 1));
    EXPECT_FALSE(history.record("c", kBegin, 1));
    EXPECT_EQ(history.bytes(), 2 * kSeriesBytes);
    // What was silent for a day gives way, and nothing else.
    ASSERT_TRUE(history.record("b", kBegin + kDay, 2));
    EXPECT_TRUE(history.record("c", kBegin + kDay, 3));
    EXPECT_EQ(history.names(), (std::vector<std::string>{"b", "c"}));
    EXPECT_FALSE(history.record("d", kBegin + kDay, 4));
    size_t files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_ / "history")) ++files;
    EXPECT_EQ(files, 2u);
}

// A limit of the process stands for a full disk: both refuse the bytes when they are reserved.
TEST_F(HistoryTest, WithoutRoomNothingIsLeftBehindAndTheRestGoesOn) {
    History history = open();
    ASSERT_TRUE(history.record("a", kBegin, 1));
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit tight = before;
    tight.rlim_cur = 1000;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const auto full = history.record("b", kBegin, 2);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().what.find("make room"), std::string::npos) << full.error().what;
    EXPECT_FALSE(fs::exists(file(1)));
    EXPECT_TRUE(history.record("a", kBegin + 10, 1));
    EXPECT_TRUE(history.record("b", kBegin + 10, 2));
    EXPECT_EQ(open().damaged(), 0u);
}

TEST_F(HistoryTest, NamesAndRangesAreChecked) {
    History history = open();
    EXPECT_FALSE(history.record("", kBegin, 1));
    EXPECT_FALSE(history.record("a b", kBegin, 1));
    EXPECT_FALSE(history.record(std::string(201, 'a'), kBegin, 1));
    ASSERT_TRUE(history.record("gpu/a", kBegin, 1));
    EXPECT_FALSE(history.record("gpu/a", kBegin, std::nan("")));
    ASSERT_TRUE(history.record("net/a", kBegin, 1));
    EXPECT_EQ(history.names("gpu/"), std::vector<std::string>{"gpu/a"});
    EXPECT_FALSE(history.range("gpu/a", 10, 5, kBegin, 10));
    EXPECT_FALSE(history.range("gpu/a", 0, 5, kBegin, 0));
    EXPECT_FALSE(history.range("gone", 0, 5, kBegin, 10));
    // A range that is all of time, or in the future, is no work.
    EXPECT_TRUE(history.range("gpu/a", 0, INT64_MAX, kBegin, 10));
    EXPECT_TRUE(history.range("gpu/a", INT64_MAX - 1, INT64_MAX, kBegin, 10)->points.empty());
}

}  // namespace
}  // namespace bitfusion::history
