// BC4, BC5 and BC6H beside a second decoder: written for this test alone, bit by bit in the words of the
// Khronos Data Format Specification ("RGTC" and "BPTC"), and slow. Blocks are random, so every mode,
// partition, sign and clamp comes up.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <string>

#include "device/soft/simt/compressed.h"

namespace bitfusion::soft {
namespace {

using Bits = std::array<int, 128>;

Bits bits_of(const CompressedBlock& block) {
    Bits bits{};
    for (unsigned i = 0; i < 128; ++i)
        bits[i] = static_cast<int>((i < 64 ? block.low : block.high) >> i % 64 & 1);
    return bits;
}

int number_at(const Bits& bits, unsigned first, unsigned count) {
    int value = 0;
    for (unsigned i = 0; i < count; ++i) value |= bits[first + i] << i;
    return value;
}

// ---- RGTC ----

double rgtc(const Bits& bits, unsigned block, unsigned texel, bool is_signed) {
    const double most = is_signed ? 127 : 255;
    double value[2];
    for (unsigned i = 0; i < 2; ++i) {
        int byte = number_at(bits, block + 8 * i, 8);
        if (is_signed && byte > 127) byte -= 256;
        if (byte == -128) byte = -127;
        value[i] = byte;
    }
    const auto [red0, red1] = value;
    const int code = number_at(bits, block + 16 + 3 * texel, 3);
    const double table[2][8] = {
        {red0, red1, (4 * red0 + red1) / 5, (3 * red0 + 2 * red1) / 5, (2 * red0 + 3 * red1) / 5,
         (red0 + 4 * red1) / 5, is_signed ? -most : 0, most},
        {red0, red1, (6 * red0 + red1) / 7, (5 * red0 + 2 * red1) / 7, (4 * red0 + 3 * red1) / 7,
         (3 * red0 + 4 * red1) / 7, (2 * red0 + 5 * red1) / 7, (red0 + 6 * red1) / 7}};
    return table[red0 > red1 ? 1 : 0][code] / most;
}

// ---- BPTC ----

// A mode as the specification lists it: its number in as many bits, precision, differences, and where each
// bit lies, lowest first. "rw9:0" are ten bits of the first endpoint's red, from 0 up to 9; "rw10:15" are
// bits from 15 down to 10. w and x are the first subset's endpoints, y and z the second's.
struct Mode {
    int number;
    int number_bits;
    bool differences;
    int precision;
    std::array<int, 3> difference_bits;
    const char* layout;
};

const Mode kModes[] = {
    {0,
     2,
     true,
     10,
     {5, 5, 5},
     "gy4 by4 bz4 rw9:0 gw9:0 bw9:0 rx4:0 gz4 gy3:0 gx4:0 bz0 gz3:0 bx4:0 bz1 by3:0 ry4:0 bz2 rz4:0 bz3"},
    {1,
     2,
     true,
     7,
     {6, 6, 6},
     "gy5 gz4 gz5 rw6:0 bz0 bz1 by4 gw6:0 by5 bz2 gy4 bw6:0 bz3 bz5 bz4 rx5:0 gy3:0 gx5:0 gz3:0 bx5:0 by3:0 "
     "ry5:0 rz5:0"},
    {2,
     5,
     true,
     11,
     {5, 4, 4},
     "rw9:0 gw9:0 bw9:0 rx4:0 rw10 gy3:0 gx3:0 gw10 bz0 gz3:0 bx3:0 bw10 bz1 by3:0 ry4:0 bz2 rz4:0 bz3"},
    {6,
     5,
     true,
     11,
     {4, 5, 4},
     "rw9:0 gw9:0 bw9:0 rx3:0 rw10 gz4 gy3:0 gx4:0 gw10 gz3:0 bx3:0 bw10 bz1 by3:0 ry3:0 bz0 bz2 rz3:0 gy4 "
     "bz3"},
    {10,
     5,
     true,
     11,
     {4, 4, 5},
     "rw9:0 gw9:0 bw9:0 rx3:0 rw10 by4 gy3:0 gx3:0 gw10 bz0 gz3:0 bx4:0 bw10 by3:0 ry3:0 bz1 bz2 rz3:0 bz4 "
     "bz3"},
    {14,
     5,
     true,
     9,
     {5, 5, 5},
     "rw8:0 by4 gw8:0 gy4 bw8:0 bz4 rx4:0 gz4 gy3:0 gx4:0 bz0 gz3:0 bx4:0 bz1 by3:0 ry4:0 bz2 rz4:0 bz3"},
    {18,
     5,
     true,
     8,
     {6, 5, 5},
     "rw7:0 gz4 by4 gw7:0 bz2 gy4 bw7:0 bz3 bz4 rx5:0 gy3:0 gx4:0 bz0 gz3:0 bx4:0 bz1 by3:0 ry5:0 rz5:0"},
    {22,
     5,
     true,
     8,
     {5, 6, 5},
     "rw7:0 bz0 by4 gw7:0 gy5 gy4 bw7:0 gz5 bz4 rx4:0 gz4 gy3:0 gx5:0 gz3:0 bx4:0 bz1 by3:0 ry4:0 bz2 rz4:0 "
     "bz3"},
    {26,
     5,
     true,
     8,
     {5, 5, 6},
     "rw7:0 bz1 by4 gw7:0 by5 gy4 bw7:0 bz5 bz4 rx4:0 gz4 gy3:0 gx4:0 bz0 gz3:0 bx5:0 by3:0 ry4:0 bz2 rz4:0 "
     "bz3"},
    {30,
     5,
     false,
     6,
     {6, 6, 6},
     "rw5:0 gz4 bz0 bz1 by4 gw5:0 gy5 by5 bz2 gy4 bw5:0 gz5 bz3 bz5 bz4 rx5:0 gy3:0 gx5:0 gz3:0 bx5:0 by3:0 "
     "ry5:0 rz5:0"},
    {3, 5, false, 10, {10, 10, 10}, "rw9:0 gw9:0 bw9:0 rx9:0 gx9:0 bx9:0"},
    {7, 5, true, 11, {9, 9, 9}, "rw9:0 gw9:0 bw9:0 rx8:0 rw10 gx8:0 gw10 bx8:0 bw10"},
    {11, 5, true, 12, {8, 8, 8}, "rw9:0 gw9:0 bw9:0 rx7:0 rw10:11 gx7:0 gw10:11 bx7:0 bw10:11"},
    {15, 5, true, 16, {4, 4, 4}, "rw9:0 gw9:0 bw9:0 rx3:0 rw10:15 gx3:0 gw10:15 bx3:0 bw10:15"},
};

// The second subset's texels of each of the 32 partitions, row by row, and its anchor.
struct Partition {
    const char* texels;
    unsigned anchor;
};
constexpr Partition kPartitions[32] = {
    {"0011001100110011", 15}, {"0001000100010001", 15}, {"0111011101110111", 15}, {"0001001100110111", 15},
    {"0000000100010011", 15}, {"0011011101111111", 15}, {"0001001101111111", 15}, {"0000000100110111", 15},
    {"0000000000010011", 15}, {"0011011111111111", 15}, {"0000000101111111", 15}, {"0000000000010111", 15},
    {"0001011111111111", 15}, {"0000000011111111", 15}, {"0000111111111111", 15}, {"0000000000001111", 15},
    {"0000100011101111", 15}, {"0111000100000000", 2},  {"0000000010001110", 8},  {"0111001100010000", 2},
    {"0011000100000000", 2},  {"0000100011001110", 8},  {"0000000010001100", 8},  {"0111001100110001", 15},
    {"0011000100010000", 2},  {"0000100010001100", 8},  {"0110011001100110", 2},  {"0011011001101100", 2},
    {"0001011111101000", 8},  {"0000111111110000", 8},  {"0111000110001110", 2},  {"0011100110011100", 2}};

const Mode* mode_of(const Bits& bits) {
    for (const Mode& mode : kModes)
        if (number_at(bits, 0, static_cast<unsigned>(mode.number_bits)) == mode.number) return &mode;
    return nullptr;
}

int extended(int value, int bits) { return value >= 1 << (bits - 1) ? value - (1 << bits) : value; }

int unquantised(int value, int bits, bool is_signed) {
    if (!is_signed) {
        if (bits >= 15) return value;
        if (value == 0) return 0;
        return value == (1 << bits) - 1 ? 0xffff : (value * 65536 + 0x8000) / (1 << bits);
    }
    if (bits >= 16) return value;
    if (value == 0) return 0;
    const int size = std::abs(value);
    const int wide = size >= (1 << (bits - 1)) - 1 ? 0x7fff : (size * 32768 + 0x4000) / (1 << (bits - 1));
    return value < 0 ? -wide : wide;
}

double half_value(int sign, int magnitude) {
    const int exponent = magnitude >> 10;
    const int fraction = magnitude & 1023;
    double value = exponent == 0    ? std::ldexp(fraction, -24)
                   : exponent == 31 ? INFINITY
                                    : std::ldexp(1024 + fraction, exponent - 25);
    return sign < 0 ? -value : value;
}

std::array<double, 3> bptc(const Bits& bits, unsigned texel, bool is_signed) {
    const Mode* mode = mode_of(bits);
    if (mode == nullptr) return {};
    int endpoint[4][3] = {};  // w, x, y, z; red, green, blue
    auto at = static_cast<unsigned>(mode->number_bits);
    std::istringstream words(mode->layout);
    for (std::string word; words >> word;) {
        int& value = endpoint[word[1] - 'w'][word[0] == 'r' ? 0 : word[0] == 'g' ? 1 : 2];
        const size_t colon = word.find(':');
        const int left = std::stoi(word.substr(2));
        const int right = colon == std::string::npos ? left : std::stoi(word.substr(colon + 1));
        for (int bit = right; left >= right ? bit <= left : bit >= left; bit += left >= right ? 1 : -1)
            value |= bits[at++] << bit;
    }
    const bool two = at + 46 + 5 == 128;
    EXPECT_TRUE(two || at + 63 == 128) << mode->layout;
    const Partition partition = two ? kPartitions[number_at(bits, at, 5)] : Partition{"0000000000000000", 0};
    if (two) at += 5;
    const unsigned index_bits = two ? 3 : 4;
    int index = 0;
    for (unsigned i = 0; i <= texel; ++i) {
        const unsigned count = index_bits - (i == 0 || (two && i == partition.anchor) ? 1 : 0);
        index = number_at(bits, at, count);
        at += count;
    }
    const int weights[2][16] = {{0, 4, 9, 13, 17, 21, 26, 30, 34, 38, 43, 47, 51, 55, 60, 64},
                                {0, 9, 18, 27, 37, 46, 55, 64}};
    const int weight = weights[two ? 1 : 0][index];
    const unsigned subset = partition.texels[texel] == '1' ? 1 : 0;
    std::array<double, 3> color{};
    for (unsigned c = 0; c < 3; ++c) {
        int value[4];
        for (unsigned e = 0; e < 4; ++e) {
            value[e] = endpoint[e][c];
            const int precision = mode->precision;
            if (e != 0 && mode->differences) {
                value[e] = extended(value[e], mode->difference_bits[c]) + endpoint[0][c];
                value[e] &= (1 << precision) - 1;
            }
            if (is_signed) value[e] = extended(value[e], precision);
            value[e] = unquantised(value[e], precision, is_signed);
        }
        const int sum = value[2 * subset] * (64 - weight) + value[2 * subset + 1] * weight + 32;
        const int between = static_cast<int>(std::floor(sum / 64.0));
        if (is_signed)
            color[c] = half_value(between, std::abs(between) * 31 / 32);
        else
            color[c] = half_value(1, between * 31 / 64);
    }
    return color;
}

CompressedBlock random_block(std::mt19937_64& random) { return {random(), random()}; }

TEST(CompressedReference, Bc4AndBc5OfBothSigns) {
    std::mt19937_64 random(4);
    for (int i = 0; i < 4000; ++i) {
        CompressedBlock block = random_block(random);
        if (i % 8 == 0) block.low = (block.low & ~0xffffull) | 0x8081;  // the two that are both -1
        if (i % 8 == 1) block.high = (block.high & ~0xffffull) | 0x8180;
        const Bits bits = bits_of(block);
        for (unsigned texel = 0; texel < 16; ++texel) {
            for (const bool is_signed : {false, true}) {
                const auto one = decode_texel(is_signed ? BlockFormat::kBc4s : BlockFormat::kBc4, block,
                                              texel % 4, texel / 4);
                const auto two = decode_texel(is_signed ? BlockFormat::kBc5s : BlockFormat::kBc5, block,
                                              texel % 4, texel / 4);
                ASSERT_NEAR(one[0], rgtc(bits, 0, texel, is_signed), 1e-6) << i << ", " << texel;
                ASSERT_NEAR(two[0], rgtc(bits, 0, texel, is_signed), 1e-6) << i << ", " << texel;
                ASSERT_NEAR(two[1], rgtc(bits, 64, texel, is_signed), 1e-6) << i << ", " << texel;
            }
        }
    }
}

TEST(CompressedReference, Bc6hOfBothSignsInEveryModeAndPartition) {
    std::mt19937_64 random(6);
    for (const Mode& mode : kModes) {
        for (int i = 0; i < 256; ++i) {
            CompressedBlock block = random_block(random);
            const uint64_t head = (uint64_t{1} << mode.number_bits) - 1;
            block.low = (block.low & ~head) | static_cast<uint64_t>(mode.number);
            // Bits 77 to 81: the partition, where there are two subsets.
            block.high = (block.high & ~(31ull << 13)) | static_cast<uint64_t>(i % 32) << 13;
            const Bits bits = bits_of(block);
            for (unsigned texel = 0; texel < 16; ++texel) {
                for (const bool is_signed : {false, true}) {
                    const auto is = decode_texel(is_signed ? BlockFormat::kBc6hs : BlockFormat::kBc6h, block,
                                                 texel % 4, texel / 4);
                    const auto expected = bptc(bits, texel, is_signed);
                    for (size_t c = 0; c < 3; ++c)
                        ASSERT_EQ(static_cast<double>(is[c]), expected[c])
                            << "mode " << mode.number << ", block " << i << ", texel " << texel
                            << ", channel " << c << (is_signed ? ", signed" : "");
                    ASSERT_EQ(is[3], 1);
                }
            }
        }
    }
}

}  // namespace
}  // namespace bitfusion::soft
