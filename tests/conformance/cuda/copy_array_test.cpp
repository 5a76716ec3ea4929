// Copies that touch arrays, and copies between contexts: cuda.h, cuMemcpy*A*, cuMemcpy3DPeer.
#include <numeric>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class CopyArray : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        std::iota(sent_.begin(), sent_.end(), 3);
    }
    std::vector<uint32_t> sent_ = std::vector<uint32_t>(256);
    std::vector<uint32_t> back_ = std::vector<uint32_t>(256);
};

TEST_F(CopyArray, RowsTravelBetweenHostDeviceAndArrays) {
    const auto d = array_description(256, 0, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    const Array first(d), second(d);
    CODE_OK(first.code());
    const Memory memory(1024);
    ASSERT_TRUE(memory.ok());
    CU_OK(cuMemcpyHtoA_v2, first, size_t{0}, sent_.data(), size_t{1024});
    CU_OK(cuMemcpyAtoA_v2, second, size_t{512}, first, size_t{0}, size_t{512});
    CU_OK(cuMemcpyAtoA_v2, second, size_t{0}, first, size_t{512}, size_t{512});
    CU_OK(cuMemcpyAtoD_v2, memory.at(), second, size_t{0}, size_t{1024});
    std::vector<uint32_t> swapped(sent_.begin() + 128, sent_.end());
    swapped.insert(swapped.end(), sent_.begin(), sent_.begin() + 128);
    EXPECT_EQ(memory.words(), swapped);
    CU_OK(cuMemcpyDtoA_v2, first, size_t{4}, memory.at(), size_t{8});
    CU_OK(cuMemcpyAtoH_v2, back_.data(), first, size_t{4}, size_t{8});
    EXPECT_EQ(back_[0], swapped[0]);
    EXPECT_EQ(back_[1], swapped[1]);
    EXPECT_EQ(back_[2], 0u);
}

TEST_F(CopyArray, AsynchronousRowsKeepTheOrderOfTheirStream) {
    const Array array(array_description(256, 0, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1));
    CODE_OK(array.code());
    const Stream stream;
    const Pinned from(1024), to(1024);
    ASSERT_TRUE(stream.ok() && from.ok() && to.ok());
    std::memcpy(from.data(), sent_.data(), 1024);
    CU_OK(cuMemcpyHtoAAsync_v2, array, size_t{0}, from.data(), size_t{1024}, stream);
    CU_OK(cuMemcpyAtoHAsync_v2, to.data(), array, size_t{0}, size_t{1024}, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(std::memcmp(to.data(), sent_.data(), 1024), 0);
}

TEST_F(CopyArray, BoxesInsideAnArray) {
    const Array array(array_description(16, 16, 4, CU_AD_FORMAT_UNSIGNED_INT8, 1));
    CODE_OK(array.code());
    std::vector<uint8_t> all(16 * 16 * 4);
    std::iota(all.begin(), all.end(), 0);
    CODE_OK(write_array(array, all, 16, 16, 4));
    std::vector<uint8_t> part(5 * 3 * 2, 0xEE);
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = array;
    copy.srcXInBytes = 7;
    copy.srcY = 9;
    copy.srcZ = 2;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = part.data();
    copy.dstPitch = 5;
    copy.dstHeight = 3;
    copy.WidthInBytes = 5;
    copy.Height = 3;
    copy.Depth = 2;
    CU_OK(cuMemcpy3D_v2, &copy);
    for (size_t z = 0; z < 2; ++z)
        for (size_t y = 0; y < 3; ++y)
            for (size_t x = 0; x < 5; ++x)
                EXPECT_EQ(part[(z * 3 + y) * 5 + x], all[((z + 2) * 16 + y + 9) * 16 + x + 7]);
    copy.srcZ = 3;  // the second slice lies outside
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3D_v2, &copy);
    copy.srcZ = 2;
    copy.srcXInBytes = 12;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3D_v2, &copy);
    copy.srcXInBytes = 7;
    copy.srcLOD = 1;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3D_v2, &copy);
}

TEST_F(CopyArray, PastTheEndAndDeadHandlesAreRefused) {
    const auto d = array_description(256, 0, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    CUarray array = nullptr;
    CU_OK(cuArray3DCreate_v2, &array, &d);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoA_v2, array, size_t{4}, sent_.data(), size_t{1024});
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyAtoH_v2, back_.data(), array, size_t{1024}, size_t{4});
    if (answers_misuse())
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoA_v2, array, size_t{0}, nullptr, size_t{4});
    CU_OK(cuArrayDestroy, array);
    if (!answers_misuse()) return;
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, cuMemcpyAtoH_v2, back_.data(), array,
                 size_t{0}, size_t{4});
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoA_v2, nullptr, size_t{0},
                 sent_.data(), size_t{4});
}

TEST_F(CopyArray, MebibytesTravelInPieces) {
    constexpr size_t kWidth = 1500;
    constexpr size_t kHeight = 1100;
    const Array array(array_description(kWidth, kHeight, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1));
    CODE_OK(array.code());
    std::vector<uint32_t> sent(kWidth * kHeight);
    std::iota(sent.begin(), sent.end(), 17);
    std::vector<uint32_t> back(sent.size());
    CODE_OK(write_array(array, sent, kWidth * 4, kHeight));
    CODE_OK(read_array(array, &back, kWidth * 4, kHeight));
    EXPECT_EQ(back, sent);
}

