// Functions under the symbols that earlier versions of CUDA gave them: programs that were linked then call
// these. Each does what cuda.h of its time says; where the signature has not changed it is the function of
// today.
#include <array>
#include <numeric>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class EarlierVariant : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        std::iota(sent_.begin(), sent_.end(), 40);
    }
    std::vector<uint32_t> sent_ = std::vector<uint32_t>(64);
};

TEST_F(EarlierVariant, RowsOfArraysWithSizesOf32Bits) {
    const auto shape = array_description(64, 0, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    const Array first(shape), second(shape);
    CODE_OK(first.code());
    CODE_OK(second.code());
    std::vector<uint32_t> back(64);
    // Driver 580 has these forms for contexts of CUDA 3.1 alone; no program that asks by name gets them.
    if (!answers_misuse()) GTEST_SKIP() << "the driver itself refuses them in contexts of today";
    CU_OK(cuMemcpyHtoA, first, 0u, sent_.data(), 256u);
    CU_OK(cuMemcpyAtoA, second, 128u, first, 0u, 128u);
    CU_OK(cuMemcpyAtoH, back.data(), second, 128u, 128u);
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(back[i], sent_[i]);
    const Stream stream;
    const Pinned pinned(256);
    ASSERT_TRUE(stream.ok() && pinned.ok());
    pinned.words()[0] = 99;
    CU_OK(cuMemcpyHtoAAsync, second, 4u, pinned.data(), 4u, stream);
    CU_OK(cuMemcpyAtoHAsync, pinned.words() + 1, second, 4u, 4u, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(pinned.words()[1], 99u);
}

TEST_F(EarlierVariant, BatchesTellWhichCopyFailed) {
    const Stream stream;
    const Memory memory(256);
    ASSERT_TRUE(stream.ok() && memory.ok());
    std::vector<uint32_t> back(64);
    std::array<CUdeviceptr, 1> to{memory.at()};
    std::array<CUdeviceptr, 1> from{reinterpret_cast<CUdeviceptr>(sent_.data())};
    std::array<size_t, 1> sizes{256};
    std::array<size_t, 1> firsts{0};
    CUmemcpyAttributes order{};
    order.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    size_t failed = 7;
    CU_OK(cuMemcpyBatchAsync, to.data(), from.data(), sizes.data(), size_t{1}, &order, firsts.data(),
          size_t{1}, &failed, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), sent_);
    CUDA_MEMCPY3D_BATCH_OP box{};
    box.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    box.src.type = box.dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
    box.src.op.ptr.ptr = memory.at();
    box.dst.op.ptr.ptr = reinterpret_cast<CUdeviceptr>(back.data());
    box.extent = {256, 1, 1};
    CU_OK(cuMemcpy3DBatchAsync, size_t{1}, &box, &failed, 0ull, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(back, sent_);
}

TEST_F(EarlierVariant, ContextsAndDevices) {
    CUcontext made = nullptr;
    CU_OK(cuCtxCreate_v3, &made, nullptr, 0, 0u, device_);
    CUcontext current = nullptr;
    CU_OK(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, made);
    CU_OK(cuCtxDestroy_v2, made);
    CUuuid before{};
    CUuuid now{};
    CU_OK(cuDeviceGetUuid, &before, device_);
    CU_OK(cuDeviceGetUuid_v2, &now, device_);
    EXPECT_EQ(std::memcmp(&before, &now, sizeof now), 0);
}

TEST_F(EarlierVariant, EntryPointsAreFoundByName) {
    void* found = nullptr;
    CU_OK(cuGetProcAddress, "cuMemGetInfo", &found, 12000, cuuint64_t{0});
    ASSERT_NE(found, nullptr);
    size_t free = 0;
    size_t total = 0;
    ASSERT_EQ(reinterpret_cast<CUresult (*)(size_t*, size_t*)>(found)(&free, &total), CUDA_SUCCESS);
    EXPECT_LE(free, total);
    // Newer drivers succeed and give null, older ones say that there is none such.
    const CUresult code = CU_CALL(cuGetProcAddress, "cuNoSuchFunction", &found, 12000, 0);
    EXPECT_TRUE(code == CUDA_ERROR_NOT_FOUND || found == nullptr) << testing::PrintToString(code);
}

TEST_F(EarlierVariant, TimesOfEvents) {
    const Event first;
    const Event second;
    ASSERT_TRUE(first.ok() && second.ok());
    CU_OK(cuEventRecord, first, nullptr);
    CU_OK(cuEventRecord, second, nullptr);
    CU_OK(cuEventSynchronize, second);
    float milliseconds = -1;
    CU_OK(cuEventElapsedTime, &milliseconds, first, second);
    EXPECT_GE(milliseconds, 0.0f);
}

TEST_F(EarlierVariant, GraphsWithoutEdgeData) {
    CUgraph graph = nullptr;
    CU_OK(cuGraphCreate, &graph, 0);
    CUgraphNode first = nullptr;
    CUgraphNode second = nullptr;
    CU_OK(cuGraphAddEmptyNode, &first, graph, nullptr, 0);
    CU_OK(cuGraphAddEmptyNode, &second, graph, &first, 1);
    CUgraphNode from = nullptr;
    CUgraphNode to = nullptr;
    size_t count = 1;
    CU_OK(cuGraphGetEdges, graph, &from, &to, &count);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(from, first);
    EXPECT_EQ(to, second);
    CU_OK(cuGraphNodeGetDependencies, second, &from, &count);
    EXPECT_EQ(from, first);
    CU_OK(cuGraphNodeGetDependentNodes, first, &to, &count);
    EXPECT_EQ(to, second);

    CUgraphExec executable = nullptr;
    std::array<char, 64> log{'x'};
    CUgraphNode wrong = first;
    CU_OK(cuGraphInstantiate, &executable, graph, &wrong, log.data(), log.size());
    CU_OK(cuGraphLaunch, executable, nullptr);
    CUgraphExecUpdateResult outcome{};
    CU_OK(cuGraphExecUpdate, executable, graph, &wrong, &outcome);
    EXPECT_EQ(outcome, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    CU_OK(cuGraphExecDestroy, executable);
    CU_OK(cuGraphDestroy, graph);
}

TEST_F(EarlierVariant, CapturesToldInLessDetail) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CUstreamCaptureStatus status{};
    cuuint64_t id = 0;
    CU_OK(cuStreamGetCaptureInfo, stream, &status, &id);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuStreamGetCaptureInfo, stream, &status, &id);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    cuuint64_t same = 0;
    CUgraph graph = nullptr;
    const CUgraphNode* nodes = nullptr;
    size_t count = 7;
    CU_OK(cuStreamGetCaptureInfo_v2, stream, &status, &same, &graph, &nodes, &count);
    EXPECT_EQ(same, id);
    EXPECT_EQ(count, 0u);
    CU_OK(cuStreamEndCapture, stream, &graph);
    CU_OK(cuGraphDestroy, graph);
}

TEST_F(EarlierVariant, ManagedMemoryByOrdinals) {
    CUdeviceptr memory = 0;
    CU_OK(cuMemAllocManaged, &memory, 1 << 16, CU_MEM_ATTACH_GLOBAL);
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CU_OK(cuMemAdvise, memory, 1 << 16, CU_MEM_ADVISE_SET_READ_MOSTLY, device_);
    int mostly = 0;
    CU_OK(cuMemRangeGetAttribute, &mostly, 4, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, memory, 1 << 16);
    EXPECT_EQ(mostly, 1);
    if (attribute(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS) != 0) {
        CU_OK(cuMemPrefetchAsync, memory, 1 << 16, device_, stream);
        CU_OK(cuStreamSynchronize, stream);
    } else {
        EXPECT_NE(CU_CALL(cuMemPrefetchAsync, memory, 0, device_, stream), CUDA_SUCCESS);
    }
    CU_OK(cuMemFree_v2, memory);
}

}  // namespace bitfusion::conformance
