// Entry points by name: cuda.h, "Driver Entry Point Access".
#include "conformance/target.h"

namespace bitfusion::conformance {

class Entry : public testing::Test {
  protected:
    void SetUp() override { ASSERT_EQ(CU_CALL(cuInit, 0), CUDA_SUCCESS); }
};

TEST_F(Entry, FindsFunctionsByBaseNameAndVersion) {
    void* function = nullptr;
    CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    CU_OK(cuGetProcAddress_v2, "cuMemAlloc", &function, 13000, CU_GET_PROC_ADDRESS_DEFAULT, &status);
    EXPECT_NE(function, nullptr);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SUCCESS);

    function = nullptr;
    CU_OK(cuGetProcAddress_v2, "cuDriverGetVersion", &function, 12000, CU_GET_PROC_ADDRESS_DEFAULT, nullptr);
    ASSERT_NE(function, nullptr);
    int direct = 0;
    int found = 0;
    CU_OK(cuDriverGetVersion, &direct);
    ASSERT_EQ(reinterpret_cast<CUresult (*)(int*)>(function)(&found), CUDA_SUCCESS);
    EXPECT_EQ(found, direct);
}

TEST_F(Entry, UnknownAndTooNewNamesAreNull) {
    void* function = &function;
    CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
    CU_OK(cuGetProcAddress_v2, "cuNoSuchFunction", &function, 13000, CU_GET_PROC_ADDRESS_DEFAULT, &status);
    EXPECT_EQ(function, nullptr);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
    function = &function;
    CU_OK(cuGetProcAddress_v2, "cuLibraryLoadData", &function, 11000, CU_GET_PROC_ADDRESS_DEFAULT, &status);
    EXPECT_EQ(function, nullptr);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
}

TEST_F(Entry, PerThreadVariantsAreOtherFunctions) {
    void* legacy = nullptr;
    void* per_thread = nullptr;
    CU_OK(cuGetProcAddress_v2, "cuLaunchKernel", &legacy, 13000, CU_GET_PROC_ADDRESS_LEGACY_STREAM, nullptr);
    CU_OK(cuGetProcAddress_v2, "cuLaunchKernel", &per_thread, 13000,
          CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, nullptr);
    EXPECT_NE(legacy, nullptr);
    EXPECT_NE(per_thread, nullptr);
    EXPECT_NE(legacy, per_thread);
    void* same = nullptr;
    CU_OK(cuGetProcAddress_v2, "cuMemAlloc", &legacy, 13000, CU_GET_PROC_ADDRESS_LEGACY_STREAM, nullptr);
    CU_OK(cuGetProcAddress_v2, "cuMemAlloc", &same, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM,
          nullptr);
    EXPECT_EQ(legacy, same);
}

TEST_F(Entry, RefusesBadArguments) {
    void* function = nullptr;
    // Null pointers are not tried: NVIDIA's driver (580.159) follows them.
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGetProcAddress_v2, "cuInit", &function, 13000, 64, nullptr);
}

}  // namespace bitfusion::conformance
