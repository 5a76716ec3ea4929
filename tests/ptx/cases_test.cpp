// Runs every case on the driver under test, one module a case: main.cpp of the conformance tests opens it.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "conformance/objects.h"
#include "ptx/case.h"

namespace bitfusion::ptx {
namespace {

using conformance::driver;
using conformance::Memory;

constexpr size_t kScratchBytes = 65536;
constexpr size_t kMostMismatches = 3;

class PtxCases : public conformance::OnDevice {
  public:
    explicit PtxCases(const Group* group) : group_(group) {}
    void TestBody() override {
        const int capability = conformance::attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10 +
                               conformance::attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        const Memory scratch(kScratchBytes);
        ASSERT_TRUE(scratch.ok());
        const char* only = std::getenv("BITFUSION_PTX_CASE");
        for (const Case& one : group_->cases)
            if (one.sm <= static_cast<unsigned>(capability) &&
                (only == nullptr || one.name.starts_with(only)))
                run(one, scratch);
    }

  private:
    void run(const Case& one, const Memory& scratch) {
        SCOPED_TRACE(one.name);
        const std::string text = module_of(one);
        CUmodule module = nullptr;
        char log[2048] = {};
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
        const CUresult loaded = CU_CALL(cuModuleLoadDataEx, &module, text.c_str(), 2, options, values);
        if (loaded != CUDA_SUCCESS) {
            ADD_FAILURE() << one.name << ": " << testing::PrintToString(loaded) << " " << log;
            return;
        }
        launch_on(module, one, scratch);
        EXPECT_EQ(CU_CALL(cuModuleUnload, module), CUDA_SUCCESS);
    }

    void launch_on(CUmodule module, const Case& one, const Memory& scratch) {
        CUfunction kernel = nullptr;
        ASSERT_EQ(CU_CALL(cuModuleGetFunction, &kernel, module, "k"), CUDA_SUCCESS);
        const Memory inputs(one.threads.size() * sizeof(In));
        const Memory results(one.threads.size() * 8);
        ASSERT_TRUE(inputs.ok() && results.ok());
        inputs.write(one.threads.data(), inputs.bytes());
        results.fill(0xcc);
        scratch.fill(0);
        const auto count = static_cast<uint32_t>(one.threads.size());
        const conformance::Shape shape{.grid_x = (count + one.block - 1) / one.block, .block_x = one.block};
        ASSERT_EQ(conformance::launch(kernel, shape, nullptr, inputs.at(), results.at(), scratch.at(), count),
                  CUDA_SUCCESS);
        std::vector<uint64_t> got(count);
        ASSERT_EQ(CU_CALL(cuMemcpyDtoH_v2, got.data(), results.at(), results.bytes()), CUDA_SUCCESS)
            << one.name;
        size_t wrong = 0;
        for (size_t i = 0; i < count; ++i) {
            const std::string wanted = one.judge(one.threads, i, got[i]);
            if (wanted.empty() || ++wrong > kMostMismatches) continue;
            char text[256];
            const In& in = one.threads[i];
            std::snprintf(text, sizeof text,
                          "thread %zu: a=%#llx b=%#llx c=%#llx e=%#llx gave %#llx, due: ", i,
                          static_cast<unsigned long long>(in.a), static_cast<unsigned long long>(in.b),
                          static_cast<unsigned long long>(in.c), static_cast<unsigned long long>(in.e),
                          static_cast<unsigned long long>(got[i]));
            ADD_FAILURE() << one.name << ": " << text << wanted;
        }
        if (wrong > kMostMismatches)
            ADD_FAILURE() << one.name << ": " << wrong << " of " << count << " threads are wrong";
    }

    const Group* group_;
};

// Registered before main runs, one test a group.
const bool registered = [] {
    for (const Group& group : groups())
        testing::RegisterTest(
            "Ptx", group.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
            [&group]() -> conformance::OnDevice* { return std::make_unique<PtxCases>(&group).release(); });
    return true;
}();

}  // namespace
}  // namespace bitfusion::ptx
