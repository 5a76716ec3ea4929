// Copies of two and three dimensions, with pitches and offsets, and arrays: cuda.h, cuMemcpy2D*, cuMemcpy3D*,
// cuArray*.
#include <cstring>
#include <functional>

#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

// A box of bytes inside a pitched volume.
struct Volume {
    std::size_t pitch;
    std::size_t height;
    std::size_t depth;

    std::size_t bytes() const { return pitch * height * depth; }
    std::size_t offset(std::size_t x, std::size_t y, std::size_t z) const {
        return (z * height + y) * pitch + x;
    }
};

std::vector<uint8_t> numbered(std::size_t bytes) {
    std::vector<uint8_t> data(bytes);
    for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 31 + i / 251);
    return data;
}

struct Place {
    std::size_t x, y, z;
};
struct Extent {
    std::size_t width, height, depth;
};

// What a copy of extent bytes from one volume to another must leave behind.
void copy_by_hand(std::vector<uint8_t>& to, const Volume& to_volume, const Place& to_place,
                  const std::vector<uint8_t>& from, const Volume& from_volume, const Place& from_place,
                  const Extent& extent) {
    for (std::size_t z = 0; z < extent.depth; ++z) {
        for (std::size_t y = 0; y < extent.height; ++y) {
            std::memcpy(&to[to_volume.offset(to_place.x, to_place.y + y, to_place.z + z)],
                        &from[from_volume.offset(from_place.x, from_place.y + y, from_place.z + z)],
                        extent.width);
        }
    }
}

constexpr Volume kFrom{128, 24, 5};
constexpr Volume kTo{192, 20, 4};
constexpr Place kFromPlace{7, 3, 1};
constexpr Place kToPlace{33, 2, 1};
constexpr Extent kFlat{50, 11, 1};
constexpr Extent kSolid{50, 11, 3};

enum class Side { kHost, kDevice };

}  // namespace

class CopyShape : public OnDevice, public testing::WithParamInterface<std::tuple<Side, Side>> {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        from_ = numbered(kFrom.bytes());
        to_ = std::vector<uint8_t>(kTo.bytes(), 0xEE);
        expected_ = to_;
    }

    // Fills the device copies, lets copy run, and compares the whole destination with expected_.
    void run(const Extent& extent, const std::function<CUresult(const Memory&, const Memory&)>& copy) {
        const auto [from_side, to_side] = GetParam();
        const Memory from(kFrom.bytes()), to(kTo.bytes());
        ASSERT_TRUE(from.ok() && to.ok());
        from.write(from_.data(), from_.size());
        to.write(to_.data(), to_.size());
        Place from_place = kFromPlace;
        Place to_place = kToPlace;
        if (extent.depth == 1) from_place.z = to_place.z = 0;
        copy_by_hand(expected_, kTo, to_place, from_, kFrom, from_place, extent);
        const CUresult code = copy(from, to);
        if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip()) GTEST_SKIP() << "this copy is not supported";
        ASSERT_EQ(code, CUDA_SUCCESS);
        ASSERT_EQ(CU_CALL(cuCtxSynchronize), CUDA_SUCCESS);
        EXPECT_EQ(to_side == Side::kHost ? to_ : to.content(), expected_);
    }

    CUDA_MEMCPY2D flat(const Memory& from, const Memory& to) {
        const auto [from_side, to_side] = GetParam();
        CUDA_MEMCPY2D copy{};
        copy.srcMemoryType = from_side == Side::kHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        copy.srcHost = from_.data();
        copy.srcDevice = from.at();
        copy.srcPitch = kFrom.pitch;
        copy.srcXInBytes = kFromPlace.x;
        copy.srcY = kFromPlace.y;
        copy.dstMemoryType = to_side == Side::kHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        copy.dstHost = to_.data();
        copy.dstDevice = to.at();
        copy.dstPitch = kTo.pitch;
        copy.dstXInBytes = kToPlace.x;
        copy.dstY = kToPlace.y;
        copy.WidthInBytes = kFlat.width;
        copy.Height = kFlat.height;
        return copy;
    }

    CUDA_MEMCPY3D solid(const Memory& from, const Memory& to) {
        const auto [from_side, to_side] = GetParam();
        CUDA_MEMCPY3D copy{};
        copy.srcMemoryType = from_side == Side::kHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        copy.srcHost = from_.data();
        copy.srcDevice = from.at();
        copy.srcPitch = kFrom.pitch;
        copy.srcHeight = kFrom.height;
        copy.srcXInBytes = kFromPlace.x;
        copy.srcY = kFromPlace.y;
        copy.srcZ = kFromPlace.z;
        copy.dstMemoryType = to_side == Side::kHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        copy.dstHost = to_.data();
        copy.dstDevice = to.at();
        copy.dstPitch = kTo.pitch;
        copy.dstHeight = kTo.height;
        copy.dstXInBytes = kToPlace.x;
        copy.dstY = kToPlace.y;
        copy.dstZ = kToPlace.z;
        copy.WidthInBytes = kSolid.width;
        copy.Height = kSolid.height;
        copy.Depth = kSolid.depth;
        return copy;
    }

    std::vector<uint8_t> from_, to_, expected_;
};

TEST_P(CopyShape, TwoDimensions) {
    run(kFlat, [this](const Memory& from, const Memory& to) {
        const CUDA_MEMCPY2D copy = flat(from, to);
        return CU_CALL(cuMemcpy2D_v2, &copy);
    });
}

TEST_P(CopyShape, TwoDimensionsUnaligned) {
    run(kFlat, [this](const Memory& from, const Memory& to) {
        const CUDA_MEMCPY2D copy = flat(from, to);
        return CU_CALL(cuMemcpy2DUnaligned_v2, &copy);
    });
}

