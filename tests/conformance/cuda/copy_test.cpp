// Copies in every direction, one-dimensional: cuda.h, "Memory Management" (cuMemcpy*).
#include <algorithm>

#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::vector<uint8_t> pattern(std::size_t bytes, unsigned seed) {
    std::vector<uint8_t> data(bytes);
    uint32_t state = seed * 2654435761u + 1;
    for (uint8_t& byte : data) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<uint8_t>(state >> 24);
    }
    return data;
}

// Around every power and boundary that a transport might cut at.
const std::size_t kSizes[] = {0,    1,    3,     63,    64,       65,       255,          4095,
                              4096, 4097, 65535, 65537, kMiB - 1, kMiB + 1, 64 * kMiB + 3};

}  // namespace

class CopySize : public OnDevice, public testing::WithParamInterface<std::size_t> {};

TEST_P(CopySize, HostToDeviceAndBack) {
    const std::size_t bytes = GetParam();
    const Memory memory(bytes + 64);
    ASSERT_TRUE(memory.ok());
    for (const std::size_t offset : {std::size_t{0}, std::size_t{5}}) {
        memory.fill(0xEE);
        const std::vector<uint8_t> sent = pattern(bytes, static_cast<unsigned>(offset));
        CU_OK(cuMemcpyHtoD_v2, memory.at(offset), sent.data(), bytes);
        std::vector<uint8_t> back(bytes + 2, 0xAA);
        CU_OK(cuMemcpyDtoH_v2, back.data() + 1, memory.at(offset), bytes);
        EXPECT_EQ(back.front(), 0xAA);
        EXPECT_EQ(back.back(), 0xAA) << "written beyond the size";
        EXPECT_TRUE(std::equal(sent.begin(), sent.end(), back.begin() + 1));
        uint8_t beyond = 0;
        CU_OK(cuMemcpyDtoH_v2, &beyond, memory.at(offset + bytes), 1);
        EXPECT_EQ(beyond, 0xEE) << "the device was written beyond the size";
    }
}

TEST_P(CopySize, DeviceToDevice) {
    const std::size_t bytes = GetParam();
    const Memory from(bytes + 64), to(bytes + 64);
    ASSERT_TRUE(from.ok() && to.ok());
    const std::vector<uint8_t> sent = pattern(bytes, 3);
    CU_OK(cuMemcpyHtoD_v2, from.at(3), sent.data(), bytes);
    to.fill(0xEE);
    CU_OK(cuMemcpyDtoD_v2, to.at(17), from.at(3), bytes);
    const std::vector<uint8_t> all = to.content();
    ASSERT_EQ(all.size(), bytes + 64);
    EXPECT_EQ(all[16], 0xEE);
    EXPECT_EQ(all[17 + bytes], 0xEE);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), all.begin() + 17));
}

TEST_P(CopySize, UnifiedInEveryDirection) {
    const std::size_t bytes = GetParam();
    const Memory a(bytes + 1), b(bytes + 1);
    ASSERT_TRUE(a.ok() && b.ok());
    std::vector<uint8_t> sent = pattern(bytes + 1, 4);
    std::vector<uint8_t> middle(bytes + 1);
    std::vector<uint8_t> back(bytes + 1);
    const auto as_address = [](void* host) { return reinterpret_cast<CUdeviceptr>(host); };
    CU_OK(cuMemcpy, as_address(middle.data()), as_address(sent.data()), bytes);
    CU_OK(cuMemcpy, a.at(), as_address(middle.data()), bytes);
    CU_OK(cuMemcpy, b.at(), a.at(), bytes);
    CU_OK(cuMemcpy, as_address(back.data()), b.at(), bytes);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end() - 1, back.begin()));
}

TEST_P(CopySize, AsynchronousThroughPinnedMemory) {
    const std::size_t bytes = GetParam();
    const Stream stream;
    const Memory a(bytes + 1), b(bytes + 1);
    const Pinned out(bytes + 1), in(bytes + 1);
    ASSERT_TRUE(stream.ok() && a.ok() && b.ok() && out.ok() && in.ok());
    const std::vector<uint8_t> sent = pattern(bytes, 5);
    std::copy(sent.begin(), sent.end(), static_cast<uint8_t*>(out.data()));
    CU_OK(cuMemcpyHtoDAsync_v2, a.at(), out.data(), bytes, stream);
    CU_OK(cuMemcpyDtoDAsync_v2, b.at(), a.at(), bytes, stream);
    CU_OK(cuMemcpyDtoHAsync_v2, in.data(), b.at(), bytes, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), static_cast<uint8_t*>(in.data())));
}

