#include "link/lane_door.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <thread>

namespace bitfusion::link {
namespace {

// One end of a connection for the worker; the other stays with the test.
PassedLane a_lane(uint8_t seed, Descriptor* other) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *other = Descriptor(ends[1]);
    PassedLane lane;
    lane.connection = Descriptor(ends[0]);
    lane.secret.fill(seed);
    lane.tls = std::string(seed, 'k');
    return lane;
}

TEST(LaneDoor, ConnectionsComeWithTheirSecretsAndKeysInOrder) {
    auto door = make_lane_door();
    ASSERT_TRUE(door) << door.error().what;
    std::array<Descriptor, 3> others;
    for (uint8_t i = 0; i < 3; ++i)
        ASSERT_TRUE(pass_lane(door->outside.get(), a_lane(static_cast<uint8_t>(i + 1), &others[i])));
    for (uint8_t i = 0; i < 3; ++i) {
        auto taken = take_lane(door->inside.get());
        ASSERT_TRUE(taken) << taken.error().what;
        const auto seed = static_cast<uint8_t>(i + 1);
        EXPECT_EQ(taken->secret[0], seed);
        EXPECT_EQ(taken->secret[31], seed);
        EXPECT_EQ(taken->tls, std::string(seed, 'k'));
        // It is the same connection, and closes on exec.
        EXPECT_EQ(send(others[i].get(), &seed, 1, 0), 1);
        uint8_t got = 0;
        EXPECT_EQ(recv(taken->connection.get(), &got, 1, 0), 1);
        EXPECT_EQ(got, seed);
        EXPECT_NE(fcntl(taken->connection.get(), F_GETFD) & FD_CLOEXEC, 0);
    }
}

TEST(LaneDoor, AWorkerThatTakesNothingIsNotWaitedFor) {
    auto door = make_lane_door();
    ASSERT_TRUE(door);
    Descriptor other;
    const PassedLane lane = a_lane(200, &other);
    size_t passed = 0;
    while (passed < 100000 && pass_lane(door->outside.get(), lane)) ++passed;
    EXPECT_GT(passed, 8u) << "as many as a session may have lanes must fit";
    EXPECT_LT(passed, 100000u);
}

TEST(LaneDoor, WhoWaitsComesBackWhenItIsClosed) {
    auto door = make_lane_door();
    ASSERT_TRUE(door);
    std::thread closing([&] { close_lane_door(door->inside.get()); });
    EXPECT_FALSE(take_lane(door->inside.get()));
    closing.join();
    Descriptor other;
    EXPECT_FALSE(pass_lane(door->outside.get(), a_lane(1, &other)));
}

TEST(LaneDoor, AMessageWithoutAConnectionIsAnError) {
    auto door = make_lane_door();
    ASSERT_TRUE(door);
    const std::array<uint8_t, 40> words{};
    ASSERT_EQ(send(door->outside.get(), words.data(), words.size(), 0), 40);
    EXPECT_FALSE(take_lane(door->inside.get()));
}

}  // namespace
}  // namespace bitfusion::link
