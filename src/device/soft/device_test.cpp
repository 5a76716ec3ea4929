#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "device/soft/test_device.h"

namespace bitfusion::soft {
namespace {

using test::DeviceTest;
using test::table;

TEST(BeforeInit, OnlyVersionAndErrorsAnswer) {
    test::reopen();
    DriverTable& cu = table();
    int value = 0;
    const char* text = nullptr;
    size_t bytes = 0;
    CUdeviceptr address = 0;
    EXPECT_EQ(cu.cuDriverGetVersion(&value), CUDA_SUCCESS);
    EXPECT_EQ(value, 13000);
    EXPECT_EQ(cu.cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text), CUDA_SUCCESS);
    EXPECT_STREQ(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
    EXPECT_EQ(cu.cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
    EXPECT_STREQ(text, "out of memory");
    EXPECT_EQ(cu.cuGetErrorString(static_cast<CUresult>(12345), &text), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(text, nullptr);
    EXPECT_EQ(cu.cuDeviceGetCount(&value), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cu.cuDeviceGetCount(nullptr), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 1), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cu.cuMemGetInfo_v2(&bytes, &bytes), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cu.cuInit(1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuDeviceGetCount(&value), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cu.cuInit(0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 1), CUDA_ERROR_INVALID_CONTEXT);
}

TEST(Open, OtherOptionsAreRefused) {
    table();
    DriverTable other;
    SoftOptions options;
    options.gpus = 1;
    EXPECT_FALSE(open_soft_device(options, &other));
    EXPECT_EQ(other.cuInit, nullptr);
}

TEST_F(DeviceTest, DevicesAndTheirIdentity) {
    int count = 0;
    ASSERT_EQ(cu.cuDeviceGetCount(&count), CUDA_SUCCESS);
    ASSERT_EQ(count, 2);
    std::set<std::string> uuids;
    std::set<std::string> buses;
    for (int i = 0; i < count; ++i) {
        CUdevice device = -1;
        ASSERT_EQ(cu.cuDeviceGet(&device, i), CUDA_SUCCESS);
        char name[64];
        ASSERT_EQ(cu.cuDeviceGetName(name, sizeof name, device), CUDA_SUCCESS);
        EXPECT_STREQ(name, "bitfusion Software GPU");
        CUuuid uuid;
        ASSERT_EQ(cu.cuDeviceGetUuid_v2(&uuid, device), CUDA_SUCCESS);
        uuids.insert(std::string(uuid.bytes, sizeof uuid.bytes));
        char bus[32];
        ASSERT_EQ(cu.cuDeviceGetPCIBusId(bus, sizeof bus, device), CUDA_SUCCESS);
        buses.insert(bus);
        CUdevice found = -1;
        EXPECT_EQ(cu.cuDeviceGetByPCIBusId(&found, bus), CUDA_SUCCESS);
        EXPECT_EQ(found, device);
        size_t bytes = 0;
        EXPECT_EQ(cu.cuDeviceTotalMem_v2(&bytes, device), CUDA_SUCCESS);
        EXPECT_EQ(bytes, test::kTestMemory);
    }
    EXPECT_EQ(uuids.size(), 2u);
    EXPECT_EQ(buses.size(), 2u);
    CUdevice device = 0;
    EXPECT_EQ(cu.cuDeviceGet(&device, 2), CUDA_ERROR_INVALID_DEVICE);
    EXPECT_EQ(cu.cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
    char small[4];
    EXPECT_EQ(cu.cuDeviceGetName(small, sizeof small, 0), CUDA_SUCCESS);
    EXPECT_STREQ(small, "bit");
}

TEST_F(DeviceTest, EveryAttributeAnswers) {
    for (int i = 1; i < CU_DEVICE_ATTRIBUTE_MAX; ++i) {
        int value = -12345;
        EXPECT_EQ(cu.cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(i), 0), CUDA_SUCCESS) << i;
        EXPECT_NE(value, -12345) << i;
    }
    int value = 0;
    EXPECT_EQ(cu.cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(0), 0),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 7), CUDA_ERROR_INVALID_DEVICE);
    EXPECT_EQ(cu.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0), CUDA_SUCCESS);
    EXPECT_EQ(value, 8);
    EXPECT_EQ(cu.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0),
              CUDA_SUCCESS);
    EXPECT_EQ(value, 99 * 1024);
}

