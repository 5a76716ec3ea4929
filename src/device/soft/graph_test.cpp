#include <vector>

#include "device/soft/test_device.h"
#include "device/soft/test_kernels.h"

namespace bitfusion::soft {
namespace {

class GraphTest : public test::DeviceTest {
  protected:
    void SetUp() override {
        DeviceTest::SetUp();
        ASSERT_EQ(cu.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
        memory = allocate(16);
        ASSERT_EQ(cu.cuMemsetD32_v2(memory, 0, 4), CUDA_SUCCESS);
    }
    CUgraphNode add_set(CUdeviceptr to, unsigned value, std::vector<CUgraphNode> after = {}) {
        CUDA_MEMSET_NODE_PARAMS set{};
        set.dst = to;
        set.value = value;
        set.elementSize = 4;
        set.width = set.height = 1;
        CUgraphNode node = nullptr;
        EXPECT_EQ(cu.cuGraphAddMemsetNode(&node, graph, after.data(), after.size(), &set, context),
                  CUDA_SUCCESS);
        return node;
    }
    CUgraphExec instantiate() {
        CUgraphExec exec = nullptr;
        EXPECT_EQ(cu.cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
        return exec;
    }
    std::vector<uint32_t> values() {
        std::vector<uint32_t> back(4);
        EXPECT_EQ(cu.cuMemcpyDtoH_v2(back.data(), memory, 16), CUDA_SUCCESS);
        return back;
    }

    CUgraph graph = nullptr;
    CUdeviceptr memory = 0;
};

TEST_F(GraphTest, NodesAndEdges) {
    const CUgraphNode a = add_set(memory, 1);
    const CUgraphNode b = add_set(memory, 2, {a});
    const CUgraphNode c = add_set(memory, 3, {a, b});
    size_t count = 0;
    EXPECT_EQ(cu.cuGraphGetNodes(graph, nullptr, &count), CUDA_SUCCESS);
    EXPECT_EQ(count, 3u);
    CUgraphNode roots[2] = {c, c};
    count = 2;
    EXPECT_EQ(cu.cuGraphGetRootNodes(graph, roots, &count), CUDA_SUCCESS);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(roots[0], a);
    EXPECT_EQ(roots[1], nullptr);
    count = 0;
    EXPECT_EQ(cu.cuGraphGetEdges_v2(graph, nullptr, nullptr, nullptr, &count), CUDA_SUCCESS);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(cu.cuGraphNodeGetDependentNodes_v2(a, nullptr, nullptr, &count), CUDA_SUCCESS);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(cu.cuGraphAddDependencies_v2(graph, &a, &c, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuGraphRemoveDependencies_v2(graph, &a, &c, nullptr, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuGraphRemoveDependencies_v2(graph, &a, &c, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
    CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
    EXPECT_EQ(cu.cuGraphNodeGetType(b, &type), CUDA_SUCCESS);
    EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_MEMSET);
    // A cycle is found when the graph is instantiated.
    EXPECT_EQ(cu.cuGraphAddDependencies_v2(graph, &c, &a, nullptr, 1), CUDA_SUCCESS);
    CUgraphExec exec = nullptr;
    EXPECT_EQ(cu.cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuGraphDestroyNode(c), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuGraphNodeGetType(c, &type), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuGraphDestroy(graph), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuGraphNodeGetType(a, &type), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphTest, LaunchKeepsTheOrderOfNodesAndStream) {
    const CUgraphNode a = add_set(memory, 1);
    const CUgraphNode b = add_set(memory + 4, 2, {a});
    const CUgraphNode c = add_set(memory, 3, {b});
    (void)c;
    const CUgraphExec exec = instantiate();
    // The executable graph does not need the graph any more.
    ASSERT_EQ(cu.cuGraphDestroy(graph), CUDA_SUCCESS);
    const CUstream stream = make_stream();
    ASSERT_EQ(cu.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32Async(memory + 8, 9, 1, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{3, 2, 9, 0}));
    EXPECT_EQ(cu.cuGraphExecDestroy(exec), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuGraphLaunch(exec, stream), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(GraphTest, KernelNodesAndTheirParameters) {
    CUmodule module = nullptr;
    ASSERT_EQ(cu.cuModuleLoadData(&module, test::kPtx), CUDA_SUCCESS);
    CUfunction add = nullptr;
    ASSERT_EQ(cu.cuModuleGetFunction(&add, module, "add"), CUDA_SUCCESS);
    CUdeviceptr out = memory;
    unsigned value = 5;
    unsigned count = 4;
    void* arguments[] = {&out, &value, &count};
    CUDA_KERNEL_NODE_PARAMS kernel{};
    kernel.func = add;
    kernel.gridDimX = kernel.gridDimY = kernel.gridDimZ = 1;
    kernel.blockDimX = 32;
    kernel.blockDimY = kernel.blockDimZ = 1;
    kernel.kernelParams = arguments;
    CUgraphNode node = nullptr;
    ASSERT_EQ(cu.cuGraphAddKernelNode_v2(&node, graph, nullptr, 0, &kernel), CUDA_SUCCESS);
    CUDA_KERNEL_NODE_PARAMS told{};
    ASSERT_EQ(cu.cuGraphKernelNodeGetParams_v2(node, &told), CUDA_SUCCESS);
    EXPECT_EQ(told.func, add);
    EXPECT_EQ(told.blockDimX, 32u);
    EXPECT_EQ(*static_cast<unsigned*>(told.kernelParams[1]), 5u);
    const CUgraphExec exec = instantiate();
    ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{10, 10, 10, 10}));
    value = 100;
    ASSERT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(exec, node, &kernel), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(values()[3], 110u);
    ASSERT_EQ(cu.cuGraphNodeSetEnabled(exec, node, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(values()[3], 110u);
    kernel.blockDimX = 2000;
    EXPECT_EQ(cu.cuGraphKernelNodeSetParams_v2(node, &kernel), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphTest, UpdateTakesTheSameShapeOnly) {
    const CUgraphNode a = add_set(memory, 1);
    add_set(memory + 4, 2, {a});
    const CUgraphExec exec = instantiate();
    CUgraph first = graph;
    ASSERT_EQ(cu.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
    const CUgraphNode other = add_set(memory, 11);
    CUgraphExecUpdateResultInfo info{};
    EXPECT_EQ(cu.cuGraphExecUpdate_v2(exec, graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    add_set(memory + 4, 12, {other});
    EXPECT_EQ(cu.cuGraphExecUpdate_v2(exec, graph, &info), CUDA_SUCCESS);
    EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{11, 12, 0, 0}));
    EXPECT_EQ(cu.cuGraphDestroy(first), CUDA_SUCCESS);
}

TEST_F(GraphTest, ChildrenEventsAndHostFunctions) {
    CUgraph child = nullptr;
    ASSERT_EQ(cu.cuGraphCreate(&child, 0), CUDA_SUCCESS);
    std::swap(graph, child);
    const CUgraphNode inner = add_set(memory, 1);
    add_set(memory + 4, 2, {inner});
    std::swap(graph, child);
    CUgraphNode nested = nullptr;
    ASSERT_EQ(cu.cuGraphAddChildGraphNode(&nested, graph, nullptr, 0, child), CUDA_SUCCESS);
    // It was copied.
    ASSERT_EQ(cu.cuGraphDestroy(child), CUDA_SUCCESS);
    const CUevent event = make_event();
    CUgraphNode record = nullptr;
    ASSERT_EQ(cu.cuGraphAddEventRecordNode(&record, graph, &nested, 1, event), CUDA_SUCCESS);
    int calls = 0;
    CUDA_HOST_NODE_PARAMS host{};
    host.fn = [](void* data) { ++*static_cast<int*>(data); };
    host.userData = &calls;
    CUgraphNode function = nullptr;
    ASSERT_EQ(cu.cuGraphAddHostNode(&function, graph, &record, 1, &host), CUDA_SUCCESS);
    CUgraph clone = nullptr;
    ASSERT_EQ(cu.cuGraphClone(&clone, graph), CUDA_SUCCESS);
    CUgraphNode cloned = nullptr;
    EXPECT_EQ(cu.cuGraphNodeFindInClone(&cloned, function, clone), CUDA_SUCCESS);
    EXPECT_NE(cloned, function);
    CUgraphExec exec = nullptr;
    ASSERT_EQ(cu.cuGraphInstantiateWithFlags(&exec, clone, 0), CUDA_SUCCESS);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuEventSynchronize(event), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{1, 2, 0, 0}));
    EXPECT_EQ(calls, 3);
}

TEST_F(GraphTest, CapturedWorkRunsWhenLaunched) {
    const CUstream stream = make_stream(CU_STREAM_NON_BLOCKING);
    const CUstream side = make_stream(CU_STREAM_NON_BLOCKING);
    const CUevent fork = make_event(CU_EVENT_DISABLE_TIMING);
    const CUevent join = make_event(CU_EVENT_DISABLE_TIMING);
    uint32_t source = 5;
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemcpyHtoDAsync_v2(memory, &source, 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuEventRecord(fork, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitEvent(side, fork, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemcpyDtoDAsync_v2(memory + 4, memory, 4, side), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuEventRecord(join, side), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemcpyDtoDAsync_v2(memory + 8, memory, 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamWaitEvent(stream, join, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemcpyDtoDAsync_v2(memory + 12, memory + 4, 4, stream), CUDA_SUCCESS);
    CUgraph captured = nullptr;
    ASSERT_EQ(cu.cuStreamEndCapture(stream, &captured), CUDA_SUCCESS);
    CUgraphExec exec = nullptr;
    ASSERT_EQ(cu.cuGraphInstantiateWithFlags(&exec, captured, 0), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{0, 0, 0, 0}));
    // Host memory is read again at each launch.
    source = 6;
    ASSERT_EQ(cu.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{6, 6, 6, 6}));
    // A launch can be captured in its turn.
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    CUgraph outer = nullptr;
    ASSERT_EQ(cu.cuStreamEndCapture(stream, &outer), CUDA_SUCCESS);
    CUgraphExec outer_exec = nullptr;
    ASSERT_EQ(cu.cuGraphInstantiateWithFlags(&outer_exec, outer, 0), CUDA_SUCCESS);
    source = 7;
    ASSERT_EQ(cu.cuGraphLaunch(outer_exec, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(values(), (std::vector<uint32_t>{7, 7, 7, 7}));
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(side), CUDA_SUCCESS);
}

TEST_F(GraphTest, MemoryOfGraphs) {
    const CUstream stream = make_stream(CU_STREAM_NON_BLOCKING);
    size_t before = 0;
    size_t total = 0;
    ASSERT_EQ(cu.cuMemGetInfo_v2(&before, &total), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    CUdeviceptr inside = 0;
    ASSERT_EQ(cu.cuMemAllocAsync(&inside, 1 << 20, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32Async(inside, 8, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemcpyDtoDAsync_v2(memory, inside, 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemFreeAsync(inside, stream), CUDA_SUCCESS);
    CUgraph captured = nullptr;
    ASSERT_EQ(cu.cuStreamEndCapture(stream, &captured), CUDA_SUCCESS);
    size_t count = 4;
    CUgraphNode nodes[4];
    ASSERT_EQ(cu.cuGraphGetNodes(captured, nodes, &count), CUDA_SUCCESS);
    ASSERT_EQ(count, 4u);
    CUDA_MEM_ALLOC_NODE_PARAMS parameters{};
    EXPECT_EQ(cu.cuGraphMemAllocNodeGetParams(nodes[0], &parameters), CUDA_SUCCESS);
    EXPECT_EQ(parameters.dptr, inside);
    cuuint64_t used = 0;
    EXPECT_EQ(cu.cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
    EXPECT_EQ(used, 1u << 20);
    CUgraphExec exec = nullptr;
    ASSERT_EQ(cu.cuGraphInstantiateWithFlags(&exec, captured, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphDestroy(captured), CUDA_SUCCESS);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(cu.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    // Destroyed while it may still run: the memory stays until it is over.
    ASSERT_EQ(cu.cuGraphExecDestroy(exec), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(values()[0], 8u);
    size_t after = 0;
    ASSERT_EQ(cu.cuMemGetInfo_v2(&after, &total), CUDA_SUCCESS);
    EXPECT_EQ(after, before);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(GraphTest, UserObjectsEndWithTheLastGraph) {
    int ended = 0;
    CUuserObject object = nullptr;
    const CUhostFn end = [](void* data) { ++*static_cast<int*>(data); };
    EXPECT_EQ(cu.cuUserObjectCreate(&object, &ended, end, 1, 0), CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(cu.cuUserObjectCreate(&object, &ended, end, 2, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC),
              CUDA_SUCCESS);
    ASSERT_EQ(cu.cuGraphRetainUserObject(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuUserObjectRelease(object, 1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuUserObjectRelease(object, 1), CUDA_ERROR_INVALID_VALUE);
    add_set(memory, 1);
    const CUgraphExec exec = instantiate();
    ASSERT_EQ(cu.cuGraphDestroy(graph), CUDA_SUCCESS);
    EXPECT_EQ(ended, 0);
    ASSERT_EQ(cu.cuGraphExecDestroy(exec), CUDA_SUCCESS);
    EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace bitfusion::soft
