#include "health/address.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bitfusion::health {
namespace {

TEST(Address, ProperOnesAreOfEitherKindWithAPrefixThatFits) {
    EXPECT_TRUE(proper({"a", "10.0.0.1", 32}));
    EXPECT_TRUE(proper({"a", "fd00::1", 128}));
    EXPECT_TRUE(proper({"a", "::", 0}));
    for (const Address& wrong :
         {Address{"a", "10.0.0.1", 33}, Address{"a", "fd00::1", 129}, Address{"a", "", 0},
          Address{"a", "10.0.0", 8}, Address{"a", "server.example", 8}, Address{"a", "fe80::1%eth0", 64}})
        EXPECT_FALSE(proper(wrong)) << wrong.ip << "/" << wrong.prefix;
}

TEST(Address, SubnetsAreComparedByTheNarrower) {
    const auto same = [](const char* a, unsigned a_prefix, const char* b, unsigned b_prefix) {
        return same_subnet({"a", a, a_prefix}, {"b", b, b_prefix});
    };
    EXPECT_TRUE(same("10.0.0.1", 24, "10.0.0.254", 24));
    EXPECT_FALSE(same("10.0.0.1", 24, "10.0.1.1", 8));
    EXPECT_TRUE(same("10.0.0.1", 8, "10.0.1.1", 8));
    EXPECT_TRUE(same("10.0.0.129", 25, "10.0.0.255", 25));
    EXPECT_FALSE(same("10.0.0.127", 25, "10.0.0.128", 25));
    EXPECT_TRUE(same("10.0.0.1", 0, "192.168.0.1", 0));
    EXPECT_TRUE(same("fd00:77::1", 64, "fd00:77::ffff:1", 64));
    EXPECT_FALSE(same("fd00:77::1", 64, "fd00:77:0:1::1", 64));
    EXPECT_FALSE(same("fd00::1", 127, "fd00::2", 127));
    EXPECT_TRUE(same("::1", 128, "::1", 128));
    EXPECT_FALSE(same("::1", 128, "127.0.0.1", 8));
    EXPECT_FALSE(same("0.0.0.0", 0, "::", 0));
    EXPECT_FALSE(same("nonsense", 0, "nonsense", 0));
}

TEST(Address, TextsOfOneAddressAreTheSame) {
    EXPECT_TRUE(same_address("fd00:0:0::7", "fd00::7"));
    EXPECT_TRUE(same_address("10.0.0.1", "10.0.0.1"));
    EXPECT_FALSE(same_address("fd00::7", "fd00::8"));
    EXPECT_FALSE(same_address("0.0.0.0", "::"));
    EXPECT_FALSE(same_address("server", "server"));
}

TEST(Address, OwnOnesAreProperAndLoopbackComesWhenAskedFor) {
    const auto all = own_addresses(Loopback::kToo);
    for (const Address& address : all) EXPECT_TRUE(proper(address)) << address.ip << "/" << address.prefix;
    const auto loopback = [](const Address& address) {
        return address.ip == "127.0.0.1" && address.prefix == 8;
    };
    EXPECT_EQ(std::count_if(all.begin(), all.end(), loopback), 1);
    EXPECT_TRUE(std::is_partitioned(all.begin(), all.end(), [](const Address& one) { return !one.v6(); }));
    const auto others = own_addresses(Loopback::kLeftOut);
    EXPECT_EQ(std::count_if(others.begin(), others.end(), loopback), 0);
    EXPECT_LT(others.size(), all.size());
}

}  // namespace
}  // namespace bitfusion::health
