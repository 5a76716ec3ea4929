// What a process takes of a GPU, against a driver that says what the test tells it to.
#include "worker/overhead.h"

#include <gtest/gtest.h>

namespace bitfusion::worker {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kBase = 0x2b0000000000;
constexpr uint64_t kContext = 1;

// What the fake driver answers; its functions have no room for a this.
struct Answers {
    uint64_t pool_reserved = 0;
    uint64_t graph_reserved = 0;
    int local_bytes = 0;
    int trimmed = 0;
    uint64_t given_back = 0;  // by a trim
    uint64_t taken = 0;       // by the process, in all
};
Answers g_answers;

CUmemoryPool pool() { return reinterpret_cast<CUmemoryPool>(uintptr_t{16}); }

class OverheadTest : public testing::Test {
  protected:
    void SetUp() override {
        g_answers = {};
        driver_.cuMemPoolGetAttribute = [](CUmemoryPool, CUmemPool_attribute, void* value) {
            *static_cast<uint64_t*>(value) = g_answers.pool_reserved;
            return CUDA_SUCCESS;
        };
        driver_.cuMemPoolTrimTo = [](CUmemoryPool, size_t) {
            ++g_answers.trimmed;
            g_answers.taken -= g_answers.given_back;
            g_answers.pool_reserved -= g_answers.given_back;
            g_answers.given_back = 0;
            return CUDA_SUCCESS;
        };
        driver_.cuDeviceGetGraphMemAttribute = [](CUdevice, CUgraphMem_attribute, void* value) {
            *static_cast<uint64_t*>(value) = g_answers.graph_reserved;
            return CUDA_SUCCESS;
        };
        driver_.cuDeviceGetAttribute = [](int* value, CUdevice_attribute a, CUdevice) {
            *value = a == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT ? 8 : 1024;
            return CUDA_SUCCESS;
        };
        driver_.cuFuncGetAttribute = [](int* value, CUfunction_attribute, CUfunction) {
            *value = g_answers.local_bytes;
            return CUDA_SUCCESS;
        };
        memory_.open(&usage_, 1000 * kMiB);
        overhead_.count({0}, [this](int) {
            ++looks_;
            return says_ ? std::optional<uint64_t>(g_answers.taken) : std::nullopt;
        });
    }
    // As a call that allocates does it.
    bool allocate(uint64_t mib, uint64_t at, bool pooled = false) {
        MemoryTable::Range range{mib * kMiB, 0, mib * kMiB, kContext};
        range.pooled = pooled;
        if (!(pooled ? memory_.charge_pooled(0, range.charged) : memory_.charge(0, range.charged)))
            return false;
        memory_.add(kBase + at, range);
        return true;
    }
    uint64_t used_mib() const { return usage_.bytes[0].load() / kMiB; }

    Usage usage_{};
    MemoryTable memory_;
    DriverTable driver_;
    int looks_ = 0;
    bool says_ = true;
    Overhead overhead_{&driver_, &memory_};
};

TEST_F(OverheadTest, AContextCountsAgainstThePartition) {
    g_answers.taken = 500 * kMiB;
    EXPECT_TRUE(overhead_.fits(0));
    EXPECT_EQ(used_mib(), 500u);
    EXPECT_FALSE(allocate(501, 0));
    EXPECT_TRUE(allocate(500, 0));
    EXPECT_EQ(used_mib(), 1000u);
}

TEST_F(OverheadTest, OneThatIsTooLargeDoesNotFit) {
    g_answers.taken = 1001 * kMiB;
    EXPECT_FALSE(overhead_.fits(0));
    g_answers.taken = 0;
    EXPECT_TRUE(overhead_.fits(0)) << "it has been given back";
    EXPECT_EQ(used_mib(), 0u);
}

TEST_F(OverheadTest, WhatCallsAllocatedCountsOnce) {
    g_answers.taken = 100 * kMiB;
    ASSERT_TRUE(allocate(300, 0));
    g_answers.taken = 402 * kMiB;  // with a granule of 2 MiB
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 402u);
    memory_.remove(kBase);
    g_answers.taken = 100 * kMiB;
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 100u);
}

TEST_F(OverheadTest, ManagedMemoryIsInNoList) {
    MemoryTable::Range range{200 * kMiB, 0, 200 * kMiB, kContext};
    range.managed = true;
    ASSERT_TRUE(memory_.charge(0, range.charged));
    memory_.add(kBase, range);
    g_answers.taken = 100 * kMiB;
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 300u);
}

TEST_F(OverheadTest, AGraphsMemoryCountsBeforeItIsTaken) {
    MemoryTable::Range range{200 * kMiB, 0, 200 * kMiB, 0, false};
    range.of_graph = true;
    ASSERT_TRUE(memory_.charge(0, range.charged));
    memory_.add(kBase, range);
    g_answers.taken = 100 * kMiB;
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 300u);
    g_answers.taken = 300 * kMiB;  // launched
    g_answers.graph_reserved = 200 * kMiB;
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 300u);
}

