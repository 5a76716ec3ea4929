#include <atomic>
#include <cmath>
#include <vector>

#include "device/soft/test_device.h"

namespace bitfusion::soft {
namespace {

using test::Gate;

class StreamTest : public test::DeviceTest {};

TEST_F(StreamTest, WorkIsAsynchronousAndInOrder) {
    const CUstream stream = make_stream();
    Gate gate;
    gate.hold(cu, stream);
    std::vector<int> order;
    struct Step {
        std::vector<int>* order;
        int number;
    };
    Step steps[3] = {{&order, 0}, {&order, 1}, {&order, 2}};
    for (Step& step : steps) {
        ASSERT_EQ(cu.cuLaunchHostFunc(
                      stream,
                      [](void* data) {
                          auto* one = static_cast<Step*>(data);
                          one->order->push_back(one->number);
                      },
                      &step),
                  CUDA_SUCCESS);
    }
    EXPECT_EQ(cu.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    gate.open();
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamQuery(stream), CUDA_SUCCESS);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(StreamTest, LegacyStreamWaitsForBlockingStreamsOnly) {
    const CUstream blocking = make_stream();
    const CUstream loose = make_stream(CU_STREAM_NON_BLOCKING);
    const CUdeviceptr a = allocate(4);
    const CUdeviceptr flag = allocate(4);
    ASSERT_EQ(cu.cuMemsetD32_v2(flag, 0, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitValue32_v2(loose, flag, 1, CU_STREAM_WAIT_VALUE_EQ), CUDA_SUCCESS);
    // The loose stream is held; the default stream goes on.
    ASSERT_EQ(cu.cuMemsetD32_v2(a, 1, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitValue32_v2(blocking, flag, 1, CU_STREAM_WAIT_VALUE_EQ), CUDA_SUCCESS);
    // Now the default stream is held too, and through it every blocking stream.
    ASSERT_EQ(cu.cuMemsetD32_v2(a, 2, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamQuery(nullptr), CUDA_ERROR_NOT_READY);
    const CUstream later = make_stream();
    ASSERT_EQ(cu.cuMemsetD32Async(a, 3, 1, later), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamQuery(later), CUDA_ERROR_NOT_READY);
    const CUstream release = make_stream(CU_STREAM_NON_BLOCKING);
    ASSERT_EQ(cu.cuStreamWriteValue32_v2(release, flag, 1, CU_STREAM_WRITE_VALUE_DEFAULT), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    uint32_t value = 0;
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(&value, a, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 3u);
    for (const CUstream stream : {blocking, loose, later, release})
        EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(StreamTest, DestroyedStreamFinishesItsWork) {
    const CUstream stream = make_stream();
    const CUdeviceptr a = allocate(4);
    Gate gate;
    gate.hold(cu, stream);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 77, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    gate.open();
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    uint32_t value = 0;
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(&value, a, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 77u);
}

TEST_F(StreamTest, Properties) {
    int least = 1;
    int greatest = 1;
    ASSERT_EQ(cu.cuCtxGetStreamPriorityRange(&least, &greatest), CUDA_SUCCESS);
    EXPECT_GT(least, greatest);
    CUstream stream = nullptr;
    ASSERT_EQ(cu.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -100), CUDA_SUCCESS);
    int priority = 0;
    EXPECT_EQ(cu.cuStreamGetPriority(stream, &priority), CUDA_SUCCESS);
    EXPECT_EQ(priority, greatest);
    unsigned flags = 0;
    EXPECT_EQ(cu.cuStreamGetFlags(stream, &flags), CUDA_SUCCESS);
    EXPECT_EQ(flags, static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
    unsigned long long ids[3] = {};
    EXPECT_EQ(cu.cuStreamGetId(stream, &ids[0]), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamGetId(nullptr, &ids[1]), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamGetId(CU_STREAM_PER_THREAD, &ids[2]), CUDA_SUCCESS);
    EXPECT_NE(ids[0], ids[1]);
    EXPECT_NE(ids[1], ids[2]);
    CUcontext owner = nullptr;
    EXPECT_EQ(cu.cuStreamGetCtx(stream, &owner), CUDA_SUCCESS);
    EXPECT_EQ(owner, context);
    EXPECT_EQ(cu.cuStreamCreate(&stream, 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuStreamDestroy_v2(nullptr), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(StreamTest, EventsOrderStreams) {
    const CUstream first = make_stream(CU_STREAM_NON_BLOCKING);
    const CUstream second = make_stream(CU_STREAM_NON_BLOCKING);
    const CUevent event = make_event();
    const CUdeviceptr a = allocate(4);
    EXPECT_EQ(cu.cuEventQuery(event), CUDA_SUCCESS);
    Gate gate;
    gate.hold(cu, first);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 1, 1, first), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuEventRecord(event, first), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitEvent(second, event, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 2, 1, second), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventQuery(event), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(cu.cuStreamQuery(second), CUDA_ERROR_NOT_READY);
    // Destroying the event does not disturb who waits for it.
    ASSERT_EQ(cu.cuEventDestroy_v2(event), CUDA_SUCCESS);
    gate.open();
    EXPECT_EQ(cu.cuStreamSynchronize(second), CUDA_SUCCESS);
    uint32_t value = 0;
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(&value, a, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 2u);
    EXPECT_EQ(cu.cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cu.cuStreamDestroy_v2(first), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(second), CUDA_SUCCESS);
}

TEST_F(StreamTest, ElapsedTime) {
    const CUevent start = make_event();
    const CUevent end = make_event();
    const CUevent untimed = make_event(CU_EVENT_DISABLE_TIMING);
    float milliseconds = -1;
    EXPECT_EQ(cu.cuEventElapsedTime_v2(&milliseconds, start, end), CUDA_ERROR_INVALID_HANDLE);
    Gate gate;
    ASSERT_EQ(cu.cuEventRecord(start, nullptr), CUDA_SUCCESS);
    gate.hold(cu, nullptr);
    ASSERT_EQ(cu.cuEventRecord(end, nullptr), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuEventRecord(untimed, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventElapsedTime_v2(&milliseconds, start, end), CUDA_ERROR_NOT_READY);
    gate.open();
    EXPECT_EQ(cu.cuEventSynchronize(end), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventElapsedTime_v2(&milliseconds, start, end), CUDA_SUCCESS);
    EXPECT_GE(milliseconds, 0.0f);
    EXPECT_EQ(cu.cuEventElapsedTime_v2(&milliseconds, start, untimed), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cu.cuEventElapsedTime_v2(nullptr, start, end), CUDA_ERROR_INVALID_VALUE);
    for (const CUevent event : {start, end, untimed}) EXPECT_EQ(cu.cuEventDestroy_v2(event), CUDA_SUCCESS);
}

TEST_F(StreamTest, ValuesInMemory) {
    const CUstream stream = make_stream(CU_STREAM_NON_BLOCKING);
    const CUdeviceptr a = allocate(16);
    ASSERT_EQ(cu.cuMemsetD32_v2(a, 0, 4), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamWaitValue32_v2(stream, a + 2, 1, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuStreamWaitValue64_v2(stream, a + 12, 1, 0), CUDA_ERROR_INVALID_VALUE);
    CUstreamBatchMemOpParams operations[3]{};
    operations[0].operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operations[0].writeValue.address = a;
    operations[0].writeValue.value = 5;
    operations[1].operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    operations[1].waitValue.address = a;
    operations[1].waitValue.value = 5;
    operations[1].waitValue.flags = CU_STREAM_WAIT_VALUE_GEQ;
    operations[2].operation = CU_STREAM_MEM_OP_WRITE_VALUE_64;
    operations[2].writeValue.address = a + 8;
    operations[2].writeValue.value64 = 0x1122334455667788;
    ASSERT_EQ(cu.cuStreamBatchMemOp_v2(stream, 3, operations, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    uint64_t value = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&value, a + 8, 8), CUDA_SUCCESS);
    EXPECT_EQ(value, 0x1122334455667788u);
    operations[1].operation = static_cast<CUstreamBatchMemOpType>(99);
    EXPECT_EQ(cu.cuStreamBatchMemOp_v2(stream, 3, operations, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(StreamTest, ManyStreamsAtOnce) {
    constexpr int kStreams = 64;
    constexpr int kRounds = 50;
    const CUdeviceptr a = allocate(kStreams * 4);
    std::vector<CUstream> streams;
    for (int i = 0; i < kStreams; ++i) streams.push_back(make_stream());
    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kStreams; ++i)
            ASSERT_EQ(cu.cuMemsetD32Async(a + 4 * static_cast<CUdeviceptr>(i),
                                          static_cast<unsigned>(round * 100 + i), 1,
                                          streams[static_cast<size_t>(i)]),
                      CUDA_SUCCESS);
    }
    std::vector<uint32_t> back(kStreams);
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(back.data(), a, kStreams * 4), CUDA_SUCCESS);
    for (int i = 0; i < kStreams; ++i)
        EXPECT_EQ(back[static_cast<size_t>(i)], static_cast<uint32_t>((kRounds - 1) * 100 + i));
    for (const CUstream stream : streams) EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(StreamTest, CallbackSeesTheStatus) {
    struct Seen {
        CUstream stream = nullptr;
        CUresult status = CUDA_ERROR_UNKNOWN;
    } seen;
    const CUstream stream = make_stream();
    ASSERT_EQ(cu.cuStreamAddCallback(
                  stream,
                  [](CUstream of, CUresult status, void* data) {
                      auto* into = static_cast<Seen*>(data);
                      into->stream = of;
                      into->status = status;
                  },
                  &seen, 0),
              CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(seen.stream, stream);
    EXPECT_EQ(seen.status, CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(StreamTest, ContextWaitsForAnEvent) {
    const CUstream stream = make_stream(CU_STREAM_NON_BLOCKING);
    const CUevent event = make_event();
    Gate gate;
    gate.hold(cu, stream);
    ASSERT_EQ(cu.cuCtxRecordEvent(context, event), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventQuery(event), CUDA_ERROR_NOT_READY);
    ASSERT_EQ(cu.cuCtxWaitEvent(context, event), CUDA_SUCCESS);
    const CUstream later = make_stream(CU_STREAM_NON_BLOCKING);
    const CUdeviceptr a = allocate(4);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 1, 1, later), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamQuery(later), CUDA_ERROR_NOT_READY);
    gate.open();
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventQuery(event), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(later), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
