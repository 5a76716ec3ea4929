#include "wire/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace bitfusion::wire {
namespace {

TEST(Codec, WhatIsWrittenIsRead) {
    std::array<uint8_t, 64> bytes{};
    Writer w(bytes.data(), bytes.size());
    w.put(uint32_t{0x01020304});
    w.put(uint64_t{5});
    w.bytes("name", 4);
    w.raw("xyz", 3);
    const size_t used = bytes.size() - w.left();
    EXPECT_EQ(bytes[0], 4) << "little endian";
    EXPECT_EQ(used, 4u + 8 + 8 + 4 + 3) << "packed";
    Reader r(bytes.data(), used);
    EXPECT_EQ(r.get<uint32_t>(), 0x01020304u);
    EXPECT_EQ(r.get<uint64_t>(), 5u);
    EXPECT_EQ(r.text(), "name");
    EXPECT_FALSE(r.done());
    const auto rest = r.rest();
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(rest.data()), rest.size()), "xyz");
    EXPECT_TRUE(r.done());
}

TEST(Codec, AShortReadIsAFaultThatStays) {
    const std::array<uint8_t, 6> bytes = {1, 2, 3, 4, 5, 6};
    Reader r(bytes.data(), bytes.size());
    EXPECT_EQ(r.get<uint64_t>(), 0u) << "nothing of a value that is not whole";
    EXPECT_TRUE(r.faulty());
    EXPECT_EQ(r.get<uint8_t>(), 0u) << "zeros from then on, although a byte would be there";
    EXPECT_TRUE(r.rest().empty());
    EXPECT_TRUE(r.text().empty());
    EXPECT_FALSE(r.done());
}

TEST(Codec, ALengthIsCheckedAgainstWhatIsThere) {
    for (const uint64_t claimed : {uint64_t{5}, uint64_t{UINT32_MAX}, UINT64_MAX, UINT64_MAX - 7}) {
        std::array<uint8_t, 12> bytes{};
        Writer w(bytes.data(), bytes.size());
        w.put(claimed);
        Reader r(bytes.data(), bytes.size());
        EXPECT_TRUE(r.bytes().empty()) << claimed;
        EXPECT_TRUE(r.faulty()) << claimed;
    }
    std::array<uint8_t, 12> bytes{};
    Writer w(bytes.data(), bytes.size());
    w.put(uint64_t{4});
    Reader r(bytes.data(), bytes.size());
    EXPECT_EQ(r.bytes().size(), 4u);
    EXPECT_TRUE(r.done());
}

TEST(Codec, HoldsAsksWithoutWrapping) {
    const std::array<uint8_t, 16> bytes{};
    const auto holds = [&](uint64_t count, uint64_t size) { return Reader(bytes).holds(count, size); };
    EXPECT_TRUE(holds(2, 8));
    EXPECT_TRUE(holds(16, 1));
    EXPECT_TRUE(holds(0, 8));
    EXPECT_TRUE(holds(UINT64_MAX, 0));
    EXPECT_FALSE(holds(3, 8));
    EXPECT_FALSE(holds(1ull << 61, 8)) << "the product is 0 in 64 bits";
    EXPECT_FALSE(holds(UINT64_MAX, 8));
    EXPECT_FALSE(holds(1, UINT64_MAX));
    Reader r(bytes);
    EXPECT_FALSE(r.holds(17, 1));
    EXPECT_TRUE(r.faulty());
}

TEST(Codec, SomethingLeftOverIsNotDone) {
    const std::array<uint8_t, 5> bytes{};
    Reader r(bytes.data(), bytes.size());
    r.get<uint32_t>();
    EXPECT_FALSE(r.faulty());
    EXPECT_FALSE(r.done());
}

TEST(Codec, NothingIsReadFromNothing) {
    Reader r(nullptr, 0);
    EXPECT_TRUE(r.done());
    EXPECT_TRUE(r.rest().empty());
    r.copy(nullptr, 0);
    EXPECT_TRUE(r.done());
    EXPECT_EQ(r.get<uint8_t>(), 0u);
    EXPECT_FALSE(r.done());
}

TEST(CodecDeathTest, WritingPastTheEndIsOurOwnMistake) {
    std::array<uint8_t, 4> bytes{};
    Writer w(bytes.data(), bytes.size());
    EXPECT_DEATH(w.put(uint64_t{1}), "");
}

TEST(Extent, SaturatesInsteadOfWrapping) {
    EXPECT_EQ((Extent(3) * Extent(5)).value, 15u);
    EXPECT_EQ((Extent(1ull << 32) * Extent(1ull << 32)).value, UINT64_MAX);
    EXPECT_EQ((Extent(UINT64_MAX) + Extent(1)).value, UINT64_MAX);
    EXPECT_EQ((Extent(2) - Extent(3)).value, 0u);
    EXPECT_EQ((Extent(UINT64_MAX) * Extent(0)).value, 0u);
    EXPECT_EQ(Extent(-1).value, UINT64_MAX) << "a negative number is larger than every range";
    EXPECT_EQ((Extent(1ull << 63) * Extent(2) + Extent(5)).value, UINT64_MAX);
}

TEST(Extent, OfRows) {
    EXPECT_EQ(rows2d(100, 10, 3).value, 210u);
    EXPECT_EQ(rows2d(100, 10, 1).value, 10u);
    EXPECT_EQ(rows2d(100, 0, 3).value, 0u);
    EXPECT_EQ(rows2d(100, 10, 0).value, 0u);
    EXPECT_EQ(rows2d(UINT64_MAX, 10, 3).value, UINT64_MAX);
    EXPECT_EQ(rows2d(1ull << 40, 10, 1ull << 40).value, UINT64_MAX);
    EXPECT_EQ(rows2d(4, UINT64_MAX, 2).value, UINT64_MAX);
    static_assert(rows2d(8, 8, 2).value == 16);
}

}  // namespace
}  // namespace bitfusion::wire
