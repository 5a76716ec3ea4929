#include "client/managed_hints.h"

#include <gtest/gtest.h>

#include <array>

namespace bitfusion::client {
namespace {

constexpr uint64_t kBase = 0x2b0000000000;
constexpr CUmemLocation kDevice{CU_MEM_LOCATION_TYPE_DEVICE, 1};
constexpr CUmemLocation kHost{CU_MEM_LOCATION_TYPE_HOST, 0};

class ManagedHintsTest : public testing::Test {
  protected:
    void TearDown() override { forget_hints(kBase, 1 << 20); }
    static int read(CUmem_range_attribute attribute, uint64_t base, size_t bytes) {
        int value = 99;
        EXPECT_EQ(read_hint(&value, sizeof value, attribute, base, bytes), CUDA_SUCCESS);
        return value;
    }
};

TEST_F(ManagedHintsTest, HoldForTheStretchThatWasAdvised) {
    ASSERT_EQ(hint_advice(kBase + 4096, 4096, CU_MEM_ADVISE_SET_READ_MOSTLY, {}), CUDA_SUCCESS);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase + 4096, 4096), 1);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase, 4096), 0);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase, 8192), 0) << "not all of it";
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase + 4096, 8192), 0);
    ASSERT_EQ(hint_advice(kBase + 6144, 100, CU_MEM_ADVISE_UNSET_READ_MOSTLY, {}), CUDA_SUCCESS);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase + 4096, 2048), 1);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase + 6244, 1000), 1);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase + 4096, 4096), 0);
}

TEST_F(ManagedHintsTest, ALocationIsTheOneOfAllPages) {
    hint_prefetch(kBase, 8192, kDevice);
    hint_prefetch(kBase + 8192, 4096, kHost);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, kBase, 8192), 1);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, kBase + 8192, 4096), CU_DEVICE_CPU);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, kBase, 12288), CU_DEVICE_INVALID);
    EXPECT_EQ(read(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE, kBase, 8192),
              CU_MEM_LOCATION_TYPE_DEVICE);
}

TEST_F(ManagedHintsTest, ListsWhoAccesses) {
    ASSERT_EQ(hint_advice(kBase, 8192, CU_MEM_ADVISE_SET_ACCESSED_BY, kDevice), CUDA_SUCCESS);
    ASSERT_EQ(hint_advice(kBase, 4096, CU_MEM_ADVISE_SET_ACCESSED_BY, kHost), CUDA_SUCCESS);
    std::array<int, 3> who{};
    ASSERT_EQ(read_hint(who.data(), sizeof who, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, kBase, 4096),
              CUDA_SUCCESS);
    EXPECT_EQ(who, (std::array<int, 3>{CU_DEVICE_CPU, 1, CU_DEVICE_INVALID}));
    ASSERT_EQ(read_hint(who.data(), sizeof who, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, kBase, 8192),
              CUDA_SUCCESS);
    EXPECT_EQ(who, (std::array<int, 3>{1, CU_DEVICE_INVALID, CU_DEVICE_INVALID}));
    EXPECT_EQ(read_hint(who.data(), 5, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, kBase, 4096),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(read_hint(who.data(), 8, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kBase, 4096),
              CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ManagedHintsTest, UnknownAdviceIsRefused) {
    EXPECT_EQ(hint_advice(kBase, 4096, static_cast<CUmem_advise>(0), kDevice), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(hint_advice(kBase, 4096, static_cast<CUmem_advise>(7), kDevice), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace bitfusion::client
