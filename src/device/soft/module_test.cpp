#include <cstring>
#include <string>
#include <vector>

#include "device/soft/test_device.h"
#include "device/soft/test_kernels.h"
#include "image/test_container.h"

namespace bitfusion::soft {
namespace {

class ModuleTest : public test::DeviceTest {};

TEST_F(ModuleTest, FunctionsAndVariables) {
    CUmodule module = nullptr;
    ASSERT_EQ(cu.cuModuleLoadData(&module, test::kPtx), CUDA_SUCCESS);
    unsigned count = 0;
    EXPECT_EQ(cu.cuModuleGetFunctionCount(&count, module), CUDA_SUCCESS);
    EXPECT_EQ(count, 4u);
    CUfunction function = nullptr;
    EXPECT_EQ(cu.cuModuleGetFunction(&function, module, "none"), CUDA_ERROR_NOT_FOUND);
    ASSERT_EQ(cu.cuModuleGetFunction(&function, module, "add"), CUDA_SUCCESS);
    const char* name = nullptr;
    EXPECT_EQ(cu.cuFuncGetName(&name, function), CUDA_SUCCESS);
    EXPECT_STREQ(name, "add");
    size_t offset = 0;
    size_t size = 0;
    EXPECT_EQ(cu.cuFuncGetParamInfo(function, 2, &offset, &size), CUDA_SUCCESS);
    EXPECT_EQ(offset, 12u);
    EXPECT_EQ(size, 4u);
    EXPECT_EQ(cu.cuFuncGetParamInfo(function, 3, &offset, &size), CUDA_ERROR_INVALID_VALUE);
    int value = 0;
    EXPECT_EQ(cu.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_PTX_VERSION, function), CUDA_SUCCESS);
    EXPECT_EQ(value, 75);
    CUmodule owner = nullptr;
    EXPECT_EQ(cu.cuFuncGetModule(&owner, function), CUDA_SUCCESS);
    EXPECT_EQ(owner, module);
    CUdeviceptr address = 0;
    ASSERT_EQ(cu.cuModuleGetGlobal_v2(&address, &size, module, "counter"), CUDA_SUCCESS);
    EXPECT_EQ(size, 4u);
    uint32_t initial = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&initial, address, 4), CUDA_SUCCESS);
    EXPECT_EQ(initial, 7u);
    EXPECT_EQ(cu.cuMemFree_v2(address), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuModuleUnload(module), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(&initial, address, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuFuncGetName(&name, function), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ModuleTest, ErrorsReachTheLogOfTheProgram) {
    char log[512] = "untouched";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
    CUmodule module = nullptr;
    EXPECT_EQ(cu.cuModuleLoadDataEx(&module, test::kUnknownInstruction, 2, options, values),
              CUDA_ERROR_INVALID_PTX);
    EXPECT_NE(std::string(log).find("frobnicate"), std::string::npos) << log;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(values[1]), strlen(log));
    EXPECT_EQ(cu.cuModuleLoadData(&module, "nothing of the kind"), CUDA_ERROR_INVALID_IMAGE);
    EXPECT_EQ(cu.cuModuleLoadData(&module, nullptr), CUDA_ERROR_INVALID_VALUE);
    options[0] = static_cast<CUjit_option>(1000);
    EXPECT_EQ(cu.cuModuleLoadDataEx(&module, test::kPtx, 2, options, values), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ModuleTest, TheLogNamesLineAndReason) {
    const auto refused = [&](const void* image, std::string* log) {
        char text[512] = {};
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {text, reinterpret_cast<void*>(sizeof text)};
        CUmodule module = nullptr;
        const CUresult result = cu.cuModuleLoadDataEx(&module, image, 2, options, values);
        *log = text;
        return result;
    };
    const std::string head = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() {\n";
    std::string log;
    EXPECT_EQ(refused((head + ".reg .u32 %a;\nadd.u32 %a, %a;\n}").c_str(), &log), CUDA_ERROR_INVALID_PTX);
    EXPECT_NE(log.find("line 6: instruction 'add.u32': takes 3 operands but has 2"), std::string::npos)
        << log;
    EXPECT_EQ(refused((head + "wgmma.fence.sync.aligned;\n}").c_str(), &log), CUDA_ERROR_NOT_SUPPORTED);
    EXPECT_NE(log.find("line 5: instruction 'wgmma.fence.sync.aligned'"), std::string::npos) << log;
    EXPECT_EQ(refused(image::test::make_elf(64).data(), &log), CUDA_ERROR_NO_BINARY_FOR_GPU);
    EXPECT_NE(log.find("compile the program with PTX"), std::string::npos) << log;
    // what the image holds, and what the compiler is to be told
    const auto fatbin = image::test::make_fatbin(
        {image::test::make_entry(image::Kind::kElf, 90, 0, image::test::make_elf(64)),
         image::test::make_entry(image::Kind::kElf, 86, 0, image::test::make_elf(64))});
    EXPECT_EQ(refused(fatbin.data(), &log), CUDA_ERROR_NO_BINARY_FOR_GPU);
    for (const char* word : {"sm_90", "sm_86", "-gencode arch=compute_89,code=compute_89"})
        EXPECT_NE(log.find(word), std::string::npos) << log;
}

TEST_F(ModuleTest, FatBinaries) {
    using image::Kind;
    using image::test::make_elf;
    using image::test::make_entry;
    using image::test::make_fatbin;
    using image::test::to_bytes;
    CUmodule module = nullptr;
    const auto only_elf = make_fatbin({make_entry(Kind::kElf, 90, 0, make_elf(64))});
    EXPECT_EQ(cu.cuModuleLoadData(&module, only_elf.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
    const auto elf = make_elf(64);
    EXPECT_EQ(cu.cuModuleLoadData(&module, elf.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
    const auto both = make_fatbin({make_entry(Kind::kElf, 90, 0, make_elf(64)),
                                   make_entry(Kind::kPtx, 120, 0, to_bytes("too new")),
                                   make_entry(Kind::kPtx, 75, 0, to_bytes(test::kPtx))});
    ASSERT_EQ(cu.cuModuleLoadFatBinary(&module, both.data()), CUDA_SUCCESS);
    CUfunction function = nullptr;
    EXPECT_EQ(cu.cuModuleGetFunction(&function, module, "store"), CUDA_SUCCESS);
    auto broken = both;
    broken[16 + 8] = std::byte{0xff};
    EXPECT_EQ(cu.cuModuleLoadData(&module, broken.data()), CUDA_ERROR_INVALID_IMAGE);
}

TEST_F(ModuleTest, LibrariesServeEveryContext) {
    CUlibrary library = nullptr;
    ASSERT_EQ(cu.cuLibraryLoadData(&library, test::kPtx, nullptr, nullptr, 0, nullptr, nullptr, 0),
              CUDA_SUCCESS);
    unsigned count = 0;
    EXPECT_EQ(cu.cuLibraryGetKernelCount(&count, library), CUDA_SUCCESS);
    EXPECT_EQ(count, 4u);
    CUkernel kernel = nullptr;
    EXPECT_EQ(cu.cuLibraryGetKernel(&kernel, library, "none"), CUDA_ERROR_NOT_FOUND);
    ASSERT_EQ(cu.cuLibraryGetKernel(&kernel, library, "store"), CUDA_SUCCESS);
    CUdeviceptr out = allocate(4);
    void* parameters[] = {&out};
    // The runtime passes the kernel where a function is expected.
    ASSERT_EQ(cu.cuLaunchKernel(reinterpret_cast<CUfunction>(kernel), 1, 1, 1, 1, 1, 1, 0, nullptr,
                                parameters, nullptr),
              CUDA_SUCCESS);
    uint32_t value = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&value, out, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 42u);
    CUdeviceptr here = 0;
    size_t size = 0;
    ASSERT_EQ(cu.cuLibraryGetGlobal(&here, &size, library, "counter"), CUDA_SUCCESS);
    CUcontext other = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v4(&other, nullptr, 0, 1), CUDA_SUCCESS);
    CUdeviceptr there = 0;
    ASSERT_EQ(cu.cuLibraryGetGlobal(&there, &size, library, "counter"), CUDA_SUCCESS);
    EXPECT_NE(here, there);
    EXPECT_EQ(cu.cuCtxDestroy_v2(other), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65536, kernel, 0),
              CUDA_SUCCESS);
    int shared = 0;
    EXPECT_EQ(cu.cuKernelGetAttribute(&shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel, 0),
              CUDA_SUCCESS);
    EXPECT_EQ(shared, 65536);
    EXPECT_EQ(cu.cuKernelGetAttribute(&shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel, 1),
              CUDA_SUCCESS);
    EXPECT_EQ(shared, 49152);
    CUfunction function = nullptr;
    ASSERT_EQ(cu.cuKernelGetFunction(&function, kernel), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuFuncGetAttribute(&shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function),
              CUDA_SUCCESS);
    EXPECT_EQ(shared, 65536);
    EXPECT_EQ(cu.cuLibraryUnload(library), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE);
    const char* name = nullptr;
    EXPECT_EQ(cu.cuKernelGetName(&name, kernel), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ModuleTest, ManagedVariables) {
    CUlibrary library = nullptr;
    ASSERT_EQ(cu.cuLibraryLoadData(&library, test::kPtx, nullptr, nullptr, 0, nullptr, nullptr, 0),
              CUDA_SUCCESS);
    CUdeviceptr address = 0;
    size_t size = 0;
    EXPECT_EQ(cu.cuLibraryGetManaged(&address, &size, library, "counter"), CUDA_ERROR_NOT_FOUND);
    ASSERT_EQ(cu.cuLibraryGetManaged(&address, &size, library, "shared_counter"), CUDA_SUCCESS);
    EXPECT_EQ(*reinterpret_cast<uint32_t*>(address), 11u);
    EXPECT_EQ(cu.cuLibraryUnload(library), CUDA_SUCCESS);
}

TEST_F(ModuleTest, Linking) {
    CUlinkState link = nullptr;
    ASSERT_EQ(cu.cuLinkCreate_v2(0, nullptr, nullptr, &link), CUDA_SUCCESS);
    std::string caller = test::kCaller;
    std::string callee = test::kCallee;
    ASSERT_EQ(cu.cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, caller.data(), caller.size() + 1, "caller", 0,
                                  nullptr, nullptr),
              CUDA_SUCCESS);
    void* image = nullptr;
    size_t size = 0;
    EXPECT_NE(cu.cuLinkComplete(link, &image, &size), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, callee.data(), callee.size() + 1, "callee", 0,
                                  nullptr, nullptr),
              CUDA_SUCCESS);
    ASSERT_EQ(cu.cuLinkComplete(link, &image, &size), CUDA_SUCCESS);
    // The image stands on its own: it may travel and outlive the link.
    const auto* bytes = static_cast<const std::byte*>(image);
    const std::vector<std::byte> copy(bytes, bytes + size);
    EXPECT_EQ(cu.cuLinkDestroy(link), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuLinkDestroy(link), CUDA_ERROR_INVALID_HANDLE);
    CUmodule module = nullptr;
    ASSERT_EQ(cu.cuModuleLoadData(&module, copy.data()), CUDA_SUCCESS);
    CUfunction function = nullptr;
    ASSERT_EQ(cu.cuModuleGetFunction(&function, module, "call"), CUDA_SUCCESS);
    CUdeviceptr out = allocate(4);
    void* parameters[] = {&out};
    ASSERT_EQ(cu.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr), CUDA_SUCCESS);
    uint32_t value = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&value, out, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 42u);
}

}  // namespace
}  // namespace bitfusion::soft
