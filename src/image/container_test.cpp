#include "image/container.h"

#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include "image/test_container.h"

namespace bitfusion::image {
namespace {

using test::make_elf;
using test::make_entry;
using test::make_fatbin;
using test::put;
using test::to_bytes;

const std::string kPtx = ".version 9.0\n.target sm_75\n.address_size 64\n" + std::string(4000, ' ');

std::vector<std::byte> lz4_of(const std::string& text) {
    std::vector<std::byte> packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))));
    const int made = LZ4_compress_default(text.data(), reinterpret_cast<char*>(packed.data()),
                                          static_cast<int>(text.size()), static_cast<int>(packed.size()));
    packed.resize(static_cast<size_t>(made));
    return packed;
}

std::vector<std::byte> zstd_of(const std::string& text) {
    std::vector<std::byte> packed(ZSTD_compressBound(text.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

TEST(Container, FormsByTheirFirstBytes) {
    EXPECT_EQ(form_of(make_fatbin({})), Form::kFatbin);
    EXPECT_EQ(form_of(make_elf(8)), Form::kElf);
    EXPECT_EQ(form_of(to_bytes(".version 9.0")), Form::kText);
    EXPECT_EQ(form_of(to_bytes("")), Form::kText);
}

TEST(Container, EntriesOfAFatbin) {
    const auto fatbin =
        make_fatbin({make_entry(Kind::kElf, 90, 0x11, make_elf(24)),
                     make_entry(Kind::kPtx, 75, 0x11 | kFlagLz4, lz4_of(kPtx), kPtx.size(), 72)});
    const auto entries = entries_of(fatbin);
    ASSERT_TRUE(entries) << entries.error().what;
    ASSERT_EQ(entries->size(), 2u);
    EXPECT_TRUE((*entries)[0].is(Kind::kElf));
    EXPECT_EQ((*entries)[0].arch, 90u);
    EXPECT_EQ((*entries)[1].version_major, 9);
    EXPECT_EQ((*entries)[1].stored.size(), lz4_of(kPtx).size());
}

TEST(Container, EveryTruncationIsRefused) {
    const auto fatbin = make_fatbin({make_entry(Kind::kElf, 90, 0, make_elf(24)),
                                     make_entry(Kind::kPtx, 75, kFlagZstd, zstd_of(kPtx), kPtx.size())});
    for (size_t size = 0; size < fatbin.size(); ++size) {
        EXPECT_FALSE(entries_of(Bytes(fatbin).first(size))) << size;
    }
}

TEST(Container, LyingSizesAreRefused) {
    const auto good = make_fatbin({make_entry(Kind::kPtx, 75, kFlagZstd, zstd_of(kPtx), kPtx.size())});
    for (const auto& [offset, value] : {std::pair<size_t, uint64_t>{8, ~uint64_t{0}},
                                        {8, good.size()},
                                        {16 + 8, ~uint64_t{0}},
                                        {16 + 8, uint64_t{1} << 63}}) {
        auto bad = good;
        put<uint64_t>(bad, offset, value);
        EXPECT_FALSE(entries_of(bad)) << offset;
    }
    for (const uint32_t header : {0u, 63u, 0xffffffffu}) {
        auto bad = good;
        put<uint32_t>(bad, 16 + 4, header);
        EXPECT_FALSE(entries_of(bad)) << header;
    }
    auto exact = good;
    put<uint32_t>(exact, 16 + 16, 0xffffffffu);
    EXPECT_FALSE(entries_of(exact));
}

TEST(Container, PlainBytesOfBothCompressions) {
    for (const auto& [flag, packed] :
         {std::pair{kFlagLz4, lz4_of(kPtx)}, std::pair{kFlagZstd, zstd_of(kPtx)}}) {
        const auto fatbin = make_fatbin({make_entry(Kind::kPtx, 75, flag, packed, kPtx.size())});
        const auto plain = plain_bytes(entries_of(fatbin)->front());
        ASSERT_TRUE(plain) << plain.error().what;
        EXPECT_EQ(*plain, to_bytes(kPtx));
    }
}

TEST(Container, DamagedOrLyingCompressionIsRefused) {
    for (const auto& [flag, packed] :
         {std::pair{kFlagLz4, lz4_of(kPtx)}, std::pair{kFlagZstd, zstd_of(kPtx)}}) {
        for (const uint64_t claim :
             {kPtx.size() + 1, kPtx.size() - 1, size_t{0}, size_t{1} << 40, ~size_t{0}}) {
            const auto fatbin = make_fatbin({make_entry(Kind::kPtx, 75, flag, packed, claim)});
            EXPECT_FALSE(plain_bytes(entries_of(fatbin)->front())) << claim;
        }
        for (size_t cut = 0; cut < packed.size(); ++cut) {
            std::vector<std::byte> less(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(cut));
            const auto fatbin = make_fatbin({make_entry(Kind::kPtx, 75, flag, less, kPtx.size())});
            EXPECT_FALSE(plain_bytes(entries_of(fatbin)->front())) << cut;
        }
    }
}

TEST(Container, OpaqueEntriesAreRefused) {
    const auto fatbin =
        make_fatbin({make_entry(Kind::kLto, 75, kFlagZstd | kFlagOpaque, zstd_of(kPtx), kPtx.size())});
    EXPECT_FALSE(plain_bytes(entries_of(fatbin)->front()));
}

TEST(Container, ExtentOfEachForm) {
    auto fatbin = make_fatbin({make_entry(Kind::kElf, 90, 0, make_elf(24))});
    auto elf = make_elf(40);
    const size_t fatbin_size = fatbin.size();
    const size_t elf_size = elf.size();
    fatbin.resize(fatbin_size + 100);
    elf.resize(elf_size + 100);
    EXPECT_EQ(extent_of(fatbin).value(), fatbin_size);
    EXPECT_EQ(extent_of(elf).value(), elf_size);
    EXPECT_EQ(extent_of(to_bytes(std::string("abc\0def", 7))).value(), 4u);
    EXPECT_EQ(extent_of(to_bytes("abc")).value(), 3u);
    for (size_t size = 4; size < elf_size; ++size) EXPECT_FALSE(extent_of(Bytes(elf).first(size))) << size;
}

TEST(Measure, FollowsTheWrapper) {
    const auto fatbin = make_fatbin({make_entry(Kind::kElf, 90, 0, make_elf(24))});
    const auto part = make_fatbin({make_entry(Kind::kPtx, 75, 0, to_bytes(kPtx))});
    const std::byte* parts[] = {part.data(), part.data(), nullptr};
    std::vector<std::byte> wrapper(24);
    put<uint32_t>(wrapper, 0, kWrapperMagic);
    put<uint32_t>(wrapper, 4, 2);
    put<const std::byte*>(wrapper, 8, fatbin.data());
    put<const void*>(wrapper, 16, &parts[0]);
    const auto image = measure(wrapper.data());
    ASSERT_TRUE(image) << image.error().what;
    EXPECT_EQ(image->form, Form::kWrapper);
    EXPECT_EQ(image->wrapper_version, 2u);
    EXPECT_EQ(image->code.data(), fatbin.data());
    EXPECT_EQ(image->code.size(), fatbin.size());
    ASSERT_EQ(image->prelink.size(), 2u);
    EXPECT_EQ(image->prelink[1].size(), part.size());

    put<uint32_t>(wrapper, 4, 1);
    EXPECT_TRUE(measure(wrapper.data())->prelink.empty());
    put<uint32_t>(wrapper, 4, 7);
    EXPECT_FALSE(measure(wrapper.data()));
}

TEST(Measure, BareImages) {
    const auto elf = make_elf(40);
    EXPECT_EQ(measure(elf.data())->code.size(), elf.size());
    EXPECT_EQ(measure(kPtx.c_str())->code.size(), kPtx.size() + 1);
    EXPECT_EQ(measure("ab")->code.size(), 3u);
    EXPECT_FALSE(measure(nullptr));
}

}  // namespace
}  // namespace bitfusion::image
