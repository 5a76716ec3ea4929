#include "identity/invitation.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"

namespace bitfusion::identity {
namespace {

constexpr std::time_t kNow = 1'800'000'000;
const std::string kFingerprint(64, 'a');

TEST(Invitation, IsGoodOnce) {
    MemoryStore store;
    const auto text = make_invitation(store, kFingerprint, kNow + 60);
    ASSERT_TRUE(text) << text.error().what;
    EXPECT_EQ(fingerprint_in(*text).value(), kFingerprint);
    EXPECT_TRUE(take_invitation(store, *text, kNow));
    const auto again = take_invitation(store, *text, kNow);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, 401);
    EXPECT_NE(again.error().what.find("used already"), std::string::npos);
}

TEST(Invitation, OthersAreRefusedAndDoNotSpoilIt) {
    MemoryStore store;
    const std::string text = make_invitation(store, kFingerprint, kNow + 60).value();
    std::string guessed = text;
    guessed[20] = guessed[20] == 'a' ? 'b' : 'a';
    EXPECT_FALSE(take_invitation(store, guessed, kNow));
    EXPECT_FALSE(take_invitation(store, "bfj-", kNow));
    EXPECT_FALSE(take_invitation(store, text + "x", kNow));
    EXPECT_TRUE(take_invitation(store, text, kNow));
}

TEST(Invitation, Expires) {
    MemoryStore store;
    const std::string text = make_invitation(store, kFingerprint, kNow + 60).value();
    const auto late = take_invitation(store, text, kNow + 60);
    ASSERT_FALSE(late);
    EXPECT_NE(late.error().what.find("expired at 2027-01-15T08:01:00Z"), std::string::npos)
        << late.error().what;
}

}  // namespace
}  // namespace bitfusion::identity
