// Nodes of graphs: adding, asking, changing, in CUDA's general and its typed forms, and what is refused.
// Source: cuda.h, "Graph Management".
#include <array>
#include <cstring>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class GraphNode : public WithKernels {
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
    CUDA_KERNEL_NODE_PARAMS step(CUdeviceptr address, uint32_t factor, uint32_t term) {
        address_ = address;
        factor_ = factor;
        term_ = term;
        CUDA_KERNEL_NODE_PARAMS p{};
        p.func = kernel("step");
        p.gridDimX = p.gridDimY = p.gridDimZ = 1;
        p.blockDimX = p.blockDimY = p.blockDimZ = 1;
        p.kernelParams = arguments_.data();
        return p;
    }
    void run() {
        CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
        launch_again();
    }
    void launch_again() {
        CU_OK(cuGraphLaunch, executable_, nullptr);
        CU_OK(cuCtxSynchronize);
    }
    CUmemPoolProps properties() const {
        CUmemPoolProps p{};
        p.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
        p.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
        p.location.id = device_;
        return p;
    }

    CUgraph graph_ = nullptr;
    CUgraphExec executable_ = nullptr;
    CUdeviceptr address_ = 0;
    uint32_t factor_ = 0;
    uint32_t term_ = 0;
    std::array<void*, 3> arguments_{&address_, &factor_, &term_};
};

TEST_F(GraphNode, TheGeneralFormAddsEveryKind) {
    const Memory memory(16);
    const Pinned pinned(16);
    const Event event(CU_EVENT_DISABLE_TIMING);
    ASSERT_TRUE(memory.ok() && pinned.ok() && event.ok());
    CUgraphNode last = nullptr;
    const auto add = [&](CUgraphNodeParams p) {
        CUgraphNode node = nullptr;
        const CUresult result =
            CU_CALL(cuGraphAddNode_v2, &node, graph_, &last, nullptr, last != nullptr ? 1 : 0, &p);
        CUgraphNodeType type{};
        if (result != CUDA_SUCCESS) return result;
        EXPECT_EQ(CU_CALL(cuGraphNodeGetType, node, &type), CUDA_SUCCESS);
        EXPECT_EQ(type, p.type);
        last = node;
        return result;
    };
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_MEMSET;
    p.memset = {memory.at(), 0, 3, 4, 4, 1, context_};
    const CUresult first = add(p);
    if (first == CUDA_ERROR_NOT_SUPPORTED && may_skip()) GTEST_SKIP() << "cuGraphAddNode is not supported";
    ASSERT_EQ(first, CUDA_SUCCESS);
    const CUDA_KERNEL_NODE_PARAMS k = step(memory.at(), 10, 4);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_KERNEL;
    p.kernel.func = k.func;
    p.kernel.gridDimX = p.kernel.gridDimY = p.kernel.gridDimZ = 1;
    p.kernel.blockDimX = p.kernel.blockDimY = p.kernel.blockDimZ = 1;
    p.kernel.kernelParams = k.kernelParams;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_MEMCPY;
    p.memcpy.copyCtx = context_;
    p.memcpy.copyParams.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    p.memcpy.copyParams.srcDevice = memory.at();
    p.memcpy.copyParams.dstMemoryType = CU_MEMORYTYPE_HOST;
    p.memcpy.copyParams.dstHost = pinned.data();
    p.memcpy.copyParams.WidthInBytes = 16;
    p.memcpy.copyParams.Height = p.memcpy.copyParams.Depth = 1;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
    p.eventRecord.event = event;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT;
    p.eventWait.event = event;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_EMPTY;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    int calls = 0;
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_HOST;
    p.host.fn = [](void* data) { ++*static_cast<int*>(data); };
    p.host.userData = &calls;
    ASSERT_EQ(add(p), CUDA_SUCCESS);
    run();
    EXPECT_EQ(pinned.words()[0], 34u);
    EXPECT_EQ(pinned.words()[3], 3u);
    EXPECT_EQ(calls, 1);
    CU_OK(cuEventQuery, event);
}

