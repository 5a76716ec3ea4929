#include "client/copy_threads.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>

namespace bitfusion::client {
namespace {

constexpr size_t kBytes = 1 << 16;

struct Copies {
    explicit Copies(size_t count) : source(count * kBytes), target(count * kBytes), jobs(count) {
        for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint8_t>(i * 7 + i / 251);
        for (size_t i = 0; i < count; ++i) {
            jobs[i].target = target.data() + i * kBytes;
            jobs[i].source = source.data() + i * kBytes;
            jobs[i].bytes = kBytes;
        }
    }
    void hand_in_and_wait(CopyThreads* threads) {
        for (CopyThreads::Job& job : jobs) threads->copy(&job);
        for (const CopyThreads::Job& job : jobs) threads->wait(job);
    }
    std::vector<uint8_t> source, target;
    std::deque<CopyThreads::Job> jobs;
};

TEST(CopyThreads, CopyWhatSeveralThreadsHandIn) {
    CopyThreads threads(3);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            Copies copies(20);
            copies.hand_in_and_wait(&threads);
            EXPECT_EQ(copies.target, copies.source);
        });
    for (std::thread& caller : callers) caller.join();
}

TEST(CopyThreads, WithoutThreadsAndAfterTheEndTheCallerCopies) {
    CopyThreads none(0);
    Copies first(2);
    first.hand_in_and_wait(&none);
    EXPECT_EQ(first.target, first.source);
    CopyThreads some(2);
    Copies second(2);
    some.end();
    second.hand_in_and_wait(&some);
    EXPECT_EQ(second.target, second.source);
}

TEST(CopyThreads, TheEndWaitsForWhatWasHandedIn) {
    Copies copies(50);
    CopyThreads threads(2);
    for (CopyThreads::Job& job : copies.jobs) threads.copy(&job);
    threads.end();
    EXPECT_EQ(copies.target, copies.source);
    for (const CopyThreads::Job& job : copies.jobs) EXPECT_TRUE(job.done);
}

TEST(CopyThreads, AreNoMoreThanTheCoresBear) {
    EXPECT_LE(CopyThreads::usual(), 4u);
    EXPECT_LE(4 * CopyThreads::usual(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace bitfusion::client
