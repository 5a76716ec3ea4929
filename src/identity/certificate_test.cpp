#include "identity/certificate.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bitfusion::identity {
namespace {

constexpr std::time_t kNow = 1795305600;
constexpr std::time_t kDay = 24 * 3600;

TEST(Certificate, OfAServerIsSignedByItsAuthorityOnly) {
    const auto authority = make_authority("pool", kNow);
    const auto other = make_authority("pool", kNow);
    ASSERT_TRUE(authority && other) << authority.error().what;
    const auto server = make_server_certificate(*authority, {"node7", "10.0.0.7", "fd00::7"}, kNow);
    ASSERT_TRUE(server) << server.error().what;
    EXPECT_TRUE(signed_by(server->certificate, authority->certificate));
    EXPECT_FALSE(signed_by(server->certificate, other->certificate));
    EXPECT_NE(server->key, authority->key);
    EXPECT_NE(server->key.find("PRIVATE KEY"), std::string::npos);
}

TEST(Certificate, TellsWhatIsInIt) {
    const auto authority = make_authority("pool", kNow);
    const auto server = make_server_certificate(*authority, {"node7", "10.0.0.7", "fd00::7"}, kNow);
    const auto facts = facts_of(server->certificate);
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->subject, "CN=node7");
    EXPECT_EQ(facts->issuer, "CN=pool authority");
    EXPECT_EQ(facts->names, (std::vector<std::string>{"node7", "10.0.0.7", "fd00::7"}));
    EXPECT_EQ(facts->not_before, kNow - kDay) << "clocks differ";
    EXPECT_EQ(facts->not_after, kNow + kServerDays * kDay);
    EXPECT_EQ(facts->fingerprint.size(), 64u);
    EXPECT_EQ(facts_of(authority->certificate)->not_after, kNow + kAuthorityDays * kDay);
}

TEST(Certificate, RefusesNonsense) {
    const auto authority = make_authority("pool", kNow);
    EXPECT_FALSE(facts_of("nonsense"));
    EXPECT_FALSE(make_server_certificate({"x", "y"}, {"node7"}, kNow));
    EXPECT_FALSE(make_server_certificate(*authority, {}, kNow));
    EXPECT_FALSE(make_server_certificate(*authority, {"a,DNS:b"}, kNow));
    EXPECT_FALSE(signed_by("x", authority->certificate));
}

TEST(Certificate, AServerAsksForOneAndKeepsItsKey) {
    const std::time_t now = 1'800'000'000;
    const auto authority = make_authority("pool", now);
    ASSERT_TRUE(authority);
    const auto request = make_signing_request({"node2", "10.0.0.8", "fd00::8"});
    ASSERT_TRUE(request) << request.error().what;
    EXPECT_EQ(request->request.find("PRIVATE KEY"), std::string::npos);
    const auto certificate = sign_request(*authority, request->request, now);
    ASSERT_TRUE(certificate) << certificate.error().what;
    EXPECT_TRUE(signed_by(*certificate, authority->certificate));
    const auto facts = facts_of(*certificate);
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->names, (std::vector<std::string>{"node2", "10.0.0.8", "fd00::8"}));
}

TEST(Certificate, ARequestThatWasTouchedIsNotSigned) {
    const std::time_t now = 1'800'000'000;
    const auto authority = make_authority("pool", now);
    auto request = make_signing_request({"node2"})->request;
    EXPECT_FALSE(sign_request(*authority, "", now));
    EXPECT_FALSE(sign_request(*authority, authority->certificate, now));
    // Another letter in the middle: its name, its key or its signature is not what was signed.
    char& letter = request[request.size() / 2];
    letter = letter == 'A' ? 'B' : 'A';
    EXPECT_FALSE(sign_request(*authority, request, now));
    EXPECT_FALSE(make_signing_request({"a,IP:10.0.0.1"}));
    EXPECT_FALSE(make_signing_request({}));
}

}  // namespace
}  // namespace bitfusion::identity
