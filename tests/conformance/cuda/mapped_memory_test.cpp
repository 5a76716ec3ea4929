// Pinned memory that kernels reach: cuda.h, cuMemHostAlloc, cuMemHostRegister, unified addressing.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

constexpr uint32_t kCount = 3000;
constexpr Shape kShape{.grid_x = 12, .block_x = 256};

// Waits until the first word is 1, at most ten seconds, and says in the second how it went: 1, or 2 for in
// vain.
constexpr const char* kWaiter = R"(.version 6.4
.target sm_52
.address_size 64
.visible .entry wait_for_host(.param .u64 words) {
    .reg .u64 %words, %begun, %now;
    .reg .u32 %value;
    .reg .pred %set, %late;
    ld.param.u64 %words, [words];
    mov.u64 %begun, %globaltimer;
again:
    ld.volatile.u32 %value, [%words];
    setp.eq.u32 %set, %value, 1;
    @%set bra done;
    mov.u64 %now, %globaltimer;
    sub.u64 %now, %now, %begun;
    setp.gt.u64 %late, %now, 10000000000;
    @!%late bra again;
    mov.u32 %value, 2;
done:
    st.volatile.u32 [%words+4], %value;
    ret;
}
)";

CUdeviceptr number(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

}  // namespace

class MappedMemory : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (attribute(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY) == 0)
            GTEST_SKIP() << "host memory cannot be mapped";
    }
    CUdeviceptr device_of(void* host) {
        CUdeviceptr address = 0;
        EXPECT_EQ(CU_CALL(cuMemHostGetDevicePointer_v2, &address, host, 0), CUDA_SUCCESS);
        return address;
    }
};

TEST_F(MappedMemory, TheHostsOwnAddressServesKernelsToo) {
    // "The pointer value through which allocated host memory may be accessed in kernels on all devices that
    // support unified addressing is the same as the pointer value through which that memory is accessed on
    // the host", whatever the flags.
    const Pinned pinned(kCount * 4);
    ASSERT_TRUE(pinned.ok());
    std::fill_n(pinned.words(), kCount, 5u);
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, number(pinned.data()), kCount), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(std::count(pinned.words(), pinned.words() + kCount, 6u), kCount);
    EXPECT_EQ(device_of(pinned.data()), number(pinned.data()));
    EXPECT_EQ(device_of(pinned.words() + 7), number(pinned.words() + 7));
}

TEST_F(MappedMemory, EachRoundSeesTheOthersWrites) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    ASSERT_TRUE(pinned.ok());
    std::fill_n(pinned.words(), kCount, 0u);
    const CUdeviceptr address = device_of(pinned.data());
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    uint32_t expected = 0;
    for (uint32_t round = 0; round < 5; ++round) {
        pinned.words()[round] += 10;
        ASSERT_EQ(launch(kernel("add_one"), kShape, stream, address, kCount), CUDA_SUCCESS);
        CU_OK(cuStreamSynchronize, stream);
        ++expected;
        for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(pinned.words()[i], expected + (i <= round ? 10 : 0));
    }
}

TEST_F(MappedMemory, AnEventAndAQueryGiveItBackToo) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    ASSERT_TRUE(pinned.ok());
    std::fill_n(pinned.words(), kCount, 1u);
    const CUdeviceptr address = device_of(pinned.data());
    const Event event;
    ASSERT_TRUE(event.ok());
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, address, kCount), CUDA_SUCCESS);
    CU_OK(cuEventRecord, event, nullptr);
    CU_OK(cuEventSynchronize, event);
    EXPECT_EQ(pinned.words()[kCount - 1], 2u);
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, address, kCount), CUDA_SUCCESS);
    CUresult state = CUDA_ERROR_NOT_READY;
    while (state == CUDA_ERROR_NOT_READY) state = CU_CALL(cuStreamQuery, nullptr);
    ASSERT_EQ(state, CUDA_SUCCESS);
    EXPECT_EQ(pinned.words()[kCount - 1], 3u);
}

