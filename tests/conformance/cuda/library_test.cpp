// Libraries and kernels, which are loaded without a context: cuda.h, "Library Management".
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "conformance/kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

class Library : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        if (HasFatalFailure()) return;
        CU_OK(cuLibraryLoadData, &library_, kKernels, nullptr, nullptr, 0, nullptr, nullptr, 0);
    }
    void TearDown() override {
        OnDevice::TearDown();
        if (library_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuLibraryUnload, library_), CUDA_SUCCESS);
        }
    }
    CUlibrary library_ = nullptr;
};

TEST_F(Library, KernelsLaunchAsFunctions) {
    const Memory memory(1024 * 4);
    ASSERT_TRUE(memory.ok());
    CUkernel kernel = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, library_, "iota");
    // The runtime library launches every kernel so.
    ASSERT_EQ(launch(reinterpret_cast<CUfunction>(kernel), {.grid_x = 4, .block_x = 256}, nullptr,
                     memory.at(), 5u, 1024u),
              CUDA_SUCCESS);
    std::vector<uint32_t> words = memory.words();
    ASSERT_EQ(words.size(), 1024u);
    EXPECT_EQ(words[0], 5u);
    EXPECT_EQ(words[1023], 1028u);

    CUfunction function = nullptr;
    CU_OK(cuKernelGetFunction, &function, kernel);
    ASSERT_EQ(launch(function, {.grid_x = 4, .block_x = 256}, nullptr, memory.at(), 7u, 1024u), CUDA_SUCCESS);
    words = memory.words();
    EXPECT_EQ(words[1023], 1030u);
}

TEST_F(Library, MissingNamesAreNotFound) {
    CUkernel kernel = nullptr;
    CU_IS(CUDA_ERROR_NOT_FOUND, cuLibraryGetKernel, &kernel, library_, "no_such_kernel");
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CU_IS(CUDA_ERROR_NOT_FOUND, cuLibraryGetGlobal, &address, &bytes, library_, "no_such_variable");
}

TEST_F(Library, KernelsKnowTheirNameLibraryAndParameters) {
    CUkernel kernel = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, library_, "saxpy");
    const char* name = nullptr;
    CU_OK(cuKernelGetName, &name, kernel);
    EXPECT_STREQ(name, "saxpy");
    CUlibrary library = nullptr;
    CU_OK(cuKernelGetLibrary, &library, kernel);
    EXPECT_EQ(library, library_);
    std::size_t offset = 99;
    std::size_t size = 99;
    CU_OK(cuKernelGetParamInfo, kernel, 1, &offset, &size);
    EXPECT_EQ(offset, 8u);
    EXPECT_EQ(size, 8u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuKernelGetParamInfo, kernel, 4, &offset, &size);
    int value = 0;
    CU_OK(cuKernelGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, device_);
    EXPECT_EQ(value, 1024);
}

TEST_F(Library, KernelsCanBeListed) {
    unsigned count = 0;
    CU_OK(cuLibraryGetKernelCount, &count, library_);
    ASSERT_EQ(count, 14u);
    std::vector<CUkernel> kernels(count);
    CU_OK(cuLibraryEnumerateKernels, kernels.data(), count, library_);
    CUkernel wanted = nullptr;
    CU_OK(cuLibraryGetKernel, &wanted, library_, "step");
    EXPECT_EQ(std::count(kernels.begin(), kernels.end(), wanted), 1);
}

TEST_F(Library, GlobalsBelongToTheContext) {
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CU_OK(cuLibraryGetGlobal, &address, &bytes, library_, "counter");
    EXPECT_EQ(bytes, 4u);
    uint32_t value = 0;
    CU_OK(cuMemcpyDtoH_v2, &value, address, 4);
    EXPECT_EQ(value, 41u);
    CUkernel bump = nullptr;
    CU_OK(cuLibraryGetKernel, &bump, library_, "bump");
    ASSERT_EQ(launch(reinterpret_cast<CUfunction>(bump), {}, nullptr, 9u), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, &value, address, 4);
    EXPECT_EQ(value, 50u);

    CUmodule module = nullptr;
    CU_OK(cuLibraryGetModule, &module, library_);
    CUdeviceptr same = 0;
    CU_OK(cuModuleGetGlobal_v2, &same, nullptr, module, "counter");
    EXPECT_EQ(same, address);
}

TEST_F(Library, AttributesCanBeSet) {
    CUkernel kernel = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, library_, "shared_last");
    CUfunction function = nullptr;
    CU_OK(cuKernelGetFunction, &function, kernel);
    const int most = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    CU_OK(cuKernelSetAttribute, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most, kernel, device_);
    int value = 0;
    CU_OK(cuKernelGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel, device_);
    EXPECT_EQ(value, most);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function);
    EXPECT_EQ(value, most) << "the kernel's function in this context";
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(launch(reinterpret_cast<CUfunction>(kernel), {.shared_bytes = static_cast<unsigned>(most)},
                     nullptr, memory.at(), static_cast<uint32_t>(most), 77u),
              CUDA_SUCCESS);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{77});
}

class LibraryImage : public OnDevice {};

TEST_F(LibraryImage, RefusesWhatIsNoImage) {
    CUlibrary library = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLibraryLoadData, &library, nullptr, nullptr, nullptr, 0, nullptr,
          nullptr, 0);
    // With lazy loading a driver may look at text only when something of it is asked for (measured: 580.159).
    if (CU_CALL(cuLibraryLoadData, &library, "no image at all", nullptr, nullptr, 0, nullptr, nullptr, 0) ==
        CUDA_SUCCESS) {
        CUkernel kernel = nullptr;
        EXPECT_NE(CU_CALL(cuLibraryGetKernel, &kernel, library, "nothing"), CUDA_SUCCESS);
    }
}

TEST_F(Library, LoadsFromAFile) {
    const std::string path = testing::TempDir() + "bitfusion_library_test.ptx";
    {
        std::ofstream file(path);
        file << kKernels;
    }
    CUlibrary loaded = nullptr;
    const CUresult code =
        CU_CALL(cuLibraryLoadFromFile, &loaded, path.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
    std::remove(path.c_str());
    ASSERT_EQ(code, CUDA_SUCCESS);
    CUkernel kernel = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, loaded, "iota");
    CU_OK(cuLibraryUnload, loaded);
    CU_IS(CUDA_ERROR_FILE_NOT_FOUND, cuLibraryLoadFromFile, &loaded, path.c_str(), nullptr, nullptr, 0,
          nullptr, nullptr, 0);
}

}  // namespace bitfusion::conformance
