// Modules: images, functions, globals: cuda.h, "Module Management".
#include <algorithm>
#include <array>
#include <cstring>

#include "conformance/kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

class ModuleImage : public OnDevice {};

TEST_F(ModuleImage, TextThatIsNoPtxIsRefused) {
    CUmodule module = nullptr;
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_PTX, cuModuleLoadData, &module,
                 "this is not a kernel");
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuModuleLoadData, &module, nullptr);
}

TEST_F(ModuleImage, PtxWithAnErrorIsRefusedWithAText) {
    constexpr char kBroken[] =
        ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry k() { add.u33 %r1; ret; }\n";
    CUmodule module = nullptr;
    CU_IS(CUDA_ERROR_INVALID_PTX, cuModuleLoadData, &module, kBroken);

    std::array<char, 4096> log{};
    std::array<CUjit_option, 2> options{CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    std::array<void*, 2> values{log.data(), reinterpret_cast<void*>(log.size())};
    CU_IS(CUDA_ERROR_INVALID_PTX, cuModuleLoadDataEx, &module, kBroken, 2, options.data(), values.data());
    EXPECT_GT(strnlen(log.data(), log.size()), 0u) << "the error log is empty";
}

TEST_F(ModuleImage, PtxOfTheFutureIsRefused) {
    constexpr char kFuture[] =
        ".version 99.9\n.target sm_52\n.address_size 64\n.visible .entry k() { ret; }\n";
    CUmodule module = nullptr;
    CU_IS(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, cuModuleLoadData, &module, kFuture);
}

TEST_F(ModuleImage, FileThatDoesNotExist) {
    CUmodule module = nullptr;
    CU_IS(CUDA_ERROR_FILE_NOT_FOUND, cuModuleLoad, &module, "/no/such/folder/kernel.ptx");
}

TEST_F(ModuleImage, ManyKernelsInOneModule) {
    std::string ptx = ".version 6.4\n.target sm_52\n.address_size 64\n";
    constexpr int kKernels = 200;
    for (int i = 0; i < kKernels; ++i) {
        const std::string number = std::to_string(i);
        ptx += ".visible .entry store_" + number +
               "(.param .u64 out) { .reg .u64 %a; .reg .u32 %v; ld.param.u64 %a, [out]; " +
               "cvta.to.global.u64 %a, %a; mov.u32 %v, " + std::to_string(i * i) + "; st.global.u32 [%a+" +
               std::to_string(4 * i) + "], %v; ret; }\n";
    }
    const Module module(ptx.c_str());
    const Memory memory(kKernels * 4);
    ASSERT_TRUE(module.ok() && memory.ok());
    std::vector<uint32_t> expected;
    for (int i = 0; i < kKernels; ++i) {
        const CUfunction function = module.function(("store_" + std::to_string(i)).c_str());
        ASSERT_EQ(launch(function, {}, nullptr, memory.at()), CUDA_SUCCESS);
        expected.push_back(static_cast<uint32_t>(i * i));
    }
    EXPECT_EQ(memory.words(), expected);
}

TEST_F(ModuleImage, LoadingAndUnloadingManyTimes) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    for (int round = 0; round < 20; ++round) {
        memory.fill(0);
        const Module module(kKernels);
        ASSERT_TRUE(module.ok());
        ASSERT_EQ(launch(module.function("add_one"), {}, nullptr, memory.at(), 1u), CUDA_SUCCESS);
        ASSERT_EQ(memory.words(), std::vector<uint32_t>{1});
    }
}

class ModuleContent : public WithKernels {};

TEST_F(ModuleContent, MissingNamesAreNotFound) {
    CUfunction function = nullptr;
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CU_IS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction, &function, module_, "no_such_kernel");
    CU_IS(CUDA_ERROR_NOT_FOUND, cuModuleGetGlobal_v2, &address, &bytes, module_, "no_such_variable");
    CU_IS(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction, &function, module_, "counter");
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuModuleGetFunction, nullptr, module_, "iota");
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuModuleGetFunction, &function, module_, nullptr);
}

TEST_F(ModuleContent, GlobalsHaveSizeInitialValueAndCanBeChanged) {
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CU_OK(cuModuleGetGlobal_v2, &address, &bytes, module_, "counter");
    EXPECT_EQ(bytes, 4u);
    uint32_t value = 0;
    CU_OK(cuMemcpyDtoH_v2, &value, address, 4);
    EXPECT_EQ(value, 41u);
    ASSERT_EQ(launch(kernel("bump"), {}, nullptr, 1u), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, &value, address, 4);
    EXPECT_EQ(value, 42u);
    value = 1000;
    CU_OK(cuMemcpyHtoD_v2, address, &value, 4);
    ASSERT_EQ(launch(kernel("bump"), {}, nullptr, 5u), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, &value, address, 4);
    EXPECT_EQ(value, 1005u);

    CU_OK(cuModuleGetGlobal_v2, &address, &bytes, module_, "buffer");
    EXPECT_EQ(bytes, 64u);
    std::array<uint8_t, 64> content{};
    CU_OK(cuMemcpyDtoH_v2, content.data(), address, 64);
    EXPECT_EQ(content[0], static_cast<uint8_t>(1005));
    EXPECT_EQ(content[1], 0) << "a variable without initialiser is zero";
    CU_OK(cuModuleGetGlobal_v2, &address, nullptr, module_, "buffer");
    CU_OK(cuModuleGetGlobal_v2, nullptr, &bytes, module_, "buffer");
}

