#include "cli/servers.h"

#include <gtest/gtest.h>

namespace bitfusion::cli {
namespace {

TEST(Servers, TheThreeSpellingsOfTheGuide) {
    const auto servers = parse_servers_text("172.31.51.20\n172.31.51.26:56003\n172.31.51.42 56003\n", "f");
    ASSERT_TRUE(servers) << servers.error().what;
    ASSERT_EQ(servers->size(), 3u);
    EXPECT_EQ((*servers)[0].text(), "172.31.51.20:56001");
    EXPECT_EQ((*servers)[1].text(), "172.31.51.26:56003");
    EXPECT_EQ((*servers)[2].text(), "172.31.51.42:56003");
}

TEST(Servers, CommentsBlankLinesAndRepetitions) {
    const auto servers =
        parse_servers_text("# ours\r\n\n  10.0.0.1 \t 7 # left\r\n10.0.0.1:7\n10.0.0.2", "f");
    ASSERT_TRUE(servers) << servers.error().what;
    ASSERT_EQ(servers->size(), 2u);
    EXPECT_EQ((*servers)[0].text(), "10.0.0.1:7");
    EXPECT_EQ((*servers)[1].text(), "10.0.0.2:56001");
}

TEST(Servers, WrongLinesAreNamed) {
    const auto wrong = parse_servers_text("10.0.0.1\nhost:1\n", "servers.conf");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().what.find("servers.conf line 2: 'host:1'"), std::string::npos)
        << wrong.error().what;
    EXPECT_FALSE(parse_servers_text("", "f"));
    EXPECT_FALSE(parse_servers_text("# nothing\n", "f"));
    for (const char* text : {"10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "10.0.0.1:x", "10.0.0", "1.2.3.4.5",
                             "[::1", "[::1]x", "::g", "[10.0.0.1]:1"})
        EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(Servers, AddressesOfVersion6) {
    EXPECT_EQ(parse_endpoint("::1")->text(), "[::1]:56001");
    EXPECT_EQ(parse_endpoint("[fd00::7]:7")->text(), "[fd00::7]:7");
    EXPECT_EQ(parse_endpoint("[fd00::7] 7")->text(), "[fd00::7]:7");
    EXPECT_EQ(parse_endpoint("fd00::7 7")->text(), "[fd00::7]:7");
    EXPECT_EQ(parse_endpoint("[FD00:0:0::7]:7")->text(), "[fd00::7]:7");
    EXPECT_TRUE(parse_endpoint("0:0:0:0:0:0:0:1")->loopback());
}

TEST(Servers, TheYamlFormOfRelease35) {
    const auto servers = parse_servers_text(
        "servers:\n- reachable: 172.31.51.20:56001\n  addresses: [\"172.31.51.20:56001\", 10.0.0.1]\n"
        "- addresses:\n  - 172.31.51.26:56003\n",
        "f");
    ASSERT_TRUE(servers) << servers.error().what;
    ASSERT_EQ(servers->size(), 2u);
    EXPECT_EQ((*servers)[0].text(), "172.31.51.20:56001");
    EXPECT_EQ((*servers)[1].text(), "172.31.51.26:56003");
    // The one that worked before is not tried twice.
    ASSERT_EQ((*servers)[0].others.size(), 1u);
    EXPECT_EQ((*servers)[0].others[0].text(), "10.0.0.1:56001");
    EXPECT_TRUE((*servers)[1].others.empty());
    for (const char* text : {"servers:\n- addresses: [10.0.0.1, host]\n", "servers: 7\n", "servers:\n- 7\n",
                             "servers:\n- reachable: [\n", "servers: []\n"})
        EXPECT_FALSE(parse_servers_text(text, "f")) << text;
    const auto wrong =
        parse_servers_text("servers:\n- reachable: 10.0.0.1\n- reachable: host:1\n", "servers.conf");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().what.find("servers.conf line 3: 'host:1'"), std::string::npos)
        << wrong.error().what;
}

TEST(Servers, InlineList) {
    const auto servers = parse_server_list("10.0.0.1:56001;10.0.0.2; ");
    ASSERT_TRUE(servers);
    ASSERT_EQ(servers->size(), 2u);
    EXPECT_FALSE(parse_server_list(";"));
    EXPECT_FALSE(parse_server_list("10.0.0.1,10.0.0.2"));
}

}  // namespace
}  // namespace bitfusion::cli
