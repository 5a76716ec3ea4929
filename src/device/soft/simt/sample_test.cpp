// Texture fetching against the formulas of the programming guide's appendix, written out by hand.
#include "device/soft/simt/sample.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

namespace bitfusion::soft {
namespace {

float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }

// An image over a vector of texels, without gaps.
template <typename T>
class Picture {
  public:
    Picture(ImageFormat format, uint32_t channels, uint32_t width, uint32_t height = 1, uint32_t depth = 1) {
        image.format = format;
        image.channels = channels;
        add_level(width, height, depth);
    }
    void add_level(uint32_t width, uint32_t height, uint32_t depth) {
        auto& texels = levels.emplace_back(size_t{width} * height * depth * image.channels);
        for (size_t i = 0; i < texels.size(); ++i) texels[i] = static_cast<T>(10 * levels.size() + i);
        const uint64_t pitch = uint64_t{width} * image.channels * sizeof(T);
        image.levels.push_back(
            {reinterpret_cast<uint64_t>(texels.data()), width, height, depth, pitch, pitch * height});
    }
    Texel at(ImageGeometry geometry, float x, float y = 0, float z = 0, uint32_t layer = 0,
             float level = 0) const {
        SamplePoint point;
        point.at = {x, y, z};
        point.layer = layer;
        point.level = level;
        Texel texel{};
        EXPECT_TRUE(sample(image, geometry, point, {}, &texel));
        return texel;
    }
    float value(ImageGeometry geometry, float x, float y = 0, float z = 0, uint32_t layer = 0,
                float level = 0) const {
        return as_float(at(geometry, x, y, z, layer, level)[0]);
    }

    Image image;
    std::vector<std::vector<T>> levels;
};

using Floats = Picture<float>;

TEST(Sample, PointsAreFloorsAndClampAtTheEdges) {
    const Floats p(ImageFormat::kF32, 1, 4, 3);
    const auto texel = [&](int x, int y) { return p.levels[0][static_cast<size_t>(y) * 4 + x]; };
    EXPECT_EQ(p.value(ImageGeometry::k2d, 2.9f, 1.0f), texel(2, 1));
    EXPECT_EQ(p.value(ImageGeometry::k2d, -7.5f, 1.0f), texel(0, 1));
    EXPECT_EQ(p.value(ImageGeometry::k2d, 1e30f, 99.0f), texel(3, 2));
    EXPECT_EQ(p.value(ImageGeometry::k2d, NAN, -INFINITY), texel(0, 0));
}

TEST(Sample, WrapMirrorAndBorderFollowTheirDefinitions) {
    Floats p(ImageFormat::kF32, 1, 4);
    p.image.normalized = true;
    p.image.border = {-1, 0, 0, 0};
    const auto expected = [&](ImageAddressing mode, float x) {
        // frac(x), 1 - frac(x) on odd stretches, and nothing outside of [0, 1)
        const float whole = std::floor(x);
        float u = x - whole;
        if (mode == ImageAddressing::kMirror && std::fabs(std::fmod(whole, 2.0f)) == 1) u = 1 - u;
        if (mode == ImageAddressing::kBorder && whole != 0) return -1.0f;
        return p.levels[0][std::min<size_t>(static_cast<size_t>(u * 4), 3)];
    };
    for (const ImageAddressing mode :
         {ImageAddressing::kWrap, ImageAddressing::kMirror, ImageAddressing::kBorder}) {
        p.image.addressing[0] = mode;
        for (float x = -2.45f; x < 3; x += 0.1f)
            EXPECT_EQ(p.value(ImageGeometry::k1d, x), expected(mode, x))
                << x << " " << static_cast<int>(mode);
    }
}

TEST(Sample, RepeatingModesNeedNormalizedCoordinates) {
    Floats p(ImageFormat::kF32, 1, 4);
    p.image.addressing[0] = ImageAddressing::kWrap;
    EXPECT_EQ(p.value(ImageGeometry::k1d, 5.5f), p.levels[0][3]);
}

TEST(Sample, LinearFilteringHasWeightsOfEightBits) {
    Floats p(ImageFormat::kF32, 1, 3);
    p.levels[0] = {0, 1, 5};
    p.image.levels[0].address = reinterpret_cast<uint64_t>(p.levels[0].data());
    p.image.linear = true;
    // x - 0.5 = 0.3: a weight of 0.3 becomes 77 / 256
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 0.8f), 77.0f / 256);
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 1.5f), 1);
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 2.0f), 3);
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 0.1f), 0);   // both texels are the first one
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 2.75f), 5);  // both are the last
    p.image.addressing[0] = ImageAddressing::kBorder;
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k1d, 3.0f), 2.5f);
}

