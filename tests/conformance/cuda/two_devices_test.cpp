// Two GPUs in one process: CUDA C++ Programming Guide, "Multi-Device System". A stream and an event belong to
// the device that was current when they were made; memory may be named with any device current ("Unified
// Virtual Address Space"). Skipped where there is one GPU.
#include <array>
#include <numeric>
#include <vector>

#include "conformance/kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

class TwoDevices : public OnDevice {
  protected:
    static constexpr uint32_t kCount = 3000;

    struct Side {
        CUcontext context = nullptr;
        CUmodule module = nullptr;
        CUfunction iota = nullptr;
        CUstream stream = nullptr;
        CUevent event = nullptr;
        CUdeviceptr memory = 0;
    };

    void SetUp() override {
        OnDevice::SetUp();
        int count = 0;
        CU_OK(cuDeviceGetCount, &count);
        if (count < 2) GTEST_SKIP() << "needs two devices";
        for (int i = 0; i < 2; ++i) {
            Side& side = sides_[i];
            CU_OK(cuDevicePrimaryCtxRetain, &side.context, i);
            CU_OK(cuCtxSetCurrent, side.context);
            CU_OK(cuModuleLoadData, &side.module, kKernels);
            CU_OK(cuModuleGetFunction, &side.iota, side.module, "iota");
            CU_OK(cuStreamCreate, &side.stream, CU_STREAM_NON_BLOCKING);
            CU_OK(cuEventCreate, &side.event, CU_EVENT_DISABLE_TIMING);
            CU_OK(cuMemAlloc_v2, &side.memory, kCount * 4);
        }
    }
    void TearDown() override {
        for (int i = 0; i < 2; ++i) {
            const Side& side = sides_[i];
            if (side.memory == 0) continue;
            CU_OK(cuCtxSetCurrent, side.context);
            CU_OK(cuMemFree_v2, side.memory);
            CU_OK(cuEventDestroy_v2, side.event);
            CU_OK(cuStreamDestroy_v2, side.stream);
            CU_OK(cuModuleUnload, side.module);
            CU_OK(cuDevicePrimaryCtxRelease_v2, i);
        }
        OnDevice::TearDown();
    }

    void fill(const Side& side, uint32_t first) {
        CU_OK(cuCtxSetCurrent, side.context);
        ASSERT_EQ(launch(side.iota, {.grid_x = 24, .block_x = 128}, side.stream, side.memory, first, kCount),
                  CUDA_SUCCESS);
    }
    static std::vector<uint32_t> numbers(uint32_t first) {
        std::vector<uint32_t> expected(kCount);
        std::iota(expected.begin(), expected.end(), first);
        return expected;
    }
    static CUDA_MEMCPY2D to_host(CUdeviceptr from, void* to, size_t width, size_t height, size_t pitch) {
        CUDA_MEMCPY2D copy{};
        copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
        copy.srcDevice = from;
        copy.srcPitch = pitch;
        copy.dstMemoryType = CU_MEMORYTYPE_HOST;
        copy.dstHost = to;
        copy.dstPitch = width;
        copy.WidthInBytes = width;
        copy.Height = height;
        return copy;
    }

    std::array<Side, 2> sides_;
};

