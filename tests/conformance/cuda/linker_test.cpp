// Linking of PTX texts: cuda.h, cuLink*.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

constexpr char kCaller[] = R"(
.version 6.4
.target sm_52
.address_size 64
.extern .func (.param .b32 result) triple(.param .b32 value);
.visible .entry call_triple(.param .u64 out, .param .u32 value)
{
    .reg .u32 %v; .reg .u64 %out;
    ld.param.u32 %v, [value];
    {
        .param .b32 p;
        .param .b32 r;
        st.param.b32 [p], %v;
        call.uni (r), triple, (p);
        ld.param.b32 %v, [r];
    }
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    st.global.u32 [%out], %v;
    ret;
}
)";

constexpr char kCallee[] = R"(
.version 6.4
.target sm_52
.address_size 64
.visible .func (.param .b32 result) triple(.param .b32 value)
{
    .reg .u32 %v;
    ld.param.u32 %v, [value];
    mul.lo.u32 %v, %v, 3;
    st.param.b32 [result], %v;
    ret;
}
)";

}  // namespace

class Linker : public OnDevice {};

TEST_F(Linker, TwoTextsBecomeOneImage) {
    CUlinkState link = nullptr;
    CU_OK(cuLinkCreate_v2, 0, nullptr, nullptr, &link);
    // The call takes the text as void*, but does not write to it.
    CU_OK(cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, const_cast<char*>(kCaller), sizeof kCaller, "caller", 0,
          nullptr, nullptr);
    CU_OK(cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, const_cast<char*>(kCallee), sizeof kCallee, "callee", 0,
          nullptr, nullptr);
    void* image = nullptr;
    std::size_t bytes = 0;
    CU_OK(cuLinkComplete, link, &image, &bytes);
    ASSERT_NE(image, nullptr);
    EXPECT_GT(bytes, 0u);
    CUmodule module = nullptr;
    CU_OK(cuModuleLoadData, &module, image);
    CU_OK(cuLinkDestroy, link);
    CUfunction function = nullptr;
    CU_OK(cuModuleGetFunction, &function, module, "call_triple");
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(launch(function, {}, nullptr, memory.at(), 14u), CUDA_SUCCESS);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{42});
    CU_OK(cuModuleUnload, module);
}

TEST_F(Linker, FilesAreRead) {
    std::string path = testing::TempDir() + "bitfusion_linker_XXXXXX";
    const int file = mkstemp(path.data());
    ASSERT_GE(file, 0);
    ASSERT_EQ(write(file, kCallee, sizeof kCallee - 1), static_cast<ssize_t>(sizeof kCallee - 1));
    close(file);
    CUlinkState link = nullptr;
    CU_OK(cuLinkCreate_v2, 0, nullptr, nullptr, &link);
    CU_OK(cuLinkAddFile_v2, link, CU_JIT_INPUT_PTX, path.c_str(), 0, nullptr, nullptr);
    CU_IS(CUDA_ERROR_FILE_NOT_FOUND, cuLinkAddFile_v2, link, CU_JIT_INPUT_PTX, "/nonexistent/file.ptx", 0,
          nullptr, nullptr);
    CU_OK(cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, const_cast<char*>(kCaller), sizeof kCaller, "caller", 0,
          nullptr, nullptr);
    void* image = nullptr;
    std::size_t bytes = 0;
    CU_OK(cuLinkComplete, link, &image, &bytes);
    CUmodule module = nullptr;
    CU_OK(cuModuleLoadData, &module, image);
    CU_OK(cuModuleUnload, module);
    CU_OK(cuLinkDestroy, link);
    unlink(path.c_str());
}

TEST_F(Linker, ErrorsAreInTheLog) {
    std::array<char, 2048> log{};
    std::array<CUjit_option, 2> options{CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    std::array<void*, 2> values{log.data(), reinterpret_cast<void*>(log.size())};
    CUlinkState link = nullptr;
    CU_OK(cuLinkCreate_v2, 2, options.data(), values.data(), &link);
    std::string broken = ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry k() { nonsense; }\n";
    CU_IS(CUDA_ERROR_INVALID_PTX, cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, broken.data(), broken.size() + 1,
          "broken", 0, nullptr, nullptr);
    EXPECT_NE(log[0], '\0');
    CU_OK(cuLinkDestroy, link);
}

TEST_F(Linker, ArgumentsAreChecked) {
    CUlinkState link = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLinkCreate_v2, 0, nullptr, nullptr, nullptr);
    CU_OK(cuLinkCreate_v2, 0, nullptr, nullptr, &link);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, nullptr, 4, "none", 0, nullptr,
          nullptr);
    void* image = nullptr;
    std::size_t bytes = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLinkComplete, link, nullptr, &bytes);
    CU_OK(cuLinkDestroy, link);
    if (answers_misuse())
        CU_IS_ONE_OF(CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, cuLinkComplete, link, &image,
                     &bytes);
}

TEST_F(Linker, BrokenTextIsRefused) {
    CUlinkState link = nullptr;
    CU_OK(cuLinkCreate_v2, 0, nullptr, nullptr, &link);
    std::string broken = ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry k() { nonsense; }\n";
    CU_IS(CUDA_ERROR_INVALID_PTX, cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, broken.data(), broken.size() + 1,
          "broken", 0, nullptr, nullptr);
    CU_OK(cuLinkDestroy, link);
}

}  // namespace bitfusion::conformance
