// Texture objects: cuda.h, cuTexObject*, and what kernels read through them: CUDA C++ Programming Guide,
// appendix "Texture Fetching".
#include <cmath>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class Texture : public WithImages {};

constexpr unsigned kNormalized = CU_TRSF_NORMALIZED_COORDINATES;

std::vector<float> ramp(size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * i % 97) + 1;
    return values;
}

TEST_F(Texture, PointSamplingClampsAtTheEdges) {
    const Array array(array_description(8, 4, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    const std::vector<float> texels = ramp(32);
    CODE_OK(write_array(array, texels, 32, 4));
    const CUtexObject object =
        texture(resource_of(array), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0));
    CODE_OK(code_);
    const auto read = sample("sample_2d", object, {{2.5f, 1.5f, 0}, {-3, 2.9f, 0}, {100, 100, 0}});
    EXPECT_EQ(read[0].number(0), texels[8 + 2]);
    EXPECT_EQ(read[1].number(0), texels[16]);
    EXPECT_EQ(read[2].number(0), texels[31]);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, LinearFilteringInterpolatesWithEightBits) {
    const Array array(array_description(4, 2, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<float>{0, 8, 16, 24, 100, 108, 116, 124}, 16, 2));
    const CUtexObject object =
        texture(resource_of(array), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_LINEAR, 0));
    CODE_OK(code_);
    const auto read =
        sample("sample_2d", object,
               {{0.5f, 0.5f, 0}, {1, 0.5f, 0}, {1.75f, 1, 0}, {0.1f, 0.1f, 0}, {1.3f, 0.5f, 0}});
    EXPECT_FLOAT_EQ(read[0].number(0), 0);
    EXPECT_FLOAT_EQ(read[1].number(0), 4);
    EXPECT_FLOAT_EQ(read[2].number(0), 60);
    EXPECT_FLOAT_EQ(read[3].number(0), 0);
    EXPECT_NEAR(read[4].number(0), 6.4, 8.0 / 256);  // weights are multiples of 1/256
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, AddressModesRepeatMirrorAndShowTheBorder) {
    const Array array(array_description(4, 0, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<float>{1, 2, 3, 4}, 16, 1));
    const std::vector<Point> points{{-0.125f, 0, 0}, {0.375f, 0, 0}, {1.125f, 0, 0}, {1.375f, 0, 0}};
    const struct {
        CUaddress_mode mode;
        float expected[4];
    } cases[] = {{CU_TR_ADDRESS_MODE_WRAP, {4, 2, 1, 2}},
                 {CU_TR_ADDRESS_MODE_CLAMP, {1, 2, 4, 4}},
                 {CU_TR_ADDRESS_MODE_MIRROR, {1, 2, 4, 3}},
                 {CU_TR_ADDRESS_MODE_BORDER, {9, 2, 9, 9}}};
    for (const auto& one : cases) {
        CUDA_TEXTURE_DESC how = sampled(one.mode, CU_TR_FILTER_MODE_POINT, kNormalized);
        how.borderColor[0] = 9;
        const CUtexObject object = texture(resource_of(array), how);
        CODE_OK(code_);
        const auto read = sample("sample_1d", object, points);
        for (size_t i = 0; i < 4; ++i) EXPECT_EQ(read[i].number(0), one.expected[i]) << one.mode << " " << i;
        CU_OK(cuTexObjectDestroy, object);
    }
}