TEST_F(MappedMemory, AKernelThatRunsSeesWhatTheProgramWrites) {
    // XLA measures kernels like this: one that waits for a word of the host holds the stream meanwhile.
    const Module module(kWaiter);
    ASSERT_TRUE(module.ok());
    const Pinned pinned(64, CU_MEMHOSTALLOC_DEVICEMAP);
    const Stream stream;
    const Event event;
    ASSERT_TRUE(pinned.ok() && stream.ok() && event.ok());
    const std::array<std::function<CUresult()>, 4> waits = {
        [&] { return CU_CALL(cuEventSynchronize, event); },
        [&] { return CU_CALL(cuStreamSynchronize, stream); },
        [&] { return CU_CALL(cuCtxSynchronize); },
        [&] {
            CUresult state = CUDA_ERROR_NOT_READY;
            while (state == CUDA_ERROR_NOT_READY) state = CU_CALL(cuEventQuery, event);
            return state;
        },
    };
    for (size_t i = 0; i < waits.size(); ++i) {
        volatile uint32_t* words = pinned.words();
        words[0] = 0;
        words[1] = 0;
        ASSERT_EQ(launch(module.function("wait_for_host"), Shape{}, stream, device_of(pinned.data())),
                  CUDA_SUCCESS);
        CU_OK(cuEventRecord, event, stream);
        words[0] = 1;
        EXPECT_EQ(waits[i](), CUDA_SUCCESS);
        EXPECT_EQ(words[1], 1u) << "wait " << i;
    }
}

TEST_F(MappedMemory, CanBeSetAndCopiedAsDeviceMemory) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    const Memory memory(kCount * 4);
    ASSERT_TRUE(pinned.ok() && memory.ok());
    const CUdeviceptr address = device_of(pinned.data());
    CU_OK(cuMemsetD32Async, address, 9, kCount, nullptr);
    CU_OK(cuMemsetD32Async, address + 4, 8, 1, nullptr);
    CU_OK(cuMemcpyDtoDAsync_v2, memory.at(), address, kCount * 4, nullptr);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_EQ(pinned.words()[0], 9u);
    EXPECT_EQ(pinned.words()[1], 8u);
    EXPECT_EQ(pinned.words()[kCount - 1], 9u);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(pinned.words(), pinned.words() + kCount));

    // Sets of memory that the host reaches are complete when the synchronous call returns.
    CU_OK(cuMemsetD32_v2, address, 4, kCount);
    EXPECT_EQ(pinned.words()[17], 4u);
    pinned.words()[17] = 5;
    CU_OK(cuMemcpy, memory.at(), address, kCount * 4);
    EXPECT_EQ(memory.words()[17], 5u);
    memory.fill(1);
    CU_OK(cuMemcpyDtoD_v2, address, memory.at(), kCount * 4);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_EQ(pinned.words()[17], 0x01010101u);
}

TEST_F(MappedMemory, PinnedMemoryIsSetByItsHostAddress) {
    const Pinned pinned(kCount * 4);
    ASSERT_TRUE(pinned.ok());
    CU_OK(cuMemsetD32Async, number(pinned.data()), 3, kCount, nullptr);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_EQ(std::count(pinned.words(), pinned.words() + kCount, 3u), kCount);
}

TEST_F(MappedMemory, CopiesAreInTheStreamsOrderWithKernels) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    const Memory memory(kCount * 4);
    const Stream stream;
    ASSERT_TRUE(pinned.ok() && memory.ok() && stream.ok());
    const CUdeviceptr address = device_of(pinned.data());
    memory.fill(0);
    ASSERT_EQ(launch(kernel("add_one"), kShape, stream, memory.at(), kCount), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), kCount * 4, stream);
    ASSERT_EQ(launch(kernel("add_one"), kShape, stream, address, kCount), CUDA_SUCCESS);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), pinned.data(), kCount * 4, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(pinned.words()[kCount - 1], 2u);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(kCount, 2));
}

TEST_F(MappedMemory, RegisteredMemoryThatBeginsInsideAPage) {
    std::vector<uint32_t> words(kCount + 200, 7);
    uint32_t* first = words.data() + 100;
    CU_OK(cuMemHostRegister_v2, first, kCount * 4, CU_MEMHOSTREGISTER_DEVICEMAP);
    const CUdeviceptr address = device_of(first);
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, address, kCount), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(words[99], 7u);
    EXPECT_EQ(std::count(first, first + kCount, 8u), kCount);
    EXPECT_EQ(words[100 + kCount], 7u);
    CU_OK(cuMemHostUnregister, first);
    CUdeviceptr gone = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetDevicePointer_v2, &gone, first, 0);
}

