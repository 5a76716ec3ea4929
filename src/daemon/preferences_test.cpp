#include "daemon/preferences.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"

namespace bitfusion::daemon {
namespace {

using std::chrono::seconds;

TEST(Preferences, AServersOwnComesBeforeThatOfAll) {
    identity::MemoryStore store;
    Preferences preferences(store);
    EXPECT_EQ(preferences.in_force("a").value(), Preference());
    ASSERT_TRUE(preferences.put_for_all({false, seconds(30)}));
    ASSERT_TRUE(preferences.put("a", {std::nullopt, seconds(5)}));
    EXPECT_EQ(preferences.in_force("a").value(), (Preference{false, seconds(5)}));
    EXPECT_EQ(preferences.in_force("ab").value(), (Preference{false, seconds(30)})) << "no prefix of another";
    ASSERT_TRUE(preferences.put("a", {}));
    EXPECT_EQ(preferences.in_force("a").value(), (Preference{false, seconds(30)}));
    EXPECT_TRUE(store.read("control/server/")->entries.empty()) << "nothing said, nothing kept";
}

TEST(Preferences, WhatIsDamagedIsNotBelieved) {
    identity::MemoryStore store;
    Preferences preferences(store);
    store::Transaction transaction;
    transaction.writes.push_back({"control/servers", R"({"accepts":"yes","metrics_interval_s":-4})"});
    transaction.writes.push_back({"control/server/a", "no json"});
    ASSERT_TRUE(store.commit(transaction));
    EXPECT_EQ(preferences.of_all().value(), Preference());
    EXPECT_EQ(preferences.of("a").error().code, 503);
    store.fails = true;
    EXPECT_EQ(preferences.in_force("b").error().code, 503);
}

}  // namespace
}  // namespace bitfusion::daemon
