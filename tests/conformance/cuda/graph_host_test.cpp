// Graphs that reach into the program: copies with host memory, host functions, events. Source: cuda.h, "Graph
// Management" and "Stream Management"; CUDA C++ Programming Guide, "CUDA Graphs".
#include <array>
#include <atomic>
#include <functional>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class GraphHost : public WithKernels {
  protected:
    void TearDown() override {
        if (executable_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuGraphExecDestroy, executable_), CUDA_SUCCESS);
        }
        if (graph_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuGraphDestroy, graph_), CUDA_SUCCESS);
        }
        WithKernels::TearDown();
    }
    CUresult step(CUstream stream, CUdeviceptr address, uint32_t factor, uint32_t term) {
        return launch(kernel("step"), {}, stream, address, factor, term);
    }
    CUresult begin(CUstream stream) {
        return CU_CALL(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    }
    // Ends the capture and makes the executable.
    void end(CUstream stream) {
        CU_OK(cuStreamEndCapture, stream, &graph_);
        CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    }
    static CUDA_MEMCPY3D copy_of(CUdeviceptr from, void* to, size_t bytes) {
        CUDA_MEMCPY3D copy{};
        copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
        copy.srcDevice = from;
        copy.dstMemoryType = CU_MEMORYTYPE_HOST;
        copy.dstHost = to;
        copy.WidthInBytes = bytes;
        copy.Height = copy.Depth = 1;
        return copy;
    }
    static CUDA_MEMCPY3D copy_of(const void* from, CUdeviceptr to, size_t bytes) {
        CUDA_MEMCPY3D copy{};
        copy.srcMemoryType = CU_MEMORYTYPE_HOST;
        copy.srcHost = from;
        copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
        copy.dstDevice = to;
        copy.WidthInBytes = bytes;
        copy.Height = copy.Depth = 1;
        return copy;
    }

    CUgraph graph_ = nullptr;
    CUgraphExec executable_ = nullptr;
};

TEST_F(GraphHost, ACapturedCopyReadsTheMemoryAtEachLaunch) {
    const Stream stream;
    const Memory memory(4);
    const Pinned in(4), out(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && in.ok() && out.ok());
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), in.data(), 4, stream);
    ASSERT_EQ(step(stream, memory.at(), 2, 1), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, out.data(), memory.at(), 4, stream);
    end(stream);
    for (uint32_t i = 1; i < 20; ++i) {
        in.words()[0] = i;
        out.words()[0] = 0;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        ASSERT_EQ(out.words()[0], 2 * i + 1);
    }
}

TEST_F(GraphHost, PageableMemoryServesToo) {
    const Stream stream;
    constexpr size_t kWords = 300'000;  // more than one message carries in the ring
    const Memory memory(kWords * 4);
    std::vector<uint32_t> in(kWords), out(kWords);
    ASSERT_TRUE(stream.ok() && memory.ok());
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), in.data(), kWords * 4, stream);
    CU_OK(cuMemcpyDtoHAsync_v2, out.data(), memory.at(), kWords * 4, stream);
    end(stream);
    for (uint32_t round = 1; round < 4; ++round) {
        for (size_t i = 0; i < kWords; ++i) in[i] = static_cast<uint32_t>(i) * round;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        ASSERT_EQ(out, in) << "round " << round;
    }
}

TEST_F(GraphHost, LaunchesBehindEachOtherKeepTheirOrder) {
    const Stream stream;
    const Memory memory(4);
    const Pinned in(4), out(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && in.ok() && out.ok());
    memory.fill(0);
    in.words()[0] = 5;
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), in.data(), 4, stream);
    ASSERT_EQ(step(stream, memory.at(), 3, 0), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, in.data(), memory.at(), 4, stream);  // what the next launch reads
    CU_OK(cuMemcpyDtoHAsync_v2, out.data(), memory.at(), 4, stream);
    end(stream);
    for (int i = 0; i < 4; ++i) CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(out.words()[0], 5u * 81);
}

TEST_F(GraphHost, RowsOfABoxAreCaptured) {
    constexpr size_t kPitch = 64;
    const Stream stream;
    const Memory memory(kPitch * 4);
    std::vector<uint8_t> in(kPitch * 4, 1), out(kPitch * 4, 2);
    ASSERT_TRUE(stream.ok() && memory.ok());
    memory.fill(9);
    CUDA_MEMCPY2D into{};
    into.srcMemoryType = CU_MEMORYTYPE_HOST;
    into.srcHost = in.data();
    into.srcPitch = kPitch;
    into.srcXInBytes = 3;
    into.srcY = 1;
    into.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    into.dstDevice = memory.at();
    into.dstPitch = kPitch;
    into.WidthInBytes = 10;
    into.Height = 3;
    CUDA_MEMCPY2D back{};
    back.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    back.srcDevice = memory.at();
    back.srcPitch = kPitch;
    back.dstMemoryType = CU_MEMORYTYPE_HOST;
    back.dstHost = out.data();
    back.dstPitch = kPitch;
    back.dstXInBytes = 5;
    back.WidthInBytes = 10;
    back.Height = 3;
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpy2DAsync_v2, &into, stream);
    CU_OK(cuMemcpy2DAsync_v2, &back, stream);
    end(stream);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i + 7);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    for (size_t y = 0; y < 4; ++y) {
        for (size_t x = 0; x < kPitch; ++x) {
            const bool inside = y < 3 && x >= 5 && x < 15;
            const uint8_t wanted = inside ? in[(y + 1) * kPitch + x - 5 + 3] : 2;
            ASSERT_EQ(out[y * kPitch + x], wanted) << x << " " << y;
        }
    }
}

