// Errors of posted calls, of kernels, and of handles that are gone.
#include <vector>

#include "client/memory_map.h"
#include "conformance/kernels.h"
#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class Errors : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        open_device();
    }
    // Posts a call that the worker refuses: a wait for an event that is gone.
    void post_something_wrong() {
        CUevent event = nullptr;
        CU_OK(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
        CU_OK(client::cuEventDestroy_v2(event));
        CU_OK(client::cuStreamWaitEvent(nullptr, event, 0));
    }
    CUfunction fault_kernel(const char* name) {
        CUfunction found = nullptr;
        EXPECT_EQ(client::cuModuleLoadData(&faults_, conformance::kFaultKernels), CUDA_SUCCESS);
        EXPECT_EQ(client::cuModuleGetFunction(&found, faults_, name), CUDA_SUCCESS);
        return found;
    }
    CUmodule faults_ = nullptr;
};

TEST_F(Errors, AnErrorOfAPostedCallComesOnceAtTheNextSynchronisation) {
    post_something_wrong();
    CU_OK(add_one(memory_, 1, nullptr));
    EXPECT_EQ(client::cuCtxSynchronize(), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
    uint32_t value = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value));
    EXPECT_EQ(value, 1u) << "the calls behind it have run";
}

TEST_F(Errors, AnErrorOfAPostedCallComesWithABlockingCopy) {
    post_something_wrong();
    uint32_t value = 0;
    EXPECT_EQ(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value), CUDA_SUCCESS);
}

