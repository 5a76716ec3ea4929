#include "client/kept.h"

#include <gtest/gtest.h>

#include <array>

namespace bitfusion::client {
namespace {

TEST(HostBox, RowsWithoutGapsAreOneRun) {
    std::array<uint8_t, 600> memory{};
    HostBox box;
    box.first = memory.data();
    box.pitch = box.width = 10;
    box.height = 5;
    box.depth = 3;
    box.slice = 50;
    EXPECT_EQ(box.bytes(), 150u);
    EXPECT_EQ(box.run(), 150u);
    EXPECT_EQ(box.at(149), memory.data() + 149);
    box.slice = 60;
    EXPECT_EQ(box.run(), 50u) << "slices apart";
    EXPECT_EQ(box.at(50), memory.data() + 60);
    box.pitch = 12;
    EXPECT_EQ(box.run(), 10u) << "rows apart";
    EXPECT_EQ(box.at(23), memory.data() + 2 * 12 + 3);
    EXPECT_EQ(box.at(50), memory.data() + 60);
    box.height = box.depth = 1;
    EXPECT_EQ(box.run(), 10u) << "a single row has no gap, whatever its pitch";
}

TEST(HostBox, OverlapsWhatLiesInItsSpan) {
    std::array<uint8_t, 100> memory{};
    HostBox box;
    box.first = memory.data() + 20;
    box.pitch = 10;
    box.width = 4;
    box.height = 3;
    box.slice = 30;
    EXPECT_TRUE(box.overlaps(memory.data() + 20, 1));
    EXPECT_TRUE(box.overlaps(memory.data() + 43, 1));
    EXPECT_FALSE(box.overlaps(memory.data() + 44, 10));
    EXPECT_FALSE(box.overlaps(memory.data(), 20));
    EXPECT_TRUE(box.overlaps(memory.data(), 21));
}

TEST(Kept, TicketsTellWhatTheyStandFor) {
    const uint64_t function = new_ticket();
    const uint64_t memory = new_ticket();
    EXPECT_NE(function, memory);
    int calls = 0;
    keep_host_function(
        function, [](void* data) { ++*static_cast<int*>(data); }, &calls);
    HostBox box;
    box.width = 7;
    keep_host_memory(memory, box);
    CUhostFn found = nullptr;
    void* data = nullptr;
    ASSERT_TRUE(kept_host_function(function, &found, &data));
    found(data);
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(kept_host_function(memory, &found, &data)) << "it is host memory";
    EXPECT_EQ(kept_host_memory(memory)->width, 7u);
    EXPECT_FALSE(kept_host_memory(function).has_value());
    release_kept(memory, false);
    release_kept(function, false);
    EXPECT_FALSE(kept_host_memory(memory).has_value());
    EXPECT_FALSE(kept_host_function(function, &found, &data));
    EXPECT_EQ(calls, 1) << "letting go of a host function does not run it";
}

}  // namespace
}  // namespace bitfusion::client
