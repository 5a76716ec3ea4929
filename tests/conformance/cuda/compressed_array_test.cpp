// Block-compressed and planar arrays: cuda.h, CUarray_format, CUDA_RESOURCE_VIEW_DESC and cuArrayGetPlane.
// What blocks hold: Khronos, "Data Format Specification".
#include <cmath>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class CompressedArray : public WithImages {};
class PlanarArray : public WithImages {};

// A block of BC1 of one colour, of 5, 6 and 5 bits.
constexpr uint64_t plain_block(uint64_t color) { return color | color << 16; }
constexpr uint64_t kRed = plain_block(0xf800);
constexpr uint64_t kGreen = plain_block(0x07e0);
constexpr uint64_t kBlue = plain_block(0x001f);
constexpr uint64_t kGrey = plain_block(16 << 11 | 32 << 5 | 16);

CUDA_TEXTURE_DESC point_sampled(unsigned flags = 0) {
    return sampled(CU_TR_ADDRESS_MODE_CLAMP, CU_TR_FILTER_MODE_POINT, flags);
}

// Driver 580 makes planar arrays with this flag only; the documents do not say so.
CUDA_ARRAY3D_DESCRIPTOR planar_description(CUarray_format format) {
    CUDA_ARRAY3D_DESCRIPTOR d = array_description(8, 4, 0, format, 3);
    d.Flags |= CUDA_ARRAY3D_VIDEO_ENCODE_DECODE;
    return d;
}

TEST_F(CompressedArray, BlocksAreSampledTexelByTexel) {
    const Array array(array_description(8, 8, 0, CU_AD_FORMAT_BC1_UNORM, 4));
    CODE_OK(array.code());
    // red with texel (1, 2) blue, green; blue, grey
    const uint64_t spotted = 0xf800 | 0x001f << 16 | uint64_t{1} << (32 + 2 * 9);
    CODE_OK(write_array(array, std::vector<uint64_t>{spotted, kGreen, kBlue, kGrey}, 16, 2));
    const CUtexObject object = texture(resource_of(array), point_sampled());
    CODE_OK(code_);
    const auto read =
        sample("sample_2d", object,
               {{0.5f, 0.5f, 0}, {1.5f, 2.5f, 0}, {4.5f, 3.9f, 0}, {3.9f, 4.1f, 0}, {99, 99, 0}});
    const float expected[][4] = {
        {1, 0, 0, 1}, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 0, 1, 1}, {16 / 31.0f, 32 / 63.0f, 16 / 31.0f, 1}};
    for (size_t i = 0; i < read.size(); ++i)
        for (int c = 0; c < 4; ++c)
            EXPECT_NEAR(read[i].number(c), expected[i][c], 2 / 255.0) << i << " " << c;
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(CompressedArray, FiltersAcrossBlocksAndShowsTheBorder) {
    const Array array(array_description(8, 4, 0, CU_AD_FORMAT_BC1_UNORM, 4));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint64_t>{kRed, kGreen}, 16, 1));
    CUDA_TEXTURE_DESC how =
        sampled(CU_TR_ADDRESS_MODE_BORDER, CU_TR_FILTER_MODE_LINEAR, CU_TRSF_NORMALIZED_COORDINATES);
    how.borderColor[2] = 1;
    const CUtexObject object = texture(resource_of(array), how);
    CODE_OK(code_);
    const auto read = sample("sample_2d", object, {{0.5f, 0.5f, 0}, {-1, 0.5f, 0}, {0, 0.5f, 0}});
    EXPECT_NEAR(read[0].number(0), 0.5, 2 / 255.0);
    EXPECT_NEAR(read[0].number(1), 0.5, 2 / 255.0);
    EXPECT_EQ(read[1].number(2), 1);
    EXPECT_EQ(read[1].number(0), 0);
    EXPECT_NEAR(read[2].number(0), 0.5, 2 / 255.0);
    EXPECT_NEAR(read[2].number(2), 0.5, 2 / 255.0);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(CompressedArray, SrgbIsUndone) {
    for (const CUarray_format format : {CU_AD_FORMAT_BC1_UNORM_SRGB, CU_AD_FORMAT_BC1_UNORM}) {
        const Array array(array_description(4, 4, 0, format, 4));
        CODE_OK(array.code());
        CODE_OK(write_array(array, std::vector<uint64_t>{kGrey}, 8, 1));
        const bool is_srgb = format == CU_AD_FORMAT_BC1_UNORM_SRGB;
        // Driver 580 wants to hear of it; the documents do not say so.
        const CUDA_RESOURCE_DESC resource = resource_of(array);
        const CUDA_TEXTURE_DESC unsaid = point_sampled();
        CUtexObject refused = 0;
        if (is_srgb)
            CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &unsaid, nullptr);
        const CUtexObject object = texture(resource, point_sampled(is_srgb ? CU_TRSF_SRGB : 0));
        CODE_OK(code_);
        const auto read = sample("sample_2d", object, {{2, 2, 0}});
        const double plain = 16 / 31.0;
        const double linear = std::pow((plain + 0.055) / 1.055, 2.4);
        EXPECT_NEAR(read[0].number(0), is_srgb ? linear : plain, 0.005);
        EXPECT_EQ(read[0].number(3), 1);
        CU_OK(cuTexObjectDestroy, object);
    }
}

