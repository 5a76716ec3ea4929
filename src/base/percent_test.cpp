#include "base/percent.h"

#include <gtest/gtest.h>

namespace bitfusion::base {
namespace {

// RFC 3986, section 2.3: the unreserved characters, and no others, stand for themselves.
TEST(Percent, OnlyUnreservedCharactersStandForThemselves) {
    const std::string unreserved = "ABCXYZabcxyz0189-._~";
    EXPECT_EQ(percent_encoded(unreserved), unreserved);
    EXPECT_EQ(percent_encoded(":/?#[]@!$&'()*+,;="),
              "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D");
    EXPECT_EQ(percent_encoded("a b%20\"\\"), "a%20b%2520%22%5C");
    EXPECT_EQ(percent_encoded("\xe3\x82\xb5"), "%E3%82%B5");
    EXPECT_EQ(percent_encoded(std::string("\0\r\n\x7f\xff", 5)), "%00%0D%0A%7F%FF");
    EXPECT_EQ(percent_encoded(""), "");
}

TEST(Percent, EveryByteComesBack) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    EXPECT_EQ(query_decoded(percent_encoded(all)), all);
}

TEST(Percent, AFormsSpaceIsAPlus) {
    EXPECT_EQ(query_decoded("a+b%2Bc%2bd"), "a b+c+d");
    EXPECT_EQ(query_decoded("net/eth0|x\"\xe9"), "net/eth0|x\"\xe9");
    EXPECT_EQ(query_decoded("%00"), std::string(1, '\0'));
    EXPECT_EQ(query_decoded("%2561"), "%61");
}

TEST(Percent, HalfAnEscapeIsNone) {
    for (const char* wrong : {"%", "a%", "%4", "%4g", "%g4", "%%41", "%+1", "a%2", "% 41", "%\xff\xff"})
        EXPECT_EQ(query_decoded(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace bitfusion::base
