#include "pool/share.h"

#include <gtest/gtest.h>

#include <limits>

namespace bitfusion::pool {
namespace {

TEST(Share, CountsAsQuotasDo) {
    EXPECT_EQ(text_of(Share::whole(2) + Share::from(0.5) + Share::from(0.5) + Share::from(0.5)), "3.5");
    EXPECT_EQ(text_of(Share::whole(64)), "64");
    EXPECT_EQ(text_of(Share{}), "0");
    EXPECT_EQ(text_of(Share::from(0.333)), "0.333");
    EXPECT_EQ(text_of(Share{-1'500'000}), "-1.5");
    Share sum;
    for (int i = 0; i < 1000; ++i) sum += Share::from(0.1);
    EXPECT_EQ(sum, Share::whole(100));
    for (int i = 0; i < 1000; ++i) sum -= Share::from(0.1);
    EXPECT_EQ(sum, Share{});
}

TEST(Share, OfAPartIsNeverNothing) {
    EXPECT_EQ(Share::of(1, uint64_t{1} << 24).millionths, 1);
    EXPECT_EQ(Share::of(8192, 16384), Share::from(0.5));
    EXPECT_EQ(Share::of(16384, 16384), Share::whole(1));
    EXPECT_EQ(Share::of(5, 0), Share{});
}

TEST(Share, TakesNoNonsense) {
    EXPECT_EQ(Share::from(-1.0), Share{});
    EXPECT_EQ(Share::from(std::numeric_limits<double>::quiet_NaN()), Share{});
    EXPECT_EQ(Share::from(std::numeric_limits<double>::infinity()), Share::whole(1'000'000));
}

}  // namespace
}  // namespace bitfusion::pool
