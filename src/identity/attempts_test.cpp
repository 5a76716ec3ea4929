#include "identity/attempts.h"

#include <gtest/gtest.h>

namespace bitfusion::identity {
namespace {

TEST(Attempts, ANameFromAnAddressHasFiveTries) {
    Attempts attempts;
    for (int i = 0; i < Attempts::kMostOfPair; ++i) EXPECT_EQ(attempts.begin("ann", "10.0.0.7", 1000 + i), 0);
    EXPECT_EQ(attempts.begin("ann", "10.0.0.7", 1010), 290);
    EXPECT_EQ(attempts.begin("ann", "10.0.0.7", 1299), 1);
    // Others, and the same from elsewhere, are not held up.
    EXPECT_EQ(attempts.begin("bob", "10.0.0.7", 1010), 0);
    EXPECT_EQ(attempts.begin("ann", "10.0.0.8", 1010), 0);
    EXPECT_EQ(attempts.begin("ann", "10.0.0.7", 1300), 0);
}

TEST(Attempts, ARightPasswordTakesItBack) {
    Attempts attempts;
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < Attempts::kMostOfPair - 1; ++i) {
            ASSERT_EQ(attempts.begin("ann", "10.0.0.7", 1000 + round * 300), 0) << round;
        }
        ASSERT_EQ(attempts.begin("ann", "10.0.0.7", 1000 + round * 300), 0) << round;
        attempts.succeeded("ann", "10.0.0.7");
    }
}

TEST(Attempts, AnAddressHasTwentyForAllNames) {
    Attempts attempts;
    for (int i = 0; i < Attempts::kMostOfAddress; ++i)
        EXPECT_EQ(attempts.begin("n" + std::to_string(i), "fd00::1", 1000), 0);
    EXPECT_EQ(attempts.begin("other", "fd00::1", 1000), 300);
    EXPECT_EQ(attempts.begin("other", "fd00::2", 1000), 300) << "the same network";
    EXPECT_EQ(attempts.begin("other", "fd00:0:0:1::1", 1000), 0);
}

TEST(Attempts, ANameHasFiftyFromEverywhere) {
    Attempts attempts;
    for (int i = 0; i < Attempts::kMostOfName; ++i)
        EXPECT_EQ(attempts.begin("ann", "10.0.1." + std::to_string(i), 1000), 0);
    EXPECT_EQ(attempts.begin("ann", "10.0.2.1", 1000), 300);
}

TEST(Attempts, IsBounded) {
    Attempts attempts;
    for (int i = 0; i < Attempts::kMostOfPair; ++i) attempts.begin("ann", "10.0.0.7", 5000);
    for (size_t i = 0; i < Attempts::kMostKept + 100; ++i)
        attempts.begin("n" + std::to_string(i), "fd00:0:" + std::to_string(i % 9999) + "::1", 4900);
    // What is older went; what is younger is still held.
    EXPECT_EQ(attempts.begin("ann", "10.0.0.7", 5000), 300);
}

TEST(Attempts, AnIpv4AddressInIpv6IsOne) {
    EXPECT_EQ(network_of("::ffff:10.0.0.7"), "10.0.0.7");
    EXPECT_EQ(network_of("10.0.0.7"), "10.0.0.7");
    EXPECT_EQ(network_of("fd00:1:2:3:4:5:6:7"), "fd00:1:2:3::");
}

}  // namespace
}  // namespace bitfusion::identity