TEST(Sample, VolumesAreFilteredInThreeDimensions) {
    Floats p(ImageFormat::kF32, 1, 2, 2, 2);
    p.image.linear = true;
    float sum = 0;
    for (const float texel : p.levels[0]) sum += texel;
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k3d, 1, 1, 1), sum / 8);
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k3d, 1, 1, 0.5f),
                    (p.levels[0][0] + p.levels[0][1] + p.levels[0][2] + p.levels[0][3]) / 4);
}

TEST(Sample, LayersAreNotFilteredAndClamp) {
    Floats p(ImageFormat::kF32, 1, 2, 2, 3);
    p.image.layered = true;
    p.image.linear = true;
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k2dLayered, 0.5f, 0.5f, 0, 1), p.levels[0][4]);
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::k2dLayered, 0.5f, 0.5f, 0, 17), p.levels[0][8]);
}

TEST(Sample, IntegersAreWidenedOrBecomeFractions) {
    Picture<uint8_t> p(ImageFormat::kU8, 4, 1);
    p.levels[0] = {0, 128, 255, 51};
    p.image.levels[0].address = reinterpret_cast<uint64_t>(p.levels[0].data());
    EXPECT_EQ(p.at(ImageGeometry::k1d, 0), (Texel{0, 128, 255, 51}));
    p.image.normalized_reads = true;
    const Texel read = p.at(ImageGeometry::k1d, 0);
    EXPECT_EQ(as_float(read[1]), 128 / 255.0f);
    EXPECT_EQ(as_float(read[2]), 1.0f);
    EXPECT_EQ(as_float(read[3]), 0.2f);
    p.image.srgb = true;
    const Texel linear = p.at(ImageGeometry::k1d, 0);
    EXPECT_NEAR(as_float(linear[1]), 0.215861, 1e-5);  // IEC 61966-2-1
    EXPECT_EQ(as_float(linear[3]), 0.2f);              // alpha is not coded
    p.image.srgb = false;
    p.image.format = ImageFormat::kS8;
    const Texel with_sign = p.at(ImageGeometry::k1d, 0);
    EXPECT_EQ(as_float(with_sign[1]), -1.0f);  // -128 is cut off at -1
    EXPECT_EQ(as_float(with_sign[2]), -1 / 127.0f);
}

TEST(Sample, HalvesAreRead) {
    Picture<uint16_t> p(ImageFormat::kF16, 2, 1);
    p.levels[0] = {0x3c00, 0xc500};
    p.image.levels[0].address = reinterpret_cast<uint64_t>(p.levels[0].data());
    const Texel read = p.at(ImageGeometry::k1d, 0);
    EXPECT_EQ(as_float(read[0]), 1.0f);
    EXPECT_EQ(as_float(read[1]), -5.0f);
}

TEST(Sample, LevelsAreChosenBiasedClampedAndMixed) {
    Floats p(ImageFormat::kF32, 1, 4, 4);
    p.add_level(2, 2, 1);
    p.add_level(1, 1, 1);
    p.image.normalized = true;
    p.image.most_level = 10;
    const auto at = [&](float level) { return p.value(ImageGeometry::k2d, 0.01f, 0.01f, 0, 0, level); };
    EXPECT_EQ(at(0), p.levels[0][0]);
    EXPECT_EQ(at(1.4f), p.levels[1][0]);
    EXPECT_EQ(at(1.6f), p.levels[2][0]);
    EXPECT_EQ(at(99), p.levels[2][0]);
    p.image.linear_levels = true;
    EXPECT_FLOAT_EQ(at(0.25f), 0.75f * p.levels[0][0] + 0.25f * p.levels[1][0]);
    p.image.level_bias = 1;
    EXPECT_FLOAT_EQ(at(0), p.levels[1][0]);
    p.image.most_level = 0.5f;
    EXPECT_FLOAT_EQ(at(0), 0.5f * p.levels[0][0] + 0.5f * p.levels[1][0]);
}