TEST_F(GraphNode, KernelsTellTheirArguments) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    CUDA_KERNEL_NODE_PARAMS given = step(memory.at(), 6, 7);
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddKernelNode_v2, &node, graph_, nullptr, 0, &given);
    factor_ = term_ = 0;  // the node has taken its own copy
    CUDA_KERNEL_NODE_PARAMS told{};
    CU_OK(cuGraphKernelNodeGetParams_v2, node, &told);
    EXPECT_EQ(told.func, given.func);
    EXPECT_EQ(told.blockDimX, 1u);
    ASSERT_NE(told.kernelParams, nullptr);
    EXPECT_EQ(*static_cast<CUdeviceptr*>(told.kernelParams[0]), memory.at());
    EXPECT_EQ(*static_cast<uint32_t*>(told.kernelParams[1]), 6u);
    EXPECT_EQ(*static_cast<uint32_t*>(told.kernelParams[2]), 7u);
    // What is told can be given back, with one value changed.
    *static_cast<uint32_t*>(told.kernelParams[2]) = 8;
    CU_OK(cuGraphKernelNodeSetParams_v2, node, &told);
    memory.fill(0);
    run();
    EXPECT_EQ(memory.words()[0], 8u);
}

TEST_F(GraphNode, KernelsHaveAttributes) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    CUDA_KERNEL_NODE_PARAMS given = step(memory.at(), 1, 1);
    CUgraphNode a = nullptr;
    CUgraphNode b = nullptr;
    CU_OK(cuGraphAddKernelNode_v2, &a, graph_, nullptr, 0, &given);
    CU_OK(cuGraphAddKernelNode_v2, &b, graph_, &a, 1, &given);
    CUkernelNodeAttrValue value{};
    value.priority = 0;
    value.cooperative = 1;
    CU_OK(cuGraphKernelNodeSetAttribute, a, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value);
    CU_OK(cuGraphKernelNodeCopyAttributes, b, a);
    value = {};
    CU_OK(cuGraphKernelNodeGetAttribute, b, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value);
    EXPECT_EQ(value.cooperative, 1);
    if (answers_misuse())
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphKernelNodeGetAttribute, b, CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
              nullptr);
}

TEST_F(GraphNode, MemsetsTellAndChange) {
    const Memory memory(16);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    CUDA_MEMSET_NODE_PARAMS set{memory.at(), 0, 5, 4, 2, 1};
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddMemsetNode, &node, graph_, nullptr, 0, &set, context_);
    run();
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{5, 5, 0, 0}));
    set.dst = memory.at(8);
    set.value = 6;
    CU_OK(cuGraphExecMemsetNodeSetParams, executable_, node, &set, context_);
    launch_again();
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{5, 5, 6, 6}));
    set.value = 7;
    CU_OK(cuGraphMemsetNodeSetParams, node, &set);
    CUDA_MEMSET_NODE_PARAMS told{};
    CU_OK(cuGraphMemsetNodeGetParams, node, &told);
    EXPECT_EQ(told.dst, memory.at(8));
    EXPECT_EQ(told.value, 7u);
    set.dst = kNowhere;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphMemsetNodeSetParams, node, &set);
}

TEST_F(GraphNode, OperationsOnMemoryAreOneNode) {
    const Memory memory(16);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    std::array<CUstreamBatchMemOpParams, 2> operations{};
    operations[0].operation = operations[1].operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operations[0].writeValue.address = memory.at();
    operations[0].writeValue.value = 11;
    operations[1].writeValue.address = memory.at(4);
    operations[1].writeValue.value = 12;
    CUDA_BATCH_MEM_OP_NODE_PARAMS batch{context_, 2, operations.data(), 0};
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddBatchMemOpNode, &node, graph_, nullptr, 0, &batch);
    CUDA_BATCH_MEM_OP_NODE_PARAMS told{};
    CU_OK(cuGraphBatchMemOpNodeGetParams, node, &told);
    ASSERT_EQ(told.count, 2u);
    EXPECT_EQ(told.paramArray[1].writeValue.value, 12u);
    run();
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{11, 12, 0, 0}));
    operations[0].writeValue.value = 21;
    CU_OK(cuGraphExecBatchMemOpNodeSetParams, executable_, node, &batch);
    launch_again();
    EXPECT_EQ(memory.words()[0], 21u);
    operations[1].writeValue.value = 22;
    CU_OK(cuGraphBatchMemOpNodeSetParams, node, &batch);
    operations[0].writeValue.address = kNowhere;
    // The driver takes any address and lets the graph fail; a worker lets nobody name what is not theirs.
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS, cuGraphAddBatchMemOpNode, &node, graph_, nullptr, 0,
                 &batch);
}

