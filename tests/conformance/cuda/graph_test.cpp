// Graphs built by hand: cuda.h, "Graph Management". Graphs recorded from streams: capture_test.cpp.
#include <algorithm>
#include <array>
#include <atomic>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class Graph : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (HasFatalFailure()) return;
        CU_OK(cuGraphCreate, &graph_, 0);
    }
    void TearDown() override {
        if (executable_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuGraphExecDestroy, executable_), CUDA_SUCCESS);
        }
        if (graph_ != nullptr) {
            EXPECT_EQ(CU_CALL(cuGraphDestroy, graph_), CUDA_SUCCESS);
        }
        WithKernels::TearDown();
    }

    // A node that runs step on one word: value = value * factor + term. Its numbers live in this fixture.
    CUresult add_step(CUgraphNode* node, const std::vector<CUgraphNode>& after, CUdeviceptr address,
                      uint32_t factor, uint32_t term) {
        address_ = address;
        factor_ = factor;
        term_ = term;
        CUDA_KERNEL_NODE_PARAMS parameters = step_parameters();
        return CU_CALL(cuGraphAddKernelNode_v2, node, graph_, after.data(), after.size(), &parameters);
    }

    CUDA_KERNEL_NODE_PARAMS step_parameters() {
        CUDA_KERNEL_NODE_PARAMS parameters{};
        parameters.func = kernel("step");
        parameters.gridDimX = parameters.gridDimY = parameters.gridDimZ = 1;
        parameters.blockDimX = parameters.blockDimY = parameters.blockDimZ = 1;
        parameters.kernelParams = arguments_.data();
        return parameters;
    }

    CUgraph graph_ = nullptr;
    CUgraphExec executable_ = nullptr;
    CUdeviceptr address_ = 0;
    uint32_t factor_ = 0;
    uint32_t term_ = 0;
    std::array<void*, 3> arguments_{&address_, &factor_, &term_};
};

TEST_F(Graph, RunsNodesInTheOrderOfTheirDependencies) {
    const Memory memory(4);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    CUgraphNode first = nullptr;
    CUgraphNode second = nullptr;
    CUgraphNode third = nullptr;
    const CUresult code = add_step(&first, {}, memory.at(), 0, 1);
    if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip())
        GTEST_SKIP() << "cuGraphAddKernelNode is not supported";
    ASSERT_EQ(code, CUDA_SUCCESS);
    ASSERT_EQ(add_step(&second, {first}, memory.at(), 10, 2), CUDA_SUCCESS);
    ASSERT_EQ(add_step(&third, {second}, memory.at(), 10, 3), CUDA_SUCCESS);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    for (int i = 0; i < 3; ++i) {
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(memory.words(), std::vector<uint32_t>{123});
    }
}

