#include "daemon/name_lookup.h"

#include <gtest/gtest.h>

#include <optional>

namespace bitfusion::daemon {
namespace {

using asio::ip::tcp;
using Endpoints = Result<std::vector<tcp::endpoint>>;
constexpr auto kLong = std::chrono::seconds(30);
constexpr auto kShort = std::chrono::milliseconds(20);

// A name server that is silent until the test lets it speak.
struct Silent {
    static inline int asked = 0;
    static inline bool speaks = false;
    static int begin(gaicb*) { return ++asked, 0; }
    static int state(gaicb*) { return speaks ? EAI_NONAME : EAI_INPROGRESS; }
    static bool give_up(gaicb*) { return false; }
};
constexpr NameService kSilent{Silent::begin, Silent::state, Silent::give_up};

class NameLookupTest : public testing::Test {
  protected:
    NameLookupTest() {
        Silent::asked = 0;
        Silent::speaks = false;
    }

    // Begins to ask; the answer is in what it returns once the loop has run.
    std::shared_ptr<std::optional<Endpoints>> ask(NameLookup& names, std::string host,
                                                  Clock::duration patience) {
        auto told = std::make_shared<std::optional<Endpoints>>();
        asio::co_spawn(
            io_,
            [this, &names, host = std::move(host), patience, told]() -> Task<void> {
                *told = co_await names.endpoints(host, 9090, Clock::now() + patience);
            },
            asio::detached);
        return told;
    }
    Endpoints answer(NameLookup& names, const std::string& host, Clock::duration patience = kLong) {
        const auto told = ask(names, host, patience);
        io_.restart();
        io_.run();
        return **told;
    }

    asio::io_context io_;
};

TEST_F(NameLookupTest, ANameOfThisMachineHasItsAddress) {
    NameLookup names(io_);
    const auto found = answer(names, "localhost");
    ASSERT_TRUE(found) << found.error().what;
    ASSERT_FALSE(found->empty());
    for (const tcp::endpoint& endpoint : *found) {
        EXPECT_TRUE(endpoint.address().is_loopback()) << endpoint;
        EXPECT_EQ(endpoint.port(), 9090);
    }
    EXPECT_EQ(names.under_way(), 0u);
}

TEST_F(NameLookupTest, WhatIsNoNameIsSaidToBeNone) {
    NameLookup names(io_);
    // Longer than a name can be (RFC 1035, section 2.3.4): no server is asked.
    const auto found = answer(names, std::string(300, 'a'));
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().what.find("its name is not known: "), std::string::npos) << found.error().what;
}

TEST_F(NameLookupTest, AnAddressInNumbersIsNoQuestion) {
    NameLookup names(io_, kSilent);
    for (const char* address : {"127.0.0.1", "192.0.2.7", "::1", "fd00::7"}) {
        const auto found = answer(names, address);
        ASSERT_TRUE(found) << address;
        EXPECT_EQ(found->front().address().to_string(), address);
    }
    EXPECT_EQ(Silent::asked, 0);
}

TEST_F(NameLookupTest, ASilentNameServerHoldsNobodyBeyondHisDeadline) {
    NameLookup names(io_, kSilent);
    const auto silent = ask(names, "metrics.example", kShort);
    // The loop goes on meanwhile.
    const auto number = ask(names, "127.0.0.1", kLong);
    const auto began = Clock::now();
    io_.run();
    EXPECT_LT(Clock::now() - began, kLong);
    ASSERT_TRUE(number->value());
    ASSERT_FALSE(silent->value());
    EXPECT_NE(silent->value().error().what.find("no answer in time"), std::string::npos);
    EXPECT_EQ(names.under_way(), 1u);
    // Not asked a second time: the first question still waits for its answer.
    EXPECT_FALSE(answer(names, "metrics.example", kShort));
    EXPECT_EQ(Silent::asked, 1);
    Silent::speaks = true;
    EXPECT_EQ(names.under_way(), 0u);
    const auto told = answer(names, "metrics.example");
    ASSERT_FALSE(told);
    EXPECT_NE(told.error().what.find("its name is not known"), std::string::npos) << told.error().what;
    EXPECT_EQ(Silent::asked, 2);
}

TEST_F(NameLookupTest, QuestionsInVainAreBounded) {
    NameLookup names(io_, kSilent);
    for (size_t i = 0; i < NameLookup::kMostAtOnce; ++i)
        EXPECT_FALSE(answer(names, "host-" + std::to_string(i), kShort / 10));
    const auto more = answer(names, "one-more");
    ASSERT_FALSE(more);
    EXPECT_NE(more.error().what.find("16 other names"), std::string::npos) << more.error().what;
    EXPECT_EQ(Silent::asked, static_cast<int>(NameLookup::kMostAtOnce));
    Silent::speaks = true;
    EXPECT_EQ(names.under_way(), 0u);
}

TEST_F(NameLookupTest, EveryoneWhoWaitsGetsTheOneAnswer) {
    NameLookup names(io_);
    const auto first = ask(names, "localhost", kLong);
    const auto second = ask(names, "localhost", kLong);
    io_.run();
    ASSERT_TRUE(first->value());
    ASSERT_TRUE(second->value());
    EXPECT_EQ(first->value().value(), second->value().value());
}

}  // namespace
}  // namespace bitfusion::daemon
