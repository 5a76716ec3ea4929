#include "image/select.h"

#include <gtest/gtest.h>

#include "image/test_container.h"

namespace bitfusion::image {
namespace {

using test::make_elf;
using test::make_entry;
using test::make_fatbin;
using test::to_bytes;

std::vector<std::byte> sample() {
    return make_fatbin(
        {make_entry(Kind::kElf, 80, 0, make_elf(8)), make_entry(Kind::kElf, 86, 0, make_elf(16)),
         make_entry(Kind::kElf, 90, kFlagArchSpecific, make_elf(24)),
         make_entry(Kind::kElf, 100, kFlagFamilySpecific, make_elf(24)),
         make_entry(Kind::kPtx, 75, 0, to_bytes("ptx75")), make_entry(Kind::kPtx, 90, 0, to_bytes("ptx90")),
         make_entry(Kind::kPtx, 90, kFlagArchSpecific, to_bytes("ptx90a"))});
}

TEST(Select, ElfNeedsItsOwnMajorAndNoNewerMinor) {
    const auto bytes = sample();
    const auto entries = entries_of(bytes).value();
    const auto archs = [&](Capability gpu) {
        std::vector<uint32_t> found;
        for (const Entry& entry : usable_entries(entries, Kind::kElf, gpu)) found.push_back(entry.arch);
        return found;
    };
    EXPECT_EQ(archs({8, 0}), (std::vector<uint32_t>{80}));
    EXPECT_EQ(archs({8, 6}), (std::vector<uint32_t>{86, 80}));
    EXPECT_EQ(archs({8, 9}), (std::vector<uint32_t>{86, 80}));
    EXPECT_EQ(archs({9, 0}), (std::vector<uint32_t>{90}));
    EXPECT_EQ(archs({10, 3}), (std::vector<uint32_t>{100}));
    EXPECT_EQ(archs({12, 0}), (std::vector<uint32_t>{}));
}

TEST(Select, PtxOfTheHighestVersionThatIsNotNewer) {
    const auto bytes = sample();
    const auto entries = entries_of(bytes).value();
    EXPECT_EQ(usable_entries(entries, Kind::kPtx, {8, 9}).front().arch, 75u);
    const auto hopper = usable_entries(entries, Kind::kPtx, {9, 0});
    ASSERT_EQ(hopper.size(), 3u);
    EXPECT_NE(hopper[0].flags & kFlagArchSpecific, 0u);
    EXPECT_EQ(hopper[1].arch, 90u);
    EXPECT_EQ(usable_entries(entries, Kind::kPtx, {12, 0}).size(), 2u);
    EXPECT_TRUE(usable_entries(entries, Kind::kPtx, {7, 0}).empty());
}

TEST(Select, KeepUsableDropsOnlyElfThatNeverMatches) {
    const auto kept = keep_usable(sample(), {8, 6});
    ASSERT_TRUE(kept);
    const auto entries = entries_of(*kept);
    ASSERT_TRUE(entries) << entries.error().what;
    EXPECT_EQ(describe(*entries), "sm_80 sm_86 and PTX for compute_75 compute_90 compute_90a");
    EXPECT_EQ(keep_usable(make_fatbin({}), {8, 6}).value(), make_fatbin({}));
    EXPECT_FALSE(keep_usable(to_bytes("BA55"), {8, 6}));
}

TEST(Select, DescribeNamesEachArchitectureOnce) {
    const auto bytes = sample();
    EXPECT_EQ(describe(entries_of(bytes).value()),
              "sm_80 sm_86 sm_90a sm_100f and PTX for compute_75 compute_90 compute_90a");
    EXPECT_EQ(describe({}), "no code");
}

}  // namespace
}  // namespace bitfusion::image
