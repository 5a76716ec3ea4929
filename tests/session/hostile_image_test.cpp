// A client that means harm with arrays, textures and surfaces: boxes that leave an array, names of other
// kinds, addresses of the worker itself, numbers of objects that it does not have.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "session/raw_peer.h"
#include "wire/block.h"
#include "wire/names.h"

namespace bitfusion::session_test {
namespace {

constexpr uint64_t kRow = 64;
constexpr uint64_t kRows = 8;

class HostileImages : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(client_.open());
        array_ = make_array(CUDA_ARRAY3D_SURFACE_LDST);
        ASSERT_NE(array_, 0u);
    }
    // 16 by 8 words.
    uint64_t make_array(unsigned flags) {
        CUDA_ARRAY3D_DESCRIPTOR d{};
        d.Width = kRow / 4;
        d.Height = kRows;
        d.Format = CU_AD_FORMAT_UNSIGNED_INT32;
        d.NumChannels = 1;
        d.Flags = flags;
        return name_from(msg::kId_cuArray3DCreate_v2, words(d));
    }
    uint64_t name_from(uint16_t id, const Bytes& body) {
        Bytes answer;
        client_.send(id, body);
        if (client_.result(&answer) != CUDA_SUCCESS || answer.size() != 8) return 0;
        uint64_t name = 0;
        memcpy(&name, answer.data(), sizeof name);
        return name;
    }
    CUresult make_texture(const CUDA_RESOURCE_DESC& resource) {
        client_.send(msg::kId_cuTexObjectCreate, words(resource, CUDA_TEXTURE_DESC{}, uint8_t{0}));
        return client_.result();
    }
    static CUDA_RESOURCE_DESC of_array(uint64_t name) {
        CUDA_RESOURCE_DESC resource{};
        resource.res.array.hArray = reinterpret_cast<CUarray>(name);
        return resource;
    }

    RawClient client_;
    uint64_t array_ = 0;
};

TEST_F(HostileImages, BoxesStayInsideTheArray) {
    const struct {
        uint64_t x, y, z, width, height, depth;
    } outside[] = {{1, 0, 0, kRow, kRows, 1},       {0, 1, 0, kRow, kRows, 1},
                   {0, 0, 1, kRow, kRows, 1},       {0, 0, 0, kRow + 1, 1, 1},
                   {0, 0, 0, kRow, kRows + 1, 1},   {0, 0, 0, kRow, kRows, 2},
                   {UINT64_MAX, 0, 0, 4, 1, 1},     {0, UINT64_MAX, 0, 4, 1, 1},
                   {0, 0, UINT64_MAX - 3, 4, 1, 4}, {UINT64_MAX - 3, 0, 0, 8, 1, 1}};
    for (const auto& box : outside) {
        wire::Block block;
        block.array = array_;
        block.x = box.x;
        block.y = box.y;
        block.z = box.z;
        block.width = box.width;
        block.height = box.height;
        block.depth = box.depth;
        const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&block), sizeof block);
        EXPECT_EQ(client_.ask(msg::CopyBlockOut{bytes, 0, 1}), CUDA_ERROR_INVALID_VALUE) << box.x;
        client_.send(msg::CopyBlockIn{bytes, 0, 1, {}}, Bytes(box.width * box.height * box.depth, 1));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << box.x;
    }
    wire::Block whole;
    whole.array = array_;
    whole.width = kRow;
    whole.height = kRows;
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&whole), sizeof whole);
    Bytes data;
    EXPECT_EQ(client_.ask(msg::CopyBlockOut{bytes, 0, 1}, &data), CUDA_SUCCESS);
    EXPECT_EQ(data.size(), kRow * kRows);
}

TEST_F(HostileImages, ArraysAreCountedAndCountedOut) {
    const uint64_t before = client_.server().charged(0);
    const uint64_t other = make_array(0);
    EXPECT_GE(client_.server().charged(0), before + kRow * kRows);
    client_.send(msg::kId_cuArrayDestroy, words(other));
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    EXPECT_EQ(client_.server().charged(0), before);
    client_.send(msg::kId_cuArrayDestroy, words(other));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_HANDLE) << "destroyed twice";
    CUDA_ARRAY3D_DESCRIPTOR huge{};
    huge.Width = huge.Height = huge.Depth = UINT64_MAX / 2;
    huge.Format = CU_AD_FORMAT_FLOAT;
    huge.NumChannels = 4;
    client_.send(msg::kId_cuArray3DCreate_v2, words(huge));
    EXPECT_EQ(client_.result(), CUDA_ERROR_OUT_OF_MEMORY);
    client_.send(msg::kId_cuMipmappedArrayCreate, words(UINT32_MAX, huge));
    EXPECT_EQ(client_.result(), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(client_.server().charged(0), before);
}