TEST_F(OverheadTest, WhatAPoolKeepsIsUsedAgain) {
    overhead_.uses_pool(0, pool());
    ASSERT_TRUE(allocate(800, 0, true));
    g_answers.taken = g_answers.pool_reserved = 800 * kMiB;
    memory_.remove(kBase);
    overhead_.changed(0);
    EXPECT_TRUE(allocate(800, 0, true)) << "the pool has kept as much";
    EXPECT_EQ(used_mib(), 800u);
    EXPECT_EQ(g_answers.trimmed, 0);
}

TEST_F(OverheadTest, WhatAPoolKeepsIsTakenBackForOthers) {
    overhead_.uses_pool(0, pool());
    g_answers.taken = g_answers.pool_reserved = g_answers.given_back = 800 * kMiB;
    overhead_.look(0);
    EXPECT_EQ(used_mib(), 800u);
    EXPECT_TRUE(allocate(900, 0));
    EXPECT_EQ(g_answers.trimmed, 1);
    EXPECT_EQ(used_mib(), 900u);
}

TEST_F(OverheadTest, PoolsThatEndedAreNotAsked) {
    overhead_.uses_pool(0, pool());
    overhead_.forget_pools();
    EXPECT_FALSE(allocate(1001, 0));
    EXPECT_EQ(g_answers.trimmed, 0);
}

TEST_F(OverheadTest, LocalMemoryIsRefusedBeforeItIsTaken) {
    g_answers.taken = 100 * kMiB;
    g_answers.local_bytes = 1024 + 120000;  // for 8192 threads: 937.5 MiB more than a new context has
    EXPECT_EQ(overhead_.may_launch(0, kContext, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
    g_answers.local_bytes = 1024 + 100000;
    EXPECT_EQ(overhead_.may_launch(0, kContext, nullptr), CUDA_SUCCESS);
    g_answers.taken += 8192 * 100000;
    const int looks = looks_;
    EXPECT_EQ(overhead_.may_launch(0, kContext, nullptr), CUDA_SUCCESS) << "it is there";
    EXPECT_EQ(looks_, looks);
    EXPECT_EQ(overhead_.may_launch(0, kContext + 1, nullptr), CUDA_ERROR_OUT_OF_MEMORY) << "of its own";
}

TEST_F(OverheadTest, StacksAreRefusedBeforeTheyAreTaken) {
    EXPECT_EQ(overhead_.may_stack(0, kContext, UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(overhead_.may_stack(0, kContext, 200000), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(overhead_.may_stack(0, kContext, 64 << 10), CUDA_SUCCESS);
    EXPECT_EQ(overhead_.may_stack(0, kContext, 1024), CUDA_SUCCESS);
    g_answers.taken = 900 * kMiB;
    EXPECT_EQ(overhead_.may_stack(0, kContext, 64 << 10), CUDA_ERROR_OUT_OF_MEMORY) << "it was given back";
}

TEST_F(OverheadTest, AHeapIsRefusedBeforeAKernelNeedsIt) {
    g_answers.taken = 600 * kMiB;
    EXPECT_EQ(overhead_.may_grow(0, 401 * kMiB), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(overhead_.may_grow(0, UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(overhead_.may_grow(0, 400 * kMiB), CUDA_SUCCESS);
}

TEST_F(OverheadTest, ManySmallAllocationsAskRarely) {
    overhead_.changed(0);
    ASSERT_TRUE(allocate(1, 0));
    const int looks = looks_;
    for (uint64_t i = 1; i < 50; ++i) {
        ASSERT_TRUE(allocate(1, i * kMiB));
        if (i % 2 == 0) overhead_.look(0);  // asked for by the program: nothing is stale
    }
    EXPECT_LE(looks_ - looks, 25);
}

TEST_F(OverheadTest, ADriverThatSaysNothingChangesNothing) {
    g_answers.taken = 300 * kMiB;
    overhead_.look(0);
    says_ = false;
    g_answers.taken = 0;
    EXPECT_TRUE(overhead_.fits(0));
    EXPECT_EQ(used_mib(), 300u);
}

TEST_F(OverheadTest, EndsWithTheSession) {
    Usage usage{};
    MemoryTable memory;
    memory.open(&usage, 1000 * kMiB);
    {
        Overhead overhead(&driver_, &memory);
        overhead.count({0}, [](int) { return std::optional<uint64_t>(100 * kMiB); });
        overhead.look(0);
        EXPECT_EQ(usage.bytes[0].load(), 100 * kMiB);
        EXPECT_EQ(usage.slots[0].bytes[0].load(), 100 * kMiB);
    }
    EXPECT_EQ(usage.bytes[0].load(), 0u);
    EXPECT_EQ(usage.slots[0].bytes[0].load(), 0u);
}

}  // namespace
}  // namespace bitfusion::worker
