// Graphs recorded from streams: cuda.h, cuStreamBeginCapture and its relatives.
#include "conformance/objects.h"

namespace bitfusion::conformance {

class Capture : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (!HasFatalFailure()) step_ = kernel("step");
    }
    CUresult step(CUstream stream, const Memory& memory, uint32_t factor, uint32_t term) {
        return launch(step_, {}, stream, memory.at(), factor, term);
    }

    CUfunction step_ = nullptr;
};

TEST_F(Capture, RecordsInsteadOfRunning) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    memory.fill(0);
    pinned.words()[0] = 99;
    CUstreamCaptureStatus status{};
    CU_OK(cuStreamIsCapturing, stream, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    CU_OK(cuStreamIsCapturing, stream, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    CU_OK(cuMemsetD32Async, memory.at(), 3, 1, stream);
    ASSERT_EQ(step(stream, memory, 10, 4), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), 4, stream);
    CUgraph graph = nullptr;
    CU_OK(cuStreamEndCapture, stream, &graph);
    ASSERT_NE(graph, nullptr);
    CU_OK(cuStreamIsCapturing, stream, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT_EQ(pinned.words()[0], 99u) << "captured work must not run";

    std::size_t nodes = 0;
    CU_OK(cuGraphGetNodes, graph, nullptr, &nodes);
    EXPECT_EQ(nodes, 3u);
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable, graph, 0);
    CU_OK(cuGraphDestroy, graph);
    for (int i = 0; i < 3; ++i) {
        pinned.words()[0] = 0;
        CU_OK(cuGraphLaunch, executable, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(pinned.words()[0], 34u);
    }
    CU_OK(cuGraphExecDestroy, executable);
}

TEST_F(Capture, ForksAndJoinsThroughEvents) {
    const Stream main, side;
    const Event forked(CU_EVENT_DISABLE_TIMING), joined(CU_EVENT_DISABLE_TIMING);
    const Memory a(4), b(4);
    ASSERT_TRUE(main.ok() && side.ok() && forked.ok() && joined.ok() && a.ok() && b.ok());
    a.fill(0);
    b.fill(0);
    CU_OK(cuStreamBeginCapture_v2, main, CU_STREAM_CAPTURE_MODE_GLOBAL);
    ASSERT_EQ(step(main, a, 1, 1), CUDA_SUCCESS);
    CU_OK(cuEventRecord, forked, main);
    CU_OK(cuStreamWaitEvent, side, forked, 0);
    ASSERT_EQ(step(side, b, 1, 2), CUDA_SUCCESS);
    CUstreamCaptureStatus status{};
    CU_OK(cuStreamIsCapturing, side, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE) << "the side stream has joined the capture";
    ASSERT_EQ(step(main, a, 1, 3), CUDA_SUCCESS);
    CU_OK(cuEventRecord, joined, side);
    CU_OK(cuStreamWaitEvent, main, joined, 0);
    ASSERT_EQ(step(main, b, 10, 0), CUDA_SUCCESS);
    CUgraph graph = nullptr;
    CU_OK(cuStreamEndCapture, main, &graph);
    std::size_t edges = 0;
    CU_OK(cuGraphGetEdges_v2, graph, nullptr, nullptr, nullptr, &edges);
    EXPECT_EQ(edges, 4u);
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable, graph, 0);
    CU_OK(cuGraphLaunch, executable, main);
    CU_OK(cuStreamSynchronize, main);
    EXPECT_EQ(a.words(), std::vector<uint32_t>{4});
    EXPECT_EQ(b.words(), std::vector<uint32_t>{20});
    CU_OK(cuGraphExecDestroy, executable);
    CU_OK(cuGraphDestroy, graph);
}

TEST_F(Capture, UnjoinedWorkIsAnError) {
    const Stream main, side;
    const Event forked(CU_EVENT_DISABLE_TIMING);
    const Memory memory(4);
    ASSERT_TRUE(main.ok() && side.ok() && forked.ok() && memory.ok());
    CU_OK(cuStreamBeginCapture_v2, main, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuEventRecord, forked, main);
    CU_OK(cuStreamWaitEvent, side, forked, 0);
    ASSERT_EQ(step(side, memory, 1, 1), CUDA_SUCCESS);
    CUgraph graph = nullptr;
    CU_IS(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, cuStreamEndCapture, main, &graph);
    EXPECT_EQ(graph, nullptr);
    CU_OK(cuStreamQuery, main);
}

TEST_F(Capture, WaitingForACapturingStreamBreaksTheCapture) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    ASSERT_EQ(step(stream, memory, 1, 1), CUDA_SUCCESS);
    CU_IS(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamSynchronize, stream);
    CUgraph graph = nullptr;
    CU_IS(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuStreamEndCapture, stream, &graph);
    EXPECT_EQ(graph, nullptr);
    CU_OK(cuStreamSynchronize, stream);
}

TEST_F(Capture, WrongStatesAreRefused) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CUgraph graph = nullptr;
    CU_IS(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture, stream, &graph);
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_IS(CUDA_ERROR_ILLEGAL_STATE, cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuStreamEndCapture, stream, &graph);
    CU_OK(cuGraphDestroy, graph);
    CU_IS_ONE_OF(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_INVALID_VALUE, cuStreamBeginCapture_v2,
                 CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_RELAXED);
}

TEST_F(Capture, InfoNamesTheCapture) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    ASSERT_EQ(step(stream, memory, 1, 1), CUDA_SUCCESS);
    CUstreamCaptureStatus status{};
    cuuint64_t id = 0;
    CUgraph building = nullptr;
    const CUgraphNode* dependencies = nullptr;
    std::size_t count = 0;
    CU_OK(cuStreamGetCaptureInfo_v3, stream, &status, &id, &building, &dependencies, nullptr, &count);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_NE(id, 0u);
    EXPECT_NE(building, nullptr);
    EXPECT_EQ(count, 1u);
    CUgraph graph = nullptr;
    CU_OK(cuStreamEndCapture, stream, &graph);
    CU_OK(cuGraphDestroy, graph);
}

TEST_F(Capture, ModeIsAStateOfTheThread) {
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    CU_OK(cuThreadExchangeStreamCaptureMode, &mode);
    EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_GLOBAL) << "the mode of a new thread";
    CU_OK(cuThreadExchangeStreamCaptureMode, &mode);
    EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_RELAXED);
}

}  // namespace bitfusion::conformance