TEST_F(DeviceTest, PrimaryContextCountsItsReferences) {
    unsigned flags = 1;
    int active = 0;
    ASSERT_EQ(cu.cuDevicePrimaryCtxGetState(1, &flags, &active), CUDA_SUCCESS);
    EXPECT_EQ(active, 0);
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_ERROR_INVALID_CONTEXT);
    CUcontext first = nullptr;
    CUcontext second = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&first, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&second, 1), CUDA_SUCCESS);
    EXPECT_EQ(first, second);
    ASSERT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuDevicePrimaryCtxGetState(1, &flags, &active), CUDA_SUCCESS);
    EXPECT_EQ(active, 1);
    ASSERT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuDevicePrimaryCtxGetState(1, &flags, &active), CUDA_SUCCESS);
    EXPECT_EQ(active, 0);
    // Its handle may be current before it is retained again; it just cannot be used yet.
    ASSERT_EQ(cu.cuCtxSetCurrent(first), CUDA_SUCCESS);
    CUdeviceptr address = 0;
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 1), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    CUcontext again = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&again, 1), CUDA_SUCCESS);
    EXPECT_EQ(again, first);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
}

TEST_F(DeviceTest, StackOfCurrentContexts) {
    CUcontext made = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v4(&made, nullptr, 0, 1), CUDA_SUCCESS);
    CUcontext current = nullptr;
    EXPECT_EQ(cu.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    EXPECT_EQ(current, made);
    CUdevice device = -1;
    EXPECT_EQ(cu.cuCtxGetDevice(&device), CUDA_SUCCESS);
    EXPECT_EQ(device, 1);
    unsigned long long ids[2] = {};
    EXPECT_EQ(cu.cuCtxGetId(made, &ids[0]), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxGetId(context, &ids[1]), CUDA_SUCCESS);
    EXPECT_NE(ids[0], ids[1]);
    std::thread([&] {
        CUcontext other = made;
        EXPECT_EQ(cu.cuCtxGetCurrent(&other), CUDA_SUCCESS);
        EXPECT_EQ(other, nullptr);
        EXPECT_EQ(cu.cuCtxPopCurrent_v2(&other), CUDA_ERROR_INVALID_CONTEXT);
        EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
        EXPECT_EQ(cu.cuCtxPushCurrent_v2(made), CUDA_SUCCESS);
        EXPECT_EQ(cu.cuCtxDestroy_v2(made), CUDA_SUCCESS);
    }).join();
    // Still current here, and dead.
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(cu.cuCtxDestroy_v2(made), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cu.cuCtxPopCurrent_v2(&current), CUDA_SUCCESS);
    EXPECT_EQ(current, made);
    EXPECT_EQ(cu.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    EXPECT_EQ(current, context);
    EXPECT_EQ(cu.cuCtxDestroy_v2(context), CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(DeviceTest, Limits) {
    size_t value = 0;
    EXPECT_EQ(cu.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE), CUDA_SUCCESS);
    EXPECT_EQ(value, 1024u);
    EXPECT_EQ(cu.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 5000), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE), CUDA_SUCCESS);
    EXPECT_GE(value, 5000u);
    EXPECT_EQ(cu.cuCtxGetLimit(&value, CU_LIMIT_MAX), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuCtxSetLimit(CU_LIMIT_CIG_ENABLED, 1), CUDA_ERROR_UNSUPPORTED_LIMIT);
    EXPECT_EQ(cu.cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1), CUDA_SUCCESS);
    CUfunc_cache config = CU_FUNC_CACHE_PREFER_NONE;
    EXPECT_EQ(cu.cuCtxGetCacheConfig(&config), CUDA_SUCCESS);
    EXPECT_EQ(config, CU_FUNC_CACHE_PREFER_L1);
}

TEST_F(DeviceTest, EarlierVariants) {
    CUcontext made = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v2(&made, 0, 1), CUDA_SUCCESS);
    CUdevice device = -1;
    EXPECT_EQ(cu.cuCtxGetDevice(&device), CUDA_SUCCESS);
    EXPECT_EQ(device, 1);
    EXPECT_EQ(cu.cuProfilerStart(), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuProfilerStop(), CUDA_SUCCESS);
    const CUstream stream = make_stream();
    ASSERT_EQ(cu.cuStreamBeginCapture(stream), CUDA_SUCCESS);
    CUgraph graph = nullptr;
    ASSERT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    char log[8] = "x";
    CUgraphExec exec = nullptr;
    EXPECT_EQ(cu.cuGraphInstantiate_v2(&exec, graph, nullptr, log, sizeof log), CUDA_SUCCESS);
    EXPECT_STREQ(log, "");
    EXPECT_EQ(cu.cuStreamDestroy(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxDestroy(made), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuProfilerStart(), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuProfilerStart(), CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(DeviceTest, PeerAccess) {
    CUcontext peer = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&peer, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxDisablePeerAccess(peer), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
    EXPECT_EQ(cu.cuCtxEnablePeerAccess(peer, 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxEnablePeerAccess(peer, 0), CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
    EXPECT_EQ(cu.cuCtxDisablePeerAccess(peer), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
