#include <cstring>
#include <numeric>
#include <vector>

#include "device/soft/test_device.h"

namespace bitfusion::soft {
namespace {

class CopyTest : public test::DeviceTest {
  protected:
    static std::vector<uint8_t> counting(size_t bytes) {
        std::vector<uint8_t> values(bytes);
        std::iota(values.begin(), values.end(), uint8_t{1});
        return values;
    }
};

TEST_F(CopyTest, ThereAndBack) {
    const auto out = counting(100000);
    std::vector<uint8_t> back(out.size());
    const CUdeviceptr a = allocate(out.size());
    const CUdeviceptr b = allocate(out.size());
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, out.data(), out.size()), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemcpyDtoD_v2(b, a, out.size()), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(back.data(), b, back.size()), CUDA_SUCCESS);
    EXPECT_EQ(back, out);
    std::fill(back.begin(), back.end(), uint8_t{0});
    EXPECT_EQ(cu.cuMemcpy(reinterpret_cast<CUdeviceptr>(back.data()), a, back.size()), CUDA_SUCCESS);
    EXPECT_EQ(back, out);
}

TEST_F(CopyTest, RangesAreChecked) {
    std::vector<uint8_t> host(2000);
    const CUdeviceptr a = allocate(1000);
    allocate(1000);
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, host.data(), 1001), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(a + 1000, host.data(), 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(0, host.data(), 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(host.data(), a, ~size_t{0}), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(host.data(), reinterpret_cast<CUdeviceptr>(host.data()), 1),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyDtoD_v2(a, reinterpret_cast<CUdeviceptr>(host.data()), 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, host.data(), 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemcpyHtoDAsync_v2(a, host.data(), 8, reinterpret_cast<CUstream>(0x1234)),
              CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(CopyTest, PageableSourceMayChangeAfterTheCall) {
    const CUstream stream = make_stream();
    const CUdeviceptr a = allocate(1000);
    test::Gate gate;
    gate.hold(cu, stream);
    std::vector<uint8_t> host(1000, 5);
    EXPECT_EQ(cu.cuMemcpyHtoDAsync_v2(a, host.data(), 1000, stream), CUDA_SUCCESS);
    std::fill(host.begin(), host.end(), uint8_t{9});
    gate.open();
    EXPECT_EQ(cu.cuMemcpyDtoHAsync_v2(host.data(), a, 1000, stream), CUDA_SUCCESS);
    // A pageable destination is complete when the call returns.
    EXPECT_EQ(host, std::vector<uint8_t>(1000, 5));
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(CopyTest, PinnedSourceIsReadWhenTheStreamGetsThere) {
    const CUstream stream = make_stream();
    const CUdeviceptr a = allocate(1000);
    void* pinned = nullptr;
    ASSERT_EQ(cu.cuMemAllocHost_v2(&pinned, 1000), CUDA_SUCCESS);
    memset(pinned, 5, 1000);
    test::Gate gate;
    gate.hold(cu, stream);
    EXPECT_EQ(cu.cuMemcpyHtoDAsync_v2(a, pinned, 1000, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    memset(pinned, 9, 1000);
    gate.open();
    std::vector<uint8_t> host(1000);
    EXPECT_EQ(cu.cuMemcpyDtoHAsync_v2(host.data(), a, 1000, stream), CUDA_SUCCESS);
    EXPECT_EQ(host, std::vector<uint8_t>(1000, 9));
    EXPECT_EQ(cu.cuMemFreeHost(pinned), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(CopyTest, Boxes) {
    const auto out = counting(8 * 6 * 4);
    const CUdeviceptr a = allocate(16 * 10 * 5);
    ASSERT_EQ(cu.cuMemsetD8_v2(a, 0, 800), CUDA_SUCCESS);
    CUDA_MEMCPY3D box{};
    box.srcMemoryType = CU_MEMORYTYPE_HOST;
    box.srcHost = out.data();
    box.srcPitch = 8;
    box.srcHeight = 6;
    box.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    box.dstDevice = a;
    box.dstPitch = 16;
    box.dstHeight = 10;
    box.dstXInBytes = 3;
    box.dstY = 2;
    box.dstZ = 1;
    box.WidthInBytes = 8;
    box.Height = 6;
    box.Depth = 4;
    ASSERT_EQ(cu.cuMemcpy3D_v2(&box), CUDA_SUCCESS);
    std::vector<uint8_t> all(800);
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(all.data(), a, all.size()), CUDA_SUCCESS);
    size_t set = 0;
    for (size_t z = 0; z < 4; ++z) {
        for (size_t y = 0; y < 6; ++y) {
            for (size_t x = 0; x < 8; ++x) {
                ASSERT_EQ(all[(z + 1) * 160 + (y + 2) * 16 + x + 3], out[z * 48 + y * 8 + x]);
                ++set;
            }
        }
    }
    EXPECT_EQ(static_cast<size_t>(std::count(all.begin(), all.end(), 0)), 800 - set);
    box.dstZ = 2;
    EXPECT_EQ(cu.cuMemcpy3D_v2(&box), CUDA_ERROR_INVALID_VALUE);
    box.dstZ = ~size_t{0};
    EXPECT_EQ(cu.cuMemcpy3D_v2(&box), CUDA_ERROR_INVALID_VALUE);

    CUDA_MEMCPY2D flat{};
    flat.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
    flat.srcDevice = a;
    flat.srcPitch = 16;
    flat.dstMemoryType = CU_MEMORYTYPE_HOST;
    std::vector<uint8_t> corner(4 * 3);
    flat.dstHost = corner.data();
    flat.dstPitch = 4;
    flat.srcXInBytes = 3;
    flat.srcY = 12;
    flat.WidthInBytes = 4;
    flat.Height = 3;
    ASSERT_EQ(cu.cuMemcpy2D_v2(&flat), CUDA_SUCCESS);
    EXPECT_EQ(corner[0], out[0]);
    EXPECT_EQ(corner[11], out[2 * 8 + 3]);
    flat.dstPitch = 3;
    EXPECT_EQ(cu.cuMemcpy2D_v2(&flat), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(CopyTest, Arrays) {
    CUDA_ARRAY_DESCRIPTOR description{};
    description.Width = 5;
    description.Height = 3;
    description.Format = CU_AD_FORMAT_FLOAT;
    description.NumChannels = 2;
    CUarray array = nullptr;
    ASSERT_EQ(cu.cuArrayCreate_v2(&array, &description), CUDA_SUCCESS);
    const auto out = counting(5 * 8 * 3);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = out.data();
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = 40;
    copy.Height = 3;
    ASSERT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
    std::vector<uint8_t> row(40);
    ASSERT_EQ(cu.cuMemcpyAtoH_v2(row.data(), array, 0, 40), CUDA_SUCCESS);
    EXPECT_EQ(row[39], out[39]);
    EXPECT_EQ(cu.cuMemcpyAtoH_v2(row.data(), array, 8, 40), CUDA_ERROR_INVALID_VALUE);
    copy.dstY = 1;
    EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuArrayDestroy(array), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuArrayDestroy(array), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(CopyTest, Sets) {
    const CUdeviceptr a = allocate(64);
    ASSERT_EQ(cu.cuMemsetD32_v2(a, 0x01020304, 16), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD16_v2(a + 2, 0xabcd, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD2D8_v2(a + 16, 16, 0xff, 2, 3), CUDA_SUCCESS);
    uint8_t back[64];
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(back, a, 64), CUDA_SUCCESS);
    const uint8_t first[] = {4, 3, 0xcd, 0xab, 4, 3, 2, 1};
    EXPECT_EQ(memcmp(back, first, sizeof first), 0);
    EXPECT_EQ(back[16], 0xff);
    EXPECT_EQ(back[18], 2);
    EXPECT_EQ(back[49], 0xff);
    EXPECT_EQ(cu.cuMemsetD32_v2(a + 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemsetD32_v2(a, 0, 17), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemsetD32_v2(a, 0, ~size_t{0} / 2), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemsetD2D8_v2(a, 1, 0, 2, 3), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemsetD8_v2(a, 0, 0), CUDA_SUCCESS);
}

TEST_F(CopyTest, BetweenDevices) {
    CUcontext other = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&other, 1), CUDA_SUCCESS);
    const CUdeviceptr here = allocate(100);
    ASSERT_EQ(cu.cuMemsetD8_v2(here, 3, 100), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
    const CUdeviceptr there = allocate(100);
    ASSERT_EQ(cu.cuMemcpyPeer(there, other, here, context, 100), CUDA_SUCCESS);
    uint8_t back[100];
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(back, there, 100), CUDA_SUCCESS);
    EXPECT_EQ(back[99], 3);
    EXPECT_EQ(cu.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
}

TEST_F(CopyTest, Batches) {
    const CUstream stream = make_stream();
    const CUdeviceptr a = allocate(100);
    const auto out = counting(100);
    CUdeviceptr to[] = {a, a + 50};
    CUdeviceptr from[] = {reinterpret_cast<CUdeviceptr>(out.data()) + 50,
                          reinterpret_cast<CUdeviceptr>(out.data())};
    size_t sizes[] = {50, 50};
    CUmemcpyAttributes attributes{};
    size_t first = 0;
    EXPECT_EQ(cu.cuMemcpyBatchAsync_v2(to, from, sizes, 2, &attributes, &first, 1, stream),
              CUDA_ERROR_INVALID_VALUE);
    attributes.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL;
    EXPECT_EQ(cu.cuMemcpyBatchAsync_v2(to, from, sizes, 2, &attributes, &first, 1, nullptr),
              CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(cu.cuMemcpyBatchAsync_v2(to, from, sizes, 2, &attributes, &first, 1, stream), CUDA_SUCCESS);
    std::vector<uint8_t> back(100);
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(back.data(), a, 100), CUDA_SUCCESS);
    EXPECT_EQ(back[0], out[50]);
    EXPECT_EQ(back[99], out[49]);
    sizes[1] = 51;
    EXPECT_EQ(cu.cuMemcpyBatchAsync_v2(to, from, sizes, 2, &attributes, &first, 1, stream),
              CUDA_ERROR_INVALID_VALUE);

    std::vector<uint8_t> flat(16);
    CUDA_MEMCPY3D_BATCH_OP operation{};
    operation.src.type = operation.dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
    operation.src.op.ptr.ptr = a;
    operation.src.op.ptr.rowLength = 10;
    operation.dst.op.ptr.ptr = reinterpret_cast<CUdeviceptr>(flat.data());
    operation.extent = {4, 4, 1};
    operation.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
    ASSERT_EQ(cu.cuMemcpy3DBatchAsync_v2(1, &operation, 0, stream), CUDA_SUCCESS);
    EXPECT_EQ(flat[5], back[11]);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
