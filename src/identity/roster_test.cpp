#include "identity/roster.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"
#include "identity/registry.h"

namespace bitfusion::identity {
namespace {

constexpr std::time_t kNow = 1'700'000'000;

class Rosters : public testing::Test {
  protected:
    Registry registry() { return Registry::open(store_).value(); }
    Token token(Role role = Role::kClient, std::time_t expires = 0) {
        return registry().create_token("one", role, expires, false, true, kNow).value();
    }
    void person(const std::string& name, Role role) {
        ASSERT_TRUE(registry().create_person(name, "correct horse", role, kNow));
    }
    Roster taken() {
        Roster roster;
        const auto found = store_.read("identity/");
        for (const store::Entry& entry : found->entries)
            EXPECT_TRUE(add_entry(roster, entry.key, entry.value)) << entry.key;
        return roster;
    }
    Status restore(const Roster& saved) { return restore_roster(store_, saved, kNow + 1000); }
    bool admits(const Token& token) {
        return registry()
            .authenticate(registry().text_of(token), std::string(64, '0'), "host", kNow + 2000)
            .has_value();
    }

    MemoryStore store_;
};

TEST_F(Rosters, WhoIsMissingComesBack) {
    const Token kept = token();
    person("ann", Role::kAdmin);
    ASSERT_TRUE(admits(kept));
    const Roster saved = taken();
    store::Transaction lost;
    lost.writes = {{kTokenKeys + kept.id, std::nullopt}, {std::string(kPersonKeys) + "ann", std::nullopt}};
    ASSERT_TRUE(store_.commit(lost));
    EXPECT_FALSE(admits(kept));
    ASSERT_TRUE(restore(saved));
    EXPECT_TRUE(admits(kept));
    EXPECT_TRUE(registry().log_in("ann", "correct horse", kNow + 2000));
    EXPECT_EQ(taken().tokens.at(kept.id).host, "host") << "it still belongs to its machine";
}

TEST_F(Rosters, WhoCameSinceStays) {
    const Roster saved = taken();
    const Token late = token();
    person("bob", Role::kViewer);
    ASSERT_TRUE(restore(saved));
    EXPECT_TRUE(admits(late));
    EXPECT_TRUE(registry().log_in("bob", "correct horse", kNow));
}

TEST_F(Rosters, NobodyWhoWasSentAwayComesBack) {
    const Token revoked = token();
    const Token deleted = token();
    const Token idle = token();
    const Token shorter = token();
    const Token renewed = token();
    const std::string old_text = registry().text_of(renewed);
    person("ann", Role::kAdmin);
    person("bob", Role::kAdmin);
    person("cid", Role::kAdmin);
    const Roster saved = taken();
    const auto change = [&](const Token& which, const std::function<void(Token&)>& how) {
        ASSERT_TRUE(registry().change_token(which.id, [&](Token& token) -> Status {
            how(token);
            return {};
        }));
    };
    change(revoked, [](Token& token) { token.revoked = true; });
    change(idle, [](Token& token) { token.active = false; });
    change(shorter, [](Token& token) { token.expires = kNow + 1; });
    change(renewed, [](Token& token) { ++token.generation; });
    ASSERT_TRUE(registry().delete_token(deleted.id));
    ASSERT_TRUE(registry().delete_person("bob"));
    ASSERT_TRUE(registry().change_person("cid", [](Person& person) -> Status {
        person.role = Role::kViewer;
        person.password = hash_password("another horse").value();
        return {};
    }));
    ASSERT_TRUE(restore(saved));
    for (const Token& gone : {revoked, deleted, idle, shorter}) EXPECT_FALSE(admits(gone)) << gone.id;
    EXPECT_FALSE(registry().authenticate(old_text, std::string(64, '0'), "host", kNow));
    EXPECT_FALSE(registry().log_in("bob", "correct horse", kNow));
    EXPECT_FALSE(registry().log_in("cid", "correct horse", kNow));
    EXPECT_EQ(registry().log_in("cid", "another horse", kNow)->role, Role::kViewer);
}

TEST_F(Rosters, WhatTheBackupRevokedIsRevokedToo) {
    // The store is older than the backup: somebody put an earlier copy of it back.
    const Token revoked = token();
    const Token deleted = token();
    person("ann", Role::kAdmin);
    person("bob", Role::kAdmin);
    const Roster before = taken();
    Roster saved = before;
    saved.tokens[revoked.id].revoked = true;
    saved.tokens.erase(deleted.id);
    saved.gone_tokens.insert(deleted.id);
    saved.people.erase("bob");
    saved.gone_people["bob"] = before.people.at("bob").created;
    ASSERT_TRUE(restore(saved));
    EXPECT_FALSE(admits(revoked));
    EXPECT_FALSE(admits(deleted));
    EXPECT_FALSE(registry().log_in("bob", "correct horse", kNow));
    EXPECT_TRUE(registry().log_in("ann", "correct horse", kNow));
}

TEST_F(Rosters, ASessionThatIsOverStaysOver) {
    person("ann", Role::kAdmin);
    const auto signed_out = registry().log_in("ann", "correct horse", kNow);
    const auto other = registry().log_in("ann", "correct horse", kNow);
    ASSERT_TRUE(signed_out && other);
    const Roster saved = taken();
    ASSERT_TRUE(registry().sign_out(signed_out->session, kNow));
    ASSERT_TRUE(restore(saved));
    EXPECT_FALSE(registry().authenticate(signed_out->session, "", "", kNow));
    EXPECT_TRUE(registry().authenticate(other->session, "", "", kNow));
    // Who was lost and comes back signs in again.
    store::Transaction lost;
    lost.writes = {{std::string(kPersonKeys) + "ann", std::nullopt}};
    ASSERT_TRUE(store_.commit(lost));
    ASSERT_TRUE(restore(saved));
    EXPECT_FALSE(registry().authenticate(other->session, "", "", kNow));
    EXPECT_TRUE(registry().log_in("ann", "correct horse", kNow));
}

TEST_F(Rosters, ANameThatIsUsedAgainIsAnotherPerson) {
    person("ann", Role::kAdmin);
    person("bob", Role::kAdmin);
    const Roster first = taken();
    ASSERT_TRUE(registry().delete_person("bob"));
    ASSERT_TRUE(registry().create_person("bob", "second horse", Role::kViewer, kNow));
    const Roster second = taken();
    ASSERT_TRUE(restore(first));
    EXPECT_EQ(registry().log_in("bob", "second horse", kNow)->role, Role::kViewer);
    ASSERT_TRUE(registry().delete_person("bob"));
    ASSERT_TRUE(restore(second));
    EXPECT_FALSE(registry().log_in("bob", "second horse", kNow));
    EXPECT_FALSE(registry().log_in("bob", "correct horse", kNow));
}

TEST_F(Rosters, TheLastAdministratorIsNotLost) {
    person("ann", Role::kViewer);
    const Roster saved = taken();
    ASSERT_TRUE(registry().change_person("ann", [](Person& person) -> Status {
        person.role = Role::kAdmin;
        return {};
    }));
    const auto before = entries_of(taken());
    const auto restored = restore(saved);
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, 409);
    EXPECT_NE(restored.error().what.find("nothing was changed"), std::string::npos);
    EXPECT_EQ(entries_of(taken()), before);
}

TEST_F(Rosters, ManyAreRestored) {
    for (int i = 0; i < 150; ++i) token();
    const auto before = taken();
    store::Transaction lost;
    for (const auto& [id, one] : before.tokens) {
        if (lost.writes.size() < store::kMostWrites) lost.writes.push_back({kTokenKeys + id, std::nullopt});
    }
    ASSERT_TRUE(store_.commit(lost));
    ASSERT_TRUE(restore(before));
    EXPECT_EQ(taken().tokens.size(), 150u);
}

TEST_F(Rosters, DamagedAndHostileEntriesAreRefused) {
    const Token good = token();
    person("ann", Role::kAdmin);
    const Roster roster = taken();
    Roster out;
    const std::string text = to_json(roster.tokens.at(good.id));
    EXPECT_TRUE(add_entry(out, kTokenKeys + good.id, text));
    EXPECT_FALSE(add_entry(out, std::string(kTokenKeys) + "aaaaaaa", text)) << "another's id";
    EXPECT_FALSE(add_entry(out, std::string(kTokenKeys) + "../../x", text));
    EXPECT_FALSE(add_entry(out, kTokenKeys + good.id, "{"));
    EXPECT_FALSE(add_entry(out, kTokenKeys + good.id, "[]"));
    Token admin = roster.tokens.at(good.id);
    admin.description = "two\nlines";
    EXPECT_FALSE(add_entry(out, kTokenKeys + good.id, to_json(admin)));
    Person costly = roster.people.at("ann");
    costly.password = "$argon2id$v=19$m=4194304,t=100,p=1$c2FsdHNhbHQ$aGFzaA";
    EXPECT_FALSE(add_entry(out, std::string(kPersonKeys) + "ann", to_json(costly)));
    EXPECT_TRUE(add_entry(out, std::string(kPersonKeys) + "ann", to_json(roster.people.at("ann"))));
    EXPECT_FALSE(add_entry(out, std::string(kPersonKeys) + "bob", to_json(roster.people.at("ann"))));
    EXPECT_FALSE(add_entry(out, std::string(kGonePersonKeys) + "ann", "soon"));
    EXPECT_FALSE(add_entry(out, std::string(kGoneTokenKeys) + "x", "1"));
    const auto key = add_entry(out, "identity/key", "secret");
    ASSERT_TRUE(key);
    EXPECT_FALSE(*key) << "the pool's key is in no roster";
}

TEST_F(Rosters, AStoreThatDoesNotAnswerIsSaid) {
    const Roster saved = taken();
    store_.fails = true;
    const auto restored = restore(saved);
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, 503);
}

}  // namespace
}  // namespace bitfusion::identity
