// Batches of copies: cuda.h, cuMemcpyBatchAsync and cuMemcpy3DBatchAsync.
#include <numeric>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class CopyBatch : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        std::iota(sent_.begin(), sent_.end(), 9);
    }
    static CUmemcpyAttributes order(CUmemcpySrcAccessOrder one) {
        CUmemcpyAttributes attributes{};
        attributes.srcAccessOrder = one;
        return attributes;
    }
    static CUdeviceptr host(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

    std::vector<uint32_t> sent_ = std::vector<uint32_t>(256);
};

TEST_F(CopyBatch, RowsOfEveryDirection) {
    const Stream stream;
    const Memory first(1024), second(1024);
    const Pinned pinned(1024);
    ASSERT_TRUE(stream.ok() && first.ok() && second.ok() && pinned.ok());
    std::vector<uint32_t> back(256);
    CUdeviceptr to[] = {first.at(), first.at(512)};
    CUdeviceptr from[] = {host(sent_.data()), host(pinned.data())};
    size_t sizes[] = {512, 512};
    std::memcpy(pinned.data(), sent_.data() + 128, 512);
    CUmemcpyAttributes attributes[] = {order(CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL),
                                       order(CU_MEMCPY_SRC_ACCESS_ORDER_STREAM)};
    size_t firsts[] = {0, 1};
    CU_OK(cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, attributes, firsts, size_t{2}, stream);
    CUdeviceptr then_to[] = {second.at(), second.at(512)};
    CUdeviceptr then_from[] = {first.at(512), first.at()};
    CU_OK(cuMemcpyBatchAsync_v2, then_to, then_from, sizes, size_t{2}, attributes, firsts, size_t{1}, stream);
    CUdeviceptr last_to[] = {host(back.data())};
    CUdeviceptr last_from[] = {second.at()};
    size_t all[] = {1024};
    CU_OK(cuMemcpyBatchAsync_v2, last_to, last_from, all, size_t{1}, attributes, firsts, size_t{1}, stream);
    CU_OK(cuStreamSynchronize, stream);
    for (size_t i = 0; i < 256; ++i) EXPECT_EQ(back[i], sent_[(i + 128) % 256]);
}

TEST_F(CopyBatch, ASourceThatIsReadDuringTheCallMayChangeAfterIt) {
    const Stream stream;
    const Memory memory(1 << 20);
    const Pinned pinned(1 << 20);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    std::memset(pinned.data(), 5, 1 << 20);
    CUdeviceptr to[] = {memory.at()};
    CUdeviceptr from[] = {host(pinned.data())};
    size_t sizes[] = {1 << 20};
    CUmemcpyAttributes attributes[] = {order(CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL)};
    size_t firsts[] = {0};
    CU_OK(cuMemcpyBatchAsync_v2, to, from, sizes, size_t{1}, attributes, firsts, size_t{1}, stream);
    std::memset(pinned.data(), 6, 1 << 20);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.content(), std::vector<uint8_t>(1 << 20, 5));
}

TEST_F(CopyBatch, WhatDoesNotFitTogetherIsRefused) {
    const Stream stream;
    const Memory memory(1024);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CUdeviceptr to[] = {memory.at(), memory.at(512)};
    CUdeviceptr from[] = {host(sent_.data()), host(sent_.data())};
    size_t sizes[] = {512, 512};
    CUmemcpyAttributes good[] = {order(CU_MEMCPY_SRC_ACCESS_ORDER_STREAM),
                                 order(CU_MEMCPY_SRC_ACCESS_ORDER_STREAM)};
    size_t firsts[] = {0, 1};
    size_t late[] = {1, 1};
    const CUresult bad = CUDA_ERROR_INVALID_VALUE;
    CU_IS(bad, cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, good, firsts, size_t{1}, nullptr);
    CU_IS(bad, cuMemcpyBatchAsync_v2, nullptr, from, sizes, size_t{2}, good, firsts, size_t{1}, stream);
    CU_IS(bad, cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, nullptr, firsts, size_t{1}, stream);
    CU_IS(bad, cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, good, late, size_t{1}, stream);
    CU_IS(bad, cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, good, firsts, size_t{3}, stream);
    CUmemcpyAttributes none[] = {order(static_cast<CUmemcpySrcAccessOrder>(0))};
    CU_IS(bad, cuMemcpyBatchAsync_v2, to, from, sizes, size_t{2}, none, firsts, size_t{1}, stream);
}

TEST_F(CopyBatch, BoxesBetweenPointersAndArrays) {
    const Stream stream;
    const Array array(array_description(16, 8, 2, CU_AD_FORMAT_UNSIGNED_INT16, 2));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint32_t>(256, 0), 64, 8, 2));
    std::vector<uint32_t> back(4 * 3 * 2);
    CUDA_MEMCPY3D_BATCH_OP in{};
    in.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    in.src.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
    in.src.op.ptr.ptr = host(sent_.data());
    in.src.op.ptr.rowLength = 6;
    in.src.op.ptr.layerHeight = 5;
    in.dst.type = CU_MEMCPY_OPERAND_TYPE_ARRAY;
    in.dst.op.array.array = array;
    in.dst.op.array.offset = {3, 2, 0};
    in.extent = {4, 3, 2};
    CU_OK(cuMemcpy3DBatchAsync_v2, size_t{1}, &in, 0ull, stream);
    CUDA_MEMCPY3D_BATCH_OP out{};
    out.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    out.src = in.dst;
    out.dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
    out.dst.op.ptr.ptr = host(back.data());
    out.extent = in.extent;
    CU_OK(cuMemcpy3DBatchAsync_v2, size_t{1}, &out, 0ull, stream);
    CU_OK(cuStreamSynchronize, stream);
    for (size_t z = 0; z < 2; ++z)
        for (size_t y = 0; y < 3; ++y)
            for (size_t x = 0; x < 4; ++x) EXPECT_EQ(back[(z * 3 + y) * 4 + x], sent_[(z * 5 + y) * 6 + x]);
    out.src.op.array.offset.x = 13;  // past the end
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3DBatchAsync_v2, size_t{1}, &out, 0ull, stream);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3DBatchAsync_v2, size_t{1}, &in, 1ull, stream);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3DBatchAsync_v2, size_t{1}, &in, 0ull, nullptr);
    in.extent.depth = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy3DBatchAsync_v2, size_t{1}, &in, 0ull, stream);
}

}  // namespace bitfusion::conformance
