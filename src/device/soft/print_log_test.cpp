// The buffer of device printf: text appears at synchronisation, in order; a full buffer loses its oldest
// text.
#include "device/soft/print_log.h"

#include <gtest/gtest.h>

namespace bitfusion::soft {
namespace {

std::string flushed(PrintLog& log) {
    testing::internal::CaptureStdout();
    log.flush();
    return testing::internal::GetCapturedStdout();
}

TEST(PrintLog, KeepsOrderAndWritesOnce) {
    PrintLog log;
    log.add("one\n");
    log.add("two\n");
    EXPECT_EQ(flushed(log), "one\ntwo\n");
    EXPECT_EQ(flushed(log), "");
}

TEST(PrintLog, LosesTheOldestWhenItIsFull) {
    PrintLog log;
    log.limit(16);
    for (const char* text : {"first", "second", "third", "4th"}) log.add(text);
    EXPECT_EQ(flushed(log), "secondthird4th");
    log.add("again");
    EXPECT_EQ(flushed(log), "again");
}

TEST(PrintLog, ShrinksToItsLimit) {
    PrintLog log;
    log.limit(8);
    for (int i = 0; i < 1000; ++i) log.add(std::to_string(i % 10));
    EXPECT_EQ(flushed(log), "23456789");
}

}  // namespace
}  // namespace bitfusion::soft