TEST_F(GraphNode, BatchesOfMemoryOperationsRunInAStream) {
    const Stream stream;
    const Memory memory(16);
    ASSERT_TRUE(stream.ok() && memory.ok());
    memory.fill(0);
    std::array<CUstreamBatchMemOpParams, 3> operations{};
    operations[0].operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operations[0].writeValue.address = memory.at();
    operations[0].writeValue.value = 1;
    operations[1].operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    operations[1].waitValue.address = memory.at();
    operations[1].waitValue.value = 1;
    operations[1].waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
    operations[2].operation = CU_STREAM_MEM_OP_WRITE_VALUE_64;
    operations[2].writeValue.address = memory.at(8);
    operations[2].writeValue.value64 = uint64_t{7} << 32;
    CU_OK(cuStreamBatchMemOp_v2, stream, 3, operations.data(), 0);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{1, 0, 0, 7}));
    if (answers_misuse()) CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamBatchMemOp_v2, stream, 1, nullptr, 0);
}

TEST_F(GraphNode, MemoryOfAGraphLivesFromItsNodeOn) {
    CUDA_MEM_ALLOC_NODE_PARAMS allocation{};
    allocation.poolProps = properties();
    allocation.bytesize = 4096;
    CUgraphNode alloc = nullptr;
    CU_OK(cuGraphAddMemAllocNode, &alloc, graph_, nullptr, 0, &allocation);
    ASSERT_NE(allocation.dptr, 0u);
    CUDA_MEM_ALLOC_NODE_PARAMS told{};
    CU_OK(cuGraphMemAllocNodeGetParams, alloc, &told);
    EXPECT_EQ(told.dptr, allocation.dptr);
    EXPECT_EQ(told.bytesize, 4096u);
    const Pinned pinned(4);
    ASSERT_TRUE(pinned.ok());
    CUDA_MEMSET_NODE_PARAMS set{allocation.dptr, 0, 0x5a5a5a5a, 4, 1024, 1};
    CUgraphNode fill = nullptr;
    CU_OK(cuGraphAddMemsetNode, &fill, graph_, &alloc, 1, &set, context_);
    CUDA_MEMCPY3D out{};
    out.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    out.srcDevice = allocation.dptr + 4092;
    out.dstMemoryType = CU_MEMORYTYPE_HOST;
    out.dstHost = pinned.data();
    out.WidthInBytes = 4;
    out.Height = out.Depth = 1;
    CUgraphNode copy = nullptr;
    CU_OK(cuGraphAddMemcpyNode, &copy, graph_, &fill, 1, &out, context_);
    CUgraphNode free = nullptr;
    CU_OK(cuGraphAddMemFreeNode, &free, graph_, &copy, 1, allocation.dptr);
    CUdeviceptr freed = 0;
    CU_OK(cuGraphMemFreeNodeGetParams, free, &freed);
    EXPECT_EQ(freed, allocation.dptr);
    run();
    EXPECT_EQ(pinned.words()[0], 0x5a5a5a5au);
    pinned.words()[0] = 0;
    launch_again();
    EXPECT_EQ(pinned.words()[0], 0x5a5a5a5au);
    allocation.bytesize = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddMemAllocNode, &alloc, graph_, nullptr, 0, &allocation);
}

TEST_F(GraphNode, ChildrenOfAnExecutableCanBeReplaced) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    CUgraph child = nullptr;
    CUgraph other = nullptr;
    CUgraphNode inner = nullptr;
    CU_OK(cuGraphCreate, &child, 0);
    CU_OK(cuGraphCreate, &other, 0);
    CUDA_KERNEL_NODE_PARAMS p = step(memory.at(), 1, 5);
    CU_OK(cuGraphAddKernelNode_v2, &inner, child, nullptr, 0, &p);
    p = step(memory.at(), 1, 70);
    CU_OK(cuGraphAddKernelNode_v2, &inner, other, nullptr, 0, &p);
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddChildGraphNode, &node, graph_, nullptr, 0, child);
    CUgraph embedded = nullptr;
    CU_OK(cuGraphChildGraphNodeGetGraph, node, &embedded);
    EXPECT_NE(embedded, nullptr);
    EXPECT_NE(embedded, child) << "the node has a copy";
    CUgraph again = nullptr;
    CU_OK(cuGraphChildGraphNodeGetGraph, node, &again);
    EXPECT_EQ(again, embedded);
    run();
    CU_OK(cuGraphExecChildGraphNodeSetParams, executable_, node, other);
    launch_again();
    EXPECT_EQ(memory.words()[0], 75u);
    CU_OK(cuGraphDestroy, child);
    CU_OK(cuGraphDestroy, other);
}

