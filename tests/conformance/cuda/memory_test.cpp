// Allocation of device and host memory: cuda.h, "Memory Management", "Stream Ordered Memory Allocator".
#include <sys/mman.h>

#include "conformance/objects.h"

namespace bitfusion::conformance {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class MemoryAlloc : public OnDevice {};

TEST_F(MemoryAlloc, GivesDistinctAlignedRanges) {
    const Memory a(1), b(513), c(3 * kMiB + 1);
    ASSERT_TRUE(a.ok() && b.ok() && c.ok());
    for (const Memory* memory : {&a, &b, &c}) EXPECT_EQ(memory->at() % 256, 0u);
    const auto apart = [](const Memory& x, const Memory& y) {
        return x.at() + x.bytes() <= y.at() || y.at() + y.bytes() <= x.at();
    };
    EXPECT_TRUE(apart(a, b) && apart(b, c) && apart(a, c));
}

TEST_F(MemoryAlloc, RefusesBadArguments) {
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2, &address, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2, nullptr, 16);
}

TEST_F(MemoryAlloc, FreeTakesOnlyTheBeginningOfALiveAllocation) {
    CUdeviceptr address = 0;
    CU_OK(cuMemAlloc_v2, &address, 4096);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2, address + 256);
    CU_OK(cuMemFree_v2, address);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2, address);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2, kNowhere);
}

TEST_F(MemoryAlloc, TooMuchIsOutOfMemoryAndHarmsNothing) {
    std::size_t total = 0;
    CU_OK(cuDeviceTotalMem_v2, &total, device_);
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2, &address, total + kMiB);
    CU_IS(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2, &address, total * 16);
    const Memory small(kMiB);
    ASSERT_TRUE(small.ok());
    small.fill(7);
    EXPECT_EQ(small.content(), std::vector<uint8_t>(kMiB, 7));
}

TEST_F(MemoryAlloc, FillsUpAndEmptiesAgain) {
    std::size_t free_bytes = 0;
    std::size_t total = 0;
    CU_OK(cuMemGetInfo_v2, &free_bytes, &total);
    EXPECT_LE(free_bytes, total);
    const std::size_t piece = free_bytes / 8 / kMiB * kMiB;
    for (int round = 0; round < 2; ++round) {
        std::vector<CUdeviceptr> pieces;
        CUresult code = CUDA_SUCCESS;
        while (code == CUDA_SUCCESS && pieces.size() < 16) {
            CUdeviceptr address = 0;
            code = CU_CALL(cuMemAlloc_v2, &address, piece);
            if (code == CUDA_SUCCESS) pieces.push_back(address);
        }
        EXPECT_EQ(code, CUDA_ERROR_OUT_OF_MEMORY);
        EXPECT_GE(pieces.size(), 6u) << "round " << round;
        for (const CUdeviceptr address : pieces) CU_OK(cuMemFree_v2, address);
    }
}

TEST_F(MemoryAlloc, InfoFollowsAllocations) {
    std::size_t before = 0;
    std::size_t during = 0;
    std::size_t after = 0;
    std::size_t total = 0;
    CU_OK(cuMemGetInfo_v2, &before, &total);
    {
        const Memory memory(64 * kMiB);
        ASSERT_TRUE(memory.ok());
        CU_OK(cuMemGetInfo_v2, &during, &total);
    }
    CU_OK(cuMemGetInfo_v2, &after, &total);
    EXPECT_LE(during + 64 * kMiB, before);
    EXPECT_GE(after, during + 64 * kMiB);
}

TEST_F(MemoryAlloc, PitchHoldsTheWidth) {
    for (const unsigned element : {4u, 8u, 16u}) {
        CUdeviceptr address = 0;
        std::size_t pitch = 0;
        CU_OK(cuMemAllocPitch_v2, &address, &pitch, 1000, 37, element);
        EXPECT_GE(pitch, 1000u);
        EXPECT_EQ(pitch % element, 0u);
        EXPECT_EQ(address % 256, 0u);
        CU_OK(cuMemsetD2D8_v2, address, pitch, 1, 1000, 37);
        CU_OK(cuMemFree_v2, address);
    }
    CUdeviceptr address = 0;
    std::size_t pitch = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAllocPitch_v2, &address, &pitch, 1000, 37, 3);
}

TEST_F(MemoryAlloc, AddressRangeIsThatOfTheAllocation) {
    const Memory memory(3 * kMiB + 5);
    ASSERT_TRUE(memory.ok());
    for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, kMiB, 3 * kMiB + 4}) {
        CUdeviceptr base = 0;
        std::size_t size = 0;
        CU_OK(cuMemGetAddressRange_v2, &base, &size, memory.at(offset));
        EXPECT_EQ(base, memory.at());
        EXPECT_EQ(size, memory.bytes());
    }
    CUdeviceptr base = 0;
    std::size_t size = 0;
    CU_OK(cuMemGetAddressRange_v2, &base, nullptr, memory.at(1));
    CU_OK(cuMemGetAddressRange_v2, nullptr, &size, memory.at(1));
    CU_IS_ONE_OF(CUDA_ERROR_NOT_FOUND, CUDA_ERROR_INVALID_VALUE, cuMemGetAddressRange_v2, &base, &size,
                 kNowhere);
}

