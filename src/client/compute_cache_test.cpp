#include "client/compute_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace bitfusion::client {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

class ComputeCacheTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "compute-cache-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { fs::remove_all(folder_); }

    static ComputeCache::Key key(std::string_view text) {
        const std::array<std::string_view, 2> parts{"kind", text};
        return ComputeCache::key_of(parts);
    }
    size_t files() const {
        return static_cast<size_t>(
            std::distance(fs::directory_iterator(folder_ / "c"), fs::directory_iterator()));
    }

    fs::path folder_;
};

TEST_F(ComputeCacheTest, WhatWasKeptIsFoundByAnotherProcess) {
    ComputeCache first((folder_ / "c").string(), 1u << 20);
    EXPECT_FALSE(first.find(key("a")));
    first.keep(key("a"), Bytes{1, 2, 3});
    first.keep(key("empty"), Bytes{});
    ComputeCache second((folder_ / "c").string(), 1u << 20);
    EXPECT_EQ(second.find(key("a")), (Bytes{1, 2, 3}));
    EXPECT_EQ(second.find(key("empty")), Bytes{});
    EXPECT_FALSE(second.find(key("b")));
    second.keep(key("a"), Bytes{4});
    EXPECT_EQ(first.find(key("a")), Bytes{4});
    struct stat about {};
    ASSERT_EQ(stat((folder_ / "c").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0700u);
}

TEST_F(ComputeCacheTest, PartsDoNotRunIntoEachOther) {
    const std::array<std::string_view, 2> one{"ab", "c"};
    const std::array<std::string_view, 2> other{"a", "bc"};
    EXPECT_NE(ComputeCache::key_of(one), ComputeCache::key_of(other));
}

TEST_F(ComputeCacheTest, ADamagedFileIsAMiss) {
    ComputeCache cache((folder_ / "c").string(), 1u << 20);
    cache.keep(key("a"), Bytes(1000, 7));
    ASSERT_EQ(files(), 1u);
    const fs::path file = fs::directory_iterator(folder_ / "c")->path();
    {
        std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
        damaged.seekp(500);
        damaged.put(8);
    }
    EXPECT_FALSE(cache.find(key("a")));
    EXPECT_EQ(files(), 0u);
    cache.keep(key("a"), Bytes(1000, 7));
    fs::resize_file(file, 20);
    EXPECT_FALSE(cache.find(key("a")));
}

TEST_F(ComputeCacheTest, TheOldestGoFirst) {
    ComputeCache cache((folder_ / "c").string(), 64u << 10);
    for (int i = 0; i < 40; ++i) {
        cache.keep(key(std::to_string(i)), Bytes(4096, 1));
        // The clock of the files is coarser than this loop.
        for (const auto& file : fs::directory_iterator(folder_ / "c"))
            fs::last_write_time(file.path(), fs::last_write_time(file.path()) - std::chrono::seconds(1));
    }
    EXPECT_LE(files(), 17u);
    EXPECT_GE(files(), 8u);
    EXPECT_FALSE(cache.find(key("0")));
    EXPECT_TRUE(cache.find(key("39")));
    cache.keep(key("too large"), Bytes(65u << 10, 1));
    EXPECT_FALSE(cache.find(key("too large")));
}

TEST_F(ComputeCacheTest, AFolderThatCannotBeMadeLeavesItInMemory) {
    std::ofstream(folder_ / "c") << "a file";
    ComputeCache cache((folder_ / "c" / "below").string(), 1u << 20);
    cache.keep(key("a"), Bytes{1, 2, 3});
    EXPECT_EQ(cache.find(key("a")), (Bytes{1, 2, 3}));
    ComputeCache in_memory("", 1u << 20);
    in_memory.keep(key("a"), Bytes{5});
    EXPECT_EQ(in_memory.find(key("a")), Bytes{5});
}

}  // namespace
}  // namespace bitfusion::client