TEST_F(Graph, EveryKindOfNode) {
    constexpr uint32_t kCount = 64;
    const Memory memory(kCount * 4);
    const Stream stream;
    const Pinned pinned(kCount * 4);
    ASSERT_TRUE(memory.ok() && stream.ok() && pinned.ok());

    CUDA_MEMSET_NODE_PARAMS set{};
    set.dst = memory.at();
    set.elementSize = 4;
    set.value = 7;
    set.width = kCount;
    set.height = 1;
    CUgraphNode set_node = nullptr;
    CU_OK(cuGraphAddMemsetNode, &set_node, graph_, nullptr, 0, &set, context_);

    CUgraphNode kernel_node = nullptr;
    const CUresult added = add_step(&kernel_node, {set_node}, memory.at(4), 2, 1);
    if (added == CUDA_ERROR_NOT_SUPPORTED && may_skip())
        GTEST_SKIP() << "kernel nodes are not supported by this target";
    ASSERT_EQ(added, CUDA_SUCCESS);
    CUgraphNode empty_node = nullptr;
    CU_OK(cuGraphAddEmptyNode, &empty_node, graph_, &kernel_node, 1);

    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = memory.at();
    copy.srcPitch = kCount * 4;
    copy.srcHeight = 1;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = pinned.data();
    copy.dstPitch = kCount * 4;
    copy.dstHeight = 1;
    copy.WidthInBytes = kCount * 4;
    copy.Height = 1;
    copy.Depth = 1;
    CUgraphNode copy_node = nullptr;
    CU_OK(cuGraphAddMemcpyNode, &copy_node, graph_, &empty_node, 1, &copy, context_);

    struct Notes {
        std::atomic<int> calls{0};
        uint32_t seen = 0;
        const uint32_t* words = nullptr;
    } notes;
    notes.words = pinned.words();
    CUDA_HOST_NODE_PARAMS host{};
    host.fn = [](void* data) {
        auto* notes = static_cast<Notes*>(data);
        notes->seen = notes->words[1];
        ++notes->calls;
    };
    host.userData = &notes;
    CUgraphNode host_node = nullptr;
    CU_OK(cuGraphAddHostNode, &host_node, graph_, &copy_node, 1, &host);

    CUgraphNodeType type{};
    CU_OK(cuGraphNodeGetType, kernel_node, &type);
    EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_KERNEL);
    CU_OK(cuGraphNodeGetType, host_node, &type);
    EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_HOST);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphUpload, executable_, stream);
    for (int i = 1; i <= 2; ++i) {
        pinned.words()[0] = pinned.words()[1] = 0;
        CU_OK(cuGraphLaunch, executable_, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(notes.calls, i);
        EXPECT_EQ(notes.seen, 15u);
        EXPECT_EQ(pinned.words()[0], 7u);
        EXPECT_EQ(pinned.words()[kCount - 1], 7u);
    }
}

TEST_F(Graph, NodesEdgesAndRootsCanBeListed) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    CUgraphNode a = nullptr;
    CUgraphNode b = nullptr;
    CUgraphNode c = nullptr;
    CU_OK(cuGraphAddEmptyNode, &a, graph_, nullptr, 0);
    CU_OK(cuGraphAddEmptyNode, &b, graph_, nullptr, 0);
    const std::array<CUgraphNode, 2> both{a, b};
    CU_OK(cuGraphAddEmptyNode, &c, graph_, both.data(), both.size());
    std::size_t count = 0;
    CU_OK(cuGraphGetNodes, graph_, nullptr, &count);
    ASSERT_EQ(count, 3u);
    std::array<CUgraphNode, 3> nodes{};
    CU_OK(cuGraphGetNodes, graph_, nodes.data(), &count);
    for (const CUgraphNode node : {a, b, c}) EXPECT_EQ(std::count(nodes.begin(), nodes.end(), node), 1);
    CU_OK(cuGraphGetRootNodes, graph_, nullptr, &count);
    EXPECT_EQ(count, 2u);
    CU_OK(cuGraphGetEdges_v2, graph_, nullptr, nullptr, nullptr, &count);
    EXPECT_EQ(count, 2u);
    CU_OK(cuGraphNodeGetDependencies_v2, c, nullptr, nullptr, &count);
    EXPECT_EQ(count, 2u);
    CU_OK(cuGraphNodeGetDependentNodes_v2, a, nullptr, nullptr, &count);
    EXPECT_EQ(count, 1u);
    CU_OK(cuGraphRemoveDependencies_v2, graph_, &a, &c, nullptr, 1);
    CU_OK(cuGraphGetRootNodes, graph_, nullptr, &count);
    EXPECT_EQ(count, 2u);
    CU_OK(cuGraphDestroyNode, b);
    CU_OK(cuGraphGetRootNodes, graph_, nullptr, &count);
    EXPECT_EQ(count, 2u) << "c has lost its last dependency";
}

