// Primary contexts, created contexts and the stack of current contexts: cuda.h, "Primary Context Management",
// "Context Management".
#include <thread>

#include "conformance/child.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

CHILD(context_primary_life) {
    CU_OK(cuInit, 0);
    unsigned flags = 99;
    int active = 99;
    CU_OK(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(flags, 0u);
    EXPECT_EQ(active, 0);

    CU_OK(cuDevicePrimaryCtxSetFlags_v2, 0, CU_CTX_SCHED_YIELD);
    CU_OK(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(flags & CU_CTX_SCHED_MASK, static_cast<unsigned>(CU_CTX_SCHED_YIELD));

    CUcontext first = nullptr;
    CUcontext second = nullptr;
    CU_OK(cuDevicePrimaryCtxRetain, &first, 0);
    CU_OK(cuDevicePrimaryCtxRetain, &second, 0);
    EXPECT_EQ(first, second);
    CUcontext current = first;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, nullptr) << "retaining must not make the context current";
    CU_OK(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(active, 1);
    CU_OK(cuDevicePrimaryCtxRelease_v2, 0);
    CU_OK(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(active, 1);
    CU_OK(cuDevicePrimaryCtxRelease_v2, 0);
    CU_OK(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(active, 0);
}

TEST(Context, PrimaryIsActiveWhileRetained) { EXPECT_CHILD(context_primary_life); }

CHILD(context_primary_reset) {
    CU_OK(cuInit, 0);
    CUcontext context = nullptr;
    CU_OK(cuDevicePrimaryCtxRetain, &context, 0);
    CU_OK(cuCtxSetCurrent, context);
    std::size_t before = 0;
    std::size_t after = 0;
    std::size_t total = 0;
    CU_OK(cuMemGetInfo_v2, &before, &total);
    CUdeviceptr address = 0;
    CU_OK(cuMemAlloc_v2, &address, std::size_t{32} << 20);
    CU_OK(cuDevicePrimaryCtxReset_v2, 0);
    CU_OK(cuDevicePrimaryCtxRetain, &context, 0);
    CU_OK(cuCtxSetCurrent, context);
    CU_OK(cuMemGetInfo_v2, &after, &total);
    EXPECT_GT(after + (std::size_t{32} << 20), before) << "reset must free the memory of the context";
    CU_OK(cuMemAlloc_v2, &address, 1024);
    CU_OK(cuMemFree_v2, address);
}

TEST(Context, ResetFreesEverythingAndTheContextCanComeBack) { EXPECT_CHILD(context_primary_reset); }

class ContextStack : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        if (HasFatalFailure()) return;
        // Each test begins with an empty stack: setting nullptr removes the top, which is all there is.
        ASSERT_EQ(CU_CALL(cuCtxSetCurrent, nullptr), CUDA_SUCCESS);
    }
};

TEST_F(ContextStack, NoContextIsAnAnswerNotAnError) {
    CUcontext current = context_;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, nullptr);
    CUdevice device = 0;
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuCtxGetDevice, &device);
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuCtxSynchronize);
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc_v2, &address, 16);
    CUstream stream = nullptr;
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuStreamCreate, &stream, 0);
    CUcontext popped = nullptr;
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuCtxPopCurrent_v2, &popped);
}

TEST_F(ContextStack, PushPopAndSetFollowTheStack) {
    CUcontext created = nullptr;
    CU_OK(cuCtxCreate_v4, &created, nullptr, 0, device_);
    CUcontext current = nullptr;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, created) << "a new context is pushed";

    CU_OK(cuCtxPushCurrent_v2, context_);
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, context_);
    CU_OK(cuCtxPushCurrent_v2, context_);
    CUcontext popped = nullptr;
    CU_OK(cuCtxPopCurrent_v2, &popped);
    EXPECT_EQ(popped, context_);
    CU_OK(cuCtxPopCurrent_v2, &popped);
    EXPECT_EQ(popped, context_);
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, created);

    CU_OK(cuCtxSetCurrent, context_);  // replaces the top
    CU_OK(cuCtxPopCurrent_v2, &popped);
    EXPECT_EQ(popped, context_);
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, nullptr);
    CU_OK(cuCtxDestroy_v2, created);
}

TEST_F(ContextStack, DestroyingTheCurrentContextLeavesNone) {
    CUcontext created = nullptr;
    CU_OK(cuCtxCreate_v4, &created, nullptr, CU_CTX_SCHED_AUTO, device_);
    CU_OK(cuCtxDestroy_v2, created);
    CUcontext current = created;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, nullptr);
}

TEST_F(ContextStack, DestroyFreesTheMemoryOfTheContext) {
    CU_OK(cuCtxSetCurrent, context_);
    std::size_t before = 0;
    std::size_t after = 0;
    std::size_t total = 0;
    CU_OK(cuMemGetInfo_v2, &before, &total);
    constexpr std::size_t kBytes = std::size_t{64} << 20;
    CUcontext created = nullptr;
    CU_OK(cuCtxCreate_v4, &created, nullptr, 0, device_);
    CUdeviceptr address = 0;
    CU_OK(cuMemAlloc_v2, &address, kBytes);
    CU_OK(cuCtxDestroy_v2, created);
    CU_OK(cuCtxSetCurrent, context_);
    CU_OK(cuMemGetInfo_v2, &after, &total);
    EXPECT_GT(after + kBytes, before);
}

