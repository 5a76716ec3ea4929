#include <cstring>
#include <string>
#include <vector>

#include "device/soft/test_device.h"
#include "device/soft/test_kernels.h"

namespace bitfusion::soft {
namespace {

class LaunchTest : public test::DeviceTest {
  protected:
    void SetUp() override {
        DeviceTest::SetUp();
        ASSERT_EQ(cu.cuModuleLoadData(&module, test::kPtx), CUDA_SUCCESS);
    }

    CUfunction function(const char* name) {
        CUfunction found = nullptr;
        EXPECT_EQ(cu.cuModuleGetFunction(&found, module, name), CUDA_SUCCESS) << name;
        return found;
    }
    CUresult launch(CUfunction kernel, unsigned grid, unsigned block, void** parameters,
                    CUstream stream = nullptr, unsigned shared = 0) {
        return cu.cuLaunchKernel(kernel, grid, 1, 1, block, 1, 1, shared, stream, parameters, nullptr);
    }
    // A context that faults is useless afterwards; each test runs in its own process or resets it.
    void reset() { EXPECT_EQ(cu.cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS); }

    CUmodule module = nullptr;
};

TEST_F(LaunchTest, KernelsRunInStreamOrder) {
    constexpr unsigned kCount = 1000;
    const CUdeviceptr out = allocate(kCount * 4);
    ASSERT_EQ(cu.cuMemsetD32_v2(out, 5, kCount), CUDA_SUCCESS);
    CUdeviceptr address = out;
    unsigned value = 2;
    unsigned count = kCount;
    void* parameters[] = {&address, &value, &count};
    const CUfunction add = function("add");
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(launch(add, 8, 128, parameters), CUDA_SUCCESS);
        // The arguments were copied by the launch.
        value += 1;
    }
    std::vector<uint32_t> back(kCount);
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(back.data(), out, kCount * 4), CUDA_SUCCESS);
    const uint32_t expected = 5 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11;
    for (const uint32_t one : back) ASSERT_EQ(one, expected);
}

TEST_F(LaunchTest, PackedArguments) {
    const CUdeviceptr out = allocate(4);
    size_t bytes = sizeof out;
    CUdeviceptr address = out;
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &address, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     CU_LAUNCH_PARAM_END};
    const CUfunction store = function("store");
    ASSERT_EQ(cu.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra), CUDA_SUCCESS);
    uint32_t value = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&value, out, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 42u);
    bytes = 0;
    EXPECT_EQ(cu.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra),
              CUDA_ERROR_INVALID_VALUE);
    void* parameters[] = {&address};
    bytes = 8;
    EXPECT_EQ(cu.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, extra),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
              CUDA_ERROR_INVALID_VALUE);
}

