// Kernels that go wrong, and what they print: cuda.h, CUresult codes 700 to 719; CUDA C++ guide, "Formatted
// output", "Assertion". Each runs in a process of its own, because a fault ends the context for good.
#include <thread>

#include "conformance/child.h"
#include "conformance/kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

// Retains the primary context of device 0 and makes it current.
void begin(CUcontext* context) {
    CU_OK(cuInit, 0);
    CU_OK(cuDevicePrimaryCtxRetain, context, 0);
    CU_OK(cuCtxSetCurrent, *context);
}

// After a fault every call that touches the device answers with its code, again and again, in every thread.
void expect_sticky(CUresult code, CUcontext context) {
    CUdeviceptr address = 0;
    CU_IS(code, cuCtxSynchronize);
    CU_IS(code, cuMemAlloc_v2, &address, 16);
    CU_IS(code, cuStreamQuery, nullptr);
    CU_IS(code, cuCtxSynchronize);
    CUresult elsewhere = CUDA_SUCCESS;
    std::thread([&] {
        elsewhere = CU_CALL(cuCtxSetCurrent, context);
        if (elsewhere == CUDA_SUCCESS) elsewhere = CU_CALL(cuStreamSynchronize, nullptr);
    }).join();
    EXPECT_EQ(elsewhere, code);
}

}  // namespace

CHILD(fault_illegal_address) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kFaultKernels);
    ASSERT_TRUE(module.ok());
    ASSERT_EQ(launch(module.function("touch"), {}, nullptr, kNowhere), CUDA_SUCCESS)
        << "a launch cannot know yet";
    expect_sticky(CUDA_ERROR_ILLEGAL_ADDRESS, context);
}

CHILD(fault_misaligned) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kFaultKernels);
    const Memory memory(64);
    ASSERT_TRUE(module.ok() && memory.ok());
    ASSERT_EQ(launch(module.function("touch"), {}, nullptr, memory.at(2)), CUDA_SUCCESS);
    expect_sticky(CUDA_ERROR_MISALIGNED_ADDRESS, context);
}

CHILD(fault_trap) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kFaultKernels);
    ASSERT_TRUE(module.ok());
    ASSERT_EQ(launch(module.function("stop"), {}, nullptr), CUDA_SUCCESS);
    const CUresult code = CU_CALL(cuCtxSynchronize);
    EXPECT_TRUE(code == CUDA_ERROR_LAUNCH_FAILED || code == CUDA_ERROR_ILLEGAL_INSTRUCTION)
        << testing::PrintToString(code);
    expect_sticky(code, context);
}

CHILD(fault_seen_by_copy) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kFaultKernels);
    const Memory memory(64);
    ASSERT_TRUE(module.ok() && memory.ok());
    ASSERT_EQ(launch(module.function("touch"), {}, nullptr, kNowhere), CUDA_SUCCESS);
    uint32_t word = 0;
    CU_IS(CUDA_ERROR_ILLEGAL_ADDRESS, cuMemcpyDtoH_v2, &word, memory.at(), 4);
}

CHILD(fault_seen_by_event) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kFaultKernels);
    const Stream stream;
    const Event event(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(module.ok() && stream.ok() && event.ok());
    ASSERT_EQ(launch(module.function("touch"), {}, stream, kNowhere), CUDA_SUCCESS);
    // The fault may already be known here, or not yet.
    CU_IS_ONE_OF(CUDA_SUCCESS, CUDA_ERROR_ILLEGAL_ADDRESS, cuEventRecord, event, stream);
    CU_IS(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize, stream);
    CU_IS(CUDA_ERROR_ILLEGAL_ADDRESS, cuEventSynchronize, event);
}

TEST(Fault, IllegalAddressIsSticky) { EXPECT_CHILD(fault_illegal_address); }
TEST(Fault, MisalignedAddressIsSticky) { EXPECT_CHILD(fault_misaligned); }
TEST(Fault, TrapIsSticky) { EXPECT_CHILD(fault_trap); }
TEST(Fault, IsReportedByASynchronousCopy) { EXPECT_CHILD(fault_seen_by_copy); }
TEST(Fault, IsReportedByStreamAndEvent) { EXPECT_CHILD(fault_seen_by_event); }

class FaultElsewhere : public WithKernels {};

TEST_F(FaultElsewhere, AFaultInOneProcessDoesNotReachAnother) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    EXPECT_CHILD(fault_illegal_address);
    ASSERT_EQ(launch(kernel("add_one"), {}, nullptr, memory.at(), 1u), CUDA_SUCCESS);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{1});
}

CHILD(print_lines) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kPrintKernels);
    ASSERT_TRUE(module.ok());
    const CUfunction say = module.function("say");
    for (uint32_t i = 1; i <= 3; ++i) ASSERT_EQ(launch(say, {}, nullptr, i), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
}

TEST(Print, TextComesOutOnStdoutInOrder) {
    const ChildOutcome outcome = run_child("print_lines");
    if (outcome.exit_code == 77) GTEST_SKIP() << outcome.out;
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out,
              "value 1 of kernel is 1.25\n"
              "value 2 of kernel is 2.25\n"
              "value 3 of kernel is 3.25\n");
}

CHILD(assert_passes_and_fails) {
    CUcontext context = nullptr;
    begin(&context);
    const Module module(kPrintKernels);
    ASSERT_TRUE(module.ok());
    const CUfunction positive = module.function("positive");
    ASSERT_EQ(launch(positive, {}, nullptr, 5), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    ASSERT_EQ(launch(positive, {.grid_x = 2}, nullptr, -5), CUDA_SUCCESS);
    expect_sticky(CUDA_ERROR_ASSERT, context);
}

TEST(Print, FailedAssertionsAreNamedOnStderr) {
    const ChildOutcome outcome = run_child("assert_passes_and_fails");
    if (outcome.exit_code == 77) GTEST_SKIP() << outcome.out;
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    // Which of the two blocks comes first is the hardware's choice.
    bool named = false;
    for (const char* block : {"[0,0,0]", "[1,0,0]"}) {
        const std::string line = std::string("check.cu:42: positive: block: ") + block +
                                 ", thread: [0,0,0] Assertion `x > 0` failed.";
        named = named || outcome.err.find(line) != std::string::npos;
    }
    EXPECT_TRUE(named) << outcome.err;
}

}  // namespace bitfusion::conformance
