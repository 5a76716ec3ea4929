#include "daemon/etag.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

TEST(Etag, FollowsTheContent) {
    const std::string one = etag_of({{"enabled", true}, {"own_quota", nullptr}});
    EXPECT_EQ(one, etag_of({{"own_quota", nullptr}, {"enabled", true}}));
    EXPECT_NE(one, etag_of({{"enabled", false}, {"own_quota", nullptr}}));
    EXPECT_EQ(one.size(), 18u);
    EXPECT_EQ(one.front(), '"');
}

TEST(Etag, IsFoundInAHeader) {
    const std::string tag = "\"0123456789abcdef\"";
    for (const char* header : {"\"0123456789abcdef\"", "0123456789abcdef", "W/\"0123456789abcdef\"", "*",
                               "\"x\", \"0123456789abcdef\" , \"y\""}) {
        EXPECT_TRUE(names_etag(header, tag)) << header;
    }
    for (const char* header :
         {"", ",", "\"0123456789abcde\"", "\"\"", "\"0123456789abcdef", "0123 456789abcdef"})
        EXPECT_FALSE(names_etag(header, tag)) << header;
}

TEST(Etag, AStaleOneIsRefused) {
    EXPECT_TRUE(check_etag("", "\"a\""));
    EXPECT_TRUE(check_etag("\"a\"", "\"a\""));
    EXPECT_EQ(check_etag("\"b\"", "\"a\"").error().code, 412);
}

}  // namespace
}  // namespace bitfusion::daemon
