// Events: recording, querying, waiting, timing: cuda.h, "Event Management".
#include <chrono>

#include "conformance/gate.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

class EventTest : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (!HasFatalFailure()) add_one_ = kernel("add_one");
    }
    CUfunction add_one_ = nullptr;
};

TEST_F(EventTest, UnrecordedEventsAreComplete) {
    const Event event;
    ASSERT_TRUE(event.ok());
    CU_OK(cuEventQuery, event);
    CU_OK(cuEventSynchronize, event);
}

TEST_F(EventTest, RefusesBadFlags) {
    CUevent event = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuEventCreate, &event, 0xFF00);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuEventCreate, nullptr, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuEventCreate, &event, CU_EVENT_INTERPROCESS);  // needs DISABLE_TIMING
}

TEST_F(EventTest, IsReadyWhenTheWorkBeforeItHasRun) {
    const Stream stream;
    const Event event(CU_EVENT_DISABLE_TIMING);
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && event.ok() && memory.ok());
    memory.fill(0);
    Gate gate;
    PUT_GATE(gate, stream);
    ASSERT_EQ(launch(add_one_, {}, stream, memory.at(), 1u), CUDA_SUCCESS);
    CU_OK(cuEventRecord, event, stream);
    CU_IS(CUDA_ERROR_NOT_READY, cuEventQuery, event);
    gate.open();
    CU_OK(cuEventSynchronize, event);
    CU_OK(cuEventQuery, event);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{1});
}

TEST_F(EventTest, RecordingAgainMovesIt) {
    const Stream first, second;
    const Event event(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(first.ok() && second.ok() && event.ok());
    CU_OK(cuEventRecord, event, first);
    CU_OK(cuEventSynchronize, event);
    Gate gate;
    PUT_GATE(gate, second);
    CU_OK(cuEventRecord, event, second);
    CU_IS(CUDA_ERROR_NOT_READY, cuEventQuery, event);
    gate.open();
    CU_OK(cuEventSynchronize, event);
}

TEST_F(EventTest, DestroyingAPendingEventHarmsNothing) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    memory.fill(0);
    CUevent event = nullptr;
    CU_OK(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
    {
        Gate gate;
        PUT_GATE(gate, stream);
        CU_OK(cuEventRecord, event, stream);
        ASSERT_EQ(launch(add_one_, {}, stream, memory.at(), 1u), CUDA_SUCCESS);
        CU_OK(cuEventDestroy_v2, event);
    }
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{1});
}

TEST_F(EventTest, ElapsedTimeIsTheTimeBetween) {
    const Stream stream;
    const Event before, after;
    const Memory memory(1 << 20);
    ASSERT_TRUE(stream.ok() && before.ok() && after.ok() && memory.ok());
    CU_OK(cuEventRecord, before, stream);
    for (int i = 0; i < 20; ++i) CU_OK(cuMemsetD8Async, memory.at(), 1, memory.bytes(), stream);
    CU_OK(cuEventRecord, after, stream);
    CU_OK(cuEventSynchronize, after);
    float forward = -1;
    float backward = 1;
    float none = 1;
    CU_OK(cuEventElapsedTime_v2, &forward, before, after);
    CU_OK(cuEventElapsedTime_v2, &backward, after, before);
    CU_OK(cuEventElapsedTime_v2, &none, before, before);
    EXPECT_GT(forward, 0.0f);
    EXPECT_LT(forward, 60000.0f);
    EXPECT_LT(backward, 0.0f);
    EXPECT_EQ(none, 0.0f);
}

// Twenty milliseconds by the GPU's own clock, and whatever a launch takes.
constexpr const char* kTwentyMilliseconds = R"(.version 7.0
.target sm_52
.address_size 64
.visible .entry linger()
{
    .reg .u64 %now, %end; .reg .pred %early;
    mov.u64 %end, %globaltimer; add.u64 %end, %end, 20000000;
WAIT:
    mov.u64 %now, %globaltimer; setp.lt.u64 %early, %now, %end; @%early bra WAIT;
    ret;
}
)";

TEST_F(EventTest, ElapsedTimeIsNeitherShorterNorLongerThanTheWork) {
    const Module module(kTwentyMilliseconds);
    ASSERT_TRUE(module.ok());
    const Stream stream;
    const Event before, after;
    CU_OK(cuStreamSynchronize, stream);
    const auto begin = std::chrono::steady_clock::now();
    CU_OK(cuEventRecord, before, stream);
    ASSERT_EQ(launch(module.function("linger"), {}, stream), CUDA_SUCCESS);
    CU_OK(cuEventRecord, after, stream);
    CU_OK(cuEventSynchronize, after);
    const std::chrono::duration<float, std::milli> host = std::chrono::steady_clock::now() - begin;
    float elapsed = 0;
    CU_OK(cuEventElapsedTime_v2, &elapsed, before, after);
    EXPECT_GT(elapsed, 18.0f);  // the timer of a GPU may go in steps of a millisecond
    EXPECT_LT(elapsed, host.count() + 1.0f);
}

TEST_F(EventTest, ElapsedTimeRefusesWhatHasNoTime) {
    const Stream stream;
    const Event timed, unrecorded, untimed(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(stream.ok() && timed.ok() && unrecorded.ok() && untimed.ok());
    float time = 0;
    CU_OK(cuEventRecord, timed, stream);
    CU_OK(cuEventRecord, untimed, stream);
    CU_OK(cuStreamSynchronize, stream);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime_v2, &time, timed, unrecorded);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime_v2, &time, timed, untimed);
    Gate gate;
    PUT_GATE(gate, stream);
    const Event pending;
    ASSERT_TRUE(pending.ok());
    CU_OK(cuEventRecord, pending, stream);
    CU_IS(CUDA_ERROR_NOT_READY, cuEventElapsedTime_v2, &time, timed, pending);
    gate.open();
    CU_OK(cuEventSynchronize, pending);
    CU_OK(cuEventElapsedTime_v2, &time, timed, pending);
}

TEST_F(EventTest, ManyEvents) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    for (int round = 0; round < 5; ++round) {
        std::vector<CUevent> events(200);
        for (CUevent& event : events) {
            CU_OK(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
            CU_OK(cuEventRecord, event, stream);
        }
        CU_OK(cuEventSynchronize, events.back());
        for (const CUevent event : events) {
            CU_OK(cuEventQuery, event);
            CU_OK(cuEventDestroy_v2, event);
        }
    }
}

TEST_F(EventTest, RecordsWithoutFlagsAreRecords) {
    const Event event;
    const Memory memory(4);
    ASSERT_TRUE(event.ok() && memory.ok());
    memory.fill(0);
    ASSERT_EQ(launch(add_one_, {}, nullptr, memory.at(), 1u), CUDA_SUCCESS);
    CU_OK(cuEventRecordWithFlags, event, nullptr, CU_EVENT_RECORD_DEFAULT);
    CU_OK(cuEventSynchronize, event);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{1});
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuEventRecordWithFlags, event, nullptr, 0x80u);
}

}  // namespace bitfusion::conformance
