#include "client/integrity.h"

#include <gtest/gtest.h>

#include <string>

namespace bitfusion::client {
namespace {

std::string hex(const Digest& digest) {
    std::string out;
    char two[3];
    for (const uint8_t byte : digest) {
        snprintf(two, sizeof two, "%02x", byte);
        out += two;
    }
    return out;
}

TEST(Md2, MatchesTheVectorsOfRfc1319) {
    const auto of = [](const std::string& text) {
        return hex(md2({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    };
    EXPECT_EQ(of(""), "8350e5a3e24c153df2275c9f80692773");
    EXPECT_EQ(of("a"), "32ec01ec4a6dac72c0ab96fb34c0b5d1");
    EXPECT_EQ(of("abc"), "da853b0d3f88d99b30283a69e6ded6bb");
    EXPECT_EQ(of("message digest"), "ab4f496bfb2a530b219ff33031fe06b0");
}

TEST(Integrity, MatchesTheKnownAnswer) {
    IntegrityQuestion q{13000,          13002,          0x1111,     0x22222222, 0x7f0000001000,
                        0x7f0000002000, 0x7f0000003000, 0x68000000, {}};
    IntegrityDevice d{{}, 0, 0x65, 0};
    for (uint8_t i = 0; i < 16; ++i) d.uuid[i] = i;
    q.devices.push_back(d);
    EXPECT_EQ(hex(integrity_answer(q)), "cc8b6f888af981f75a7d2e4bd78030a6");
}

TEST(Integrity, TheAnswerDependsOnTheThread) {
    IntegrityQuestion q{13000, 13002, 1, 2, 3, 4, 5, 6, {}};
    const Digest first = integrity_answer(q);
    q.thread = 7;
    EXPECT_NE(hex(first), hex(integrity_answer(q)));
}

}  // namespace
}  // namespace bitfusion::client
