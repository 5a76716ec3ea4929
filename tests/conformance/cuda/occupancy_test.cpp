// Occupancy: cuda.h, "Occupancy".
#include <algorithm>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class Occupancy : public WithKernels {};

TEST_F(Occupancy, BlocksPerMultiprocessorAreWithinTheLimits) {
    const CUfunction nothing = kernel("nothing");
    const int threads = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
    const int most = attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
    for (const int block : {32, 64, 128, 256, 512, 1024}) {
        int blocks = 0;
        CU_OK(cuOccupancyMaxActiveBlocksPerMultiprocessor, &blocks, nothing, block, 0);
        EXPECT_EQ(blocks, std::min(threads / block, most))
            << "an empty kernel is limited by threads and blocks only";
        int with_flags = 0;
        CU_OK(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, &with_flags, nothing, block, 0, 0);
        EXPECT_EQ(with_flags, blocks);
    }
}

TEST_F(Occupancy, SharedMemoryLimitsBlocks) {
    const CUfunction reverse = kernel("reverse");
    int plain = 0;
    int heavy = 0;
    CU_OK(cuOccupancyMaxActiveBlocksPerMultiprocessor, &plain, reverse, 32, 0);
    CU_OK(cuOccupancyMaxActiveBlocksPerMultiprocessor, &heavy, reverse, 32, 48 * 1024);
    EXPECT_GE(heavy, 1);
    EXPECT_LT(heavy, plain);
    EXPECT_LE(heavy, attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / (48 * 1024));
}

TEST_F(Occupancy, PotentialBlockSizeIsLaunchable) {
    int grid = 0;
    int block = 0;
    CU_OK(cuOccupancyMaxPotentialBlockSize, &grid, &block, kernel("iota"), nullptr, 0, 0);
    EXPECT_GE(block, 32);
    EXPECT_LE(block, 1024);
    EXPECT_EQ(block % 32, 0);
    EXPECT_GE(grid, attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));

    CU_OK(cuOccupancyMaxPotentialBlockSize, &grid, &block, kernel("iota"), nullptr, 0, 96);
    EXPECT_LE(block, 96);

    const CUoccupancyB2DSize per_thread = [](int threads) { return static_cast<std::size_t>(threads) * 4; };
    CU_OK(cuOccupancyMaxPotentialBlockSize, &grid, &block, kernel("reverse"), per_thread, 0, 0);
    EXPECT_GE(block, 32);
    EXPECT_LE(block, 1024);
}

TEST_F(Occupancy, AvailableSharedMemoryFits) {
    std::size_t bytes = 0;
    CU_OK(cuOccupancyAvailableDynamicSMemPerBlock, &bytes, kernel("reverse"), 1, 128);
    EXPECT_GE(bytes, std::size_t{48} * 1024);
    std::size_t shared_by_four = 0;
    CU_OK(cuOccupancyAvailableDynamicSMemPerBlock, &shared_by_four, kernel("reverse"), 4, 128);
    EXPECT_LE(shared_by_four, bytes);
    EXPECT_GT(shared_by_four, 0u);
}

TEST_F(Occupancy, RefusesBadArguments) {
    int blocks = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuOccupancyMaxActiveBlocksPerMultiprocessor, nullptr, kernel("nothing"),
          32, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuOccupancyMaxActiveBlocksPerMultiprocessor, &blocks, kernel("nothing"),
          0, 0);
}

TEST_F(Occupancy, FlagsDoNotChangeWhatNeedsNoCaching) {
    int grid = 0;
    int block = 0;
    int flagged_grid = 0;
    int flagged_block = 0;
    const CUfunction function = kernel("iota");
    CU_OK(cuOccupancyMaxPotentialBlockSize, &grid, &block, function, nullptr, size_t{0}, 0);
    CU_OK(cuOccupancyMaxPotentialBlockSizeWithFlags, &flagged_grid, &flagged_block, function, nullptr,
          size_t{0}, 0, CU_OCCUPANCY_DEFAULT);
    EXPECT_EQ(grid, flagged_grid);
    EXPECT_EQ(block, flagged_block);
}

TEST_F(Occupancy, ClustersFitTheDevice) {
    if (attribute(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH) == 0) GTEST_SKIP() << "the device has no clusters";
    CUlaunchAttribute cluster{};
    cluster.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    cluster.value.clusterDim = {1, 1, 1};
    CUlaunchConfig config{};
    config.gridDimX = 8;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = 128;
    config.blockDimY = config.blockDimZ = 1;
    int size = 0;
    CU_OK(cuOccupancyMaxPotentialClusterSize, &size, kernel("iota"), &config);
    EXPECT_GE(size, 1);
    config.attrs = &cluster;
    config.numAttrs = 1;
    int count = 0;
    CU_OK(cuOccupancyMaxActiveClusters, &count, kernel("iota"), &config);
    EXPECT_GE(count, 1);
}

}  // namespace bitfusion::conformance