TEST_F(ModuleContent, ConstantsCanBeChanged) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    const CUfunction sum = kernel("sum_table");
    float value = 0;
    ASSERT_EQ(launch(sum, {}, nullptr, memory.at()), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, &value, memory.at(), 4);
    EXPECT_EQ(value, 10.0f);
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    CU_OK(cuModuleGetGlobal_v2, &address, &bytes, module_, "table");
    EXPECT_EQ(bytes, 16u);
    const std::array<float, 4> fresh{10, 20, 30, 40};
    CU_OK(cuMemcpyHtoD_v2, address, fresh.data(), 16);
    ASSERT_EQ(launch(sum, {}, nullptr, memory.at()), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, &value, memory.at(), 4);
    EXPECT_EQ(value, 100.0f);
}

TEST_F(ModuleContent, TwoModulesOfOneTextAreSeparate) {
    const Module other(kKernels);
    ASSERT_TRUE(other.ok());
    ASSERT_EQ(launch(kernel("bump"), {}, nullptr, 100u), CUDA_SUCCESS);
    CUdeviceptr mine = 0;
    CUdeviceptr theirs = 0;
    CU_OK(cuModuleGetGlobal_v2, &mine, nullptr, module_, "counter");
    CU_OK(cuModuleGetGlobal_v2, &theirs, nullptr, other, "counter");
    EXPECT_NE(mine, theirs);
    uint32_t value = 0;
    CU_OK(cuMemcpyDtoH_v2, &value, theirs, 4);
    EXPECT_EQ(value, 41u);
}

TEST_F(ModuleContent, FunctionsCanBeListed) {
    const std::vector<std::string> expected{
        "add_one", "bump",     "coordinates", "count_threads", "iota",  "large_parameters",
        "limited", "nothing",  "parameters",  "reverse",       "saxpy", "shared_last",
        "step",    "sum_table"};
    unsigned count = 0;
    CU_OK(cuModuleGetFunctionCount, &count, module_);
    ASSERT_EQ(count, expected.size());
    std::vector<CUfunction> functions(count);
    CU_OK(cuModuleEnumerateFunctions, functions.data(), count, module_);
    std::vector<std::string> names;
    for (const CUfunction function : functions) {
        const char* name = nullptr;
        CU_OK(cuFuncGetName, &name, function);
        names.emplace_back(name);
        CUmodule module = nullptr;
        CU_OK(cuFuncGetModule, &module, function);
        EXPECT_EQ(module, module_);
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, expected);
}

TEST_F(ModuleContent, ParametersHaveOffsetAndSize) {
    struct Parameter {
        std::size_t offset, size;
    };
    const std::vector<Parameter> expected{{0, 8},  {8, 1},  {10, 2}, {12, 4}, {16, 1},
                                          {24, 8}, {32, 4}, {40, 8}, {48, 12}};
    const CUfunction function = kernel("parameters");
    for (std::size_t i = 0; i < expected.size(); ++i) {
        std::size_t offset = 999;
        std::size_t size = 999;
        CU_OK(cuFuncGetParamInfo, function, i, &offset, &size);
        EXPECT_EQ(offset, expected[i].offset) << "parameter " << i;
        EXPECT_EQ(size, expected[i].size) << "parameter " << i;
    }
    std::size_t offset = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuFuncGetParamInfo, function, expected.size(), &offset, nullptr);
}

TEST_F(ModuleContent, AttributesOfFunctions) {
    const CUfunction limited = kernel("limited");
    int value = 0;
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, limited);
    EXPECT_GE(value, 1024);
    EXPECT_LE(value, 1024 + 1024) << "newer GPUs reserve up to 1 KiB a block";
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, limited);
    EXPECT_EQ(value, 128);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel("nothing"));
    EXPECT_EQ(value, 1024);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_NUM_REGS, limited);
    EXPECT_GT(value, 0);
    EXPECT_LE(value, 255);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_PTX_VERSION, limited);
    EXPECT_GE(value, 52);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_BINARY_VERSION, limited);
    EXPECT_GE(value, 70);
    CU_OK(cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel("reverse"));
    EXPECT_GE(value, 47 * 1024);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuFuncGetAttribute, &value, CU_FUNC_ATTRIBUTE_MAX, limited);
}

TEST(ModuleLoading, IsLazyOrEager) {
    CU_OK(cuInit, 0);
    CUmoduleLoadingMode mode{};
    CU_OK(cuModuleGetLoadingMode, &mode);
    EXPECT_TRUE(mode == CU_MODULE_EAGER_LOADING || mode == CU_MODULE_LAZY_LOADING);
    if (answers_misuse()) CU_IS(CUDA_ERROR_INVALID_VALUE, cuModuleGetLoadingMode, nullptr);
}

}  // namespace bitfusion::conformance
