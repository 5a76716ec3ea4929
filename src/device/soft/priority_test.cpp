// Priorities of streams: CUDA C++ Programming Guide, "Stream Priorities": pending work in a stream of higher
// priority goes before pending work in one of lower priority.
#include <gtest/gtest.h>

#include <memory>
#include <semaphore>
#include <vector>

#include "device/soft/driver.h"
#include "device/soft/test_device.h"

namespace bitfusion::soft {
namespace {

// Each launch draws a number and writes it where it belongs.
constexpr char kTicket[] = R"(
.version 7.0
.target sm_52
.address_size 64
.visible .entry ticket(.param .u64 counter, .param .u64 to)
{
    .reg .u64 %counter, %to; .reg .u32 %number;
    ld.param.u64 %counter, [counter]; ld.param.u64 %to, [to];
    atom.global.add.u32 %number, [%counter], 1;
    st.global.u32 [%to], %number;
    ret;
}
)";

// Keeps every thread that runs kernels busy, without a processor, until they are let go one by one.
class BusyThreads {
  public:
    BusyThreads() {
        Scheduler& scheduler = driver().scheduler;
        for (size_t i = 0; i < Scheduler::kMostThreads; ++i) {
            auto task = std::make_shared<Task>();
            task->priority = kGreatestPriority;
            task->body = [state = state_] {
                state->begun.release();
                state->held.acquire();
            };
            const std::lock_guard lock(scheduler.mutex());
            scheduler.submit_locked(task, {});
        }
        for (size_t i = 0; i < Scheduler::kMostThreads; ++i) state_->begun.acquire();
    }
    ~BusyThreads() { release(left_); }
    void release(size_t count) {
        left_ -= count;
        state_->held.release(static_cast<std::ptrdiff_t>(count));
    }

  private:
    struct State {
        std::counting_semaphore<> begun{0};
        std::counting_semaphore<> held{0};
    };
    const std::shared_ptr<State> state_ = std::make_shared<State>();  // the last thread may leave it late
    size_t left_ = Scheduler::kMostThreads;
};

class PriorityTest : public test::DeviceTest {
  protected:
    void SetUp() override {
        test::reopen();  // no thread of an earlier test is idle
        DeviceTest::SetUp();
        ASSERT_EQ(cu.cuModuleLoadData(&module_, kTicket), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuModuleGetFunction(&ticket_, module_, "ticket"), CUDA_SUCCESS);
        words_ = allocate(64);
        ASSERT_EQ(cu.cuMemsetD32_v2(words_, 0, 16), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    }
    void TearDown() override {
        DeviceTest::TearDown();
        test::reopen();
    }

    CUstream stream_of(int priority) {
        CUstream stream = nullptr;
        EXPECT_EQ(cu.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, priority), CUDA_SUCCESS);
        return stream;
    }
    // Launches into word `place`, and tells when it is over: asking the stream would run the kernel itself.
    void launch(CUstream stream, unsigned place) {
        CUdeviceptr to = words_ + 4 * uint64_t{place};
        void* parameters[] = {&words_, &to};
        EXPECT_EQ(cu.cuLaunchKernel(ticket_, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr), CUDA_SUCCESS);
        EXPECT_EQ(
            cu.cuLaunchHostFunc(
                stream, [](void* over) { static_cast<std::counting_semaphore<>*>(over)->release(); }, &over_),
            CUDA_SUCCESS);
    }
    void wait(unsigned launches) {
        for (unsigned i = 0; i < launches; ++i) over_.acquire();
    }
    std::vector<uint32_t> words() {
        std::vector<uint32_t> read(16);
        EXPECT_EQ(cu.cuMemcpyDtoH_v2(read.data(), words_, 64), CUDA_SUCCESS);
        return read;
    }

    CUmodule module_ = nullptr;
    CUfunction ticket_ = nullptr;
    CUdeviceptr words_ = 0;
    std::counting_semaphore<> over_{0};
};

TEST_F(PriorityTest, AWaitingKernelOfAHigherPriorityGoesFirst) {
    int least = 0;
    int greatest = 0;
    ASSERT_EQ(cu.cuCtxGetStreamPriorityRange(&least, &greatest), CUDA_SUCCESS);
    const CUstream low = stream_of(least);
    const CUstream middle = stream_of((least + greatest) / 2);
    const CUstream high = stream_of(greatest);
    {
        BusyThreads busy;
        launch(low, 1);
        launch(middle, 2);
        launch(high, 3);
        busy.release(1);  // one thread takes them one after the other
        wait(3);
    }
    const std::vector<uint32_t> read = words();
    EXPECT_EQ(read[3], 0u);
    EXPECT_EQ(read[2], 1u);
    EXPECT_EQ(read[1], 2u);
    for (const CUstream stream : {low, middle, high}) EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(PriorityTest, EqualPrioritiesKeepTheOrderOfTheirLaunches) {
    const CUstream streams[] = {stream_of(0), stream_of(0), stream_of(0)};
    {
        BusyThreads busy;
        for (unsigned i = 0; i < 3; ++i) launch(streams[i], 1 + i);
        busy.release(1);
        wait(3);
    }
    const std::vector<uint32_t> read = words();
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(read[1 + i], i);
    for (const CUstream stream : streams) EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