TEST_P(CopySize, AsynchronousUnified) {
    const std::size_t bytes = GetParam();
    const Stream stream;
    const Memory memory(bytes + 1);
    const Pinned pinned(bytes + 1);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    const std::vector<uint8_t> sent = pattern(bytes, 6);
    CU_OK(cuMemcpyAsync, memory.at(), reinterpret_cast<CUdeviceptr>(sent.data()), bytes, stream);
    CU_OK(cuMemcpyAsync, reinterpret_cast<CUdeviceptr>(pinned.data()), memory.at(), bytes, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), static_cast<uint8_t*>(pinned.data())));
}

INSTANTIATE_TEST_SUITE_P(Bytes, CopySize, testing::ValuesIn(kSizes), testing::PrintToStringParamName());

class Copy : public WithKernels {};

TEST_F(Copy, PageableSourceMayBeReusedAtOnce) {
    // API synchronisation behaviour: a pageable source has been read when an asynchronous copy returns.
    const Stream stream;
    const Memory memory(8 * kMiB);
    ASSERT_TRUE(stream.ok() && memory.ok());
    for (const std::size_t bytes : {std::size_t{100}, 60 * std::size_t{1000}, 8 * kMiB}) {
        std::vector<uint8_t> source = pattern(bytes, 7);
        const std::vector<uint8_t> sent = source;
        CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), source.data(), bytes, stream);
        std::fill(source.begin(), source.end(), uint8_t{0});
        CU_OK(cuStreamSynchronize, stream);
        std::vector<uint8_t> back(bytes);
        CU_OK(cuMemcpyDtoH_v2, back.data(), memory.at(), bytes);
        EXPECT_EQ(back, sent) << bytes << " bytes";
    }
}

TEST_F(Copy, PageableDestinationIsFilledWhenTheCallReturns) {
    const Stream stream;
    const Memory memory(kMiB);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuMemsetD8Async, memory.at(), 0x5A, kMiB, stream);
    std::vector<uint8_t> back(kMiB);
    CU_OK(cuMemcpyDtoHAsync_v2, back.data(), memory.at(), kMiB, stream);
    EXPECT_EQ(back, std::vector<uint8_t>(kMiB, 0x5A));
}

TEST_F(Copy, ManyCopiesAndLaunchesKeepTheirOrder) {
    constexpr uint32_t kCount = 1000;
    const Stream stream;
    const Memory memory(kCount * 4);
    const Pinned pinned(kCount * 4);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    const CUfunction add_one = kernel("add_one");
    CU_OK(cuMemsetD32Async, memory.at(), 0, kCount, stream);
    for (uint32_t round = 0; round < 50; ++round) {
        ASSERT_EQ(launch(add_one, {.grid_x = 4, .block_x = 256}, stream, memory.at(), kCount), CUDA_SUCCESS);
        CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), kCount * 4, stream);
        CU_OK(cuStreamSynchronize, stream);
        ASSERT_EQ(pinned.words()[0], round + 1);
        ASSERT_EQ(pinned.words()[kCount - 1], round + 1);
    }
    for (uint32_t round = 0; round < 50; ++round) {  // without waiting in between
        std::vector<uint32_t> fresh(kCount, round);
        CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), fresh.data(), kCount * 4, stream);
        ASSERT_EQ(launch(add_one, {.grid_x = 4, .block_x = 256}, stream, memory.at(), kCount), CUDA_SUCCESS);
    }
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(kCount, 50));
}

TEST_F(Copy, PeerCopyWithinOneContext) {
    const Memory from(4096), to(4096);
    ASSERT_TRUE(from.ok() && to.ok());
    const std::vector<uint8_t> sent = pattern(4096, 8);
    from.write(sent.data(), sent.size());
    CU_OK(cuMemcpyPeer, to.at(), context_, from.at(), context_, 4096);
    EXPECT_EQ(to.content(), sent);
    to.fill(0);
    CU_OK(cuMemcpyPeerAsync, to.at(), context_, from.at(), context_, 4096, nullptr);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(to.content(), sent);
}

TEST_F(Copy, AddressesThatAreNotOursAreRefused) {
    const Memory memory(kMiB);
    ASSERT_TRUE(memory.ok());
    std::vector<uint8_t> host(64);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH_v2, host.data(), kNowhere, host.size());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2, kNowhere, host.data(), host.size());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD_v2, memory.at(), kNowhere, 64);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD_v2, kNowhere, memory.at(), 64);
    std::size_t total = 0;
    CU_OK(cuDeviceTotalMem_v2, &total, device_);
    const Memory other(kMiB);
    ASSERT_TRUE(other.ok());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD_v2, memory.at(), other.at(), total);
    other.fill(3);
    EXPECT_EQ(other.content(), std::vector<uint8_t>(kMiB, 3)) << "a refused copy must harm nothing";
}

}  // namespace bitfusion::conformance