TEST_F(CopyArray, PeersOfOneContextAreCopied) {
    const Array array(array_description(64, 4, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1));
    CODE_OK(array.code());
    const Memory memory(1024);
    ASSERT_TRUE(memory.ok());
    memory.write(sent_.data(), 1024);
    CUDA_MEMCPY3D_PEER copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = memory.at();
    copy.srcContext = copy.dstContext = context_;
    copy.srcPitch = 256;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = 256;
    copy.Height = 4;
    copy.Depth = 1;
    CU_OK(cuMemcpy3DPeer, &copy);
    CODE_OK(read_array(array, &back_, 256, 4));
    EXPECT_EQ(back_, sent_);
    memory.fill(7);
    const Stream stream;
    CU_OK(cuMemcpy3DPeerAsync, &copy, stream);
    CU_OK(cuStreamSynchronize, stream);
    CODE_OK(read_array(array, &back_, 256, 4));
    EXPECT_EQ(back_, std::vector<uint32_t>(256, 0x07070707));
    if (!answers_misuse()) return;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3DPeer, nullptr);
    copy.srcContext = reinterpret_cast<CUcontext>(uintptr_t{0x70});
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuMemcpy3DPeer, &copy);
}

TEST_F(CopyArray, PeersOnTwoDevicesAreCopied) {
    int count = 0;
    CU_OK(cuDeviceGetCount, &count);
    if (count < 2) GTEST_SKIP() << "needs two devices";
    CUcontext other = nullptr;
    CU_OK(cuDevicePrimaryCtxRetain, &other, 1);
    const auto d = array_description(64, 4, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    const Array here(d);
    CODE_OK(here.code());
    CODE_OK(write_array(here, sent_, 256, 4));
    CU_OK(cuCtxPushCurrent_v2, other);
    CUarray there = nullptr;
    CU_OK(cuArray3DCreate_v2, &there, &d);
    CUcontext popped = nullptr;
    CU_OK(cuCtxPopCurrent_v2, &popped);
    CUDA_MEMCPY3D_PEER copy{};
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = here;
    copy.srcContext = context_;
    copy.dstArray = there;
    copy.dstContext = other;
    copy.WidthInBytes = 256;
    copy.Height = 4;
    copy.Depth = 1;
    CU_OK(cuMemcpy3DPeer, &copy);
    CU_OK(cuCtxPushCurrent_v2, other);
    CODE_OK(read_array(there, &back_, 256, 4));
    CU_OK(cuArrayDestroy, there);
    CU_OK(cuCtxPopCurrent_v2, &popped);
    CU_OK(cuDevicePrimaryCtxRelease_v2, 1);
    EXPECT_EQ(back_, sent_);
}

// Each launch of the graph reads the host's bytes as they are then.
TEST_F(CopyArray, CapturedCopiesOfArraysReadAndWriteTheHostAtEachLaunch) {
    const Array array(array_description(16, 16, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1));
    CODE_OK(array.code());
    const Stream stream;
    const Pinned from(1024), to(1024);
    ASSERT_TRUE(stream.ok() && from.ok() && to.ok());
    CUDA_MEMCPY2D in{};
    in.srcMemoryType = CU_MEMORYTYPE_HOST;
    in.srcHost = from.data();
    in.srcPitch = 64;
    in.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    in.dstArray = array;
    in.WidthInBytes = 64;
    in.Height = 16;
    CUDA_MEMCPY2D out{};
    out.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    out.srcArray = array;
    out.srcXInBytes = 4;
    out.srcY = 2;
    out.dstMemoryType = CU_MEMORYTYPE_HOST;
    out.dstHost = to.data();
    out.dstPitch = 64;
    out.WidthInBytes = 32;
    out.Height = 5;
    CU_OK(cuStreamBeginCapture_v2, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
    CU_OK(cuMemcpy2DAsync_v2, &in, stream);
    CU_OK(cuMemcpy2DAsync_v2, &out, stream);
    CUgraph graph = nullptr;
    CU_OK(cuStreamEndCapture, stream, &graph);
    CUgraphExec executable = nullptr;
    CU_OK(cuGraphInstantiateWithFlags, &executable, graph, 0);
    for (uint32_t round = 1; round < 4; ++round) {
        for (uint32_t i = 0; i < 256; ++i) from.words()[i] = round * 1000 + i;
        CU_OK(cuGraphLaunch, executable, stream);
        CU_OK(cuStreamSynchronize, stream);
        for (uint32_t y = 0; y < 5; ++y)
            for (uint32_t x = 0; x < 8; ++x)
                ASSERT_EQ(to.words()[16 * y + x], round * 1000 + 16 * (y + 2) + x + 1) << round;
    }
    CU_OK(cuGraphExecDestroy, executable);
    CU_OK(cuGraphDestroy, graph);
}

}  // namespace bitfusion::conformance
