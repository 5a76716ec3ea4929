#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log_listener.h"

namespace bitfusion {
namespace {

// What is logged goes to a file in memory.
class Log : public testing::Test {
  protected:
    void SetUp() override {
        file_ = memfd_create("log-test", MFD_CLOEXEC);
        ASSERT_GE(file_, 0);
        ASSERT_EQ(fcntl(file_, F_SETFL, O_APPEND), 0);  // or threads that write at once overwrite each other
        log::write_to(file_);
    }
    void TearDown() override {
        log::write_to(STDERR_FILENO);
        log::configure("warn");
        close(file_);
    }
    std::string written() const {
        std::string text(static_cast<size_t>(lseek(file_, 0, SEEK_END)), '\0');
        EXPECT_EQ(pread(file_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        return text;
    }

    int file_ = -1;
};

TEST_F(Log, ALineHasTimeLevelRoomAndProcess) {
    ASSERT_TRUE(log::configure("info"));
    BF_LOG("worker", kInfo, "device %d is %s", 3, "ready");
    const std::string text = written();
    // "2024-06-11T09:30:00.123Z": digits where the form has a 0, the rest as it stands.
    const std::string_view form = "0000-00-00T00:00:00.000Z";
    ASSERT_GT(text.size(), form.size());
    for (size_t i = 0; i < form.size(); ++i) {
        EXPECT_TRUE(form[i] == '0' ? isdigit(text[i]) != 0 : text[i] == form[i]) << text;
    }
    EXPECT_EQ(text.substr(form.size()), " info worker[" + std::to_string(getpid()) + "] device 3 is ready\n");
}

TEST_F(Log, LevelsAreOrdered) {
    ASSERT_TRUE(log::configure("warn"));
    BF_LOG("worker", kError, "one");
    BF_LOG("worker", kWarn, "two");
    BF_LOG("worker", kInfo, "three");
    const std::string text = written();
    EXPECT_NE(text.find("one"), std::string::npos);
    EXPECT_NE(text.find("two"), std::string::npos);
    EXPECT_EQ(text.find("three"), std::string::npos);
}

TEST_F(Log, ARoomHasALevelOfItsOwn) {
    ASSERT_TRUE(log::configure("error,worker=debug,client=off"));
    EXPECT_TRUE(log::enabled("worker", log::Level::kDebug));
    EXPECT_FALSE(log::enabled("worker", log::Level::kTrace));
    EXPECT_FALSE(log::enabled("client", log::Level::kError));
    EXPECT_TRUE(log::enabled("daemon", log::Level::kError));
    EXPECT_FALSE(log::enabled("daemon", log::Level::kWarn));
}

TEST_F(Log, WhatIsWrongChangesNothing) {
    ASSERT_TRUE(log::configure("info"));
    for (const char* wrong : {"loud", "worker=loud", "warn;info", "worker=", "=info2", "info,,loud"}) {
        EXPECT_FALSE(log::configure(wrong)) << wrong;
        EXPECT_TRUE(log::enabled("worker", log::Level::kInfo)) << wrong;
    }
    EXPECT_FALSE(log::configure("a_room_whose_name_is_too_long=info"));
    std::string many;
    for (int i = 0; i < 17; ++i) many += "r" + std::to_string(i) + "=info,";
    EXPECT_FALSE(log::configure(many.c_str())) << "more rooms than fit";
}

TEST_F(Log, ALongLineIsCutAndStaysOneLine) {
    const std::string text(10000, 'x');
    BF_LOG("worker", kError, "%s", text.c_str());
    const std::string line = written();
    EXPECT_LE(line.size(), 2048u);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_GT(line.size(), 1900u);
}

TEST_F(Log, LinesOfThreadsDoNotMix) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 200; ++i)
                BF_LOG("worker", kError, "%s", std::string(100, static_cast<char>('a' + t)).c_str());
        });
    }
    for (std::thread& thread : threads) thread.join();
    const std::string text = written();
    size_t lines = 0;
    for (size_t at = 0; at < text.size(); ++lines) {
        const size_t end = text.find('\n', at);
        ASSERT_NE(end, std::string::npos);
        const std::string line = text.substr(at, end - at);
        ASSERT_GT(line.size(), 102u);
        ASSERT_EQ(line.substr(line.size() - 102), "] " + std::string(100, line.back())) << line;
        at = end + 1;
    }
    EXPECT_EQ(lines, 800u);
}

std::vector<std::string>* g_heard = nullptr;

TEST_F(Log, AListenerHearsMoreThanIsWritten) {
    std::vector<std::string> heard;
    g_heard = &heard;
    ASSERT_TRUE(log::configure("error,worker=debug"));
    log::listen([](const char* text, size_t size) { g_heard->emplace_back(text, size); }, log::Level::kInfo);
    BF_LOG("daemon", kInfo, "only heard");
    BF_LOG("daemon", kDebug, "nobody's");
    BF_LOG("worker", kDebug, "only written");
    BF_LOG("daemon", kError, "both");
    ASSERT_TRUE(log::configure("warn"));
    BF_LOG("daemon", kInfo, "still heard");
    log::listen(nullptr, log::Level::kOff);
    BF_LOG("daemon", kInfo, "too late");
    ASSERT_EQ(heard.size(), 3u);
    EXPECT_TRUE(heard[0].ends_with("] only heard")) << heard[0];
    EXPECT_TRUE(heard[1].ends_with("] both")) << heard[1];
    EXPECT_TRUE(heard[2].ends_with("] still heard")) << heard[2];
    const std::string text = written();
    EXPECT_EQ(text.find("heard"), std::string::npos) << text;
    EXPECT_NE(text.find("only written"), std::string::npos);
    EXPECT_NE(text.find("both"), std::string::npos);
    EXPECT_EQ(text.find("nobody's"), std::string::npos);
    g_heard = nullptr;
}

}  // namespace
}  // namespace bitfusion
