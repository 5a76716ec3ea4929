// The numbers of NVIDIA's table, of capabilities that differ from their neighbours.
#include "device/soft/multiprocessor.h"

#include <gtest/gtest.h>

namespace bitfusion::soft {
namespace {

TEST(Multiprocessor, HasWhatTheTableSays) {
    constexpr uint32_t kKib = 1024;
    EXPECT_EQ(multiprocessor_of(5, 2), (Multiprocessor{2048, 32, 96 * kKib, 48 * kKib, 0}));
    EXPECT_EQ(multiprocessor_of(7, 0), (Multiprocessor{2048, 32, 96 * kKib, 96 * kKib, 0}));
    EXPECT_EQ(multiprocessor_of(7, 5), (Multiprocessor{1024, 16, 64 * kKib, 64 * kKib, 0}));
    EXPECT_EQ(multiprocessor_of(8, 0), (Multiprocessor{2048, 32, 164 * kKib, 163 * kKib, kKib}));
    EXPECT_EQ(multiprocessor_of(8, 6), (Multiprocessor{1536, 16, 100 * kKib, 99 * kKib, kKib}));
    EXPECT_EQ(multiprocessor_of(8, 9), (Multiprocessor{1536, 24, 100 * kKib, 99 * kKib, kKib}));
    EXPECT_EQ(multiprocessor_of(9, 0), (Multiprocessor{2048, 32, 228 * kKib, 227 * kKib, kKib}));
    EXPECT_EQ(multiprocessor_of(10, 0), (Multiprocessor{2048, 32, 228 * kKib, 227 * kKib, kKib}));
    EXPECT_EQ(multiprocessor_of(12, 0), (Multiprocessor{1536, 24, 100 * kKib, 99 * kKib, kKib}));
}

TEST(Multiprocessor, OneThatIsNotListedIsLikeTheOneBefore) {
    EXPECT_EQ(multiprocessor_of(7, 2), multiprocessor_of(7, 0));
    EXPECT_EQ(multiprocessor_of(10, 3), multiprocessor_of(10, 0));
    EXPECT_EQ(multiprocessor_of(12, 1), multiprocessor_of(12, 0));
}

}  // namespace
}  // namespace bitfusion::soft