TEST_F(MemoryAlloc, StreamOrderedAllocationsLiveInTheirStream) {
    if (attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) == 0)
        GTEST_SKIP() << "the device has no memory pools";
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    std::vector<uint8_t> back(kMiB);
    for (int round = 0; round < 10; ++round) {
        CUdeviceptr address = 0;
        CU_OK(cuMemAllocAsync, &address, kMiB, stream);
        ASSERT_NE(address, 0u);
        CU_OK(cuMemsetD8Async, address, static_cast<unsigned char>(round), kMiB, stream);
        CU_OK(cuMemcpyDtoHAsync_v2, back.data(), address, kMiB, stream);
        CU_OK(cuMemFreeAsync, address, stream);
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(back, std::vector<uint8_t>(kMiB, static_cast<uint8_t>(round)));
    }
    CUmemoryPool pool = nullptr;
    CU_OK(cuDeviceGetDefaultMemPool, &pool, device_);
    uint64_t reserved = 1;
    CU_OK(cuMemPoolTrimTo, pool, 0);
    CU_OK(cuMemPoolGetAttribute, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &reserved);
    EXPECT_EQ(reserved, 0u);
}

class MemoryHost : public OnDevice {};

TEST_F(MemoryHost, PinnedMemoryIsOrdinaryMemory) {
    const Pinned pinned(kMiB + 3);
    ASSERT_TRUE(pinned.ok());
    auto* bytes = static_cast<uint8_t*>(pinned.data());
    for (std::size_t i = 0; i < kMiB + 3; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
    const Memory memory(kMiB + 3);
    ASSERT_TRUE(memory.ok());
    memory.write(bytes, kMiB + 3);
    EXPECT_EQ(memory.content(), std::vector<uint8_t>(bytes, bytes + kMiB + 3));
}

TEST_F(MemoryHost, FlagsAreKept) {
    const Pinned pinned(4096, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP);
    ASSERT_TRUE(pinned.ok());
    unsigned flags = 0;
    CU_OK(cuMemHostGetFlags, &flags, pinned.data());
    EXPECT_EQ(flags & CU_MEMHOSTALLOC_PORTABLE, static_cast<unsigned>(CU_MEMHOSTALLOC_PORTABLE));
}

TEST_F(MemoryHost, RefusesBadArguments) {
    void* data = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostAlloc, nullptr, 16, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostAlloc, &data, 16, 0xFFFFFF00u);
    int pageable = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemFreeHost, &pageable);
    unsigned flags = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemHostGetFlags, &flags, &pageable);
}

TEST_F(MemoryHost, RegisteredMemoryIsPinnedOnce) {
    constexpr std::size_t kBytes = 64 * 4096;
    void* pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(pages, MAP_FAILED);
    CU_OK(cuMemHostRegister_v2, pages, kBytes, 0);
    CU_IS(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, cuMemHostRegister_v2, pages, kBytes, 0);

    const Stream stream;
    const Memory memory(kBytes);
    ASSERT_TRUE(stream.ok() && memory.ok());
    auto* words = static_cast<uint32_t*>(pages);
    for (std::size_t i = 0; i < kBytes / 4; ++i) words[i] = static_cast<uint32_t>(i);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), pages, kBytes, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(words, words + kBytes / 4));

    CU_OK(cuMemHostUnregister, pages);
    CU_IS_ONE_OF(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, CUDA_ERROR_INVALID_VALUE, cuMemHostUnregister, pages);
    munmap(pages, kBytes);
}

class MemoryMapped : public WithKernels {};

TEST_F(MemoryMapped, KernelsSeePinnedMemory) {
    if (attribute(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY) == 0)
        GTEST_SKIP() << "host memory cannot be mapped";
    constexpr uint32_t kCount = 3000;
    const Pinned pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
    ASSERT_TRUE(pinned.ok());
    for (uint32_t i = 0; i < kCount; ++i) pinned.words()[i] = 2 * i;
    CUdeviceptr address = 0;
    CU_OK(cuMemHostGetDevicePointer_v2, &address, pinned.data(), 0);
    ASSERT_EQ(launch(kernel("add_one"), {.grid_x = 12, .block_x = 256}, nullptr, address, kCount),
              CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(pinned.words()[i], 2 * i + 1);
}

TEST_F(MemoryMapped, ManagedMemoryIsOneAddressForBoth) {
    if (attribute(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY) == 0)
        GTEST_SKIP() << "the device has no managed memory";
    constexpr uint32_t kCount = 5000;
    CUdeviceptr address = 0;
    CU_OK(cuMemAllocManaged, &address, kCount * 4, CU_MEM_ATTACH_GLOBAL);
    auto* words = reinterpret_cast<uint32_t*>(address);
    for (uint32_t i = 0; i < kCount; ++i) words[i] = i;
    for (int round = 1; round <= 3; ++round) {
        ASSERT_EQ(launch(kernel("add_one"), {.grid_x = 20, .block_x = 256}, nullptr, address, kCount),
                  CUDA_SUCCESS);
        CU_OK(cuCtxSynchronize);
        for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(words[i], i + static_cast<uint32_t>(round));
    }
    CU_OK(cuMemFree_v2, address);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAllocManaged, &address, 0, CU_MEM_ATTACH_GLOBAL);
}

}  // namespace bitfusion::conformance