TEST_F(Texture, IntegersAreReadAsTheyAreOrAsFractions) {
    const Array array(array_description(2, 0, 0, CU_AD_FORMAT_UNSIGNED_INT8, 4));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint8_t>{0, 51, 255, 128, 1, 2, 3, 4}, 8, 1));
    CUtexObject object =
        texture(resource_of(array),
                sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, CU_TRSF_READ_AS_INTEGER));
    CODE_OK(code_);
    auto read = sample("sample_1d", object, {{0.5f, 0, 0}, {1.5f, 0, 0}});
    EXPECT_EQ(read[0].word[1], 51u);
    EXPECT_EQ(read[0].word[3], 128u);
    EXPECT_EQ(read[1].word[2], 3u);
    CU_OK(cuTexObjectDestroy, object);
    object = texture(resource_of(array), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0));
    CODE_OK(code_);
    read = sample("sample_1d", object, {{0.5f, 0, 0}});
    EXPECT_FLOAT_EQ(read[0].number(1), 0.2f);
    EXPECT_FLOAT_EQ(read[0].number(2), 1);
    CU_OK(cuTexObjectDestroy, object);
    object = texture(resource_of(array),
                     sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, CU_TRSF_SRGB | kNormalized));
    CODE_OK(code_);
    read = sample("sample_1d", object, {{0.25f, 0, 0}});
    EXPECT_NEAR(read[0].number(1), 0.0331, 0.002);  // sRGB 0.2 in linear light
    EXPECT_FLOAT_EQ(read[0].number(2), 1);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, SignedIntegersAndHalvesAreWidened) {
    const Array words(array_description(2, 0, 0, CU_AD_FORMAT_SIGNED_INT16, 2));
    CODE_OK(words.code());
    CODE_OK(write_array(words, std::vector<int16_t>{-5, 32767, -32768, 100}, 8, 1));
    CUtexObject object =
        texture(resource_of(words),
                sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, CU_TRSF_READ_AS_INTEGER));
    CODE_OK(code_);
    auto read = sample("sample_1d", object, {{0.5f, 0, 0}, {1.5f, 0, 0}});
    EXPECT_EQ(static_cast<int32_t>(read[0].word[0]), -5);
    EXPECT_EQ(static_cast<int32_t>(read[1].word[0]), -32768);
    CU_OK(cuTexObjectDestroy, object);
    const Array halves(array_description(2, 0, 0, CU_AD_FORMAT_HALF, 1));
    CODE_OK(write_array(halves, std::vector<uint16_t>{0x3c00, 0x4500}, 4, 1));  // 1 and 5
    object = texture(resource_of(halves), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_LINEAR, 0));
    CODE_OK(code_);
    read = sample("sample_1d", object, {{1, 0, 0}});
    EXPECT_FLOAT_EQ(read[0].number(0), 3);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, VolumesAndLayersAndCubes) {
    const std::vector<float> texels = ramp(4 * 4 * 6);
    const CUDA_TEXTURE_DESC point = sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0);
    const Array volume(array_description(4, 4, 6, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(volume.code());
    CODE_OK(write_array(volume, texels, 16, 4, 6));
    CUtexObject object = texture(resource_of(volume), point);
    CODE_OK(code_);
    auto read = sample("sample_3d", object, {{1.5f, 2.5f, 3.5f}, {0, 0, 99}});
    EXPECT_EQ(read[0].number(0), texels[3 * 16 + 2 * 4 + 1]);
    EXPECT_EQ(read[1].number(0), texels[5 * 16]);
    CU_OK(cuTexObjectDestroy, object);

    const Array layers(array_description(4, 4, 6, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_LAYERED));
    CODE_OK(write_array(layers, texels, 16, 4, 6));
    object = texture(resource_of(layers), point);
    CODE_OK(code_);
    read = sample("sample_layer", object, {{1.5f, 2.5f, 3}, {3.5f, 0.5f, 50}});
    EXPECT_EQ(read[0].number(0), texels[3 * 16 + 2 * 4 + 1]);
    EXPECT_EQ(read[1].number(0), texels[5 * 16 + 3]);
    CU_OK(cuTexObjectDestroy, object);

    const Array cube(array_description(4, 4, 6, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP));
    CODE_OK(write_array(cube, texels, 16, 4, 6));
    object =
        texture(resource_of(cube), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, kNormalized));
    CODE_OK(code_);
    // +x: s = -z, t = -y; -y: s = x, t = -z; +z: s = x, t = -y. 0.25 and -0.25 lie in texels 2 and 1.
    read = sample("sample_cube", object, {{1, 0.25f, 0.25f}, {0.25f, -1, 0.25f}, {-0.25f, 0.25f, 1}});
    EXPECT_EQ(read[0].number(0), texels[0 * 16 + 1 * 4 + 1]);
    EXPECT_EQ(read[1].number(0), texels[3 * 16 + 1 * 4 + 2]);
    EXPECT_EQ(read[2].number(0), texels[4 * 16 + 1 * 4 + 1]);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, LevelsOfAMipmappedArray) {
    const auto d = array_description(8, 8, 0, CU_AD_FORMAT_FLOAT, 1);
    CUmipmappedArray mipmap = nullptr;
    CU_OK(cuMipmappedArrayCreate, &mipmap, &d, 4u);
    for (unsigned i = 0; i < 4; ++i) {
        CUarray level = nullptr;
        CU_OK(cuMipmappedArrayGetLevel, &level, mipmap, i);
        const size_t size = size_t{8} >> i;
        CODE_OK(write_array(level, std::vector<float>(size * size, 10.0f * static_cast<float>(i)), size * 4,
                            size));
    }
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
    resource.res.mipmap.hMipmappedArray = mipmap;
    CUDA_TEXTURE_DESC how = sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_LINEAR, kNormalized);
    how.maxMipmapLevelClamp = 10;
    CUtexObject object = texture(resource, how);
    CODE_OK(code_);
    const std::vector<Point> points{{0.5f, 0.5f, 0}, {0.5f, 0.5f, 1.25f}, {0.5f, 0.5f, 9}};
    auto read = sample("sample_level", object, points);
    EXPECT_FLOAT_EQ(read[0].number(0), 0);
    EXPECT_FLOAT_EQ(read[1].number(0), 10);
    EXPECT_FLOAT_EQ(read[2].number(0), 30);
    CU_OK(cuTexObjectDestroy, object);
    how.mipmapFilterMode = CU_TR_FILTER_MODE_LINEAR;
    how.maxMipmapLevelClamp = 2.5f;
    object = texture(resource, how);
    CODE_OK(code_);
    read = sample("sample_level", object, points);
    EXPECT_FLOAT_EQ(read[1].number(0), 12.5f);
    EXPECT_FLOAT_EQ(read[2].number(0), 25);
    CU_OK(cuTexObjectDestroy, object);
    // a view of the last two levels
    CUDA_RESOURCE_VIEW_DESC view{};
    view.format = CU_RES_VIEW_FORMAT_FLOAT_1X32;
    view.width = view.height = 8;
    view.firstMipmapLevel = 2;
    view.lastMipmapLevel = 3;
    object = texture(resource, how, &view);
    CODE_OK(code_);
    read = sample("sample_level", object, points);
    EXPECT_FLOAT_EQ(read[0].number(0), 20);
    EXPECT_FLOAT_EQ(read[2].number(0), 30);
    CU_OK(cuTexObjectDestroy, object);
    CU_OK(cuMipmappedArrayDestroy, mipmap);
}

