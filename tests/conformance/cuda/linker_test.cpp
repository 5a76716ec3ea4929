// Linking of PTX texts: cuda.h, cuLink*.
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

TEST_F(Linker, BrokenTextIsRefused) {
    CUlinkState link = nullptr;
    CU_OK(cuLinkCreate_v2, 0, nullptr, nullptr, &link);
    std::string broken = ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry k() { nonsense; }\n";
    CU_IS(CUDA_ERROR_INVALID_PTX, cuLinkAddData_v2, link, CU_JIT_INPUT_PTX, broken.data(), broken.size() + 1,
          "broken", 0, nullptr, nullptr);
    CU_OK(cuLinkDestroy, link);
}

}  // namespace bitfusion::conformance