TEST_P(CopyShape, TwoDimensionsAsynchronous) {
    run(kFlat, [this](const Memory& from, const Memory& to) {
        const CUDA_MEMCPY2D copy = flat(from, to);
        return CU_CALL(cuMemcpy2DAsync_v2, &copy, nullptr);
    });
}

TEST_P(CopyShape, TwoDimensionsUnified) {
    run(kFlat, [this](const Memory& from, const Memory& to) {
        const auto [from_side, to_side] = GetParam();
        CUDA_MEMCPY2D copy = flat(from, to);
        copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
        if (from_side == Side::kHost) copy.srcDevice = reinterpret_cast<CUdeviceptr>(from_.data());
        if (to_side == Side::kHost) copy.dstDevice = reinterpret_cast<CUdeviceptr>(to_.data());
        copy.srcHost = nullptr;
        copy.dstHost = nullptr;
        return CU_CALL(cuMemcpy2D_v2, &copy);
    });
}

TEST_P(CopyShape, ThreeDimensions) {
    run(kSolid, [this](const Memory& from, const Memory& to) {
        const CUDA_MEMCPY3D copy = solid(from, to);
        return CU_CALL(cuMemcpy3D_v2, &copy);
    });
}

TEST_P(CopyShape, ThreeDimensionsAsynchronous) {
    run(kSolid, [this](const Memory& from, const Memory& to) {
        const CUDA_MEMCPY3D copy = solid(from, to);
        return CU_CALL(cuMemcpy3DAsync_v2, &copy, nullptr);
    });
}

INSTANTIATE_TEST_SUITE_P(Sides, CopyShape,
                         testing::Combine(testing::Values(Side::kHost, Side::kDevice),
                                          testing::Values(Side::kHost, Side::kDevice)),
                         [](const testing::TestParamInfo<CopyShape::ParamType>& info) {
                             const auto name = [](Side side) {
                                 return side == Side::kHost ? "Host" : "Device";
                             };
                             return std::string(name(std::get<0>(info.param))) + "To" +
                                    name(std::get<1>(info.param));
                         });

class CopyLimits : public OnDevice {};

TEST_F(CopyLimits, EmptyExtentsCopyNothingAndWidePitchesAreRefused) {
    const Memory memory(4096);
    ASSERT_TRUE(memory.ok());
    memory.fill(9);
    std::vector<uint8_t> host(4096, 1);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = memory.at();
    copy.srcPitch = 64;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = host.data();
    copy.dstPitch = 64;
    copy.WidthInBytes = 0;
    copy.Height = 4;
    CU_OK(cuMemcpy2D_v2, &copy);
    copy.WidthInBytes = 16;
    copy.Height = 0;
    CU_OK(cuMemcpy2D_v2, &copy);
    EXPECT_EQ(host, std::vector<uint8_t>(4096, 1));
    copy.WidthInBytes = 65;  // wider than the pitch
    copy.Height = 4;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemcpy2D_v2, &copy);
    EXPECT_EQ(host, std::vector<uint8_t>(4096, 1));
}

TEST_F(CopyLimits, MebibytesWithPitch) {
    constexpr std::size_t kWidth = 3001;
    constexpr std::size_t kRows = 1500;
    CUdeviceptr address = 0;
    std::size_t pitch = 0;
    CU_OK(cuMemAllocPitch_v2, &address, &pitch, kWidth, kRows, 4);
    const std::vector<uint8_t> sent = numbered(kWidth * kRows);
    std::vector<uint8_t> back(kWidth * kRows);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = sent.data();
    copy.srcPitch = kWidth;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = address;
    copy.dstPitch = pitch;
    copy.WidthInBytes = kWidth;
    copy.Height = kRows;
    CU_OK(cuMemcpy2D_v2, &copy);
    CUDA_MEMCPY2D reverse{};
    reverse.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    reverse.srcDevice = address;
    reverse.srcPitch = pitch;
    reverse.dstMemoryType = CU_MEMORYTYPE_HOST;
    reverse.dstHost = back.data();
    reverse.dstPitch = kWidth;
    reverse.WidthInBytes = kWidth;
    reverse.Height = kRows;
    CU_OK(cuMemcpy2D_v2, &reverse);
    EXPECT_EQ(back, sent);
    CU_OK(cuMemFree_v2, address);
}

TEST_F(CopyLimits, ArraysKeepTheirContent) {
    CUDA_ARRAY_DESCRIPTOR description{};
    description.Width = 40;
    description.Height = 16;
    description.Format = CU_AD_FORMAT_UNSIGNED_INT32;
    description.NumChannels = 1;
    CUarray array = nullptr;
    CU_OK(cuArrayCreate_v2, &array, &description);
    const std::vector<uint8_t> sent = numbered(160 * 16);
    std::vector<uint8_t> back(160 * 16);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = sent.data();
    copy.srcPitch = 160;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = 160;
    copy.Height = 16;
    CU_OK(cuMemcpy2D_v2, &copy);
    CUDA_MEMCPY2D reverse{};
    reverse.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    reverse.srcArray = array;
    reverse.dstMemoryType = CU_MEMORYTYPE_HOST;
    reverse.dstHost = back.data();
    reverse.dstPitch = 160;
    reverse.WidthInBytes = 160;
    reverse.Height = 16;
    CU_OK(cuMemcpy2D_v2, &reverse);
    EXPECT_EQ(back, sent);
    CUDA_ARRAY_DESCRIPTOR told{};
    CU_OK(cuArrayGetDescriptor_v2, &told, array);
    EXPECT_EQ(told.Width, 40u);
    EXPECT_EQ(told.Height, 16u);
    CU_OK(cuArrayDestroy, array);
}

}  // namespace bitfusion::conformance
