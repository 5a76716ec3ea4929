#include "worker/traffic.h"

#include <gtest/gtest.h>

#include <array>

#include "link/loop.h"

namespace bitfusion::worker {
namespace {

TEST(Traffic, CountsWhatTravelled) {
    Traffic traffic{};
    auto pair = link::loop_pair();
    ASSERT_TRUE(pair) << pair.error().what;
    const auto ours = counted(std::move(pair->first), &traffic);
    const auto& theirs = pair->second;
    std::array<char, 100> bytes{};
    const std::array<iovec, 2> pieces = {iovec{bytes.data(), 60}, iovec{bytes.data(), 40}};
    ASSERT_TRUE(ours->send(pieces));
    EXPECT_EQ(traffic.sent_bytes.load(), 100u);
    EXPECT_EQ(traffic.received_bytes.load(), 0u);
    const iovec piece{bytes.data(), 7};
    ASSERT_TRUE(theirs->send({&piece, 1}));
    size_t got = 0;
    while (got < 7) {
        const auto some = ours->receive(bytes.data(), bytes.size(), link::Wait::kBlock);
        ASSERT_TRUE(some);
        got += some->bytes;
    }
    EXPECT_EQ(traffic.received_bytes.load(), 7u);
    ours->shut();
    EXPECT_FALSE(ours->send(pieces));
    EXPECT_EQ(traffic.sent_bytes.load(), 100u);
}

TEST(Traffic, WithoutCountersIsTheLinkItself) {
    auto pair = link::loop_pair();
    ASSERT_TRUE(pair) << pair.error().what;
    const link::Link* link = pair->first.get();
    EXPECT_EQ(counted(std::move(pair->first), nullptr).get(), link);
}

}  // namespace
}  // namespace bitfusion::worker
