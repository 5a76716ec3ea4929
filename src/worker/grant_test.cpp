#include "worker/grant.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>

namespace bitfusion::worker {
namespace {

TEST(Grant, AWholeOneIsRead) {
    const auto grant = parse_grant(
        "backend=real\ndevices=3,0\nmemory_mib=1024\nlease=abc\nprogram=python3 -m train=1\nprocess=4711\n"
        "capabilities=5\nsoftware_gpus=2\nsoftware_memory=1048576\nmapped_memory=4096\n");
    ASSERT_TRUE(grant) << grant.error().what;
    EXPECT_EQ(grant->backend, "real");
    EXPECT_EQ(grant->devices, (std::vector<int>{3, 0})) << "in the session's order";
    EXPECT_EQ(grant->memory_mib, 1024u);
    EXPECT_EQ(grant->lease, "abc");
    EXPECT_EQ(grant->program, "python3 -m train=1");
    EXPECT_EQ(grant->process, 4711u);
    EXPECT_EQ(grant->capabilities, 5u);
    EXPECT_EQ(grant->software_gpus, 2);
    EXPECT_EQ(grant->software_memory, 1048576u);
    EXPECT_EQ(grant->mapped_memory, 4096u);
}

TEST(Grant, WhatIsUnknownIsPassedOver) {
    const auto grant = parse_grant("colour=blue\ndevices=0\nno equals sign\n");
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->backend, "soft");
    EXPECT_EQ(grant->memory_mib, 0u);
}

TEST(Grant, WhatCannotBeReadSaysWhichLine) {
    for (const char* line :
         {"devices=x", "devices=-1", "devices=1,x", "memory_mib=1k", "memory_mib=-1",
          "memory_mib=", "memory_mib=99999999999999999999", "process=99999999999", "software_gpus=two"}) {
        const auto grant = parse_grant(std::string("devices=0\n") + line + "\n");
        ASSERT_FALSE(grant) << line;
        EXPECT_NE(grant.error().what.find(line), std::string::npos) << grant.error().what;
    }
}

TEST(Grant, WithoutADeviceItIsNone) {
    EXPECT_FALSE(parse_grant(""));
    EXPECT_FALSE(parse_grant("backend=soft\n"));
    EXPECT_FALSE(parse_grant("devices=\n"));
    EXPECT_FALSE(parse_grant("devices=0\nbackend=quantum\n"));
}

TEST(Grant, BytesOfAnyKindDoNotConfuse) {
    std::mt19937_64 random(9);
    for (int i = 0; i < 5000; ++i) {
        std::string text = "devices=0,1\nmemory_mib=12\nbackend=soft\n";
        for (int k = 0; k < 4; ++k) text[random() % text.size()] = static_cast<char>(random());
        const auto grant = parse_grant(text);
        if (!grant) continue;
        ASSERT_FALSE(grant->devices.empty());
        for (const int device : grant->devices) ASSERT_GE(device, 0);
    }
}

class GrantFile : public testing::Test {
  protected:
    int file_with(const std::string& text) {
        file_ = memfd_create("grant-test", MFD_CLOEXEC);
        EXPECT_EQ(write(file_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        lseek(file_, 0, SEEK_SET);
        return file_;
    }
    void TearDown() override { close(file_); }
    int file_ = -1;
};

TEST_F(GrantFile, IsReadToItsEnd) {
    const auto grant = read_grant(file_with("program=" + std::string(9000, 'p') + "\ndevices=1\n"));
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->program.size(), 9000u);
    EXPECT_EQ(grant->devices, std::vector<int>{1});
}

TEST_F(GrantFile, ThatDoesNotEndIsRefused) {
    const auto grant = read_grant(file_with("devices=0\n" + std::string(100000, '\n')));
    ASSERT_FALSE(grant);
    EXPECT_NE(grant.error().what.find("too long"), std::string::npos);
}

TEST_F(GrantFile, ThatIsNotThereIsRefused) { EXPECT_FALSE(read_grant(-1)); }

}  // namespace
}  // namespace bitfusion::worker
