// Blocks put together by hand after the Khronos Data Format Specification; what they hold is worked out from
// its formulas, beside each expectation.
#include "device/soft/simt/compressed.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitfusion::soft {
namespace {

constexpr uint64_t kRed = 0xf800;  // 5, 6 and 5 bits
constexpr uint64_t kBlue = 0x001f;
constexpr uint64_t kCodes0123 = 0xe4e4e4e4;  // every row: codes 0, 1, 2, 3

void expect_texel(const BlockTexel& is, const BlockTexel& expected) {
    for (size_t c = 0; c < 4; ++c) EXPECT_NEAR(is[c], expected[c], 1e-6) << "channel " << c;
}

// Writes a block from its lowest bit on.
class Writer {
  public:
    Writer& put(unsigned count, uint64_t value) {
        for (unsigned i = 0; i < count; ++i, ++at_) {
            const uint64_t bit = value >> i & 1;
            (at_ < 64 ? block_.low : block_.high) |= bit << at_ % 64;
        }
        return *this;
    }
    // A value for each endpoint.
    Writer& put_each(unsigned count, const std::vector<uint64_t>& values) {
        for (const uint64_t value : values) put(count, value);
        return *this;
    }
    const CompressedBlock& block() const {
        EXPECT_EQ(at_, 128u) << "a block of another size";
        return block_;
    }