// Every format holds one block that is easily worked out: what it is, and its first texel.
TEST_F(CompressedArray, EveryFormatIsDecoded) {
    const uint64_t half_alpha = 0x8888'8888'8888'8888;        // BC2: 8 of 15
    const uint64_t value = 51;                                // BC3 to BC5: 51 of 255, index 0 everywhere
    const uint64_t minus_one = 0x81;                          // and -127 of 127
    const uint64_t six_low = 3 | uint64_t{1023} << 5;         // BC6H mode 11: red 1023, green and blue 0,
    const uint64_t six_high = 0;                              // index 0
    const uint64_t seven_low = 1 << 6 | uint64_t{0x7f} << 7;  // BC7 mode 6: red of the first endpoint,
    const uint64_t seven_high = 0;                            // and no low bits, so 254 of 255
    const struct {
        CUarray_format format;
        unsigned channels;
        std::vector<uint64_t> block;
        float expected[4];
        int known;  // channels that the format has
        double error = 0.005;
        unsigned flags = 0;
    } cases[] = {
        {CU_AD_FORMAT_BC1_UNORM, 4, {kRed}, {1, 0, 0, 1}, 4},
        {CU_AD_FORMAT_BC1_UNORM_SRGB, 4, {kRed}, {1, 0, 0, 1}, 4, 0.005, CU_TRSF_SRGB},
        {CU_AD_FORMAT_BC2_UNORM, 4, {half_alpha, kGreen}, {0, 1, 0, 8 / 15.0f}, 4},
        {CU_AD_FORMAT_BC2_UNORM_SRGB, 4, {half_alpha, kGreen}, {0, 1, 0, 8 / 15.0f}, 4, 0.005, CU_TRSF_SRGB},
        {CU_AD_FORMAT_BC3_UNORM, 4, {value, kBlue}, {0, 0, 1, 0.2f}, 4},
        {CU_AD_FORMAT_BC3_UNORM_SRGB, 4, {value, kBlue}, {0, 0, 1, 0.2f}, 4, 0.005, CU_TRSF_SRGB},
        {CU_AD_FORMAT_BC4_UNORM, 1, {value}, {0.2f}, 1},
        {CU_AD_FORMAT_BC4_SNORM, 1, {minus_one}, {-1}, 1},
        {CU_AD_FORMAT_BC5_UNORM, 2, {value, 255}, {0.2f, 1}, 2},
        {CU_AD_FORMAT_BC5_SNORM, 2, {minus_one, 127}, {-1, 1}, 2},
        {CU_AD_FORMAT_BC6H_UF16, 3, {six_low, six_high}, {65504, 0, 0}, 3},
        // -1 becomes -(32768 + 16384) / 512 = -96, times 31/32 the bits 0x805d: -93 times the smallest half
        {CU_AD_FORMAT_BC6H_SF16, 3, {six_low, six_high}, {-93 * 0x1p-24f, 0, 0}, 3, 0},
        {CU_AD_FORMAT_BC7_UNORM, 4, {seven_low, seven_high}, {254 / 255.0f, 0, 0, 0}, 4},
        {CU_AD_FORMAT_BC7_UNORM_SRGB, 4, {seven_low, seven_high}, {0.991f, 0, 0, 0}, 4, 0.005, CU_TRSF_SRGB},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.format);
        const Array array(array_description(4, 4, 0, one.format, one.channels));
        CODE_OK(array.code());
        CODE_OK(write_array(array, one.block, 8 * one.block.size(), 1));
        std::vector<uint64_t> back(one.block.size());
        CODE_OK(read_array(array, &back, 8 * one.block.size(), 1));
        EXPECT_EQ(back, one.block);
        const CUtexObject object = texture(resource_of(array), point_sampled(one.flags));
        CODE_OK(code_);
        const auto read = sample("sample_2d", object, {{0.5f, 0.5f, 0}});
        for (int c = 0; c < one.known; ++c) EXPECT_NEAR(read[0].number(c), one.expected[c], one.error) << c;
        CU_OK(cuTexObjectDestroy, object);
    }
}

