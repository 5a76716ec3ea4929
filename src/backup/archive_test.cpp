#include "backup/archive.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace bitfusion::backup {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public testing::Test {
  protected:
    ArchiveTest() {
        char name[] = "/tmp/bitfusion-backup-XXXXXX";
        folder_ = mkdtemp(name);
        fs::create_directories(folder_ / "from/history");
        put(folder_ / "from/health.json", "{\"off\":[]}\n");
        std::string noise;
        for (uint64_t i = 0; i < 700000; ++i) noise += static_cast<char>(i * 7919 >> 3);
        put(folder_ / "from/history/0.series", noise);
        put(folder_ / "from/empty", "");
        const auto written = write(file(), manifest(), folder_ / "from");
        EXPECT_TRUE(written) << written.error().what;
        bytes_ = get(file());
    }
    ~ArchiveTest() override { fs::remove_all(folder_); }

    static Manifest manifest() {
        return {"pool-1",
                "before-the-move",
                "0.1.0",
                1700000000,
                {{"health.json", 0}, {"history/0.series", 0}, {"empty", 0}}};
    }
    fs::path file() const { return folder_ / "a.backup"; }
    fs::path into() const { return folder_ / "into"; }
    static void put(const fs::path& path, const std::string& text) {
        std::ofstream(path, std::ios::binary) << text;
    }
    static std::string get(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }
    // Refused, with nothing left of it.
    void expect_refused(const std::string& bytes, const std::string& what) {
        put(file(), bytes);
        const auto unpacked = unpack(file(), into());
        ASSERT_FALSE(unpacked) << what;
        EXPECT_EQ(unpacked.error().code, 400) << what;
        EXPECT_NE(unpacked.error().what.find("nothing was changed"), std::string::npos)
            << unpacked.error().what;
        EXPECT_FALSE(fs::exists(into())) << what;
    }

    fs::path folder_;
    std::string bytes_;
};

TEST_F(ArchiveTest, GivesBackWhatWasPutIn) {
    const auto head = read_manifest(file());
    ASSERT_TRUE(head) << head.error().what;
    EXPECT_EQ(head->name, "before-the-move");
    EXPECT_EQ(head->pool, "pool-1");
    EXPECT_EQ(head->created, 1700000000);
    const auto unpacked = unpack(file(), into());
    ASSERT_TRUE(unpacked) << unpacked.error().what;
    ASSERT_EQ(unpacked->entries.size(), 3u);
    EXPECT_EQ(unpacked->entries[1].bytes, 700000u);
    for (const Entry& entry : unpacked->entries)
        EXPECT_EQ(get(into() / entry.path), get(folder_ / "from" / entry.path)) << entry.path;
}

TEST_F(ArchiveTest, EveryCutIsRefused) {
    for (size_t size = 0; size < bytes_.size(); size += 1 + bytes_.size() / 97)
        expect_refused(bytes_.substr(0, size), "cut at " + std::to_string(size));
    expect_refused(bytes_.substr(0, bytes_.size() - 1), "without its last byte");
}

TEST_F(ArchiveTest, EveryChangedByteIsRefused) {
    for (size_t at = 0; at < bytes_.size(); at += 1 + bytes_.size() / 97) {
        std::string changed = bytes_;
        changed[at] = static_cast<char>(changed[at] ^ 0x20);
        expect_refused(changed, "changed at " + std::to_string(at));
    }
}

TEST_F(ArchiveTest, MoreAfterTheEndIsRefused) {
    expect_refused(bytes_ + "x", "a byte");
    expect_refused(bytes_ + bytes_, "twice");
    expect_refused("PK\x03\x04 another program's file", "foreign");
}

TEST_F(ArchiveTest, LimitsHold) {
    EXPECT_FALSE(unpack(file(), into(), {600000, 10}));
    EXPECT_FALSE(fs::exists(into()));
    EXPECT_FALSE(unpack(file(), into(), {10000000, 2}));
    EXPECT_FALSE(read_manifest(file(), {600000, 10}));
    EXPECT_TRUE(unpack(file(), into(), {800000, 3}));
}

TEST_F(ArchiveTest, AFolderThatIsThereIsNotTouched) {
    fs::create_directory(into());
    put(into() / "mine", "x");
    EXPECT_FALSE(unpack(file(), into()));
    EXPECT_EQ(get(into() / "mine"), "x");
}

TEST_F(ArchiveTest, PathsAndNamesStayInside) {
    for (const char* path :
         {"", "/etc/passwd", "../x", "a/../b", "a/b/c", "a//b", "a/", ".hidden", "a/.b", "A", "a b"}) {
        Manifest wrong = manifest();
        wrong.entries = {{path, 0}};
        EXPECT_FALSE(write(folder_ / "b", wrong, folder_ / "from")) << path;
    }
    for (const char* name : {"", ".x", "a/b", "a b", "\n"}) EXPECT_FALSE(proper_name(name)) << name;
    EXPECT_FALSE(proper_name(std::string(65, 'a')));
    EXPECT_TRUE(proper_name("Before_the-move.2"));
    Manifest unnamed = manifest();
    unnamed.name = "a/b";
    EXPECT_FALSE(write(folder_ / "b", unnamed, folder_ / "from"));
}

TEST_F(ArchiveTest, AMissingFileLeavesNoArchive) {
    Manifest more = manifest();
    more.entries.push_back({"gone", 0});
    EXPECT_FALSE(write(folder_ / "b", more, folder_ / "from"));
    EXPECT_FALSE(fs::exists(folder_ / "b"));
    EXPECT_FALSE(fs::exists(folder_ / "b.part"));
    EXPECT_FALSE(write(folder_ / "gone/b", manifest(), folder_ / "from"));
}

// A limit of the process stands for a full disk.
TEST_F(ArchiveTest, WithoutRoomNothingIsLeftBehind) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit tight = before;
    tight.rlim_cur = 1000;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const auto written = write(folder_ / "b", manifest(), folder_ / "from");
    const auto unpacked = unpack(file(), into());
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, 503);
    EXPECT_FALSE(fs::exists(folder_ / "b"));
    EXPECT_FALSE(fs::exists(folder_ / "b.part"));
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().code, 503) << unpacked.error().what;
    EXPECT_FALSE(fs::exists(into()));
}

}  // namespace
}  // namespace bitfusion::backup