TEST_F(Texture, GatherTakesFourTexelsOfOneChannel) {
    const Array array(array_description(4, 4, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_TEXTURE_GATHER));
    CODE_OK(array.code());
    const std::vector<float> texels = ramp(16);
    CODE_OK(write_array(array, texels, 16, 4));
    const CUtexObject object =
        texture(resource_of(array), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0));
    CODE_OK(code_);
    const auto read = sample("gather_red", object, {{2, 1, 0}});
    EXPECT_EQ(read[0].number(0), texels[4 + 1]);
    EXPECT_EQ(read[0].number(1), texels[4 + 2]);
    EXPECT_EQ(read[0].number(2), texels[2]);
    EXPECT_EQ(read[0].number(3), texels[1]);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(Texture, LinearMemoryIsFetchedAndZeroOutside) {
    const Memory memory(4096);
    ASSERT_TRUE(memory.ok());
    std::vector<uint32_t> texels(1024);
    for (uint32_t i = 0; i < 1024; ++i) texels[i] = i * 3;
    memory.write(texels.data(), 4096);
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_LINEAR;
    resource.res.linear.devPtr = memory.at();
    resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32;
    resource.res.linear.numChannels = 2;
    resource.res.linear.sizeInBytes = 10 * 8;
    const CUDA_TEXTURE_DESC how =
        sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, CU_TRSF_READ_AS_INTEGER);
    const CUtexObject object = texture(resource, how);
    CODE_OK(code_);
    const auto read = sample("fetch", object, std::vector<Point>(16));
    for (uint32_t i = 0; i < 16; ++i) {
        EXPECT_EQ(read[i].word[0], i < 10 ? 6 * i : 0) << i;
        EXPECT_EQ(read[i].word[1], i < 10 ? 6 * i + 3 : 0) << i;
    }
    CU_OK(cuTexObjectDestroy, object);
    // Past the allocation as well, as long as nobody fetches from there (NVIDIA's convolutionFFT2D).
    resource.res.linear.sizeInBytes = 64 << 20;
    const CUtexObject longer = texture(resource, how);
    CODE_OK(code_);
    EXPECT_EQ(sample("fetch", longer, std::vector<Point>(16))[15].word[0], 90u);
    CU_OK(cuTexObjectDestroy, longer);
    resource.res.linear.devPtr += 4;  // not aligned
    CUtexObject refused = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &how, nullptr);
    resource.res.linear.devPtr = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &how, nullptr);
}

