// What graphs have besides their work: names of nodes, edges with data, clones, user objects, a picture;
// captures into a graph that is there; events of whole contexts. Source: cuda.h, "Graph Management", "Stream
// Management".
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "conformance/gate.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

class GraphObject : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (HasFatalFailure()) return;
        CU_OK(cuGraphCreate, &graph_, 0);
    }
    void TearDown() override {
        if (graph_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuGraphDestroy, graph_), CUDA_SUCCESS);
        }
        WithKernels::TearDown();
    }

    CUgraph graph_ = nullptr;
};

TEST_F(GraphObject, TheSameNodeHasTheSameHandle) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuMemsetD32Async, memory.at(), 3, 1, stream);
    CUstreamCaptureStatus status{};
    CUgraph building = nullptr;
    const CUgraphNode* dependencies = nullptr;
    std::size_t count = 0;
    CU_OK(cuStreamGetCaptureInfo_v3, stream, &status, nullptr, &building, &dependencies, nullptr, &count);
    ASSERT_EQ(count, 1u);
    const CUgraphNode node = dependencies[0];
    CU_OK(cuMemsetD32Async, memory.at(), 4, 1, stream);
    CUgraph captured = nullptr;
    CU_OK(cuStreamEndCapture, stream, &captured);
    EXPECT_EQ(captured, building);
    std::array<CUgraphNode, 4> nodes{};
    for (int i = 0; i < 2; ++i) {
        count = nodes.size();
        CU_OK(cuGraphGetNodes, captured, nodes.data(), &count);
        ASSERT_EQ(count, 2u);
        EXPECT_EQ(std::count(nodes.begin(), nodes.end(), node), 1);
        EXPECT_EQ(nodes[3], nullptr) << "what is left over is zeroed";
    }
    count = 1;
    std::array<CUgraphNode, 1> before{};
    const CUgraphNode second = nodes[0] == node ? nodes[1] : nodes[0];
    CU_OK(cuGraphNodeGetDependencies_v2, second, before.data(), nullptr, &count);
    EXPECT_EQ(before[0], node);
    count = 1;
    CU_OK(cuGraphNodeGetDependentNodes_v2, node, before.data(), nullptr, &count);
    EXPECT_EQ(before[0], second);
    CU_OK(cuGraphDestroy, captured);
}

TEST_F(GraphObject, EdgesAreListedAndRemoved) {
    std::array<CUgraphNode, 3> n{};
    for (CUgraphNode& node : n) CU_OK(cuGraphAddEmptyNode, &node, graph_, nullptr, 0);
    const std::array<CUgraphNode, 2> from{n[0], n[1]};
    const std::array<CUgraphNode, 2> to{n[2], n[2]};
    CU_OK(cuGraphAddDependencies_v2, graph_, from.data(), to.data(), nullptr, 2);
    std::array<CUgraphNode, 2> first{};
    std::array<CUgraphNode, 2> second{};
    std::array<CUgraphEdgeData, 2> data{};
    std::size_t count = 2;
    CU_OK(cuGraphGetEdges_v2, graph_, first.data(), second.data(), data.data(), &count);
    ASSERT_EQ(count, 2u);
    EXPECT_EQ(second, to);
    EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), from.begin()));
    EXPECT_EQ(data[0].type, 0u);
    CU_OK(cuGraphRemoveDependencies_v2, graph_, from.data(), to.data(), nullptr, 1);
    CU_OK(cuGraphGetEdges_v2, graph_, nullptr, nullptr, nullptr, &count);
    EXPECT_EQ(count, 1u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphGetEdges_v2, graph_, nullptr, nullptr, nullptr, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphRemoveDependencies_v2, graph_, from.data(), to.data(), nullptr, 1);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphNodeGetDependencies_v2, n[0], nullptr, nullptr, nullptr);
}

