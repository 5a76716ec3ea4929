// What graphs cost in round trips, and that nothing of an ended graph stays.
#include <vector>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class Graphs : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        open_device();
    }
};

TEST_F(Graphs, LaunchesCostNone) {
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    CUstream stream = nullptr;
    uint32_t in = 0;
    uint32_t out = 0;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CU_OK(client::cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuMemcpyHtoDAsync_v2(memory_, &in, 4, stream), CUDA_SUCCESS);
                  EXPECT_EQ(add_one(memory_, 1, stream), CUDA_SUCCESS);
                  EXPECT_EQ(client::cuMemcpyDtoHAsync_v2(&out, memory_, 4, stream), CUDA_SUCCESS);
              }),
              0u)
        << "recording copies with host memory";
    CU_OK(client::cuStreamEndCapture(stream, &graph));
    CU_OK(client::cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (uint32_t i = 0; i < 10; ++i) {
        in = 100 * i;
        EXPECT_EQ(round_trips([&] { EXPECT_EQ(client::cuGraphLaunch(exec, stream), CUDA_SUCCESS); }), 0u);
        EXPECT_EQ(round_trips([&] { EXPECT_EQ(client::cuStreamSynchronize(stream), CUDA_SUCCESS); }), 1u);
        EXPECT_EQ(out, 100 * i + 1);
    }
    CU_OK(client::cuGraphExecDestroy(exec));
    CU_OK(client::cuGraphDestroy(graph));
    CU_OK(client::cuStreamDestroy_v2(stream));
}

TEST_F(Graphs, ANodeCostsOneAndItsEndTakesItsName) {
    CUgraph graph = nullptr;
    CU_OK(client::remote::cuGraphCreate(&graph, 0));
    unsigned count = 1;
    CUdeviceptr data = memory_;
    void* arguments[] = {&data, &count};
    CUDA_KERNEL_NODE_PARAMS params{};
    params.func = add_one_;
    params.gridDimX = params.gridDimY = params.gridDimZ = 1;
    params.blockDimX = params.blockDimY = params.blockDimZ = 1;
    params.kernelParams = arguments;
    CUgraphNode node = nullptr;
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuGraphAddKernelNode_v2(&node, graph, nullptr, 0, &params), CUDA_SUCCESS);
              }),
              1u);
    CUgraphExec exec = nullptr;
    EXPECT_EQ(
        round_trips([&] { EXPECT_EQ(client::cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS); }),
        1u);
    EXPECT_EQ(round_trips([&] {
                  for (int i = 0; i < 100; ++i) ASSERT_EQ(client::cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
              }),
              0u);
    CU_OK(client::cuCtxSynchronize());
    CU_OK(client::cuGraphDestroy(graph));
    CUgraphNodeType type{};
    EXPECT_EQ(client::remote::cuGraphNodeGetType(node, &type), CUDA_ERROR_INVALID_VALUE)
        << "a node ends with its graph";
    CU_OK(client::cuGraphExecDestroy(exec));
    EXPECT_EQ(client::cuGraphLaunch(exec, nullptr), CUDA_ERROR_INVALID_VALUE);
    uint32_t value = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value));
    EXPECT_EQ(value, 100u);
}

TEST_F(Graphs, HostMemoryOfAnEndedGraphIsLetGo) {
    // More in all than a session may have at a time: only what has ended makes room.
    std::vector<uint8_t> host(kBytes, 7);
    CUgraph graph = nullptr;
    CU_OK(client::remote::cuGraphCreate(&graph, 0));
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = host.data();
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = memory_;
    copy.WidthInBytes = kBytes;
    copy.Height = copy.Depth = 1;
    CUgraphNode node = nullptr;
    CU_OK(client::cuGraphAddMemcpyNode(&node, graph, nullptr, 0, &copy, context_));
    for (int i = 0; i < 2500; ++i)
        ASSERT_EQ(client::cuGraphMemcpyNodeSetParams(node, &copy), CUDA_SUCCESS) << i;
    CU_OK(client::cuGraphDestroy(graph));
    CU_OK(client::cuCtxSynchronize());
}

}  // namespace
}  // namespace bitfusion::session_test
