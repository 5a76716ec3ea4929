// Closing: a driver that programs have left in the middle of things ends, and the next one has nothing of it.
#include <gtest/gtest.h>

#include "device/soft/context.h"
#include "device/soft/test_device.h"

namespace bitfusion::soft::test {
namespace {

TEST(Close, TheNextDriverHasNothingOfTheLast) {
    DriverTable& cu = table();
    ASSERT_EQ(cu.cuInit(0), CUDA_SUCCESS);
    CUcontext context = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v4(&context, nullptr, 0, 0), CUDA_SUCCESS);
    CUdeviceptr word = 0;
    CUdeviceptr managed = 0;
    CUstream stream = nullptr;
    CUgraph graph = nullptr;
    CUgraphNode node = nullptr;
    ASSERT_EQ(cu.cuMemAlloc_v2(&word, 4), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemAllocManaged(&managed, 4096, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32_v2(word, 0, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitValue32_v2(stream, word, 1, CU_STREAM_WAIT_VALUE_EQ), CUDA_SUCCESS)
        << "for ever";
    ASSERT_EQ(cu.cuMemsetD32Async(word, 2, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphAddEmptyNode(&node, graph, nullptr, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);

    close_soft_device();
    SoftOptions other;
    other.gpus = 1;
    other.memory_bytes = uint64_t{64} << 20;
    DriverTable made;
    const Status opened = open_soft_device(other, &made);
    ASSERT_TRUE(opened) << opened.error().what;
    ASSERT_EQ(made.cuInit(0), CUDA_SUCCESS);
    int count = 0;
    CUcontext current = context;
    EXPECT_EQ(made.cuDeviceGetCount(&count), CUDA_SUCCESS);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(made.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    EXPECT_EQ(current, nullptr);
    ASSERT_EQ(made.cuDevicePrimaryCtxRetain(&current, 0), CUDA_SUCCESS);
    ASSERT_EQ(made.cuCtxSetCurrent(current), CUDA_SUCCESS);
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(made.cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
    EXPECT_EQ(free, total - kContextBytes);
    EXPECT_EQ(made.cuMemsetD32_v2(word, 0, 1), CUDA_ERROR_INVALID_VALUE) << "memory of the last driver";
    EXPECT_NE(made.cuStreamQuery(stream), CUDA_SUCCESS) << "a stream of the last driver";

    reopen();  // for the tests that follow
}

}  // namespace
}  // namespace bitfusion::soft::test