TEST_F(ContextStack, EachThreadHasItsOwn) {
    CU_OK(cuCtxSetCurrent, context_);
    CUcontext seen = context_;
    CUcontext set = nullptr;
    std::thread other([&] {
        EXPECT_EQ(CU_CALL(cuCtxGetCurrent, &seen), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuCtxSetCurrent, context_), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuCtxGetCurrent, &set), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuCtxSetCurrent, nullptr), CUDA_SUCCESS);
    });
    other.join();
    EXPECT_EQ(seen, nullptr);
    EXPECT_EQ(set, context_);
    CUcontext current = nullptr;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, context_);
}

class ContextState : public OnDevice {};

TEST_F(ContextState, DeviceIdVersionAndFlags) {
    CUdevice device = -1;
    CU_OK(cuCtxGetDevice, &device);
    EXPECT_EQ(device, device_);
    unsigned version = 0;
    CU_OK(cuCtxGetApiVersion, context_, &version);
    EXPECT_GE(version, 3000u);

    CUcontext created = nullptr;
    CU_OK(cuCtxCreate_v4, &created, nullptr, CU_CTX_SCHED_BLOCKING_SYNC, device_);
    unsigned flags = 0;
    CU_OK(cuCtxGetFlags, &flags);
    EXPECT_EQ(flags & CU_CTX_SCHED_MASK, static_cast<unsigned>(CU_CTX_SCHED_BLOCKING_SYNC));
    unsigned long long first = 0;
    unsigned long long second = 0;
    CU_OK(cuCtxGetId, context_, &first);
    CU_OK(cuCtxGetId, created, &second);
    EXPECT_NE(first, second);
    CU_OK(cuCtxDestroy_v2, created);
}

TEST_F(ContextState, LimitsCanBeReadAndRaised) {
    std::size_t stack = 0;
    CU_OK(cuCtxGetLimit, &stack, CU_LIMIT_STACK_SIZE);
    EXPECT_GE(stack, 512u);
    std::size_t heap = 0;
    CU_OK(cuCtxGetLimit, &heap, CU_LIMIT_MALLOC_HEAP_SIZE);
    EXPECT_GE(heap, std::size_t{1} << 20);
    CU_OK(cuCtxSetLimit, CU_LIMIT_STACK_SIZE, stack + 1024);
    std::size_t raised = 0;
    CU_OK(cuCtxGetLimit, &raised, CU_LIMIT_STACK_SIZE);
    EXPECT_GE(raised, stack + 1024);
    CU_OK(cuCtxSetLimit, CU_LIMIT_STACK_SIZE, stack);
    std::size_t value = 0;
    CU_IS_ONE_OF(CUDA_ERROR_UNSUPPORTED_LIMIT, CUDA_ERROR_INVALID_VALUE, cuCtxGetLimit, &value, CU_LIMIT_MAX);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuCtxGetLimit, nullptr, CU_LIMIT_STACK_SIZE);
}

TEST_F(ContextState, PriorityRangeAndCacheConfig) {
    int least = -1;
    int greatest = 1;
    CU_OK(cuCtxGetStreamPriorityRange, &least, &greatest);
    EXPECT_EQ(least, 0);
    EXPECT_LE(greatest, 0);
    CUfunc_cache config = CU_FUNC_CACHE_PREFER_L1;
    CU_OK(cuCtxGetCacheConfig, &config);
    EXPECT_GE(static_cast<int>(config), 0);
    CU_OK(cuCtxSetCacheConfig, CU_FUNC_CACHE_PREFER_SHARED);
    CU_OK(cuCtxSetCacheConfig, config);
}

TEST_F(ContextState, CreateRefusesBadArguments) {
    CUcontext created = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuCtxCreate_v4, nullptr, nullptr, 0, device_);
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuCtxCreate_v4, &created, nullptr, 0, 9999);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuCtxCreate_v4, &created, nullptr, 0xFFFF0000u, device_);
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDevicePrimaryCtxRetain, &created, 9999);
}

TEST_F(ContextState, CallsThatNameTheirContext) {
    CUdevice device = -1;
    CU_OK(cuCtxGetDevice_v2, &device, context_);
    EXPECT_EQ(device, device_);
    CU_OK(cuCtxSynchronize_v2, context_);
    CU_OK(cuCtxSynchronize_v2, nullptr);  // the current one
    CUcontext created = nullptr;
    CU_OK(cuCtxCreate_v4, &created, nullptr, 0, device_);
    CU_OK(cuCtxSetFlags, CU_CTX_SCHED_YIELD);
    unsigned flags = 0;
    CU_OK(cuCtxGetFlags, &flags);
    EXPECT_EQ(flags & CU_CTX_SCHED_MASK, static_cast<unsigned>(CU_CTX_SCHED_YIELD));
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuCtxSetFlags, 0xff00u);
    CU_OK(cuCtxDestroy_v2, created);
}

}  // namespace bitfusion::conformance