TEST_F(CompressedArray, LayersAndLevelsHaveRowsOfBlocks) {
    const Array layers(array_description(4, 4, 3, CU_AD_FORMAT_BC1_UNORM, 4, CUDA_ARRAY3D_LAYERED));
    CODE_OK(layers.code());
    CODE_OK(write_array(layers, std::vector<uint64_t>{kRed, kGreen, kBlue}, 8, 1, 3));
    CUtexObject object = texture(resource_of(layers), point_sampled());
    CODE_OK(code_);
    auto read = sample("sample_layer", object, {{1, 1, 0}, {1, 1, 1}, {1, 1, 2}});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read[static_cast<size_t>(i)].number(i), 1) << i;
    CU_OK(cuTexObjectDestroy, object);

    const auto d = array_description(8, 8, 0, CU_AD_FORMAT_BC1_UNORM, 4);
    CUmipmappedArray mipmap = nullptr;
    CU_OK(cuMipmappedArrayCreate, &mipmap, &d, 4u);
    const uint64_t colors[] = {kRed, kGreen, kBlue, kGrey};
    for (unsigned i = 0; i < 4; ++i) {
        CUarray level = nullptr;
        CU_OK(cuMipmappedArrayGetLevel, &level, mipmap, i);
        CUDA_ARRAY3D_DESCRIPTOR told{};
        CU_OK(cuArray3DGetDescriptor_v2, &told, level);
        EXPECT_EQ(told.Width, size_t{8} >> i);  // texels
        const size_t edge = i == 0 ? 2 : 1;     // blocks: a level of two texels has a whole one
        CODE_OK(write_array(level, std::vector<uint64_t>(edge * edge, colors[i]), 8 * edge, edge));
    }
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
    resource.res.mipmap.hMipmappedArray = mipmap;
    CUDA_TEXTURE_DESC how = point_sampled(CU_TRSF_NORMALIZED_COORDINATES);
    how.maxMipmapLevelClamp = 10;
    object = texture(resource, how);
    CODE_OK(code_);
    read = sample("sample_level", object, {{0.9f, 0.9f, 0}, {0.9f, 0.9f, 1}, {0.9f, 0.9f, 2}});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read[static_cast<size_t>(i)].number(i), 1) << i;
    CU_OK(cuTexObjectDestroy, object);
    CU_OK(cuMipmappedArrayDestroy, mipmap);
}