TEST(Sample, TheLevelOfDetailIsTheLogarithmOfTheLongerStep) {
    Floats p(ImageFormat::kF32, 1, 64, 64);
    p.image.normalized = true;
    EXPECT_FLOAT_EQ(level_of_detail(p.image, ImageGeometry::k2d, {4 / 64.0f, 0, 0}, {0, 2 / 64.0f, 0}), 2);
    EXPECT_FLOAT_EQ(level_of_detail(p.image, ImageGeometry::k2d, {0, 0, 0}, {3 / 64.0f, 4 / 64.0f, 0}),
                    std::log2(5.0f));
}

TEST(Sample, AnisotropyTakesSharperLevelsAndAveragesAlongTheLongerStep) {
    Floats p(ImageFormat::kF32, 1, 64, 64);
    for (uint32_t size = 32; size > 0; size /= 2) p.add_level(size, size, 1);
    for (size_t i = 0; i < p.levels.size(); ++i)
        p.levels[i].assign(p.levels[i].size(), static_cast<float>(i));
    p.image.normalized = p.image.linear = p.image.linear_levels = true;
    p.image.most_level = 99;
    const auto level = [&](std::array<float, 3> dx, std::array<float, 3> dy) {
        SamplePoint point;
        point.at = {0.5f, 0.5f, 0};
        Texel texel{};
        EXPECT_TRUE(sample_footprint(p.image, ImageGeometry::k2d, point, dx, dy, {}, &texel));
        return as_float(texel[0]);
    };
    // Steps of eight texels and of one: log2(8 / N), N = min(8 / 1, anisotropy).
    const struct {
        uint32_t anisotropy;
        float expected;
    } cases[] = {{1, 3}, {2, 2}, {4, 1}, {8, 0}, {16, 0}};
    for (const auto& one : cases) {
        p.image.anisotropy = one.anisotropy;
        EXPECT_FLOAT_EQ(level({8 / 64.0f, 0, 0}, {0, 1 / 64.0f, 0}), one.expected) << one.anisotropy;
        EXPECT_FLOAT_EQ(level({0, 1 / 64.0f, 0}, {8 / 64.0f, 0, 0}), one.expected) << one.anisotropy;
        EXPECT_FLOAT_EQ(level({8 / 64.0f, 0, 0}, {0, 8 / 64.0f, 0}), 3) << "as long as wide";
    }
    EXPECT_FLOAT_EQ(level({NAN, 0, 0}, {0, 1 / 64.0f, 0}), 0);

    // Half black, half white; a step of four texels along x takes 2.5, 3.5, 4.5 and 5.5 about the edge.
    Floats edge(ImageFormat::kF32, 1, 8);
    edge.levels[0] = {0, 0, 0, 0, 1, 1, 1, 1};
    edge.image.levels[0].address = reinterpret_cast<uint64_t>(edge.levels[0].data());
    edge.image.linear = true;
    edge.image.anisotropy = 16;
    const auto mean = [&](float x) {
        SamplePoint point;
        point.at = {x, 0, 0};
        Texel texel{};
        EXPECT_TRUE(
            sample_footprint(edge.image, ImageGeometry::k1d, point, {4, 0, 0}, {1, 0, 0}, {}, &texel));
        return as_float(texel[0]);
    };
    EXPECT_FLOAT_EQ(mean(4), 0.5f);
    EXPECT_FLOAT_EQ(mean(5), 0.75f);
    EXPECT_FLOAT_EQ(mean(2), 0);
}