TEST_F(GraphHost, CapturedHostFunctionsRunAtEachLaunchAndTheStreamWaits) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(8);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    struct Notes {
        uint32_t* words;
        int calls = 0;
    } notes{pinned.words()};
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemsetD32Async, memory.at(), 20, 1, stream);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), 4, stream);
    const auto function = [](void* data) {
        auto* n = static_cast<Notes*>(data);
        ++n->calls;
        n->words[1] = n->words[0] + static_cast<uint32_t>(n->calls);  // sees the copy before it
    };
    CU_OK(cuLaunchHostFunc, stream, function, &notes);
    // A copy behind the function reads what the function has written.
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), pinned.words() + 1, 4, stream);
    ASSERT_EQ(step(stream, memory.at(), 10, 0), CUDA_SUCCESS);
    end(stream);
    EXPECT_EQ(notes.calls, 0) << "recorded, not run";
    for (int i = 1; i <= 5; ++i) {
        pinned.words()[0] = pinned.words()[1] = 0;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        ASSERT_EQ(notes.calls, i);
        ASSERT_EQ(memory.words()[0], 10u * (20 + static_cast<uint32_t>(i)));
    }
}

TEST_F(GraphHost, OutputsBehindAHostFunctionAreNotThereYet) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    memory.fill(0);
    struct Notes {
        const uint32_t* word;
        uint32_t seen = 0;
    } notes{pinned.words()};
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    ASSERT_EQ(step(stream, memory.at(), 1, 1), CUDA_SUCCESS);
    CU_OK(
        cuLaunchHostFunc, stream,
        [](void* data) { static_cast<Notes*>(data)->seen = *static_cast<Notes*>(data)->word; }, &notes);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), 4, stream);
    end(stream);
    for (uint32_t i = 1; i <= 3; ++i) {
        pinned.words()[0] = 1000 + i;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(notes.seen, 1000 + i) << "the function comes before the copy";
        EXPECT_EQ(pinned.words()[0], i);
    }
}

TEST_F(GraphHost, ALaunchBehindAHostFunctionReadsWhatItWrote) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), pinned.data(), 4, stream);
    end(stream);
    pinned.words()[0] = 1;
    CU_OK(
        cuLaunchHostFunc, stream, [](void* data) { *static_cast<uint32_t*>(data) = 77; }, pinned.data());
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words()[0], 77u);
}

TEST_F(GraphHost, ClonesAndChildrenReachTheSameMemory) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(8);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    ASSERT_EQ(begin(stream), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), pinned.data(), 4, stream);
    ASSERT_EQ(step(stream, memory.at(), 2, 0), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.words() + 1, memory.at(), 4, stream);
    CU_OK(cuStreamEndCapture, stream, &graph_);
    CUgraph clone = nullptr;
    CU_OK(cuGraphClone, &clone, graph_);
    CUgraph parent = nullptr;
    CU_OK(cuGraphCreate, &parent, 0);
    CUgraphNode child = nullptr;
    CU_OK(cuGraphAddChildGraphNode, &child, parent, nullptr, 0, clone);
    CU_OK(cuGraphDestroy, clone);
    CU_OK(cuGraphDestroy, graph_);
    graph_ = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable_, parent, 0);
    CU_OK(cuGraphDestroy, parent);
    for (uint32_t i = 1; i < 4; ++i) {
        pinned.words()[0] = i * 11;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(pinned.words()[1], i * 22);
    }
}