TEST_F(GraphObject, ClonesKnowTheirOriginals) {
    CUgraphNode node = nullptr;
    CUgraphNode found = nullptr;
    CUgraph clone = nullptr;
    CU_OK(cuGraphAddEmptyNode, &node, graph_, nullptr, 0);
    CU_OK(cuGraphClone, &clone, graph_);
    CU_OK(cuGraphNodeFindInClone, &found, node, clone);
    EXPECT_NE(found, node);
    std::size_t count = 1;
    CUgraphNode listed = nullptr;
    CU_OK(cuGraphGetNodes, clone, &listed, &count);
    EXPECT_EQ(listed, found);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphNodeFindInClone, &found, node, graph_);
    CU_OK(cuGraphDestroy, clone);
}

TEST_F(GraphObject, InstantiationTellsItsOutcome) {
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddEmptyNode, &node, graph_, nullptr, 0);
    CUDA_GRAPH_INSTANTIATE_PARAMS params{};
    params.result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithParams, &executable, graph_, &params);
    EXPECT_EQ(params.result_out, CUDA_GRAPH_INSTANTIATE_SUCCESS);
    EXPECT_EQ(params.hErrNode_out, nullptr);
    cuuint64_t flags = 1;
    CU_OK(cuGraphExecGetFlags, executable, &flags);
    EXPECT_EQ(flags, 0u);
    CU_OK(cuGraphExecDestroy, executable);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphInstantiateWithParams, nullptr, graph_, &params);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphInstantiateWithParams, &executable, graph_, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphInstantiateWithFlags, &executable, nullptr, 0);
}

TEST_F(GraphObject, APictureIsWrittenWhereTheProgramIs) {
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddEmptyNode, &node, graph_, nullptr, 0);
    const std::string path = testing::TempDir() + "bitfusion_graph_" + std::to_string(getpid()) + ".dot";
    CU_OK(cuGraphDebugDotPrint, graph_, path.c_str(), 0);
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    unlink(path.c_str());
    EXPECT_NE(text.str().find("digraph"), std::string::npos) << text.str();
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphDebugDotPrint, graph_, nullptr, 0);
}

// Counts how often it was destroyed.
struct Destroyed {
    std::atomic<int> times{0};
    static void add(void* self) {
        auto* d = static_cast<Destroyed*>(self);
        ++d->times;
        d->times.notify_all();
    }
    void await() { times.wait(0); }
};

TEST_F(GraphObject, UserObjectsLiveAsLongAsAnybodyHoldsThem) {
    Destroyed destroyed;
    CUuserObject object = nullptr;
    CU_OK(cuUserObjectCreate, &object, &destroyed, Destroyed::add, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    CU_OK(cuUserObjectRetain, object, 1);
    CU_OK(cuGraphRetainUserObject, graph_, object, 1, CU_GRAPH_USER_OBJECT_MOVE);
    CU_OK(cuUserObjectRelease, object, 1);
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddEmptyNode, &node, graph_, nullptr, 0);
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable, graph_, 0);
    CU_OK(cuGraphReleaseUserObject, graph_, object, 1);
    CU_OK(cuGraphLaunch, executable, nullptr);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(destroyed.times, 0) << "the executable holds it";
    CU_OK(cuGraphExecDestroy, executable);
    CU_OK(cuCtxSynchronize);
    destroyed.await();
    EXPECT_EQ(destroyed.times, 1);
}