TEST_F(TwoDevices, AreUsedInTurn) {
    for (uint32_t round = 0; round < 5; ++round) {
        for (const Side& side : sides_) fill(side, round);
        for (const Side& side : sides_) {
            CU_OK(cuCtxSetCurrent, side.context);
            CU_OK(cuCtxSynchronize);
        }
        for (const Side& side : sides_) {
            CU_OK(cuCtxSetCurrent, side.context);
            std::vector<uint32_t> got(kCount);
            CU_OK(cuMemcpyDtoHAsync_v2, got.data(), side.memory, size_t{kCount} * 4, side.stream);
            CU_OK(cuStreamSynchronize, side.stream);
            EXPECT_EQ(got, numbers(round));
            // In one piece, and in rows.
            for (const size_t height : {size_t{1}, size_t{3}}) {
                std::vector<uint32_t> rows(kCount);
                const CUDA_MEMCPY2D copy = to_host(side.memory, rows.data(), size_t{kCount} * 4 / height,
                                                   height, kCount * 4 / height);
                CU_OK(cuMemcpy2DAsync_v2, &copy, side.stream);
                CU_OK(cuStreamSynchronize, side.stream);
                EXPECT_EQ(rows, numbers(round));
            }
            std::vector<uint32_t> part(100);
            const CUDA_MEMCPY2D copy = to_host(side.memory, part.data(), 40, 10, 400);
            CU_OK(cuMemcpy2DAsync_v2, &copy, side.stream);
            CU_OK(cuStreamSynchronize, side.stream);
            EXPECT_EQ(part[99], round + 909);
        }
        for (const Side& side : sides_) {
            CU_OK(cuCtxSetCurrent, side.context);
            const std::vector<uint32_t> sent = numbers(7 * round);
            CU_OK(cuMemcpyHtoDAsync_v2, side.memory, sent.data(), size_t{kCount} * 4, side.stream);
            std::vector<uint32_t> got(kCount);
            CU_OK(cuMemcpyDtoHAsync_v2, got.data(), side.memory, size_t{kCount} * 4, side.stream);
            CU_OK(cuStreamSynchronize, side.stream);
            EXPECT_EQ(got, sent);
        }
    }
}

TEST_F(TwoDevices, MemoryIsNamedWithTheOtherCurrent) {
    for (const Side& side : sides_) fill(side, 11);
    for (const Side& side : sides_) {
        CU_OK(cuCtxSetCurrent, side.context);
        CU_OK(cuStreamSynchronize, side.stream);
    }
    for (size_t i = 0; i < 2; ++i) {
        CU_OK(cuCtxSetCurrent, sides_[i].context);
        const CUdeviceptr theirs = sides_[1 - i].memory;
        std::vector<uint32_t> got(kCount);
        CU_OK(cuMemcpyDtoH_v2, got.data(), theirs, size_t{kCount} * 4);
        EXPECT_EQ(got, numbers(11));
        std::fill(got.begin(), got.end(), 0);
        CU_OK(cuMemcpyDtoHAsync_v2, got.data(), theirs, size_t{kCount} * 4, sides_[i].stream);
        CU_OK(cuStreamSynchronize, sides_[i].stream);
        EXPECT_EQ(got, numbers(11));
        int device = -1;
        CU_OK(cuPointerGetAttribute, &device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, theirs);
        EXPECT_EQ(device, static_cast<int>(1 - i));
    }
}

TEST_F(TwoDevices, CopiesGoFromOneToTheOther) {
    fill(sides_[0], 100);
    CU_OK(cuEventRecord, sides_[0].event, sides_[0].stream);
    // "A call to cudaStreamWaitEvent will succeed even if the input stream and input event are associated to
    // different devices."
    CU_OK(cuCtxSetCurrent, sides_[1].context);
    CU_OK(cuStreamWaitEvent, sides_[1].stream, sides_[0].event, 0u);
    CU_OK(cuMemcpyPeerAsync, sides_[1].memory, sides_[1].context, sides_[0].memory, sides_[0].context,
          size_t{kCount} * 4, sides_[1].stream);
    std::vector<uint32_t> got(kCount);
    CU_OK(cuMemcpyDtoHAsync_v2, got.data(), sides_[1].memory, size_t{kCount} * 4, sides_[1].stream);
    CU_OK(cuStreamSynchronize, sides_[1].stream);
    EXPECT_EQ(got, numbers(100));
}

