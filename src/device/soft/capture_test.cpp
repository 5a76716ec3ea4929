#include <vector>

#include "device/soft/test_device.h"

namespace bitfusion::soft {
namespace {

class CaptureTest : public test::DeviceTest {
  protected:
    CUstreamCaptureStatus status(CUstream stream) {
        CUstreamCaptureStatus value = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
        EXPECT_EQ(cu.cuStreamIsCapturing(stream, &value), CUDA_SUCCESS);
        return value;
    }
};

TEST_F(CaptureTest, RecordsInsteadOfWorking) {
    const CUstream stream = make_stream();
    const CUdeviceptr a = allocate(4);
    ASSERT_EQ(cu.cuMemsetD32_v2(a, 0, 1), CUDA_SUCCESS);
    EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_NONE);
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_ERROR_ILLEGAL_STATE);
    EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_ACTIVE);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 1, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32Async(a, 2, 1, stream), CUDA_SUCCESS);
    CUstreamCaptureStatus active = CU_STREAM_CAPTURE_STATUS_NONE;
    cuuint64_t id = 0;
    CUgraph partial = nullptr;
    const CUgraphNode* nodes = nullptr;
    size_t count = 0;
    ASSERT_EQ(cu.cuStreamGetCaptureInfo_v3(stream, &active, &id, &partial, &nodes, nullptr, &count),
              CUDA_SUCCESS);
    EXPECT_NE(id, 0u);
    ASSERT_EQ(count, 1u);
    CUgraph graph = nullptr;
    ASSERT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    EXPECT_EQ(graph, partial);
    uint32_t value = 9;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&value, a, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, 0u);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(CaptureTest, ForbiddenCallsInvalidate) {
    const CUstream stream = make_stream();
    CUgraph graph = nullptr;
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_INVALIDATED);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(graph, nullptr);

    CUdeviceptr address = 0;
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    EXPECT_EQ(cu.cuThreadExchangeStreamCaptureMode(&mode), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuThreadExchangeStreamCaptureMode(&mode), CUDA_SUCCESS);
    EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_RELAXED);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    // The default stream would have to wait for a stream that does not work.
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemsetD32Async(address, 1, 1, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(cu.cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED),
              CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(CaptureTest, ForkAndJoin) {
    const CUstream stream = make_stream(CU_STREAM_NON_BLOCKING);
    const CUstream side = make_stream(CU_STREAM_NON_BLOCKING);
    const CUevent fork = make_event(CU_EVENT_DISABLE_TIMING);
    const CUevent join = make_event(CU_EVENT_DISABLE_TIMING);
    const CUdeviceptr a = allocate(8);
    const auto capture_until_join = [&] {
        ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuMemsetD32Async(a, 1, 1, stream), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuEventRecord(fork, stream), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuStreamWaitEvent(side, fork, 0), CUDA_SUCCESS);
        EXPECT_EQ(status(side), CU_STREAM_CAPTURE_STATUS_ACTIVE);
        ASSERT_EQ(cu.cuMemsetD32Async(a + 4, 2, 1, side), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuEventRecord(join, side), CUDA_SUCCESS);
    };
    CUgraph graph = nullptr;
    capture_until_join();
    EXPECT_EQ(cu.cuEventQuery(join), CUDA_ERROR_CAPTURED_EVENT);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    capture_until_join();
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    EXPECT_EQ(status(side), CU_STREAM_CAPTURE_STATUS_NONE);

    capture_until_join();
    ASSERT_EQ(cu.cuStreamWaitEvent(stream, join, 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    EXPECT_EQ(status(side), CU_STREAM_CAPTURE_STATUS_NONE);

    // Work outside of the capture cannot be waited for.
    const CUevent outside = make_event();
    ASSERT_EQ(cu.cuEventRecord(outside, side), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamWaitEvent(stream, outside, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    EXPECT_EQ(cu.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(side), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
