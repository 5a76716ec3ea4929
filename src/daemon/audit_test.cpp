#include "daemon/audit.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr std::time_t kNow = 1795305600;

AuditEntry entry(const std::string& subject, unsigned status = 200, std::time_t time = kNow) {
    return {time,
            "person ann",
            "admin",
            "10.0.0.7",
            "PUT /v1/clients/{id}",
            subject,
            nullptr,
            status,
            status < 400 ? "done" : "refused"};
}

class AuditTest : public testing::Test {
  protected:
    std::vector<std::string> subjects(uint64_t before, size_t limit, uint64_t* next) {
        const json page = audit_.page(before, limit).value();
        std::vector<std::string> found;
        for (const json& row : page["entries"]) found.push_back(row["subject"].get<std::string>());
        *next = page["next"].is_null() ? 0 : page["next"].get<uint64_t>();
        return found;
    }

    identity::MemoryStore store_;
    Audit audit_{store_};
};

TEST_F(AuditTest, SaysWhoWhatWhenAndFromWhere) {
    AuditEntry one = entry("c1");
    one.change = kept_of(R"({"enabled":false})");
    ASSERT_TRUE(audit_.add(one));
    const json row = audit_.page(0, 10).value()["entries"][0];
    EXPECT_EQ(row, json::parse(R"({"seq":1,"time":"2026-11-22T00:00:00Z","who":"person ann","role":"admin",
        "from":"10.0.0.7","what":"PUT /v1/clients/{id}","subject":"c1","change":{"enabled":false},
        "status":200,"outcome":"done"})"));
}

TEST_F(AuditTest, PagesAreCompleteAndInOrder) {
    for (int i = 1; i <= 250; ++i) ASSERT_TRUE(audit_.add(entry(std::to_string(i))));
    uint64_t next = 0;
    int expected = 250;
    int pages = 0;
    do {
        for (const std::string& subject : subjects(next, 40, &next))
            EXPECT_EQ(subject, std::to_string(expected--));
        ++pages;
    } while (next != 0 && pages < 100);
    EXPECT_EQ(expected, 0);
    EXPECT_EQ(pages, 7);
}

TEST_F(AuditTest, TwoServersWriteOneTrail) {
    Audit other(store_);
    for (int i = 0; i < 120; ++i) ASSERT_TRUE((i % 3 == 0 ? other : audit_).add(entry(std::to_string(i))));
    uint64_t next = 0;
    const auto found = subjects(0, 500, &next);
    ASSERT_EQ(found.size(), 120u);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], std::to_string(119 - i));
}

TEST_F(AuditTest, IsBounded) {
    store::Transaction transaction;
    // As if 20000 had been written: only the last 10000 are left.
    transaction.writes.push_back({"audit/000000019999", "{}"});
    transaction.writes.push_back({"audit/000000010000", "{}"});
    ASSERT_TRUE(store_.commit(transaction));
    ASSERT_TRUE(audit_.add(entry("new")));
    const auto all = store_.read("audit/");
    ASSERT_EQ(all->entries.size(), 2u);
    EXPECT_EQ(all->entries[0].key, "audit/000000019999");
    EXPECT_EQ(all->entries[1].key, "audit/000000020000");
}

TEST_F(AuditTest, RefusalsCannotPushItOut) {
    ASSERT_TRUE(audit_.add(entry("first")));
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(audit_.add(entry("try", 401)));
    uint64_t next = 0;
    EXPECT_EQ(subjects(0, 500, &next).size(), 61u);
    ASSERT_TRUE(audit_.add(entry("later")));
    EXPECT_EQ(audit_.page(0, 1).value()["entries"][0]["left_out"], 940);
    ASSERT_TRUE(audit_.add(entry("next hour", 403, kNow + 3600)));
    EXPECT_EQ(subjects(0, 1, &next), std::vector<std::string>{"next hour"});
}

TEST_F(AuditTest, AStoreThatDoesNotAnswerIsAnError) {
    store_.fails = true;
    EXPECT_FALSE(audit_.add(entry("x")));
    EXPECT_FALSE(audit_.page(0, 10));
}

TEST(AuditChange, KeepsNoSecrets) {
    const std::string left_out = "(not kept)";
    EXPECT_EQ(kept_of(json{{"name", "ann"}, {"password", "correct horse"}, {"role", "admin"}}.dump()),
              (json{{"name", "ann"}, {"password", left_out}, {"role", "admin"}}));
    EXPECT_EQ(kept_of(json{{"old", "a"}, {"new", "b"}}.dump()), (json{{"old", left_out}, {"new", left_out}}));
    EXPECT_EQ(kept_of("no json"), nullptr);
    EXPECT_EQ(kept_of("[1]"), nullptr);
    EXPECT_EQ(kept_of(json{{"a", {{"password", "x"}}}}.dump()), (json{{"a", left_out}}));
    json large = json::object();
    for (int i = 0; i < 200; ++i) large["key" + std::to_string(i)] = std::string(200, 'x');
    EXPECT_LT(kept_of(large.dump()).dump().size(), 1200u);
    EXPECT_GT(kept_of(large.dump()).size(), 2u);
    large["filler"] = std::string(70000, 'x');
    EXPECT_EQ(kept_of(large.dump()), nullptr);
}

}  // namespace
}  // namespace bitfusion::daemon
