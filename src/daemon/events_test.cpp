#include "daemon/events.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

class EventsTest : public testing::Test {
  protected:
    asio::io_context io_;
    Events events_{io_};
};

TEST_F(EventsTest, ASlowReaderGetsEachNameOnce) {
    const auto reader = events_.subscribe("person ann", {Topic::kLeases, Topic::kTokens}).value();
    EXPECT_EQ(reader->take(), "");
    for (int i = 0; i < 100000; ++i) events_.publish(Topic::kLeases, "lease" + std::to_string(i));
    events_.publish(Topic::kTokens, "abcdefg");
    events_.publish(Topic::kTokens, "abcdefg");
    EXPECT_EQ(reader->take(), "event: leases\ndata: {}\n\nevent: tokens\ndata: {\"id\":\"abcdefg\"}\n\n");
    EXPECT_EQ(reader->take(), "");
}

TEST_F(EventsTest, NobodyHearsWhatHeMayNotRead) {
    const auto reader = events_.subscribe("person ann", {Topic::kLeases}).value();
    events_.publish(Topic::kUsers, "bob");
    EXPECT_EQ(reader->take(), "");
}

TEST_F(EventsTest, AnIdCannotLeaveItsLine) {
    const auto reader = events_.subscribe("person ann", {Topic::kClients}).value();
    events_.publish(Topic::kClients, "x\n\nevent: users\r\"");
    EXPECT_EQ(reader->take(), "event: clients\ndata: {\"id\":\"x\\n\\nevent: users\\r\\\"\"}\n\n");
}

TEST_F(EventsTest, StreamsAreBounded) {
    std::vector<std::shared_ptr<Subscription>> open;
    for (size_t i = 0; i < Events::kMostOfReader; ++i) open.push_back(events_.subscribe("ann", {}).value());
    EXPECT_EQ(events_.subscribe("ann", {}).error().code, 429);
    for (size_t i = open.size(); i < Events::kMostStreams; ++i)
        open.push_back(events_.subscribe("reader" + std::to_string(i), {}).value());
    EXPECT_EQ(events_.subscribe("bob", {}).error().code, 429);
    open.clear();
    EXPECT_EQ(events_.streams(), 0u);
    EXPECT_TRUE(events_.subscribe("ann", {}));
}

TEST_F(EventsTest, AfterTheEndThereAreNone) {
    const auto reader = events_.subscribe("ann", {Topic::kLeases}).value();
    events_.close();
    EXPECT_TRUE(reader->ended());
    EXPECT_EQ(events_.subscribe("ann", {}).error().code, 503);
}

TEST(Topics, EachHasAName) {
    for (const char* name : topic_names()) EXPECT_NE(name, nullptr);
    EXPECT_STREQ(topic_names()[static_cast<size_t>(Topic::kLogs)], "logs");
    EXPECT_STREQ(topic_names()[static_cast<size_t>(Topic::kHealth)], "health");
}

}  // namespace
}  // namespace bitfusion::daemon
