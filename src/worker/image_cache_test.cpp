#include "worker/image_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace bitfusion::worker {
namespace {

using Content = std::vector<uint8_t>;

class ImageCacheTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "bitfusion-images-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        cache_.open(folder_ + "/images", 1 << 20);
        ASSERT_TRUE(cache_.key());
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static Content content(size_t bytes, uint8_t seed) {
        Content made(bytes);
        for (size_t i = 0; i < bytes; ++i) made[i] = static_cast<uint8_t>(i * 7 + seed);
        return made;
    }
    image::Digest name(const Content& c) const {
        return image::digest_of(*cache_.key(), std::as_bytes(std::span(c)));
    }
    std::string file(const Content& c) const { return folder_ + "/images/" + image::to_hex(name(c)); }
    uint64_t total() const {
        uint64_t sum = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/images"))
            if (entry.path().filename() != "key") sum += entry.file_size();
        return sum;
    }

    std::string folder_;
    ImageCache cache_;
};

// RFC 4231, test case 6: a key that is longer than a block is not ours, so case 1 with its 20 bytes padded
// would be; HMAC pads a shorter key with zeros, which makes the two the same.
TEST(Digest, IsHmacSha256) {
    image::DigestKey key{};
    std::fill_n(key.begin(), 20, 0x0b);
    const std::string text = "Hi There";
    const Content bytes(text.begin(), text.end());
    EXPECT_EQ(image::to_hex(image::digest_of(key, std::as_bytes(std::span(bytes)))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST_F(ImageCacheTest, WhatWasKeptIsFoundAlsoByTheNextWorker) {
    const Content one = content(100000, 1);
    EXPECT_FALSE(cache_.find(name(one)));
    cache_.keep(one);
    ASSERT_TRUE(cache_.find(name(one)));
    EXPECT_EQ(*cache_.find(name(one)), one);
    ImageCache next;
    next.open(folder_ + "/images", 1 << 20);
    EXPECT_EQ(next.key(), cache_.key());
    ASSERT_TRUE(next.find(name(one)));
    EXPECT_EQ(*next.find(name(one)), one);
    struct stat status {};
    ASSERT_EQ(stat((folder_ + "/images").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(ImageCacheTest, ANameMadeWithAnotherKeyFindsNothing) {
    const Content one = content(100000, 1);
    cache_.keep(one);
    image::DigestKey other = *cache_.key();
    other[0] ^= 1;
    EXPECT_FALSE(cache_.find(image::digest_of(other, std::as_bytes(std::span(one)))));
    EXPECT_FALSE(cache_.find(image::Digest{}));
}

TEST_F(ImageCacheTest, WhatIsTruncatedOrDamagedIsRemovedAndNotFound) {
    const Content one = content(100000, 1);
    cache_.keep(one);
    ASSERT_EQ(truncate(file(one).c_str(), 99999), 0);
    EXPECT_FALSE(cache_.find(name(one)));
    EXPECT_FALSE(std::filesystem::exists(file(one)));

    cache_.keep(one);
    {
        std::fstream damaged(file(one), std::ios::in | std::ios::out | std::ios::binary);
        damaged.seekp(5000);
        damaged.put('!');
    }
    EXPECT_FALSE(cache_.find(name(one)));
    EXPECT_FALSE(std::filesystem::exists(file(one)));
    cache_.keep(one);
    EXPECT_TRUE(cache_.find(name(one)));
}

TEST_F(ImageCacheTest, WhatSomebodyPutBehindANameIsNotFound) {
    const Content one = content(100000, 1);
    const Content other = content(100000, 2);
    cache_.keep(other);
    std::filesystem::copy_file(file(other), file(one));
    EXPECT_FALSE(cache_.find(name(one)));
    std::filesystem::create_symlink(file(other), file(one));
    EXPECT_FALSE(cache_.find(name(one)));
    std::filesystem::remove(file(one));
    std::filesystem::create_directory(file(one));
    EXPECT_FALSE(cache_.find(name(one)));
}

TEST_F(ImageCacheTest, TheLeastUsedGoWhenItIsFull) {
    std::vector<Content> all;
    for (uint8_t i = 0; i < 4; ++i) {
        all.push_back(content(250000, i));
        cache_.keep(all.back());
        const timespec old[2] = {{1000 + i, 0}, {1000 + i, 0}};
        ASSERT_EQ(utimensat(AT_FDCWD, file(all.back()).c_str(), old, 0), 0);
    }
    EXPECT_TRUE(cache_.find(name(all[0])));  // used again
    cache_.keep(content(250000, 9));
    EXPECT_LE(total(), uint64_t{1} << 20);
    EXPECT_TRUE(cache_.find(name(all[0])));
    EXPECT_FALSE(cache_.find(name(all[1])));
    EXPECT_TRUE(cache_.find(name(all[2])));
    const Content huge = content((1 << 20) + 1, 3);
    cache_.keep(huge);
    EXPECT_FALSE(cache_.find(name(huge)));
    EXPECT_TRUE(cache_.find(name(all[2]))) << "one that never fits drives nothing out";
}

// Files of this process end here, as on a disk that is full: what is beyond fails when it is written.
class FileLimit {
  public:
    explicit FileLimit(rlim_t bytes) {
        before_handler_ = signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limited{bytes, before_.rlim_max};
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
    }
    ~FileLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        signal(SIGXFSZ, before_handler_);
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;

  private:
    rlimit before_{};
    sighandler_t before_handler_;
};

TEST_F(ImageCacheTest, WhatCannotBeWrittenWhollyIsNotThereAtAll) {
    const Content small = content(40000, 1);
    const Content large = content(100000, 2);
    {
        const FileLimit limit(50000);
        cache_.keep(large);
        EXPECT_FALSE(cache_.find(name(large)));
        cache_.keep(small);
        EXPECT_TRUE(cache_.find(name(small))) << "others still fit";
        EXPECT_EQ(total(), small.size()) << "no remains";
    }
    cache_.keep(large);
    EXPECT_TRUE(cache_.find(name(large)));
    const FileLimit none(0);
    ImageCache next;
    next.open(folder_ + "/images", 1 << 20);
    EXPECT_TRUE(next.find(name(large))) << "what is there can be read";
    std::filesystem::remove(folder_ + "/images/key");
    ImageCache keyless;
    keyless.open(folder_ + "/images", 1 << 20);
    EXPECT_FALSE(keyless.key()) << "a key that cannot be written whole is none";
    keyless.keep(small);
    EXPECT_EQ(total(), small.size() + large.size());
}

TEST_F(ImageCacheTest, AFolderThatGoesAwayIsAnEmptyCache) {
    const Content one = content(100000, 1);
    cache_.keep(one);
    std::filesystem::remove_all(folder_ + "/images");
    std::ofstream(folder_ + "/images") << "not a folder";
    EXPECT_FALSE(cache_.find(name(one)));
    cache_.keep(one);
    EXPECT_FALSE(cache_.find(name(one)));
    EXPECT_EQ(std::filesystem::file_size(folder_ + "/images"), 12u);
}

TEST_F(ImageCacheTest, AFolderThatIsNoneIsAnEmptyCache) {
    std::ofstream(folder_ + "/file") << "x";
    for (const std::string& bad :
         {folder_ + "/file", folder_ + "/file/images", std::string("/proc/images")}) {
        ImageCache cache;
        cache.open(bad, 1 << 20);
        EXPECT_FALSE(cache.key()) << bad;
        cache.keep(content(100000, 1));
        EXPECT_FALSE(cache.find(image::Digest{}));
    }
    ImageCache off;
    off.open(folder_ + "/off", 0);
    EXPECT_FALSE(off.key());
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/off"));
}

TEST_F(ImageCacheTest, ADamagedKeyIsReplaced) {
    ASSERT_EQ(truncate((folder_ + "/images/key").c_str(), 3), 0);
    ImageCache next;
    next.open(folder_ + "/images", 1 << 20);
    ASSERT_TRUE(next.key());
    EXPECT_NE(*next.key(), *cache_.key());
}

}  // namespace
}  // namespace bitfusion::worker