TEST_F(Graph, CyclesAreRefused) {
    CUgraphNode a = nullptr;
    CUgraphNode b = nullptr;
    CU_OK(cuGraphAddEmptyNode, &a, graph_, nullptr, 0);
    CU_OK(cuGraphAddEmptyNode, &b, graph_, &a, 1);
    // The driver may refuse the edge itself or the graph with the edge.
    const CUresult added = CU_CALL(cuGraphAddDependencies_v2, graph_, &b, &a, nullptr, 1);
    if (added == CUDA_SUCCESS) {
        EXPECT_NE(CU_CALL(cuGraphInstantiateWithFlags, &executable_, graph_, 0), CUDA_SUCCESS);
    } else {
        EXPECT_EQ(added, CUDA_ERROR_INVALID_VALUE);
    }
}

TEST_F(Graph, ParametersOfAnExecutableCanChange) {
    const Memory memory(8);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    memory.fill(0);
    CUgraphNode node = nullptr;
    const CUresult code = add_step(&node, {}, memory.at(), 1, 5);
    if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip())
        GTEST_SKIP() << "cuGraphAddKernelNode is not supported";
    ASSERT_EQ(code, CUDA_SUCCESS);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphLaunch, executable_, stream);
    address_ = memory.at(4);
    term_ = 9;
    CUDA_KERNEL_NODE_PARAMS changed = step_parameters();
    CU_OK(cuGraphExecKernelNodeSetParams_v2, executable_, node, &changed);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{5, 9}));

    CUDA_KERNEL_NODE_PARAMS kept{};
    CU_OK(cuGraphKernelNodeGetParams_v2, node, &kept);
    EXPECT_EQ(kept.gridDimX, 1u);
    EXPECT_EQ(*static_cast<uint32_t*>(kept.kernelParams[2]), 5u) << "the graph itself keeps its parameters";
}

TEST_F(Graph, ExecutablesFollowAnUpdatedGraph) {
    const Memory memory(4);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    memory.fill(0);
    CUgraphNode node = nullptr;
    const CUresult code = add_step(&node, {}, memory.at(), 1, 5);
    if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip())
        GTEST_SKIP() << "cuGraphAddKernelNode is not supported";
    ASSERT_EQ(code, CUDA_SUCCESS);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    term_ = 100;
    CUDA_KERNEL_NODE_PARAMS changed = step_parameters();
    CU_OK(cuGraphKernelNodeSetParams_v2, node, &changed);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{5});
    CUgraphExecUpdateResultInfo result{};
    CU_OK(cuGraphExecUpdate_v2, executable_, graph_, &result);
    EXPECT_EQ(result.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{105});

    CUgraphNode extra = nullptr;
    ASSERT_EQ(add_step(&extra, {node}, memory.at(), 1, 1), CUDA_SUCCESS);
    CU_IS(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, cuGraphExecUpdate_v2, executable_, graph_, &result);
    EXPECT_EQ(result.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}

TEST_F(Graph, ClonesAndChildrenAreCopies) {
    const Memory memory(4);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    memory.fill(0);
    CUgraphNode node = nullptr;
    const CUresult code = add_step(&node, {}, memory.at(), 1, 5);
    if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip())
        GTEST_SKIP() << "cuGraphAddKernelNode is not supported";
    ASSERT_EQ(code, CUDA_SUCCESS);
    CUgraph clone = nullptr;
    CU_OK(cuGraphClone, &clone, graph_);
    CUgraph parent = nullptr;
    CU_OK(cuGraphCreate, &parent, 0);
    CUgraphNode first = nullptr;
    CUgraphNode second = nullptr;
    CU_OK(cuGraphAddChildGraphNode, &first, parent, nullptr, 0, clone);
    CU_OK(cuGraphAddChildGraphNode, &second, parent, &first, 1, graph_);
    CU_OK(cuGraphDestroy, clone);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, parent, 0);
    CU_OK(cuGraphDestroy, parent);
    CU_OK(cuGraphLaunch, executable_, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{10});
}

TEST_F(Graph, AnEmptyGraphRuns) {
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphLaunch, executable_, nullptr);
    CU_OK(cuCtxSynchronize);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphCreate, nullptr, 0);
}

}  // namespace bitfusion::conformance