TEST_F(GraphHost, CopyNodesTellAndChangeTheirParameters) {
    const Stream stream;
    const Memory memory(16);
    const Pinned a(8), b(8);
    ASSERT_TRUE(stream.ok() && memory.ok() && a.ok() && b.ok());
    memory.fill(0);
    CU_OK(cuGraphCreate, &graph_, 0);
    CUDA_MEMCPY3D in = copy_of(a.data(), memory.at(), 8);
    CUDA_MEMCPY3D out = copy_of(memory.at(), b.data(), 8);
    CUgraphNode reading = nullptr;
    CUgraphNode writing = nullptr;
    CU_OK(cuGraphAddMemcpyNode, &reading, graph_, nullptr, 0, &in, context_);
    CU_OK(cuGraphAddMemcpyNode, &writing, graph_, &reading, 1, &out, context_);
    CUDA_MEMCPY3D told{};
    CU_OK(cuGraphMemcpyNodeGetParams, reading, &told);
    EXPECT_EQ(told.srcHost, a.data());
    EXPECT_EQ(told.dstDevice, memory.at());
    EXPECT_EQ(told.WidthInBytes, 8u);
    CU_OK(cuGraphMemcpyNodeGetParams, writing, &told);
    EXPECT_EQ(told.dstHost, b.data());
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    a.words()[0] = 41;
    a.words()[1] = 42;
    b.words()[0] = b.words()[1] = 0;
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(b.words()[1], 42u);

    // The executable alone: other host memory on either side.
    CUDA_MEMCPY3D other = copy_of(b.data(), memory.at(), 8);
    CU_OK(cuGraphExecMemcpyNodeSetParams, executable_, reading, &other, context_);
    other = copy_of(memory.at(), a.data(), 8);
    CU_OK(cuGraphExecMemcpyNodeSetParams, executable_, writing, &other, context_);
    b.words()[0] = 51;
    b.words()[1] = 52;
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(a.words()[0], 51u);
    EXPECT_EQ(a.words()[1], 52u);
    CU_OK(cuGraphMemcpyNodeGetParams, reading, &told);
    EXPECT_EQ(told.srcHost, a.data()) << "the graph itself keeps its parameters";

    // The graph: then the executable follows by an update.
    other = copy_of(b.data(), memory.at(), 8);
    CU_OK(cuGraphMemcpyNodeSetParams, reading, &other);
    other = copy_of(memory.at(), a.data(), 8);
    CU_OK(cuGraphMemcpyNodeSetParams, writing, &other);
    CUgraphExecUpdateResultInfo info{};
    CU_OK(cuGraphExecUpdate_v2, executable_, graph_, &info);
    b.words()[0] = 61;
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(a.words()[0], 61u);
}

TEST_F(GraphHost, HostNodesTellAndChangeTheirFunction) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CU_OK(cuGraphCreate, &graph_, 0);
    std::array<int, 3> calls{};
    CUDA_HOST_NODE_PARAMS host{[](void* data) { ++*static_cast<int*>(data); }, calls.data()};
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddHostNode, &node, graph_, nullptr, 0, &host);
    CUDA_HOST_NODE_PARAMS told{};
    CU_OK(cuGraphHostNodeGetParams, node, &told);
    EXPECT_EQ(told.fn, host.fn);
    EXPECT_EQ(told.userData, host.userData);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphLaunch, executable_, stream);
    host.userData = &calls[1];
    CU_OK(cuGraphExecHostNodeSetParams, executable_, node, &host);
    CU_OK(cuGraphLaunch, executable_, stream);
    host.userData = &calls[2];
    CU_OK(cuGraphHostNodeSetParams, node, &host);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(calls, (std::array<int, 3>{1, 1, 0}));
    CUgraphExecUpdateResultInfo info{};
    CU_OK(cuGraphExecUpdate_v2, executable_, graph_, &info);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(calls, (std::array<int, 3>{1, 1, 1}));
    host.fn = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphHostNodeSetParams, node, &host);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphHostNodeGetParams, node, nullptr);
}

TEST_F(GraphHost, EventsOfAGraphComeAfterTheCopiesBeforeThem) {
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(4);
    const Event event(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok() && event.ok());
    memory.fill(0);
    CU_OK(cuGraphCreate, &graph_, 0);
    struct Gate {
        std::atomic<bool> open{false};
    } gate;
    CUgraphNode copy = nullptr;
    CUgraphNode record = nullptr;
    CUgraphNode waits = nullptr;
    CUDA_MEMCPY3D out = copy_of(memory.at(), pinned.data(), 4);
    CU_OK(cuGraphAddMemcpyNode, &copy, graph_, nullptr, 0, &out, context_);
    CU_OK(cuGraphAddEventRecordNode, &record, graph_, &copy, 1, event);
    const CUDA_HOST_NODE_PARAMS host{[](void* data) { static_cast<Gate*>(data)->open.wait(false); }, &gate};
    CU_OK(cuGraphAddHostNode, &waits, graph_, &record, 1, &host);
    CUevent told = nullptr;
    CU_OK(cuGraphEventRecordNodeGetEvent, record, &told);
    EXPECT_EQ(told, event);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    for (uint32_t i = 1; i < 4; ++i) {
        gate.open = false;
        pinned.words()[0] = 99;
        ASSERT_EQ(step(stream, memory.at(), 1, 1), CUDA_SUCCESS);
        CU_OK(cuGraphLaunch, executable_, stream);
        const CUresult waited = CU_CALL(cuEventSynchronize, event);
        const uint32_t seen = pinned.words()[0];
        const CUresult busy = CU_CALL(cuStreamQuery, stream);
        gate.open = true;
        gate.open.notify_all();
        ASSERT_EQ(waited, CUDA_SUCCESS);
        EXPECT_EQ(busy, CUDA_ERROR_NOT_READY) << "the graph goes on behind the event";
        EXPECT_EQ(seen, i);
        CU_OK(cuStreamSynchronize, stream);
    }
}

}  // namespace bitfusion::conformance
