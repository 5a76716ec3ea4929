#include "identity/registry.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"

namespace bitfusion::identity {
namespace {

constexpr std::time_t kNow = 1795305600;
const std::string kMachine(64, 'a');
const std::string kOther(64, 'b');

class RegistryTest : public testing::Test {
  protected:
    Token make(Role role = Role::kClient, bool shared = false, std::time_t expires = 0) {
        return registry_.create_token("for a test", role, expires, shared, true, kNow).value();
    }
    int code(const std::string& text, const std::string& machine = kMachine, std::time_t now = kNow) {
        const auto caller = registry_.authenticate(text, machine, "host", now);
        return caller ? 0 : caller.error().code;
    }

    MemoryStore store_;
    Registry registry_ = Registry::open(store_).value();
};

TEST_F(RegistryTest, ATokenSaysWhoItIs) {
    const Token token = make();
    const auto caller = registry_.authenticate(registry_.text_of(token), kMachine, "node7", kNow);
    ASSERT_TRUE(caller) << caller.error().what;
    EXPECT_EQ(caller->role, Role::kClient);
    EXPECT_EQ(caller->token, token.id);
    EXPECT_EQ(caller->client.size(), 36u);
    const auto again = registry_.authenticate(registry_.text_of(token), kMachine, "node7", kNow);
    EXPECT_EQ(again->client, caller->client);
}

TEST_F(RegistryTest, TheFirstMachineOwnsAClientsToken) {
    const Token token = make();
    const std::string text = registry_.text_of(token);
    EXPECT_EQ(code(text, ""), 400);
    EXPECT_EQ(code(text), 0);
    EXPECT_EQ(registry_.token(token.id)->machine, kMachine);
    EXPECT_EQ(code(text, kOther), 403);
    const Token shared = make(Role::kClient, true);
    const auto one = registry_.authenticate(registry_.text_of(shared), kMachine, "a", kNow);
    const auto two = registry_.authenticate(registry_.text_of(shared), kOther, "b", kNow);
    ASSERT_TRUE(one && two);
    EXPECT_NE(one->client, two->client) << "two machines are two clients";
    EXPECT_EQ(code(registry_.text_of(make(Role::kAdmin)), ""), 0);
}

TEST_F(RegistryTest, WhatIsRevokedOnOneServerHoldsOnAnotherAtOnce) {
    Registry other = Registry::open(store_).value();
    const Token token = make();
    const std::string text = registry_.text_of(token);
    EXPECT_TRUE(other.authenticate(text, kMachine, "h", kNow));
    EXPECT_TRUE(other.still_admitted(token.id, kNow));
    ASSERT_TRUE(registry_.change_token(token.id, [](Token& token) -> Status {
        token.revoked = true;
        return {};
    }));
    const auto refused = other.authenticate(text, kMachine, "h", kNow);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("revoked"), std::string::npos);
    EXPECT_FALSE(other.still_admitted(token.id, kNow));
    ASSERT_TRUE(registry_.delete_token(token.id));
    EXPECT_NE(other.authenticate(text, kMachine, "h", kNow).error().what.find("foreign"), std::string::npos);
    EXPECT_EQ(registry_.delete_token(token.id).error().code, 404);
}

TEST_F(RegistryTest, AForeignPoolsTokenIsRefused) {
    MemoryStore elsewhere;
    Registry other = Registry::open(elsewhere).value();
    const Token token = other.create_token("", Role::kAdmin, 0, false, true, kNow).value();
    EXPECT_EQ(code(other.text_of(token)), 401);
    EXPECT_EQ(code("bf-../../x-" + std::string(43, 'x')), 401);
    EXPECT_EQ(code(""), 401);
}

TEST_F(RegistryTest, ATokenExpires) {
    const Token token = make(Role::kClient, false, kNow + 10);
    EXPECT_EQ(code(registry_.text_of(token), kMachine, kNow + 9), 0);
    EXPECT_EQ(code(registry_.text_of(token), kMachine, kNow + 10), 401);
    EXPECT_FALSE(registry_.create_token("", Role::kClient, kNow, false, true, kNow));
}

TEST_F(RegistryTest, AStoreThatDoesNotAnswerIsNoRefusal) {
    const Token token = make();
    store_.fails = true;
    EXPECT_EQ(code(registry_.text_of(token)), 503);
}

TEST_F(RegistryTest, PeopleLogInAndSessionsEndWithTheirPassword) {
    ASSERT_TRUE(registry_.create_person("ann", "correct horse", Role::kOperator, kNow));
    EXPECT_EQ(registry_.create_person("ann", "another horse", Role::kViewer, kNow).error().code, 409);
    EXPECT_EQ(registry_.create_person("Ann!", "correct horse", Role::kViewer, kNow).error().code, 400);
    EXPECT_EQ(registry_.create_person("bob", "short", Role::kViewer, kNow).error().code, 400);
    EXPECT_FALSE(registry_.log_in("ann", "wrong horse", kNow));
    EXPECT_FALSE(registry_.log_in("bob", "correct horse", kNow));
    const auto session = registry_.log_in("ann", "correct horse", kNow);
    ASSERT_TRUE(session);
    EXPECT_EQ(registry_.authenticate(session->session, "", "", kNow + 60)->role, Role::kOperator);
    EXPECT_EQ(code(session->session, "", kNow + 13 * 3600), 401);
    std::string forged = session->session;
    forged[forged.size() - 1] ^= 1;
    EXPECT_EQ(code(forged), 401);
    ASSERT_TRUE(registry_.change_person("ann", [](Person& person) -> Status {
        person.changed = kNow + 1;
        return {};
    }));
    EXPECT_EQ(code(session->session, "", kNow + 60), 401);
    const auto people = registry_.people();
    ASSERT_EQ(people->size(), 1u);
    EXPECT_EQ(people->front().password.find("$argon2id$"), 0u);
}

TEST_F(RegistryTest, SigningOutEndsOneSessionEverywhere) {
    Registry other = Registry::open(store_).value();
    ASSERT_TRUE(registry_.create_person("ann", "correct horse", Role::kOperator, kNow));
    const auto one = registry_.log_in("ann", "correct horse", kNow);
    const auto two = registry_.log_in("ann", "correct horse", kNow);
    ASSERT_TRUE(one && two);
    EXPECT_NE(one->session, two->session) << "two of one second";
    EXPECT_NE(registry_.csrf_of(one->session), registry_.csrf_of(two->session));
    ASSERT_TRUE(registry_.sign_out(one->session, kNow));
    EXPECT_NE(other.authenticate(one->session, "", "", kNow).error().what.find("signed out"),
              std::string::npos);
    EXPECT_TRUE(other.authenticate(two->session, "", "", kNow));
    // What would have expired by itself is not remembered for ever.
    ASSERT_TRUE(registry_.sign_out(two->session, two->until));
    EXPECT_EQ(store_.read("identity/ended/")->entries.size(), 1u);
    EXPECT_EQ(registry_.sign_out("bfs-ann-x", kNow).error().code, 401);
}

TEST_F(RegistryTest, TheLastAdministratorStays) {
    ASSERT_TRUE(registry_.create_person("ann", "correct horse", Role::kAdmin, kNow));
    ASSERT_TRUE(registry_.create_person("bob", "correct horse", Role::kOperator, kNow));
    const auto less = [](Person& person) -> Status {
        person.role = Role::kViewer;
        return {};
    };
    EXPECT_EQ(registry_.delete_person("ann").error().code, 409);
    EXPECT_EQ(registry_.change_person("ann", less).error().code, 409);
    EXPECT_EQ(registry_.people()->front().role, Role::kAdmin);
    ASSERT_TRUE(registry_.delete_person("bob"));
    ASSERT_TRUE(registry_.create_person("eve", "correct horse", Role::kAdmin, kNow));
    ASSERT_TRUE(registry_.change_person("ann", less));
    EXPECT_EQ(registry_.delete_person("eve").error().code, 409);
    ASSERT_TRUE(registry_.delete_person("ann"));
}

TEST_F(RegistryTest, WhoChecksCanKeepWhatWouldGo) {
    const Token token = make();
    const auto no = [](const Token&) -> Status { return fail("changed meanwhile", 412); };
    EXPECT_EQ(registry_.delete_token(token.id, no).error().code, 412);
    EXPECT_TRUE(registry_.token(token.id));
}

}  // namespace
}  // namespace bitfusion::identity