TEST_F(GraphNode, NodesCanBeSwitchedOff) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    CUDA_KERNEL_NODE_PARAMS p = step(memory.at(), 1, 5);
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddKernelNode_v2, &node, graph_, nullptr, 0, &p);
    run();
    CU_OK(cuGraphNodeSetEnabled, executable_, node, 0);
    unsigned enabled = 1;
    CU_OK(cuGraphNodeGetEnabled, executable_, node, &enabled);
    EXPECT_EQ(enabled, 0u);
    launch_again();
    EXPECT_EQ(memory.words()[0], 5u);
    CU_OK(cuGraphNodeSetEnabled, executable_, node, 1);
    launch_again();
    EXPECT_EQ(memory.words()[0], 10u);
}

TEST_F(GraphNode, RefusesNullAndForeignAndDead) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    CUgraphNode node = nullptr;
    CUDA_KERNEL_NODE_PARAMS p = step(memory.at(), 1, 5);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, nullptr, graph_, nullptr, 0, &p);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, &node, nullptr, nullptr, 0, &p);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, &node, graph_, nullptr, 0, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, &node, graph_, nullptr, 1, &p);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddNode_v2, &node, graph_, nullptr, nullptr, 0, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddMemcpyNode, &node, graph_, nullptr, 0, nullptr, context_);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddHostNode, &node, graph_, nullptr, 0, nullptr);
    CU_OK(cuGraphAddKernelNode_v2, &node, graph_, nullptr, 0, &p);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphKernelNodeGetParams_v2, node, nullptr);
    CUDA_MEMSET_NODE_PARAMS set{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphMemsetNodeGetParams, node, &set);  // of another type
    CUDA_HOST_NODE_PARAMS host{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphHostNodeGetParams, node, &host);
    // A node of another graph cannot come before one of this.
    CUgraph other = nullptr;
    CUgraphNode foreign = nullptr;
    CU_OK(cuGraphCreate, &other, 0);
    CU_OK(cuGraphAddEmptyNode, &foreign, other, nullptr, 0);
    CUgraphNode unused = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, &unused, graph_, &foreign, 1, &p);
    CU_OK(cuGraphDestroy, other);
    p.blockDimX = 5000;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphAddKernelNode_v2, &unused, graph_, nullptr, 0, &p);
}

TEST_F(GraphNode, TheGeneralFormChangesNodesAndExecutables) {
    const Memory memory(16);
    ASSERT_TRUE(memory.ok());
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_MEMSET;
    p.memset = {memory.at(), 0, 3, 4, 4, 1, context_};
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddNode_v2, &node, graph_, nullptr, nullptr, size_t{0}, &p);
    p.memset.value = 5;
    CU_OK(cuGraphNodeSetParams, node, &p);
    run();
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(4, 5));
    p.memset.value = 6;
    CU_OK(cuGraphExecNodeSetParams, executable_, node, &p);
    launch_again();
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(4, 6));
    p.type = CU_GRAPH_NODE_TYPE_KERNEL;
    EXPECT_NE(CU_CALL(cuGraphNodeSetParams, node, &p), CUDA_SUCCESS);
}

TEST_F(GraphNode, AnExecutableRecordsAnotherEvent) {
    const Event first(CU_EVENT_DEFAULT);
    const Event second(CU_EVENT_DEFAULT);
    const Event before(CU_EVENT_DEFAULT);
    ASSERT_TRUE(first.ok() && second.ok() && before.ok());
    CUgraphNode node = nullptr;
    CU_OK(cuGraphAddEventRecordNode, &node, graph_, nullptr, 0, first);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphExecEventRecordNodeSetEvent, executable_, node, second);
    CU_OK(cuEventRecord, before, nullptr);
    launch_again();
    float milliseconds = -1;
    CU_OK(cuEventElapsedTime_v2, &milliseconds, before, second);
    EXPECT_GE(milliseconds, 0.0f);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime_v2, &milliseconds, before, first);  // never recorded
}

}  // namespace bitfusion::conformance
