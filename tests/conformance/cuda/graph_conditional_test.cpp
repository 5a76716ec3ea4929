// Conditional nodes: cuda.h, "Graph Management"; CUDA C++ Programming Guide, "Conditional Graph Nodes".
#include <array>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class GraphConditional : public WithKernels {
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
    // A node with `count` bodies, the first of which are told.
    CUresult add(CUgraphConditionalHandle handle, CUgraphConditionalNodeType type, unsigned count,
                 std::array<CUgraph, 4>* bodies) {
        CUgraphNodeParams p{};
        p.type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
        p.conditional.handle = handle;
        p.conditional.type = type;
        p.conditional.size = count;
        p.conditional.ctx = context_;
        CUgraphNode node = nullptr;
        const CUresult result = CU_CALL(cuGraphAddNode_v2, &node, graph_, nullptr, nullptr, 0, &p);
        for (unsigned i = 0; result == CUDA_SUCCESS && i < count; ++i)
            (*bodies)[i] = p.conditional.phGraph_out[i];
        return result;
    }
    CUresult fill(CUgraph body, CUdeviceptr address, unsigned value) {
        CUDA_MEMSET_NODE_PARAMS set{address, 0, value, 4, 1, 1};
        CUgraphNode node = nullptr;
        return CU_CALL(cuGraphAddMemsetNode, &node, body, nullptr, 0, &set, context_);
    }

    CUgraph graph_ = nullptr;
    CUgraphExec executable_ = nullptr;
};

TEST_F(GraphConditional, ABodyRunsIfTheValueSaysSo) {
    const Memory memory(8);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    std::array<CUgraph, 4> bodies{};
    for (unsigned value = 0; value < 2; ++value) {
        CUgraphConditionalHandle handle = 0;
        CU_OK(cuGraphConditionalHandleCreate, &handle, graph_, context_, value, CU_GRAPH_COND_ASSIGN_DEFAULT);
        ASSERT_EQ(add(handle, CU_GRAPH_COND_TYPE_IF, 1, &bodies), CUDA_SUCCESS);
        ASSERT_NE(bodies[0], nullptr);
        ASSERT_EQ(fill(bodies[0], memory.at(4 * value), 7), CUDA_SUCCESS);
    }
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    for (int i = 0; i < 2; ++i) {
        CU_OK(cuGraphLaunch, executable_, nullptr);
        CU_OK(cuCtxSynchronize);
        EXPECT_EQ(memory.words(), (std::vector<uint32_t>{0, 7}));
        memory.fill(0);
    }
}

TEST_F(GraphConditional, ASwitchTakesOneBody) {
    const Memory memory(12);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    std::array<CUgraph, 4> bodies{};
    CUgraphConditionalHandle handle = 0;
    CU_OK(cuGraphConditionalHandleCreate, &handle, graph_, context_, 2, CU_GRAPH_COND_ASSIGN_DEFAULT);
    const CUresult added = add(handle, CU_GRAPH_COND_TYPE_SWITCH, 3, &bodies);
    if (added != CUDA_SUCCESS && may_skip()) GTEST_SKIP() << "this target has no switches";
    for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(fill(bodies[i], memory.at(4 * i), 1), CUDA_SUCCESS);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphLaunch, executable_, nullptr);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{0, 0, 1}));
}

constexpr const char* kCountdown = R"(
.version 7.0
.target sm_70
.address_size 64
.extern .func cudaGraphSetConditional(.param .b64 handle, .param .b32 value);
.visible .entry countdown(.param .u64 handle, .param .u64 data)
{
    .reg .u32 %v; .reg .u64 %data, %h;
    ld.param.u64 %h, [handle]; ld.param.u64 %data, [data];
    cvta.to.global.u64 %data, %data;
    ld.global.u32 %v, [%data];
    sub.u32 %v, %v, 1;
    st.global.u32 [%data], %v;
    {
        .param .b64 a; .param .b32 b;
        st.param.b64 [a], %h; st.param.b32 [b], %v;
        call.uni cudaGraphSetConditional, (a, b);
    }
    ret;
})";

TEST_F(GraphConditional, KernelsSetTheValueOfALoop) {
    CUmodule module = nullptr;
    // Real drivers have the function in a library of the toolkit, which this text is not linked with.
    if (CU_CALL(cuModuleLoadData, &module, kCountdown) != CUDA_SUCCESS)
        GTEST_SKIP() << "cudaGraphSetConditional needs the device runtime library here";
    const Memory memory(8);
    ASSERT_TRUE(memory.ok());
    const std::array<uint32_t, 2> begin{5, 100};
    memory.write(begin.data(), sizeof begin);
    CUgraphConditionalHandle handle = 0;
    CU_OK(cuGraphConditionalHandleCreate, &handle, graph_, context_, 1, CU_GRAPH_COND_ASSIGN_DEFAULT);
    std::array<CUgraph, 4> bodies{};
    ASSERT_EQ(add(handle, CU_GRAPH_COND_TYPE_WHILE, 1, &bodies), CUDA_SUCCESS);
    CUDA_KERNEL_NODE_PARAMS p{};
    CU_OK(cuModuleGetFunction, &p.func, module, "countdown");
    p.gridDimX = p.gridDimY = p.gridDimZ = p.blockDimX = p.blockDimY = p.blockDimZ = 1;
    CUdeviceptr address = memory.at();
    std::array<void*, 2> arguments{&handle, &address};
    p.kernelParams = arguments.data();
    CUgraphNode count = nullptr;
    CU_OK(cuGraphAddKernelNode_v2, &count, bodies[0], nullptr, 0, &p);
    address = memory.at(4);
    uint32_t factor = 1;
    uint32_t term = 1;
    std::array<void*, 3> step{&address, &factor, &term};
    p.func = kernel("step");
    p.kernelParams = step.data();
    CUgraphNode add_one = nullptr;
    CU_OK(cuGraphAddKernelNode_v2, &add_one, bodies[0], &count, 1, &p);
    CU_OK(cuGraphInstantiateWithFlags, &executable_, graph_, 0);
    CU_OK(cuGraphLaunch, executable_, nullptr);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{0, 105}));
    CU_OK(cuModuleUnload, module);
}

TEST_F(GraphConditional, RefusesWhatMakesNoSense) {
    CUgraphConditionalHandle handle = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphConditionalHandleCreate, nullptr, graph_, context_, 0, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphConditionalHandleCreate, &handle, nullptr, context_, 0, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuGraphConditionalHandleCreate, &handle, graph_, context_, 0, 0x80);
    CU_OK(cuGraphConditionalHandleCreate, &handle, graph_, context_, 0, 0);
    std::array<CUgraph, 4> bodies{};
    EXPECT_EQ(add(handle, CU_GRAPH_COND_TYPE_WHILE, 2, &bodies), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(add(handle, CU_GRAPH_COND_TYPE_IF, 0, &bodies), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace bitfusion::conformance