TEST_F(HostileImages, LevelsEndWithTheirPyramid) {
    CUDA_ARRAY3D_DESCRIPTOR d{};
    d.Width = d.Height = 16;
    d.Format = CU_AD_FORMAT_FLOAT;
    d.NumChannels = 1;
    const uint64_t before = client_.server().charged(0);
    const uint64_t pyramid = name_from(msg::kId_cuMipmappedArrayCreate, words(uint32_t{3}, d));
    ASSERT_NE(pyramid, 0u);
    const uint64_t level = name_from(msg::kId_cuMipmappedArrayGetLevel, words(pyramid, uint32_t{1}));
    ASSERT_NE(level, 0u);
    client_.send(msg::kId_cuArrayDestroy, words(level));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_HANDLE) << "a level is no array of its own";
    EXPECT_EQ(make_texture(of_array(level)), CUDA_SUCCESS);
    EXPECT_EQ(make_texture(of_array(pyramid)), CUDA_ERROR_INVALID_HANDLE) << "of another kind";
    client_.send(msg::kId_cuMipmappedArrayDestroy, words(pyramid));
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    EXPECT_EQ(client_.server().charged(0), before);
    EXPECT_EQ(make_texture(of_array(level)), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(HostileImages, TexturesReadOnlyTheSessionsMemory) {
    static const uint8_t secret[4096] = {1};
    const auto host = reinterpret_cast<uint64_t>(secret) & ~uint64_t{511};
    CUDA_RESOURCE_DESC linear{};
    linear.resType = CU_RESOURCE_TYPE_LINEAR;
    linear.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT8;
    linear.res.linear.numChannels = 1;
    // What begins in the session's memory may reach past it: each fetch is checked as a kernel's read is.
    for (const auto& [address, bytes] : {std::pair<uint64_t, uint64_t>{host, 512},
                                         {client_.memory + RawClient::kBytes, 512},
                                         {client_.memory, UINT64_MAX},
                                         {0, 512}}) {
        linear.res.linear.devPtr = address;
        linear.res.linear.sizeInBytes = bytes;
        EXPECT_EQ(make_texture(linear), CUDA_ERROR_INVALID_VALUE) << address;
    }
    CUDA_RESOURCE_DESC plane{};
    plane.resType = CU_RESOURCE_TYPE_PITCH2D;
    plane.res.pitch2D.devPtr = client_.memory;
    plane.res.pitch2D.format = CU_AD_FORMAT_FLOAT;
    plane.res.pitch2D.numChannels = 4;
    plane.res.pitch2D.width = 32;
    for (const auto& [pitch, height] : {std::pair<uint64_t, uint64_t>{512, RawClient::kBytes / 512 + 1},
                                        {256, 8},
                                        {UINT64_MAX / 32 * 32, 8},
                                        {512, UINT64_MAX}}) {
        plane.res.pitch2D.pitchInBytes = pitch;
        plane.res.pitch2D.height = height;
        EXPECT_EQ(make_texture(plane), CUDA_ERROR_INVALID_VALUE) << pitch;
    }
    CUDA_RESOURCE_DESC unknown{};
    unknown.resType = static_cast<CUresourcetype>(7);
    EXPECT_EQ(make_texture(unknown), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(make_texture(of_array(0)), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(make_texture(of_array(RawClient::kContext)), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(make_texture(of_array(array_)), CUDA_SUCCESS);
}

TEST_F(HostileImages, OnlyItsOwnObjectsEnd) {
    for (const uint64_t number : {uint64_t{0}, uint64_t{1}, UINT64_MAX, client_.memory}) {
        client_.send(msg::kId_cuTexObjectDestroy, words(number));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
        client_.send(msg::kId_cuSurfObjectDestroy, words(number));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
    }
    const uint64_t surface = name_from(msg::kId_cuSurfObjectCreate, words(of_array(array_)));
    ASSERT_NE(surface, 0u);
    client_.send(msg::kId_cuTexObjectDestroy, words(surface));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << "a surface is no texture";
    client_.send(msg::kId_cuSurfObjectDestroy, words(surface));
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    client_.send(msg::kId_cuSurfObjectDestroy, words(surface));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace bitfusion::session_test