// "A memory copy will succeed even if it is issued to a stream that is not associated to the current device."
TEST_F(TwoDevices, CopiesGoOnStreamsOfTheOther) {
    for (const Side& side : sides_) fill(side, 55);
    for (size_t i = 0; i < 2; ++i) {
        CU_OK(cuCtxSetCurrent, sides_[i].context);
        const Side& other = sides_[1 - i];
        for (const uint32_t count : {1u, kCount}) {
            std::vector<uint32_t> got(count);
            CU_OK(cuMemcpyDtoHAsync_v2, got.data(), other.memory, size_t{count} * 4, other.stream);
            CU_OK(cuStreamSynchronize, other.stream);
            EXPECT_EQ(got[count - 1], 55 + count - 1);
        }
        std::vector<uint32_t> part(100);
        const CUDA_MEMCPY2D copy = to_host(other.memory, part.data(), 40, 10, 400);
        CU_OK(cuMemcpy2DAsync_v2, &copy, other.stream);
        CU_OK(cuStreamSynchronize, other.stream);
        EXPECT_EQ(part[99], 55u + 909);
        const Memory large(1 << 20);
        ASSERT_TRUE(large.ok());
        std::vector<uint32_t> sent(1 << 18), back(1 << 18);
        std::iota(sent.begin(), sent.end(), 9u);
        CU_OK(cuMemcpyHtoDAsync_v2, large.at(), sent.data(), size_t{1} << 20, other.stream);
        CU_OK(cuMemcpyDtoHAsync_v2, back.data(), large.at(), size_t{1} << 20, other.stream);
        CU_OK(cuStreamSynchronize, other.stream);
        EXPECT_EQ(back, sent);
    }
}

// cuKernelSetAttribute: "the attribute of a kernel for the requested device"; a function is of one context.
TEST_F(TwoDevices, AttributesOfAKernelAreSetOnEach) {
    CUlibrary library = nullptr;
    CU_OK(cuLibraryLoadData, &library, kKernels, nullptr, nullptr, 0u, nullptr, nullptr, 0u);
    CUkernel kernel = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, library, "shared_last");
    const int most = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    constexpr auto kShared = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    int before = 0;
    CU_OK(cuKernelGetAttribute, &before, kShared, kernel, 1);
    CU_OK(cuKernelSetAttribute, kShared, most, kernel, 0);
    int value = 0;
    CU_OK(cuKernelGetAttribute, &value, kShared, kernel, 1);
    EXPECT_EQ(value, before) << "it was set on the first alone";
    CU_OK(cuKernelSetAttribute, kShared, most, kernel, 1);
    for (const Side& side : sides_) {
        CU_OK(cuCtxSetCurrent, side.context);
        CUfunction function = nullptr;
        CU_OK(cuKernelGetFunction, &function, kernel);
        CU_OK(cuFuncGetAttribute, &value, kShared, function);
        EXPECT_EQ(value, most);
        ASSERT_EQ(launch(function, {.shared_bytes = static_cast<unsigned>(most)}, side.stream, side.memory,
                         static_cast<uint32_t>(most), 77u),
                  CUDA_SUCCESS);
        uint32_t got = 0;
        CU_OK(cuMemcpyDtoHAsync_v2, &got, side.memory, size_t{4}, side.stream);
        CU_OK(cuStreamSynchronize, side.stream);
        EXPECT_EQ(got, 77u);
    }
    CU_OK(cuLibraryUnload, library);
}

// "It is a launch failure if a kernel is launched to a stream that is not associated to the current device";
// cuda.h's "cudaEventRecord() will fail if the input event and input stream are associated to different
// devices."
TEST_F(TwoDevices, StreamsAndEventsBelongToOne) {
    CU_OK(cuCtxSetCurrent, sides_[0].context);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuEventRecord, sides_[1].event, sides_[0].stream);
    CU_OK(cuEventRecord, sides_[0].event, sides_[0].stream);
    CU_OK(cuStreamSynchronize, sides_[0].stream);
    // "will succeed even if" the other device is current
    CU_OK(cuCtxSetCurrent, sides_[1].context);
    CU_OK(cuEventQuery, sides_[0].event);
    CU_OK(cuStreamQuery, sides_[0].stream);
    CU_OK(cuEventSynchronize, sides_[0].event);
    CU_OK(cuStreamSynchronize, sides_[0].stream);
}

}  // namespace bitfusion::conformance