TEST_F(Texture, PitchedMemoryIsFilteredInTwoDimensions) {
    CUdeviceptr address = 0;
    size_t pitch = 0;
    CU_OK(cuMemAllocPitch_v2, &address, &pitch, 4 * sizeof(float), 4, 4);
    const float rows[4][4] = {{0, 2, 4, 6}, {10, 12, 14, 16}, {20, 22, 24, 26}, {30, 32, 34, 36}};
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = rows;
    copy.srcPitch = sizeof rows[0];
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = address;
    copy.dstPitch = pitch;
    copy.WidthInBytes = sizeof rows[0];
    copy.Height = 4;
    CU_OK(cuMemcpy2D_v2, &copy);
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_PITCH2D;
    auto& plane = resource.res.pitch2D;
    plane.devPtr = address;
    plane.format = CU_AD_FORMAT_FLOAT;
    plane.numChannels = 1;
    plane.width = plane.height = 4;
    plane.pitchInBytes = pitch;
    const CUDA_TEXTURE_DESC how = sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_LINEAR, 0);
    const CUtexObject object = texture(resource, how);
    CODE_OK(code_);
    const auto read = sample("sample_2d", object, {{2, 2, 0}, {0.5f, 3, 0}});
    EXPECT_FLOAT_EQ(read[0].number(0), 18);
    EXPECT_FLOAT_EQ(read[1].number(0), 25);
    CU_OK(cuTexObjectDestroy, object);
    plane.pitchInBytes = pitch + 4;
    CUtexObject refused = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &how, nullptr);
    CU_OK(cuMemFree_v2, address);
}

TEST_F(Texture, DescriptionsAreTold) {
    const Array array(array_description(8, 4, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1));
    CODE_OK(array.code());
    CUDA_TEXTURE_DESC how = sampled(CU_TR_ADDRESS_MODE_BORDER, CU_TR_FILTER_MODE_POINT, kNormalized);
    how.borderColor[2] = 4;
    CUDA_RESOURCE_VIEW_DESC view{};
    view.format = CU_RES_VIEW_FORMAT_SINT_1X32;
    view.width = 8;
    view.height = 4;
    const CUtexObject viewed = texture(resource_of(array), how, &view);
    CODE_OK(code_);
    CUDA_RESOURCE_DESC resource{};
    CU_OK(cuTexObjectGetResourceDesc, &resource, viewed);
    EXPECT_EQ(resource.resType, CU_RESOURCE_TYPE_ARRAY);
    EXPECT_EQ(resource.res.array.hArray, static_cast<CUarray>(array));
    CUDA_TEXTURE_DESC told{};
    CU_OK(cuTexObjectGetTextureDesc, &told, viewed);
    EXPECT_EQ(told.addressMode[0], CU_TR_ADDRESS_MODE_BORDER);
    if (answers_misuse()) {
        EXPECT_EQ(told.borderColor[2], 4);  // driver 580 leaves the colour out
    }
    CUDA_RESOURCE_VIEW_DESC told_view{};
    CU_OK(cuTexObjectGetResourceViewDesc, &told_view, viewed);
    EXPECT_EQ(told_view.format, CU_RES_VIEW_FORMAT_SINT_1X32);
    EXPECT_EQ(told_view.width, 8u);
    const CUtexObject plain = texture(resource_of(array), how);
    CODE_OK(code_);
    // The document's answer; driver 580 says success and leaves the description as it was.
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS, cuTexObjectGetResourceViewDesc, &told_view, plain);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectGetResourceDesc, nullptr, plain);
    CU_OK(cuTexObjectDestroy, viewed);
    CU_OK(cuTexObjectDestroy, plain);
}

TEST_F(Texture, WhatCannotBeATextureIsRefused) {
    const CUDA_TEXTURE_DESC how = sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0);
    CUtexObject object = 0;
    const Array array(array_description(8, 4, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    CUDA_RESOURCE_DESC resource = resource_of(array);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, nullptr, &resource, &how, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, nullptr, &how, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, &resource, nullptr, nullptr);
    resource.resType = static_cast<CUresourcetype>(9);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, &resource, &how, nullptr);
    resource = resource_of(nullptr);
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_HANDLE, cuTexObjectCreate, &object, &resource,
                 &how, nullptr);
    resource = resource_of(array);
    CUDA_RESOURCE_VIEW_DESC view{};
    view.format = CU_RES_VIEW_FORMAT_FLOAT_1X32;
    view.width = 9;  // not the array's
    view.height = 4;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, &resource, &how, &view);
}

TEST_F(Texture, DestroyedObjectsAreGone) {
    const Array array(array_description(8, 4, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<float>(32, 2.0f), 32, 4));
    const Memory points(12), out(16);
    ASSERT_TRUE(points.ok() && out.ok());
    points.fill(0);
    const CUtexObject object =
        texture(resource_of(array), sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, 0));
    CODE_OK(code_);
    ASSERT_EQ(launch(module_->function("sample_2d"), {}, nullptr, object, points.at(), out.at()),
              CUDA_SUCCESS);
    ASSERT_EQ(CU_CALL(cuCtxSynchronize), CUDA_SUCCESS);
    CU_OK(cuTexObjectDestroy, object);
    EXPECT_EQ(out.words()[0], 0x40000000u);
    CUDA_RESOURCE_DESC told{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectGetResourceDesc, &told, object);
}

}  // namespace bitfusion::conformance
