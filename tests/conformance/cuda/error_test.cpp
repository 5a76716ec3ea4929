// cuInit, versions and error texts: cuda.h, "Initialization", "Error Handling".
#include "conformance/child.h"
#include "conformance/target.h"

namespace bitfusion::conformance {

CHILD(error_before_init) {
    int count = 0;
    CUdevice device = 0;
    CUdeviceptr address = 0;
    CUcontext context = nullptr;
    CUstream stream = nullptr;
    int version = 0;
    CU_OK(cuDriverGetVersion, &version);  // needs no cuInit
    EXPECT_GT(version, 0);
    const char* name = nullptr;
    CU_OK(cuGetErrorName, CUDA_ERROR_NOT_INITIALIZED, &name);  // neither does this
    EXPECT_STREQ(name, "CUDA_ERROR_NOT_INITIALIZED");
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount, &count);
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGet, &device, 0);
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuMemAlloc_v2, &address, 16);
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuDevicePrimaryCtxRetain, &context, 0);
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuStreamCreate, &stream, 0);
    CU_IS(CUDA_ERROR_NOT_INITIALIZED, cuCtxSynchronize);
    CU_OK(cuInit, 0);
    CU_OK(cuDeviceGetCount, &count);
    EXPECT_GE(count, 1);
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc_v2, &address, 16);
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuCtxSynchronize);
}

TEST(Error, BeforeInitOnlyVersionAndTextsAnswer) { EXPECT_CHILD(error_before_init); }

TEST(Error, InitTakesNoFlagsAndMayBeRepeated) {
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuInit, 1);
    CU_OK(cuInit, 0);
    CU_OK(cuInit, 0);
}

TEST(Error, DriverVersionIsPlausible) {
    int version = 0;
    CU_OK(cuDriverGetVersion, &version);
    EXPECT_GE(version, 12000);
    EXPECT_LT(version, 100000);
    EXPECT_EQ(version % 10, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDriverGetVersion, nullptr);
}

struct Text {
    CUresult code;
    const char* name;
    const char* string;
};

class ErrorText : public testing::TestWithParam<Text> {};

TEST_P(ErrorText, IsTheDocumentedOne) {
    const char* name = nullptr;
    const char* string = nullptr;
    CU_OK(cuGetErrorName, GetParam().code, &name);
    CU_OK(cuGetErrorString, GetParam().code, &string);
    EXPECT_STREQ(name, GetParam().name);
    EXPECT_STREQ(string, GetParam().string);
}

INSTANTIATE_TEST_SUITE_P(
    Codes, ErrorText,
    testing::Values(Text{CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
                    Text{CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
                    Text{CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
                    Text{CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
                    Text{CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
                    Text{CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
                    Text{CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
                    Text{CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
                    Text{CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
                    Text{CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
                    Text{CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
                    Text{CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
                         "an illegal memory access was encountered"},
                    Text{CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
                    Text{CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
                    Text{CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"}),
    [](const testing::TestParamInfo<Text>& info) { return std::string(info.param.name); });

TEST(Error, UnknownCodeHasNoText) {
    const char* text = "unchanged";
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGetErrorName, static_cast<CUresult>(1000), &text);
    EXPECT_EQ(text, nullptr);
    text = "unchanged";
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGetErrorString, static_cast<CUresult>(1000), &text);
    EXPECT_EQ(text, nullptr);
}

}  // namespace bitfusion::conformance