TEST(Sample, FacesOfACubeFollowTheTableOfTheGuide) {
    Floats p(ImageFormat::kF32, 1, 2, 2, 6);
    p.image.cube = true;
    p.image.normalized = true;
    const auto face = [&](float x, float y, float z) {
        return static_cast<int>(p.value(ImageGeometry::kCube, x, y, z) - p.levels[0][0]) / 4;
    };
    EXPECT_EQ(face(1, 0.2f, 0.3f), 0);
    EXPECT_EQ(face(-1, 0.2f, 0.3f), 1);
    EXPECT_EQ(face(0.2f, 1, 0.3f), 2);
    EXPECT_EQ(face(0.2f, -1, 0.3f), 3);
    EXPECT_EQ(face(0.2f, 0.3f, 1), 4);
    EXPECT_EQ(face(0.2f, 0.3f, -1), 5);
    // +x: s = -z, t = -y; z = 0.5 lies left, y = 0.5 lies above
    EXPECT_EQ(p.value(ImageGeometry::kCube, 1, 0.5f, 0.5f), p.levels[0][0]);
    EXPECT_EQ(p.value(ImageGeometry::kCube, 1, -0.5f, -0.5f), p.levels[0][3]);
}

TEST(Sample, SeamlessCubesFilterAcrossTheEdge) {
    Floats p(ImageFormat::kF32, 1, 1, 1, 6);
    p.image.cube = p.image.normalized = p.image.linear = true;
    // halfway between the centres of +x and +z
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::kCube, 1, 0, 0.999999f), p.levels[0][0]);
    p.image.seamless = true;
    EXPECT_FLOAT_EQ(p.value(ImageGeometry::kCube, 1, 0, 0.999999f), (p.levels[0][0] + p.levels[0][4]) / 2);
}

TEST(Sample, GatherTakesOneChannelCounterClockwise) {
    const Floats p(ImageFormat::kF32, 2, 3, 3);
    SamplePoint point;
    point.at = {1.2f, 1.4f, 0};
    Texel texel{};
    ASSERT_TRUE(gather(p.image, ImageGeometry::k2d, point, 1, {}, &texel));
    const auto value = [&](int x, int y) { return p.levels[0][(static_cast<size_t>(y) * 3 + x) * 2 + 1]; };
    EXPECT_EQ(as_float(texel[0]), value(0, 1));
    EXPECT_EQ(as_float(texel[1]), value(1, 1));
    EXPECT_EQ(as_float(texel[2]), value(1, 0));
    EXPECT_EQ(as_float(texel[3]), value(0, 0));
}

TEST(Sample, LinearMemoryReadsZeroOutsideAndAsksBeforeItReads) {
    Floats p(ImageFormat::kF32, 1, 4);
    p.image.fetched = p.image.checked = true;
    struct Asked {
        uint64_t address = 0;
        bool answer = true;
    } asked;
    const ImageReach reach{[](void* context, uint64_t address, uint32_t) {
                               static_cast<Asked*>(context)->address = address;
                               return static_cast<Asked*>(context)->answer;
                           },
                           &asked};
    SamplePoint point;
    point.whole = true;
    point.texel = {2, 0, 0};
    Texel texel{};
    ASSERT_TRUE(sample(p.image, ImageGeometry::k1d, point, reach, &texel));
    EXPECT_EQ(as_float(texel[0]), p.levels[0][2]);
    EXPECT_EQ(asked.address, p.image.levels[0].address + 8);
    point.texel = {4, 0, 0};
    ASSERT_TRUE(sample(p.image, ImageGeometry::k1d, point, reach, &texel));
    EXPECT_EQ(texel, Texel{});
    asked.answer = false;
    point.texel = {0, 0, 0};
    EXPECT_FALSE(sample(p.image, ImageGeometry::k1d, point, reach, &texel));
}

TEST(Sample, WrittenIntegersSaturate) {
    uint16_t place = 0;
    auto* at = reinterpret_cast<std::byte*>(&place);
    write_channel(ImageFormat::kU16, at, 70000);
    EXPECT_EQ(place, 65535);
    write_channel(ImageFormat::kS16, at, static_cast<uint32_t>(-70000));
    EXPECT_EQ(static_cast<int16_t>(place), -32768);
    write_channel(ImageFormat::kF16, at, std::bit_cast<uint32_t>(2.0f));
    EXPECT_EQ(place, 0x4000);
}

}  // namespace
}  // namespace bitfusion::soft