TEST_F(LaunchTest, LimitsAreTheHardwares) {
    const CUfunction bounded = function("bounded");
    const CUfunction trapping = function("trapping");
    EXPECT_EQ(launch(bounded, 0, 1, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(bounded, 1, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(bounded, 0x80000000u, 1, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuLaunchKernel(bounded, 1, 65536, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(trapping, 1, 1025, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuLaunchKernel(trapping, 1, 1, 1, 1, 1, 65, 0, nullptr, nullptr, nullptr),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(bounded, 1, 65, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(launch(bounded, 1, 64, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(launch(bounded, 1, 64, nullptr, nullptr, 49152), CUDA_SUCCESS);
    EXPECT_EQ(launch(bounded, 1, 64, nullptr, nullptr, 49153), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuFuncSetAttribute(bounded, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 227 * 1024 + 1),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuFuncSetAttribute(bounded, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000),
              CUDA_SUCCESS);
    EXPECT_EQ(launch(bounded, 1, 64, nullptr, nullptr, 100000), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuLaunchCooperativeKernel(bounded, 1 << 20, 1, 1, 64, 1, 1, 0, nullptr, nullptr),
              CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    EXPECT_EQ(
        cu.cuLaunchKernel(reinterpret_cast<CUfunction>(0x77), 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
        CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
}

TEST_F(LaunchTest, FaultsStick) {
    CUdeviceptr nowhere = 0x1000;
    void* parameters[] = {&nowhere};
    const CUstream stream = make_stream();
    const CUdeviceptr memory = allocate(4);
    ASSERT_EQ(launch(function("store"), 1, 1, parameters, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
    CUdeviceptr address = 0;
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(cu.cuMemFree_v2(memory), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    // Another context is not harmed.
    CUcontext other = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v4(&other, nullptr, 0, 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxDestroy_v2(other), CUDA_SUCCESS);
    reset();
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_SUCCESS);
}

TEST_F(LaunchTest, FreedMemoryIsOutOfReach) {
    const CUdeviceptr freed = allocate(4096);
    ASSERT_EQ(cu.cuMemFree_v2(freed), CUDA_SUCCESS);
    CUdeviceptr address = freed;
    void* parameters[] = {&address};
    ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    reset();
}

TEST_F(LaunchTest, OtherFaultsHaveTheirCodes) {
    CUdeviceptr odd = allocate(8) + 1;
    void* parameters[] = {&odd};
    ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_MISALIGNED_ADDRESS);
    reset();
    ASSERT_EQ(cu.cuModuleLoadData(&module, test::kPtx), CUDA_SUCCESS);
    ASSERT_EQ(launch(function("trapping"), 1, 1, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    reset();
}

TEST_F(LaunchTest, HostMemoryIsInReachWhenTheDriverKnowsIt) {
    void* pinned = nullptr;
    ASSERT_EQ(cu.cuMemAllocHost_v2(&pinned, 64), CUDA_SUCCESS);
    std::vector<uint32_t> mine(16);
    ASSERT_EQ(cu.cuMemHostRegister_v2(mine.data(), 64, 0), CUDA_SUCCESS);
    CUdeviceptr managed = 0;
    ASSERT_EQ(cu.cuMemAllocManaged(&managed, 4, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
    for (CUdeviceptr address :
         {reinterpret_cast<CUdeviceptr>(pinned), reinterpret_cast<CUdeviceptr>(mine.data()), managed}) {
        void* parameters[] = {&address};
        ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
        EXPECT_EQ(*reinterpret_cast<uint32_t*>(address), 42u);
    }
    EXPECT_EQ(cu.cuMemHostUnregister(mine.data()), CUDA_SUCCESS);
    uint32_t local = 0;
    CUdeviceptr unknown = reinterpret_cast<CUdeviceptr>(&local);
    void* parameters[] = {&unknown};
    ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(local, 0u);
    reset();
}

TEST_F(LaunchTest, PeerMemoryNeedsPermission) {
    CUcontext other = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&other, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
    CUdeviceptr there = allocate(4);
    ASSERT_EQ(cu.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
    void* parameters[] = {&there};
    ASSERT_EQ(cu.cuCtxEnablePeerAccess(other, 0), CUDA_SUCCESS);
    ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxDisablePeerAccess(other), CUDA_SUCCESS);
    ASSERT_EQ(launch(function("store"), 1, 1, parameters), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    reset();
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
}

TEST_F(LaunchTest, LaunchWithAttributes) {
    CUdeviceptr out = allocate(4);
    void* parameters[] = {&out};
    const CUevent done = make_event(CU_EVENT_DISABLE_TIMING);
    CUlaunchAttribute attributes[3]{};
    attributes[0].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[0].value.programmaticStreamSerializationAllowed = 1;
    attributes[1].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[1].value.clusterDim = {1, 1, 1};
    attributes[2].id = CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT;
    attributes[2].value.launchCompletionEvent.event = done;
    CUlaunchConfig config{};
    config.gridDimX = config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = config.blockDimY = config.blockDimZ = 1;
    config.attrs = attributes;
    config.numAttrs = 3;
    ASSERT_EQ(cu.cuLaunchKernelEx(&config, function("store"), parameters, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventSynchronize(done), CUDA_SUCCESS);
    attributes[1].value.clusterDim = {2, 1, 1};
    EXPECT_EQ(cu.cuLaunchKernelEx(&config, function("store"), parameters, nullptr),
              CUDA_ERROR_INVALID_CLUSTER_SIZE);
}

TEST_F(LaunchTest, Occupancy) {
    const CUfunction add = function("add");
    // Capability 8.9: 1536 threads, 24 blocks and 100 KiB of shared memory, of which each block reserves one.
    int blocks = 0;
    EXPECT_EQ(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 1024, 0), CUDA_SUCCESS);
    EXPECT_EQ(blocks, 1);
    EXPECT_EQ(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 32, 0), CUDA_SUCCESS);
    EXPECT_EQ(blocks, 24);
    EXPECT_EQ(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 32, 48 * 1024), CUDA_SUCCESS);
    EXPECT_EQ(blocks, 2);
    EXPECT_EQ(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 0, 0), CUDA_ERROR_INVALID_VALUE);
    int grid = 0;
    int block = 0;
    EXPECT_EQ(cu.cuOccupancyMaxPotentialBlockSize(&grid, &block, add, nullptr, 0, 0), CUDA_SUCCESS);
    EXPECT_EQ(block, 768);
    EXPECT_EQ(grid, 16);
    size_t shared = 0;
    EXPECT_EQ(cu.cuOccupancyAvailableDynamicSMemPerBlock(&shared, add, 2, 768), CUDA_SUCCESS);
    EXPECT_EQ(shared, 49u * 1024);
    EXPECT_EQ(cu.cuOccupancyAvailableDynamicSMemPerBlock(&shared, add, 2, 1024), CUDA_SUCCESS);
    EXPECT_EQ(shared, 0u) << "two such blocks have more threads than a multiprocessor";
}

TEST_F(LaunchTest, PrintedTextAppearsWhenSynchronising) {
    CUmodule printing = nullptr;
    ASSERT_EQ(cu.cuModuleLoadData(&printing, test::kPrinting), CUDA_SUCCESS);
    CUfunction print = nullptr;
    ASSERT_EQ(cu.cuModuleGetFunction(&print, printing, "print"), CUDA_SUCCESS);
    testing::internal::CaptureStdout();
    for (unsigned value = 1; value <= 3; ++value) {
        void* parameters[] = {&value};
        EXPECT_EQ(launch(print, 1, 1, parameters), CUDA_SUCCESS);
    }
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "value 1\nvalue 2\nvalue 3\n");
}

}  // namespace
}  // namespace bitfusion::soft
