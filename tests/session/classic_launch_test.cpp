// The calls of CUDA 2 and 3 that are kept for old programs: launches by setting, uses of contexts.
#include <array>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class ClassicLaunchTest : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        connect();
        open_device();
    }
    uint32_t word(size_t index) {
        uint32_t value = 0;
        EXPECT_EQ(client::cuMemcpyDtoH_v2(&value, memory_ + 4 * index, sizeof value), CUDA_SUCCESS);
        return value;
    }
};

TEST_F(ClassicLaunchTest, LaunchesWhatWasSet) {
    CU_OK(client::cuFuncSetBlockShape(add_one_, 32, 1, 1));
    CU_OK(client::cuFuncSetSharedSize(add_one_, 0));
    CU_OK(client::cuParamSetv(add_one_, 0, &memory_, sizeof memory_));
    CU_OK(client::cuParamSeti(add_one_, 8, 100));
    CU_OK(client::cuParamSetSize(add_one_, 12));
    CU_OK(client::cuLaunchGrid(add_one_, 4, 1));
    EXPECT_EQ(word(99), 1u);
    EXPECT_EQ(word(100), 0u);
    CU_OK(client::cuLaunch(add_one_));
    EXPECT_EQ(word(31), 2u);
    EXPECT_EQ(word(32), 1u);
    CUstream stream = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CU_OK(client::cuLaunchGridAsync(add_one_, 4, 1, stream));
    CU_OK(client::cuStreamSynchronize(stream));
    EXPECT_EQ(word(99), 2u);
    CU_OK(client::cuStreamDestroy_v2(stream));
}

TEST_F(ClassicLaunchTest, ChecksWhatIsSet) {
    float value = 1;
    EXPECT_EQ(client::cuFuncSetBlockShape(add_one_, 0, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuFuncSetBlockShape(nullptr, 1, 1, 1), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuParamSetf(add_one_, -4, value), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuParamSetv(add_one_, 65536, &value, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuParamSetv(add_one_, 0, nullptr, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuParamSetSize(add_one_, 65537), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuLaunchGrid(add_one_, 0, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuParamSetTexRef(add_one_, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ClassicLaunchTest, CooperativeLaunchesOfOneDeviceAreLaunches) {
    CUstream stream = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    unsigned count = 50;
    std::array<void*, 2> arguments{&memory_, &count};
    std::array<CUDA_LAUNCH_PARAMS, 2> launches{};
    launches[0] = {add_one_, 2, 1, 1, 32, 1, 1, 0, stream, arguments.data()};
    launches[1] = launches[0];
    CU_OK(client::cuLaunchCooperativeKernelMultiDevice(launches.data(), 1, 0));
    CU_OK(client::cuStreamSynchronize(stream));
    EXPECT_EQ(word(49), 1u);
    EXPECT_EQ(client::cuLaunchCooperativeKernelMultiDevice(launches.data(), 2, 0), CUDA_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(client::cuLaunchCooperativeKernelMultiDevice(launches.data(), 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client::cuLaunchCooperativeKernelMultiDevice(launches.data(), 1, 4), CUDA_ERROR_INVALID_VALUE);
    launches[0].hStream = nullptr;
    EXPECT_EQ(client::cuLaunchCooperativeKernelMultiDevice(launches.data(), 1, 0), CUDA_ERROR_INVALID_VALUE);
    CU_OK(client::cuStreamDestroy_v2(stream));
}

TEST_F(ClassicLaunchTest, AContextLivesUntilItsLastUserDetaches) {
    CUcontext made = nullptr;
    CUcontext attached = nullptr;
    CU_OK(client::cuCtxCreate_v2(&made, 0, 0));
    CU_OK(client::cuCtxAttach(&attached, 0));
    EXPECT_EQ(attached, made);
    EXPECT_EQ(client::cuCtxAttach(&attached, 1), CUDA_ERROR_INVALID_VALUE);
    CU_OK(client::cuCtxDetach(made));
    CU_OK(client::cuCtxSynchronize());
    CU_OK(client::cuCtxDetach(made));
    EXPECT_EQ(client::cuCtxDetach(made), CUDA_ERROR_INVALID_CONTEXT);
    CU_OK(client::cuCtxSetCurrent(context_));
}

TEST_F(ClassicLaunchTest, ThereAreNoUnifiedFunctions) {
    CUlibrary library = nullptr;
    void* function = nullptr;
    EXPECT_EQ(client::cuLibraryGetUnifiedFunction(&function, library, "add_one"), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client::cuLibraryGetUnifiedFunction(nullptr, library, "add_one"), CUDA_ERROR_INVALID_VALUE);
    int value = 9;
    CU_OK(client::cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_UNIFIED_FUNCTION_POINTERS, 0));
    EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace bitfusion::session_test