TEST_F(CompressedArray, IntegersAreViewedAsBlocks) {
    // BC1 and BC4: two channels of 32 bits a block; extents are four times the array's.
    const Array array(array_description(2, 1, 0, CU_AD_FORMAT_UNSIGNED_INT32, 2));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint64_t>{kRed, kGreen}, 16, 1));
    CUDA_RESOURCE_VIEW_DESC view{};
    view.format = CU_RES_VIEW_FORMAT_UNSIGNED_BC1;
    view.width = 8;
    view.height = 4;
    CUtexObject object = texture(resource_of(array), point_sampled(), &view);
    CODE_OK(code_);
    auto read = sample("sample_2d", object, {{3.5f, 3.5f, 0}, {4.5f, 0, 0}, {50, 50, 0}});
    EXPECT_EQ(read[0].number(0), 1);
    EXPECT_EQ(read[1].number(1), 1);
    EXPECT_EQ(read[2].number(1), 1);
    CU_OK(cuTexObjectDestroy, object);
    CUtexObject refused = 0;
    const CUDA_RESOURCE_DESC resource = resource_of(array);
    const CUDA_TEXTURE_DESC how = point_sampled();
    view.width = 2;  // the array's own
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &how, &view);
    view.width = 8;
    view.format = CU_RES_VIEW_FORMAT_UNSIGNED_BC7;  // four channels are due
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &refused, &resource, &how, &view);

    const Array wide(array_description(1, 1, 0, CU_AD_FORMAT_UNSIGNED_INT32, 4));
    CODE_OK(wide.code());
    CODE_OK(write_array(wide, std::vector<uint64_t>{1 << 6 | uint64_t{0x7f} << 7, 0}, 16, 1));
    view.width = view.height = 4;
    object = texture(resource_of(wide), how, &view);
    CODE_OK(code_);
    read = sample("sample_2d", object, {{0.5f, 0.5f, 0}});
    EXPECT_FLOAT_EQ(read[0].number(0), 254 / 255.0f);
    CU_OK(cuTexObjectDestroy, object);
}

TEST_F(CompressedArray, WhatBlocksCannotBeIsRefused) {
    const CUDA_ARRAY3D_DESCRIPTOR bad[] = {
        array_description(8, 8, 0, CU_AD_FORMAT_BC1_UNORM, 1),
        array_description(8, 8, 0, CU_AD_FORMAT_BC4_UNORM, 4),
    };
    for (const CUDA_ARRAY3D_DESCRIPTOR& d : bad) {
        CUarray array = nullptr;
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuArray3DCreate_v2, &array, &d);
    }
    // "can only be specified if the type of resource is a CUDA array [...] not in a block compressed format"
    const Array array(array_description(8, 8, 0, CU_AD_FORMAT_BC1_UNORM, 4));
    CODE_OK(array.code());
    CUDA_RESOURCE_VIEW_DESC view{};
    view.format = CU_RES_VIEW_FORMAT_UNSIGNED_BC1;
    view.width = view.height = 8;
    const CUDA_RESOURCE_DESC resource = resource_of(array);
    const CUDA_TEXTURE_DESC how = point_sampled();
    CUtexObject object = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, &resource, &how, &view);
    CUsurfObject surface = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuSurfObjectCreate, &surface, &resource);
}

// "the same size as hArray but with one channel", "half the height and width of hArray with two channels"
TEST_F(PlanarArray, PlanesOfNv12) {
    EXPECT_EQ(Array(array_description(8, 4, 0, CU_AD_FORMAT_NV12, 3)).code(), CUDA_ERROR_INVALID_VALUE);
    const Array array(planar_description(CU_AD_FORMAT_NV12));
    CODE_OK(array.code());
    CUarray luminance = nullptr;
    CUarray colour = nullptr;
    CUarray none = nullptr;
    CU_OK(cuArrayGetPlane, &luminance, array, 0u);
    CU_OK(cuArrayGetPlane, &colour, array, 1u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayGetPlane, &none, array, 2u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayGetPlane, nullptr, array, 0u);
    CUDA_ARRAY3D_DESCRIPTOR told{};
    CU_OK(cuArray3DGetDescriptor_v2, &told, luminance);
    EXPECT_EQ(told.Width, 8u);
    EXPECT_EQ(told.Height, 4u);
    EXPECT_EQ(told.Format, CU_AD_FORMAT_UNSIGNED_INT8);
    EXPECT_EQ(told.NumChannels, 1u);
    CU_OK(cuArray3DGetDescriptor_v2, &told, colour);
    EXPECT_EQ(told.Width, 4u);
    EXPECT_EQ(told.Height, 2u);
    EXPECT_EQ(told.Format, CU_AD_FORMAT_UNSIGNED_INT8);
    EXPECT_EQ(told.NumChannels, 2u);
    std::vector<uint8_t> grey(32), pairs(16);
    for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<uint8_t>(i);
    for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = static_cast<uint8_t>(100 + i);
    CODE_OK(write_array(luminance, grey, 8, 4));
    CODE_OK(write_array(colour, pairs, 8, 2));
    std::vector<uint8_t> back(32);
    CODE_OK(read_array(luminance, &back, 8, 4));
    EXPECT_EQ(back, grey);
    CUtexObject object = texture(resource_of(colour), point_sampled(CU_TRSF_READ_AS_INTEGER));
    CODE_OK(code_);
    auto read = sample("sample_2d", object, {{2.5f, 1.5f, 0}});
    EXPECT_EQ(read[0].word[0], 112u);
    EXPECT_EQ(read[0].word[1], 113u);
    CU_OK(cuTexObjectDestroy, object);
    object = texture(resource_of(luminance), point_sampled(CU_TRSF_READ_AS_INTEGER));
    CODE_OK(code_);
    read = sample("sample_2d", object, {{7.5f, 3.5f, 0}});
    EXPECT_EQ(read[0].word[0], 31u);
    CU_OK(cuTexObjectDestroy, object);
}

