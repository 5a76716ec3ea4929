// What the software GPU does not have is refused at load, by name: CUDA_ERROR_NOT_SUPPORTED.
#include "conformance/objects.h"
#include "ptx/case.h"

namespace bitfusion::ptx {
namespace {

class PtxRefused : public conformance::OnDevice {};

TEST_F(PtxRefused, ByName) {
    if (!conformance::target_argument().starts_with("--target=soft"))
        GTEST_SKIP() << "what is refused is the software GPU's own";
    for (const Refused& one : refused()) {
        const std::string text =
            ".version 8.6\n.target sm_75\n.address_size 64\n.visible .entry k() {\n.reg .u32 %r; .reg .b64 "
            "%l; "
            ".reg .f32 %f; .reg .pred %p; .reg .b128 %q;\n" +
            one.code + "\nret;\n}\n";
        CUmodule module = nullptr;
        char log[1024] = {};
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
        EXPECT_EQ(CU_CALL(cuModuleLoadDataEx, &module, text.c_str(), 2, options, values),
                  CUDA_ERROR_NOT_SUPPORTED)
            << one.name << ": " << log;
        EXPECT_NE(std::string(log).find(one.code.substr(0, one.code.find_first_of(" ;"))), std::string::npos)
            << one.name << ": " << log;
    }
}

}  // namespace
}  // namespace bitfusion::ptx