TEST_F(Errors, TheFirstOfSeveralIsTold) {
    post_something_wrong();
    CU_OK(client::remote::cuStreamDestroy_v2(
        client::from_wire_name<CUstream>(wire::make_name(wire::Kind::kStream, false, 999))));
    post_something_wrong();
    EXPECT_EQ(client::cuCtxSynchronize(), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
}

TEST_F(Errors, AFaultOfAKernelIsSticky) {
    const CUfunction touch = fault_kernel("touch");
    uint64_t nowhere = 0x40;
    CU_OK(launch(touch, nullptr, {&nowhere}, 1, 1));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(client::cuStreamSynchronize(nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
        EXPECT_EQ(client::cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
        uint32_t value = 0;
        EXPECT_EQ(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value), CUDA_ERROR_ILLEGAL_ADDRESS);
        EXPECT_EQ(client::cuMemcpyHtoD_v2(memory_, &value, sizeof value), CUDA_ERROR_ILLEGAL_ADDRESS);
        EXPECT_EQ(add_one(memory_, 1, nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
        EXPECT_EQ(client::cuStreamQuery(nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
        CUdeviceptr more = 0;
        EXPECT_EQ(client::cuMemAlloc_v2(&more, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    client::cuModuleUnload(faults_);
}

TEST_F(Errors, AFaultIsSeenByAQueryLoop) {
    const CUfunction touch = fault_kernel("touch");
    uint64_t nowhere = 0x40;
    CUevent event = nullptr;
    CU_OK(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    CU_OK(launch(touch, nullptr, {&nowhere}, 1, 1));
    CU_OK(client::cuEventRecord(event, nullptr));
    CUresult state = CUDA_ERROR_NOT_READY;
    while (state == CUDA_ERROR_NOT_READY) {
        std::this_thread::yield();
        state = client::cuEventQuery(event);
    }
    EXPECT_EQ(state, CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(client::cuEventQuery(event), CUDA_ERROR_ILLEGAL_ADDRESS);
    client::cuModuleUnload(faults_);
}

TEST_F(Errors, AHandleThatIsGoneIsInvalid) {
    CUevent event = nullptr;
    CUstream stream = nullptr;
    CU_OK(client::cuEventCreate(&event, 0));
    CU_OK(client::cuStreamCreate(&stream, 0));
    CU_OK(client::cuEventDestroy_v2(event));
    CU_OK(client::cuStreamDestroy_v2(stream));
    EXPECT_EQ(client::cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuEventSynchronize(event), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuEventRecord(event, nullptr), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuEventDestroy_v2(event), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuStreamDestroy_v2(stream), CUDA_ERROR_INVALID_HANDLE);
    CU_OK(client::cuCtxSynchronize());
}

TEST_F(Errors, AModuleThatIsGoneTakesItsFunctionsWithIt) {
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    CU_OK(client::cuModuleLoadData(&module, conformance::kKernels));
    CU_OK(client::cuModuleGetFunction(&function, module, "nothing"));
    CU_OK(launch(function, nullptr, {}));
    CU_OK(client::cuCtxSynchronize());
    CU_OK(client::cuModuleUnload(module));
    EXPECT_EQ(launch(function, nullptr, {}), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuModuleGetFunction(&function, module, "nothing"), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
    CU_OK(client::cuCtxSynchronize());
}

TEST_F(Errors, MemoryThatIsGoneIsInvalid) {
    CUdeviceptr gone = 0;
    CU_OK(client::cuMemAlloc_v2(&gone, 4096));
    CU_OK(client::cuMemFree_v2(gone));
    uint32_t value = 0;
    EXPECT_EQ(client::cuMemFree_v2(gone), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuMemcpyHtoDAsync_v2(gone, &value, sizeof value, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::remote::cuMemsetD8Async(gone, 0, 4096, nullptr) == CUDA_SUCCESS
                  ? client::cuCtxSynchronize()
                  : CUDA_ERROR_INVALID_VALUE,
              CUDA_ERROR_INVALID_VALUE);
    CU_OK(client::cuCtxSynchronize());
}

TEST_F(Errors, AVariableOfAModuleEndsWithIt) {
    CUmodule module = nullptr;
    CUdeviceptr variable = 0;
    size_t bytes = 0;
    CU_OK(client::cuModuleLoadData(&module, conformance::kKernels));
    CU_OK(client::cuModuleGetGlobal_v2(&variable, &bytes, module, "buffer"));
    CU_OK(client::cuModuleUnload(module));
    // Memory that now takes the variable's place is usable from its first to its last byte.
    std::vector<CUdeviceptr> blocks;
    bool covered = false;
    constexpr size_t kBlock = 8u << 20;
    const std::vector<uint8_t> host(kBlock, 1);
    while (!covered && blocks.size() < 40) {
        CUdeviceptr block = 0;
        CU_OK(client::cuMemAlloc_v2(&block, kBlock));
        blocks.push_back(block);
        covered = block <= variable && variable < block + kBlock;
        if (!covered) continue;
        EXPECT_EQ(client::cuMemcpyHtoD_v2(block, host.data(), kBlock), CUDA_SUCCESS);
    }
    EXPECT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
    for (const CUdeviceptr block : blocks) CU_OK(client::cuMemFree_v2(block));
    if (!covered) GTEST_SKIP() << "the driver did not hand the place out again";
}

TEST_F(Errors, MoreThanThePartitionIsOutOfMemory) {
    CUdeviceptr address = 0;
    EXPECT_EQ(client::cuMemAlloc_v2(&address, (kPartitionMib << 20) + 1), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(client::cuMemAlloc_v2(&address, SIZE_MAX), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(client::cuMemAlloc_v2(&address, SIZE_MAX - 511), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(server_->charged(0), kBytes);
    CU_OK(client::cuMemAlloc_v2(&address, (kPartitionMib << 20) - kBytes));
    size_t free = 1;
    size_t total = 0;
    CU_OK(client::cuMemGetInfo_v2(&free, &total));
    EXPECT_EQ(free, 0u);
    EXPECT_EQ(total, kPartitionMib << 20);
    CU_OK(client::cuMemFree_v2(address));
    CU_OK(client::cuMemGetInfo_v2(&free, &total));
    EXPECT_EQ(free, (kPartitionMib << 20) - kBytes);
    EXPECT_EQ(server_->charged(0), kBytes);
}

}  // namespace
}  // namespace bitfusion::session_test
