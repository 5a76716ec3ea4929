#include "identity/token.h"

#include <gtest/gtest.h>

#include "identity/bundle.h"
#include "identity/secret.h"

namespace bitfusion::identity {
namespace {

constexpr std::time_t kNow = 1795305600;
const std::string kKey = "the pool's key";
const std::string kMachine(64, 'a');

Token token() {
    Token token;
    token.id = "abcdefg";
    token.description = "node 7";
    token.created = kNow - 100;
    token.machine = kMachine;
    token.host = "node7";
    return token;
}

std::string refusal(const Token& token, std::time_t now = kNow, const std::string& machine = kMachine) {
    const auto checked = check_token(token, token_text(token, kKey), kKey, machine, now);
    return checked ? "" : checked.error().what;
}

TEST(Token, IsAcceptedWithItsTextAndNoOther) {
    EXPECT_EQ(refusal(token()), "");
    const std::string text = token_text(token(), kKey);
    EXPECT_EQ(text.size(), 54u);
    EXPECT_EQ(token_id(text).value(), "abcdefg");
    for (size_t i = 11; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(check_token(token(), changed, kKey, kMachine, kNow)) << i;
    }
    Token next = token();
    next.generation = 2;
    EXPECT_FALSE(check_token(next, text, kKey, kMachine, kNow)) << "an earlier generation's text";
    EXPECT_FALSE(check_token(token(), token_text(token(), "another pool"), kKey, kMachine, kNow));
}

TEST(Token, EachRefusalHasItsOwnWords) {
    Token revoked = token();
    revoked.revoked = true;
    EXPECT_NE(refusal(revoked).find("was revoked"), std::string::npos);
    Token inactive = token();
    inactive.active = false;
    EXPECT_NE(refusal(inactive).find("is not active"), std::string::npos);
    Token expired = token();
    expired.expires = kNow;
    EXPECT_EQ(refusal(expired).find("Token expired at: 2026-11-22T"), 0u);
    EXPECT_EQ(refusal(expired, kNow - 1), "");
    EXPECT_NE(refusal(token(), kNow, std::string(64, 'b')).find("another machine (node7)"),
              std::string::npos);
    Token shared = token();
    shared.shared = true;
    EXPECT_EQ(refusal(shared, kNow, std::string(64, 'b')), "");
    const auto foreign = check_token(token(), "bf-abcdefg-x", kKey, kMachine, kNow);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().what.find("foreign"), std::string::npos);
}

TEST(Token, AMalformedTextSaysSo) {
    for (const char* text : {"", "bf-", "bf-abcdefg", "bf-abcdefg-short", "xx-abcdefg-"})
        EXPECT_FALSE(token_id(text)) << text;
    EXPECT_FALSE(token_id(token_text(token(), kKey) + "x"));
}

TEST(Token, ARecordComesBackWhole) {
    Token one = token();
    one.role = Role::kOperator;
    one.expires = kNow + 5;
    const auto back = token_from_json(to_json(one));
    ASSERT_TRUE(back);
    EXPECT_EQ(to_json(*back), to_json(one));
    EXPECT_EQ(back->role, Role::kOperator);
    EXPECT_FALSE(token_from_json("{}"));
    EXPECT_FALSE(token_from_json("nonsense"));
}

TEST(Secret, DigestsAreThePublishedOnes) {
    // FIPS 180-4 for "abc"; RFC 4231, case 2.
    EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(keyed_digest("Jefe", "what do ya want for nothing?"),
              "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
    EXPECT_NE(random_text(32), random_text(32));
    EXPECT_EQ(uuid_of("x"), uuid_of("x"));
    EXPECT_EQ(uuid_of("x").size(), 36u);
}

TEST(Bundle, IsAnArchiveThatTarReads) {
    const auto files = bundle_files("AUTHORITY\n", "bf-x", {"10.0.0.7:56001", "[fd00::7]:56001"});
    EXPECT_EQ(files.size(), 3u);
    EXPECT_NE(files.at("client.yaml").find("token: bf-x\n"), std::string::npos);
    const std::string tar = tar_of(files, kNow);
    EXPECT_EQ(tar.size() % 512, 0u);
    FILE* out = popen("tar tvf - | awk '{print $1, $3, $6}'", "w");
    ASSERT_NE(out, nullptr);
    fflush(stdout);
    EXPECT_EQ(fwrite(tar.data(), 1, tar.size(), out), tar.size());
    EXPECT_EQ(pclose(out), 0);
    // Offsets of the first file's head, as POSIX gives them.
    EXPECT_EQ(tar.substr(0, 6), "ca.crt");
    EXPECT_EQ(tar.substr(257, 5), "ustar");
    EXPECT_EQ(tar.substr(512, 10), "AUTHORITY\n");
    EXPECT_EQ(std::stoul(tar.substr(124, 11), nullptr, 8), 10u);
}

}  // namespace
}  // namespace bitfusion::identity