  private:
    CompressedBlock block_;
    unsigned at_ = 0;
};

TEST(Compressed, Bc1HasFourColorsOrThreeAndNothing) {
    const CompressedBlock four{kRed | kBlue << 16 | kCodes0123 << 32, 0};
    for (unsigned y = 0; y < 4; ++y) {
        expect_texel(decode_texel(BlockFormat::kBc1, four, 0, y), {1, 0, 0, 1});
        expect_texel(decode_texel(BlockFormat::kBc1, four, 1, y), {0, 0, 1, 1});
        expect_texel(decode_texel(BlockFormat::kBc1, four, 2, y), {2 / 3.0f, 0, 1 / 3.0f, 1});
        expect_texel(decode_texel(BlockFormat::kBc1, four, 3, y), {1 / 3.0f, 0, 2 / 3.0f, 1});
    }
    // the first colour is not above the second
    const CompressedBlock three{kBlue | kRed << 16 | kCodes0123 << 32, 0};
    expect_texel(decode_texel(BlockFormat::kBc1, three, 0, 1), {0, 0, 1, 1});
    expect_texel(decode_texel(BlockFormat::kBc1, three, 2, 1), {0.5f, 0, 0.5f, 1});
    expect_texel(decode_texel(BlockFormat::kBc1, three, 3, 1), {0, 0, 0, 0});
    const CompressedBlock equal{kRed | kRed << 16 | uint64_t{3} << 32, 0};
    expect_texel(decode_texel(BlockFormat::kBc1, equal, 0, 0), {0, 0, 0, 0});
    // 16 of 31, 33 of 63, 1 of 31
    const uint64_t mixed = 16 << 11 | 33 << 5 | 1;
    expect_texel(decode_texel(BlockFormat::kBc1, {mixed, 0}, 3, 3), {16 / 31.0f, 33 / 63.0f, 1 / 31.0f, 1});
}

TEST(Compressed, Bc1CodesRunRowByRow) {
    // code 1 for texel (x, y) alone, among zeros
    for (unsigned y = 0; y < 4; ++y) {
        for (unsigned x = 0; x < 4; ++x) {
            const CompressedBlock block{kRed | kBlue << 16 | uint64_t{1} << (32 + 2 * (4 * y + x)), 0};
            expect_texel(decode_texel(BlockFormat::kBc1, block, x, y), {0, 0, 1, 1});
            expect_texel(decode_texel(BlockFormat::kBc1, block, (x + 1) % 4, y), {1, 0, 0, 1});
            expect_texel(decode_texel(BlockFormat::kBc1, block, x, (y + 1) % 4), {1, 0, 0, 1});
        }
    }
}

TEST(Compressed, Bc2HasAlphaOfFourBitsAndAlwaysFourColors) {
    const CompressedBlock block{0xfedcba9876543210, kBlue | kRed << 16 | kCodes0123 << 32};
    expect_texel(decode_texel(BlockFormat::kBc2, block, 0, 0), {0, 0, 1, 0});
    expect_texel(decode_texel(BlockFormat::kBc2, block, 2, 1), {1 / 3.0f, 0, 2 / 3.0f, 6 / 15.0f});
    expect_texel(decode_texel(BlockFormat::kBc2, block, 3, 3), {2 / 3.0f, 0, 1 / 3.0f, 1});
}

// The codes 0 to 7 in the first eight texels and again.
constexpr uint64_t kCodes01234567 = 0xfac688fac688;

TEST(Compressed, Bc3InterpolatesAlphaInSevenStepsOrFive) {
    const uint64_t color = kRed | kRed << 16;
    const auto alpha = [&](uint64_t first, uint64_t second, unsigned code) {
        const CompressedBlock block{first | second << 8 | kCodes01234567 << 16, color};
        return decode_texel(BlockFormat::kBc3, block, code % 4, code / 4)[3] * 255;
    };
    // 240 and 30: a step is 30
    const float seven[] = {240, 30, 210, 180, 150, 120, 90, 60};
    // 30 and 230: a step is 40; then nothing and everything
    const float five[] = {30, 230, 70, 110, 150, 190, 0, 255};
    for (unsigned code = 0; code < 8; ++code) {
        EXPECT_NEAR(alpha(240, 30, code), seven[code], 1e-3) << code;
        EXPECT_NEAR(alpha(30, 230, code), five[code], 1e-3) << code;
    }
    const CompressedBlock red{kCodes01234567 << 16, color};
    EXPECT_EQ(decode_texel(BlockFormat::kBc3, red, 1, 2)[0], 1);
}

TEST(Compressed, Bc4AndBc5KnowSigns) {
    const uint64_t first = 0x7f | uint64_t{0x81} << 8 | kCodes01234567 << 16;   // 127 and -127: seven steps
    const uint64_t second = 0x80 | uint64_t{0x7f} << 8 | kCodes01234567 << 16;  // -128 counts as -127: five
    const CompressedBlock block{first, second};
    const float red[] = {1, -1, 5 / 7.0f, 3 / 7.0f, 1 / 7.0f, -1 / 7.0f, -3 / 7.0f, -5 / 7.0f};
    const float green[] = {-1, 1, -0.6f, -0.2f, 0.2f, 0.6f, -1, 1};
    for (unsigned code = 0; code < 8; ++code) {
        expect_texel(decode_texel(BlockFormat::kBc4s, block, code % 4, code / 4), {red[code], 0, 0, 0});
        expect_texel(decode_texel(BlockFormat::kBc5s, block, code % 4, code / 4),
                     {red[code], green[code], 0, 0});
    }
    // unsigned: 127 is not above 129, and 128 is above 127
    expect_texel(decode_texel(BlockFormat::kBc4, block, 3, 1), {1, 0, 0, 0});
    expect_texel(decode_texel(BlockFormat::kBc5, block, 2, 1), {0, (128 * 2 + 127 * 5) / (7 * 255.0f), 0, 0});
}

TEST(Compressed, Bc7OfOneSubsetWithSixteenWeights) {
    // Mode 6: seven bits and one more for each endpoint. From white with alpha to nothing.
    Writer writer;
    writer.put(7, 1 << 6);
    for (unsigned c = 0; c < 4; ++c) writer.put_each(7, {0x7f, 0});
    writer.put_each(1, {1, 0}).put(3, 0);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(4, texel);
    // (255 * (64 - weight) + 32) / 64 for the weights 0 4 9 13 17 21 26 30 34 38 43 47 51 55 60 64
    const int expected[] = {255, 239, 219, 203, 187, 171, 151, 135, 120, 104, 84, 68, 52, 36, 16, 0};
    for (unsigned texel = 0; texel < 16; ++texel) {
        const BlockTexel is = decode_texel(BlockFormat::kBc7, writer.block(), texel % 4, texel / 4);
        for (const float channel : is) EXPECT_EQ(channel * 255, static_cast<float>(expected[texel])) << texel;
    }
}

TEST(Compressed, Bc7RotatesAlphaIntoAColor) {
    // Mode 5, rotation 2: alpha and green change places. Colours seven bits, alpha eight; two sets of
    // indices.
    Writer writer;
    writer.put(6, 1 << 5).put(2, 2);
    writer.put_each(7, {0x7f, 0}).put_each(7, {0, 0}).put_each(7, {0x40, 0x40}).put_each(8, {200, 100});
    writer.put(1, 0);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(2, texel % 4);
    writer.put(1, 1);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(2, 3);
    const BlockTexel first = decode_texel(BlockFormat::kBc7, writer.block(), 0, 0);
    // index 1 of two bits has weight 21: (200 * 43 + 100 * 21 + 32) / 64 = 167; 0x40 repeats its high bit:
    // 129
    expect_texel(first, {1, 167 / 255.0f, 129 / 255.0f, 0});
    // index 2 of colour has weight 43: (255 * 21 + 32) / 64 = 84
    expect_texel(decode_texel(BlockFormat::kBc7, writer.block(), 2, 0),
                 {84 / 255.0f, 100 / 255.0f, 129 / 255.0f, 0});
}

TEST(Compressed, Bc7ChoosesWhichIndicesColorTakes) {
    // Mode 4 with its selection bit: colour takes the three bits, alpha the two.
    Writer writer;
    writer.put(5, 1 << 4).put(2, 0).put(1, 1);
    for (unsigned c = 0; c < 3; ++c) writer.put_each(5, {0, 31});
    writer.put_each(6, {0, 63});
    writer.put(1, 1);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(2, 0);
    writer.put(2, 3);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(3, 7);
    // index 3 of three bits: weight 27, (255 * 27 + 32) / 64 = 108; index 1 of two bits: 21, 84
    expect_texel(decode_texel(BlockFormat::kBc7, writer.block(), 0, 0),
                 {108 / 255.0f, 108 / 255.0f, 108 / 255.0f, 84 / 255.0f});
    expect_texel(decode_texel(BlockFormat::kBc7, writer.block(), 3, 3), {1, 1, 1, 0});
}

TEST(Compressed, Bc7OfThreeSubsetsFollowsItsPartition) {
    // Mode 0, partition 0; every subset is of one colour, four bits and one of its own for each endpoint.
    Writer writer;
    writer.put(1, 1).put(4, 0);
    writer.put_each(4, {15, 15, 0, 0, 0, 0}).put_each(4, {0, 0, 15, 15, 0, 0});
    writer.put_each(4, {0, 0, 0, 0, 8, 8}).put_each(1, {1, 1, 1, 1, 0, 0});
    writer.put(45, 0x1555'5555'5555);  // whatever the indices are
    const char subsets[] =
        "0011"
        "0011"
        "0221"
        "2222";
    // five bits to eight: 31 is 255, 1 is 8, 16 is 132
    const BlockTexel colors[] = {
        {1, 8 / 255.0f, 8 / 255.0f, 1}, {8 / 255.0f, 1, 8 / 255.0f, 1}, {0, 0, 132 / 255.0f, 1}};
    for (unsigned texel = 0; texel < 16; ++texel) {
        SCOPED_TRACE(texel);
        expect_texel(decode_texel(BlockFormat::kBc7, writer.block(), texel % 4, texel / 4),
                     colors[subsets[texel] - '0']);
    }
}

TEST(Compressed, Bc7SharesALowBitAndShortensTheAnchor) {
    // Mode 1, partition 13: the upper half and the lower half. Six bits and one that both endpoints share.
    Writer writer;
    writer.put(2, 2).put(6, 13);
    for (unsigned c = 0; c < 3; ++c) writer.put_each(6, {0, 63, 63, 0});
    writer.put_each(1, {0, 1}).put(2, 0);
    for (unsigned texel = 1; texel < 15; ++texel) writer.put(3, 7);
    writer.put(2, 3);  // texel 15 is the anchor of the lower half
    const auto red = [&](unsigned texel) {
        return decode_texel(BlockFormat::kBc7, writer.block(), texel % 4, texel / 4)[0] * 255;
    };
    EXPECT_EQ(red(0), 0);
    EXPECT_EQ(red(7), 253);   // 126 of seven bits
    EXPECT_EQ(red(8), 2);     // 1 of seven bits
    EXPECT_EQ(red(15), 148);  // index 3 has weight 27: (255 * 37 + 2 * 27 + 32) / 64
}

TEST(Compressed, Bc7WithoutAModeIsNothing) {
    expect_texel(decode_texel(BlockFormat::kBc7, {~uint64_t{0xff}, ~uint64_t{0}}, 1, 1), {0, 0, 0, 0});
}

// A block of mode 11: endpoints of ten bits, one subset; texel 0 has index `first`, all others 15.
CompressedBlock ten_bits(uint64_t red0, uint64_t red1, uint64_t green, uint64_t blue, uint64_t first) {
    Writer writer;
    writer.put(5, 3).put(10, red0).put(10, green).put(10, blue).put(10, red1).put(10, green).put(10, blue);
    writer.put(3, first);
    for (unsigned texel = 1; texel < 16; ++texel) writer.put(4, 15);
    return writer.block();
}

TEST(Compressed, Bc6hUnsigned) {
    const CompressedBlock block = ten_bits(0, 512, 1023, 1, 2);
    // 512 becomes (512 * 65536 + 32768) / 1024 = 32800, times 31/64 the bits 0x3e0f; 1023 the largest half;
    // 1 becomes 96 and the bits 46, which are 46 times the smallest half
    expect_texel(decode_texel(BlockFormat::kBc6h, block, 3, 3), {1.5146484375f, 65504, 46 * 0x1p-24f, 1});
    // index 2 has weight 9: (32800 * 9 + 32) / 64 = 4613, the bits 0x08ba: 1.181640625 * 2^-13
    expect_texel(decode_texel(BlockFormat::kBc6h, block, 0, 0),
                 {1.181640625f * 0x1p-13f, 65504, 46 * 0x1p-24f, 1});
}

TEST(Compressed, Bc6hSigned) {
    // -512, 511 and 256: the ends are the largest halves; 256 becomes (256 * 32768 + 16384) / 512 = 16416,
    // times 31/32 the bits 0x3e1f
    const CompressedBlock block = ten_bits(512, 511, 256, 768, 0);
    expect_texel(decode_texel(BlockFormat::kBc6hs, block, 0, 0), {-65504, 1.5302734375f, -1.5302734375f, 1});
    expect_texel(decode_texel(BlockFormat::kBc6hs, block, 1, 0), {65504, 1.5302734375f, -1.5302734375f, 1});
}

TEST(Compressed, Bc6hDifferencesWrapAround) {
    // Mode 1, partition 13: the first endpoint has ten bits, the others five bits of difference. Red: 0, and
    // -1, which wraps to 1023; the lower half 1 and 15. Green and blue: 512 and no difference.
    Writer writer;
    writer.put(2, 0).put(1, 0).put(1, 0).put(1, 0);
    writer.put(10, 0).put(10, 512).put(10, 512);
    writer.put(5, 31).put(1, 0).put(4, 0).put(5, 0).put(1, 0).put(4, 0);
    writer.put(5, 0).put(1, 0).put(4, 0).put(5, 1).put(1, 0).put(5, 15).put(1, 0).put(5, 13);
    writer.put(2, 0);
    for (unsigned texel = 1; texel < 15; ++texel) writer.put(3, texel == 14 ? 0 : 7);
    writer.put(2, 0);
    const auto texel = [&](unsigned x, unsigned y) {
        return decode_texel(BlockFormat::kBc6h, writer.block(), x, y);
    };
    expect_texel(texel(0, 0), {0, 1.5146484375f, 1.5146484375f, 1});
    expect_texel(texel(1, 0), {65504, 1.5146484375f, 1.5146484375f, 1});
    EXPECT_EQ(texel(2, 3)[0], 46 * 0x1p-24f);   // 1
    EXPECT_EQ(texel(1, 2)[0], 480 * 0x1p-24f);  // 15: (15 * 65536 + 32768) / 1024 = 992, times 31/64
}

TEST(Compressed, Bc6hReservedModesAreBlack) {
    for (const uint64_t mode : {0x13, 0x17, 0x1b, 0x1f})
        expect_texel(decode_texel(BlockFormat::kBc6h, {~uint64_t{0x1f} | mode, ~uint64_t{0}}, 2, 2),
                     {0, 0, 0, 1});
}

// Any bits are a block: nothing is read beyond it, nothing is out of range.
TEST(Compressed, EveryBlockDecodes) {
    uint64_t state = 1;
    const auto next = [&state] { return state = state * 6364136223846793005u + 1442695040888963407u; };
    for (unsigned i = 0; i < 2000; ++i) {
        const CompressedBlock block{next() << 8 | (i & 0xff), next()};
        for (unsigned format = 1; format <= static_cast<unsigned>(BlockFormat::kBc7); ++format) {
            const auto blocks = static_cast<BlockFormat>(format);
            const bool halves = blocks == BlockFormat::kBc6h || blocks == BlockFormat::kBc6hs;
            const BlockTexel is = decode_texel(blocks, block, i % 4, i / 4 % 4);
            for (const float value : is) {
                EXPECT_GE(value, halves ? -65504 : -1);
                EXPECT_LE(value, halves ? 65504 : 1);
            }
        }
    }
}

}  // namespace
}  // namespace bitfusion::soft
