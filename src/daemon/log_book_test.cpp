#include "daemon/log_book.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;
using log::Level;
using nlohmann::json;

class LogBookTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string path = (fs::temp_directory_path() / "log-book-XXXXXX").string();
        ASSERT_NE(mkdtemp(path.data()), nullptr);
        folder_ = path;
        ASSERT_TRUE(log::configure("off"));  // of the tests' own output
    }
    void TearDown() override {
        log::configure("warn");
        fs::remove_all(folder_);
    }
    static std::vector<std::string> texts(const json& answer) {
        std::vector<std::string> found;
        for (const json& line : answer["lines"]) found.push_back(line["text"].get<std::string>());
        return found;
    }

    asio::io_context io_;
    fs::path folder_;
};

TEST_F(LogBookTest, ReadsByLevelAndInOrder) {
    LogBook book(io_);
    BF_LOG("daemon", kInfo, "one");
    BF_LOG("history", kWarn, "two");
    BF_LOG("daemon", kError, "three");
    BF_LOG("daemon", kDebug, "nobody's");
    EXPECT_EQ(texts(book.read(Level::kDebug, 0, 10)), (std::vector<std::string>{"one", "two", "three"}));
    const json warnings = book.read(Level::kWarn, 0, 10);
    EXPECT_EQ(texts(warnings), (std::vector<std::string>{"two", "three"}));
    EXPECT_EQ(warnings["lines"][0]["part"], "history");
    EXPECT_EQ(warnings["lines"][0]["level"], "warn");
    EXPECT_EQ(texts(book.read(Level::kInfo, 0, 2)), (std::vector<std::string>{"two", "three"}))
        << "the newest";
}

TEST_F(LogBookTest, FollowsWithoutGapOrRepetition) {
    LogBook book(io_);
    BF_LOG("daemon", kInfo, "line 0");
    uint64_t next = book.read(Level::kInfo, 0, 10)["next"].get<uint64_t>();
    for (int i = 1; i <= 25; ++i) BF_LOG("daemon", kInfo, "line %d", i);
    std::vector<std::string> seen;
    for (int round = 0; round < 4; ++round) {
        const json answer = book.read(Level::kInfo, next, 10);
        for (const std::string& text : texts(answer)) seen.push_back(text);
        next = answer["next"].get<uint64_t>();
        EXPECT_EQ(answer["lost"], false);
    }
    ASSERT_EQ(seen.size(), 25u);
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], "line " + std::to_string(i + 1));
    EXPECT_EQ(next, book.newest());
}

TEST_F(LogBookTest, SaysWhatWasForgotten) {
    LogBook book(io_);
    BF_LOG("daemon", kInfo, "first");
    const uint64_t first = book.newest();
    for (size_t i = 0; i < LogBook::kMostLines + 5; ++i) BF_LOG("daemon", kInfo, "%zu", i);
    const json answer = book.read(Level::kInfo, first, 5);
    EXPECT_EQ(answer["lost"], true);
    EXPECT_EQ(texts(answer)[0], "5");
}

TEST_F(LogBookTest, IsReadAgainAfterARestartAndBounded) {
    uint64_t newest = 0;
    {
        LogBook book(io_);
        BF_LOG("daemon", kInfo, "before the folder was known");
        ASSERT_TRUE(book.keep_in(folder_));
        const std::string filler(1000, 'x');
        for (int i = 0; i < 2500; ++i) BF_LOG("daemon", kInfo, "%d %s", i, filler.c_str());
        BF_LOG("daemon", kError, "the last words");
        newest = book.newest();
    }
    EXPECT_LE(fs::file_size(folder_ / "manager.log"), LogBook::kMostFileBytes);
    EXPECT_LE(fs::file_size(folder_ / "manager.log.1"), LogBook::kMostFileBytes);
    std::ofstream(folder_ / "manager.log", std::ios::app) << "not a line\n\n" << std::string(1 << 16, 'y');
    LogBook book(io_);
    ASSERT_TRUE(book.keep_in(folder_));
    const json answer = book.read(Level::kError, 0, 10);
    ASSERT_EQ(texts(answer), std::vector<std::string>{"the last words"});
    BF_LOG("daemon", kInfo, "again");
    EXPECT_GT(book.newest(), newest);
}

TEST_F(LogBookTest, TheFirstLinesAreKeptToo) {
    {
        LogBook book(io_);
        BF_LOG("daemon", kInfo, "before the folder was known");
        ASSERT_TRUE(book.keep_in(folder_));
    }
    LogBook book(io_);
    ASSERT_TRUE(book.keep_in(folder_));
    EXPECT_EQ(texts(book.read(Level::kInfo, 0, 10)), std::vector<std::string>{"before the folder was known"});
}

TEST_F(LogBookTest, AFolderThatCannotBeWrittenIsSaid) {
    LogBook book(io_);
    fs::create_directory(folder_ / "manager.log");
    EXPECT_FALSE(book.keep_in(folder_));
    BF_LOG("daemon", kInfo, "still here");
    EXPECT_EQ(texts(book.read(Level::kInfo, 0, 10)), std::vector<std::string>{"still here"});
}

TEST_F(LogBookTest, WakesWhoWaits) {
    LogBook book(io_);
    bool woken = false;
    asio::co_spawn(
        io_,
        [&]() -> Task<void> {
            co_await book.changed().wait();
            woken = true;
        },
        asio::detached);
    io_.poll();
    EXPECT_FALSE(woken);
    BF_LOG("daemon", kInfo, "one");
    io_.poll();
    EXPECT_TRUE(woken);
}

TEST(LogLine, OthersAreNoLines) {
    EXPECT_TRUE(log_line_from("2026-11-22T03:04:05.678Z info daemon[7] text [with] brackets"));
    for (const char* text : {"", " ", "x", "2026-11-22T03:04:05.678Z", "2026-11-22T03:04:05.678Z info daemon",
                             "2026-11-22T03:04:05.678Z loud daemon[7] x", "today info daemon[7] x"}) {
        EXPECT_FALSE(log_line_from(text)) << text;
    }
}

}  // namespace
}  // namespace bitfusion::daemon