// What cuda.h says of sampling and of bits.
TEST_F(PlanarArray, EveryFormatHasItsPlanes) {
    const struct {
        CUarray_format format;
        CUarray_format component;
        unsigned planes;
        size_t colour_width, colour_height;  // of 8 x 4
    } cases[] = {
        {CU_AD_FORMAT_P010, CU_AD_FORMAT_UNSIGNED_INT16, 2, 4, 2},
        {CU_AD_FORMAT_P016, CU_AD_FORMAT_UNSIGNED_INT16, 2, 4, 2},
        {CU_AD_FORMAT_NV16, CU_AD_FORMAT_UNSIGNED_INT8, 2, 4, 4},
        {CU_AD_FORMAT_P210, CU_AD_FORMAT_UNSIGNED_INT16, 2, 4, 4},
        {CU_AD_FORMAT_P216, CU_AD_FORMAT_UNSIGNED_INT16, 2, 4, 4},
        {CU_AD_FORMAT_YUV444_8bit_SemiPlanar, CU_AD_FORMAT_UNSIGNED_INT8, 2, 8, 4},
        {CU_AD_FORMAT_YUV444_16bit_SemiPlanar, CU_AD_FORMAT_UNSIGNED_INT16, 2, 8, 4},
        {CU_AD_FORMAT_Y444_PLANAR8, CU_AD_FORMAT_UNSIGNED_INT8, 3, 8, 4},
        {CU_AD_FORMAT_Y444_PLANAR10, CU_AD_FORMAT_UNSIGNED_INT16, 3, 8, 4},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.format);
        const Array array(planar_description(one.format));
        if (array.code() == CUDA_ERROR_INVALID_VALUE && !is_software_gpu()) continue;  // a GPU without it
        CODE_OK(array.code());
        for (unsigned i = 0; i < one.planes; ++i) {
            CUarray plane = nullptr;
            CU_OK(cuArrayGetPlane, &plane, array, i);
            CUDA_ARRAY3D_DESCRIPTOR told{};
            CU_OK(cuArray3DGetDescriptor_v2, &told, plane);
            EXPECT_EQ(told.Width, i == 0 ? 8 : one.colour_width);
            EXPECT_EQ(told.Height, i == 0 ? 4 : one.colour_height);
            EXPECT_EQ(told.Format, one.component);
            EXPECT_EQ(told.NumChannels, i == 0 || one.planes == 3 ? 1u : 2u);
        }
        CUarray none = nullptr;
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayGetPlane, &none, array, one.planes);
    }
}

TEST_F(PlanarArray, AWholeOneIsNoPicture) {
    if (!is_software_gpu())
        GTEST_SKIP() << "a real driver does not say what a planar array without its planes is";
    const Array array(planar_description(CU_AD_FORMAT_NV12));
    CODE_OK(array.code());
    const CUDA_RESOURCE_DESC resource = resource_of(array);
    const CUDA_TEXTURE_DESC how = point_sampled();
    CUtexObject object = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexObjectCreate, &object, &resource, &how, nullptr);
    CUarray plane = nullptr;
    CU_OK(cuArrayGetPlane, &plane, array, 0u);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuArrayDestroy, plane);  // ends with its array
}

}  // namespace bitfusion::conformance
