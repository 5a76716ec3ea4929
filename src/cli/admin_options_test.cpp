#include "cli/admin_options.h"

#include <gtest/gtest.h>

#include "cli/credentials.h"

namespace bitfusion::cli {
namespace {

TEST(AdminOptions, TakeWhatTheTableSays) {
    const auto made = parse_admin({"token", "create", "--description", "node 7", "--shared", "--expires=90d",
                                   "--json", "-l", "10.0.0.1"});
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_EQ(made->flag("description"), "node 7");
    EXPECT_EQ(made->flag("expires"), "90d");
    EXPECT_TRUE(made->has("shared"));
    EXPECT_TRUE(made->json);
    EXPECT_EQ(made->servers.list, "10.0.0.1");
    const auto quota = parse_admin({"clients", "quota", "abc", "3.5"});
    ASSERT_TRUE(quota);
    EXPECT_EQ(quota->arguments, (std::vector<std::string>{"abc", "3.5"}));
    EXPECT_EQ(parse_admin({"TC", "show"})->noun, "tls-certs");
    EXPECT_EQ(parse_admin({"user"})->verb, "help");
}

TEST(AdminOptions, RefuseOthersAndSayWhereToLook) {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"token", "explode"},
                                               {"token", "revoke"},
                                               {"token", "list", "x"},
                                               {"token", "create", "--colour", "red"},
                                               {"token", "create", "--expires"},
                                               {"servers", "drain", "a", "b"},
                                               {"token", "list", "--shared"}}) {
        const auto refused = parse_admin(words);
        ASSERT_FALSE(refused) << words[1];
        EXPECT_NE(refused.error().what.find("bitfusion help " + words[0]), std::string::npos)
            << refused.error().what;
    }
    EXPECT_EQ(admin_noun("run"), "");
    EXPECT_NE(admin_help("token").find("revoke ID"), std::string::npos);
}

TEST(Credentials, OfAClientsFile) {
    const auto found = parse_client_yaml(
        "version: 1\nssl: true\ncacertpath: /x/ca.crt\nauthconfig:\n  token: bf-a-b\n", "c");
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_TRUE(found->secure);
    EXPECT_EQ(found->token, "bf-a-b");
    EXPECT_EQ(found->authority_file, "/x/ca.crt");
    for (const char* text :
         {"", "- a\n", "ssl: true\n", "authconfig: {token: }\n", "authconfig: {token: [a]}\n",
          "authconfig: [\n", "authconfig: {token: \"a b\"}\n"})
        EXPECT_FALSE(parse_client_yaml(text, "c")) << text;
}

}  // namespace
}  // namespace bitfusion::cli