TEST_F(MappedMemory, SystemCallsReachThePages) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    ASSERT_TRUE(pinned.ok());
    std::fill_n(pinned.words(), kCount, 1u);
    const CUdeviceptr address = device_of(pinned.data());
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, address, kCount), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    std::array<uint32_t, 4> sent{};
    EXPECT_EQ(write(pipe_ends[1], pinned.data(), 16), 16);
    EXPECT_EQ(read(pipe_ends[0], sent.data(), 16), 16);
    EXPECT_EQ(sent[3], 2u);
    sent.fill(40);
    EXPECT_EQ(write(pipe_ends[1], sent.data(), 16), 16);
    EXPECT_EQ(read(pipe_ends[0], pinned.data(), 16), 16);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    ASSERT_EQ(launch(kernel("add_one"), kShape, nullptr, address, kCount), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(pinned.words()[3], 41u);
    EXPECT_EQ(pinned.words()[4], 3u);
}

TEST_F(MappedMemory, HostFunctionsStandBetweenKernels) {
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    const Stream stream;
    ASSERT_TRUE(pinned.ok() && stream.ok());
    std::fill_n(pinned.words(), kCount, 1u);
    const CUdeviceptr address = device_of(pinned.data());
    ASSERT_EQ(launch(kernel("add_one"), kShape, stream, address, kCount), CUDA_SUCCESS);
    const CUhostFn triple = [](void* words) {
        for (uint32_t i = 0; i < kCount; ++i) static_cast<uint32_t*>(words)[i] *= 3;
    };
    CU_OK(cuLaunchHostFunc, stream, triple, pinned.data());
    ASSERT_EQ(launch(kernel("add_one"), kShape, stream, address, kCount), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(std::count(pinned.words(), pinned.words() + kCount, 7u), kCount);
}

TEST_F(MappedMemory, PointersSayWhatTheyAre) {
    const Pinned pinned(4096, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE);
    ASSERT_TRUE(pinned.ok());
    const CUdeviceptr address = device_of(pinned.data()) + 40;
    unsigned type = 0;
    CU_OK(cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address);
    EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_HOST));
    void* host = nullptr;
    CU_OK(cuPointerGetAttribute, &host, CU_POINTER_ATTRIBUTE_HOST_POINTER, address);
    EXPECT_EQ(host, static_cast<char*>(pinned.data()) + 40);
    CUdeviceptr device = 0;
    CU_OK(cuPointerGetAttribute, &device, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, number(pinned.data()) + 40);
    EXPECT_EQ(device, address);
    unsigned flags = 0;
    CU_OK(cuMemHostGetFlags, &flags, pinned.data());
    EXPECT_EQ(flags & CU_MEMHOSTALLOC_DEVICEMAP, static_cast<unsigned>(CU_MEMHOSTALLOC_DEVICEMAP));
    uint32_t pageable = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetFlags, &flags, &pageable);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetDevicePointer_v2, &device, &pageable, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetDevicePointer_v2, &device, pinned.data(), 1);
}

TEST_F(MappedMemory, ManyRangesComeAndGo) {
    for (uint32_t round = 0; round < 20; ++round) {
        const Pinned first(4096, CU_MEMHOSTALLOC_DEVICEMAP);
        const Pinned second(100000, CU_MEMHOSTALLOC_DEVICEMAP);
        ASSERT_TRUE(first.ok() && second.ok());
        first.words()[0] = round;
        second.words()[24999] = round;
        ASSERT_EQ(launch(kernel("add_one"), {}, nullptr, device_of(first.data()), 1u), CUDA_SUCCESS);
        ASSERT_EQ(launch(kernel("add_one"), {}, nullptr, device_of(second.data()) + 99996, 1u), CUDA_SUCCESS);
        CU_OK(cuCtxSynchronize);
        ASSERT_EQ(first.words()[0], round + 1);
        ASSERT_EQ(second.words()[24999], round + 1);
    }
}

}  // namespace bitfusion::conformance
