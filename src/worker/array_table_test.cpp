#include "worker/array_table.h"

#include <gtest/gtest.h>

#include <memory>

namespace bitfusion::worker {
namespace {

TEST(ArrayShape, ElementsHaveTheSizeOfTheirFormat) {
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_UNSIGNED_INT8, 4), 4u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_HALF, 2), 4u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_FLOAT, 4), 16u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_SNORM_INT8X2, 2), 2u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_UNORM_INT16X4, 4), 8u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_FLOAT, 3), 0u);
    EXPECT_EQ(wire::element_bytes(CU_AD_FORMAT_NV12, 1), 0u);
}

TEST(ArrayShape, BoxesThatLeaveTheArrayAreNotHeld) {
    const auto shape = wire::array_shape(10, 4, 0, CU_AD_FORMAT_FLOAT, 1);
    EXPECT_TRUE(wire::holds_box(shape, 0, 0, 0, 40, 4, 1));
    EXPECT_TRUE(wire::holds_box(shape, 36, 3, 0, 4, 1, 1));
    EXPECT_FALSE(wire::holds_box(shape, 37, 0, 0, 4, 1, 1));
    EXPECT_FALSE(wire::holds_box(shape, 0, 4, 0, 4, 1, 1));
    EXPECT_FALSE(wire::holds_box(shape, 0, 0, 1, 4, 1, 1));
    EXPECT_FALSE(wire::holds_box(shape, UINT64_MAX, 0, 0, 4, 1, 1));
}

TEST(ArrayShape, CostCoversTheTexelsAndSaturates) {
    EXPECT_GE(wire::array_cost(100, 100, 0, CU_AD_FORMAT_FLOAT, 4, 1, false), 160000u);
    EXPECT_LE(wire::array_cost(100, 100, 0, CU_AD_FORMAT_FLOAT, 4, 1, false), 180000u);
    EXPECT_GT(wire::array_cost(64, 64, 0, CU_AD_FORMAT_FLOAT, 1, 7, false),
              wire::array_cost(64, 64, 0, CU_AD_FORMAT_FLOAT, 1, 1, false));
    // 16384 blocks of 8 and of 16 bytes
    EXPECT_GE(wire::array_cost(512, 512, 0, CU_AD_FORMAT_BC1_UNORM, 4, 1, false), 131072u);
    EXPECT_LE(wire::array_cost(512, 512, 0, CU_AD_FORMAT_BC1_UNORM, 4, 1, false), 140000u);
    EXPECT_GE(wire::array_cost(509, 510, 0, CU_AD_FORMAT_BC7_UNORM, 4, 1, false), 262144u);
    EXPECT_LE(wire::array_cost(509, 510, 0, CU_AD_FORMAT_BC7_UNORM, 4, 1, false), 280000u);
    EXPECT_EQ(wire::array_cost(UINT64_MAX, UINT64_MAX, 9, CU_AD_FORMAT_FLOAT, 4, 3, true), UINT64_MAX);
}

TEST(ArrayTable, RemovingAnArrayRefundsItAndForgetsItsParts) {
    const auto usage = std::make_unique<Usage>();
    MemoryTable memory;
    memory.open(usage.get(), 10000);
    ASSERT_TRUE(memory.charge(0, 6000));
    ArrayTable arrays;
    arrays.add(1, {{}, 0, 6000, 7, 0});
    arrays.add(2, {{}, 0, 0, 7, 1});
    arrays.add(3, {{}, 0, 0, 8, 0});
    EXPECT_EQ(arrays.parts_of(1), std::vector<uint64_t>{2});
    arrays.remove(1, &memory);
    EXPECT_EQ(memory.used(0), 0u);
    EXPECT_EQ(arrays.find(1), nullptr);
    EXPECT_EQ(arrays.find(2), nullptr);
    EXPECT_NE(arrays.find(3), nullptr);
}

TEST(ArrayTable, AContextTakesItsArraysAlong) {
    const auto usage = std::make_unique<Usage>();
    MemoryTable memory;
    memory.open(usage.get(), 10000);
    ASSERT_TRUE(memory.charge(0, 3000));
    ArrayTable arrays;
    arrays.add(1, {{}, 0, 1000, 7, 0});
    arrays.add(2, {{}, 0, 2000, 8, 0});
    arrays.remove_context(7, &memory);
    EXPECT_EQ(memory.used(0), 2000u);
    arrays.refund_all(&memory);
    EXPECT_EQ(memory.used(0), 0u);
}

}  // namespace
}  // namespace bitfusion::worker