TEST_F(GraphObject, UserObjectsEndWithTheirGraph) {
    Destroyed destroyed;
    CUuserObject object = nullptr;
    CU_OK(cuUserObjectCreate, &object, &destroyed, Destroyed::add, 2, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    CU_OK(cuGraphRetainUserObject, graph_, object, 2, CU_GRAPH_USER_OBJECT_MOVE);
    CU_OK(cuGraphDestroy, graph_);
    graph_ = nullptr;
    CU_OK(cuCtxSynchronize);
    destroyed.await();
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuUserObjectCreate, nullptr, &destroyed, Destroyed::add, 1,
          CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuUserObjectCreate, &object, &destroyed, nullptr, 1,
          CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuUserObjectCreate, &object, &destroyed, Destroyed::add, 0,
          CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    EXPECT_EQ(destroyed.times, 1);
}

TEST_F(GraphObject, ACaptureMayGoIntoAGraphThatIsThere) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CUDA_MEMSET_NODE_PARAMS set{memory.at(), 0, 7, 4, 1, 1};
    CUgraphNode first = nullptr;
    CU_OK(cuGraphAddMemsetNode, &first, graph_, nullptr, 0, &set, context_);
    CU_OK(cuStreamBeginCaptureToGraph, stream, graph_, &first, nullptr, 1, CU_STREAM_CAPTURE_MODE_RELAXED);
    ASSERT_EQ(launch(kernel("step"), {}, stream, memory.at(), 10u, 1u), CUDA_SUCCESS);
    CUgraph ended = nullptr;
    CU_OK(cuStreamEndCapture, stream, &ended);
    EXPECT_EQ(ended, graph_);
    // It is known which graph it is, and nobody needs to be told (NVIDIA's graphConditionalNodes).
    CU_OK(cuStreamBeginCaptureToGraph, stream, graph_, nullptr, nullptr, 0, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuStreamEndCapture, stream, nullptr);
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    CU_OK(cuStreamIsCapturing, stream, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    std::size_t edges = 0;
    CU_OK(cuGraphGetEdges_v2, graph_, nullptr, nullptr, nullptr, &edges);
    EXPECT_EQ(edges, 1u);
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable, graph_, 0);
    CU_OK(cuGraphLaunch, executable, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words()[0], 71u);
    CU_OK(cuGraphExecDestroy, executable);
}

TEST_F(GraphObject, ACapturesDependenciesCanBeChanged) {
    const Stream stream;
    const Memory memory(8);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuMemsetD32Async, memory.at(), 1, 1, stream);
    CU_OK(cuStreamUpdateCaptureDependencies_v2, stream, nullptr, nullptr, 0,
          CU_STREAM_SET_CAPTURE_DEPENDENCIES);
    CU_OK(cuMemsetD32Async, memory.at(4), 2, 1, stream);
    CUgraph captured = nullptr;
    const CUresult ended = CU_CALL(cuStreamEndCapture, stream, &captured);
    ASSERT_EQ(ended, CUDA_SUCCESS);
    std::size_t roots = 0;
    CU_OK(cuGraphGetRootNodes, captured, nullptr, &roots);
    EXPECT_EQ(roots, 2u);
    CU_OK(cuGraphDestroy, captured);
}

TEST_F(GraphObject, ACaptureEndsOnTheThreadWhereItBegan) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    CUgraph captured = nullptr;
    CUresult elsewhere = CUDA_SUCCESS;
    std::thread([&] {
        CU_CALL(cuCtxSetCurrent, context_);
        elsewhere = CU_CALL(cuStreamEndCapture, stream, &captured);
    }).join();
    EXPECT_EQ(elsewhere, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    // That was its end all the same: seen with driver 580, CUDA's documents say nothing of it.
    EXPECT_EQ(captured, nullptr);
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    CU_OK(cuStreamIsCapturing, stream, &status);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    CU_IS(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture, stream, &captured);
}

TEST_F(GraphObject, AnEventMayStandForAWholeContext) {
    const Stream a, b;
    const Memory memory(4);
    const Event event(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(a.ok() && b.ok() && memory.ok() && event.ok());
    memory.fill(0);
    Gate gate;
    PUT_GATE(gate, a);
    ASSERT_EQ(launch(kernel("step"), {}, a, memory.at(), 1u, 5u), CUDA_SUCCESS);
    CU_OK(cuCtxRecordEvent, context_, event);
    CU_IS(CUDA_ERROR_NOT_READY, cuEventQuery, event);
    CU_OK(cuCtxWaitEvent, context_, event);
    ASSERT_EQ(launch(kernel("step"), {}, b, memory.at(), 10u, 1u), CUDA_SUCCESS);
    gate.open();
    CU_OK(cuStreamSynchronize, b);
    EXPECT_EQ(memory.words()[0], 51u);
    CU_OK(cuEventQuery, event);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuCtxRecordEvent, context_, nullptr);
}

}  // namespace bitfusion::conformance
