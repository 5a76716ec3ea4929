#include "daemon/console_files.h"

#include <gtest/gtest.h>

#include <fstream>

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;

class ConsoleFilesTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string path = (fs::temp_directory_path() / "console-XXXXXX").string();
        ASSERT_NE(mkdtemp(path.data()), nullptr);
        base_ = path;
        folder_ = base_ / "console";
        put("secret.json", "the folder above", base_);
        put("index.html", "<!doctype html>");
        put("assets/app-3f2a91bc.js", "let a;");
        put("assets/app-3f2a91bc.js.gz", "packed");
        put("icon.svg", "<svg/>");
    }
    void TearDown() override { fs::remove_all(base_); }
    void put(const std::string& name, const std::string& content) { put(name, content, folder_); }
    static void put(const std::string& name, const std::string& content, const fs::path& folder) {
        fs::create_directories((folder / name).parent_path());
        std::ofstream(folder / name) << content;
    }

    fs::path base_;
    fs::path folder_;
};

TEST_F(ConsoleFilesTest, ServesWhatIsThere) {
    ConsoleFiles files(folder_);
    const auto index = files.find("");
    ASSERT_NE(index, nullptr);
    EXPECT_EQ(index->content, "<!doctype html>");
    EXPECT_EQ(index->type, "text/html; charset=utf-8");
    EXPECT_FALSE(index->immutable);
    const auto script = files.find("assets/app-3f2a91bc.js");
    ASSERT_NE(script, nullptr);
    EXPECT_TRUE(script->immutable);
    EXPECT_EQ(script->gzip, "packed");
    EXPECT_NE(script->etag, index->etag);
    EXPECT_EQ(files.find("icon.svg")->type, "image/svg+xml");
}

TEST_F(ConsoleFilesTest, NoPathLeadsOut) {
    fs::create_symlink(base_ / "secret.json", folder_ / "link.json");
    fs::create_directory_symlink(base_, folder_ / "up");
    put(".hidden.json", "x");
    put("notes.txt", "a kind that is not served");
    ConsoleFiles files(folder_);
    for (const char* name : {"../secret.json", "link.json", "up/secret.json", ".hidden.json", "notes.txt",
                             "assets", "assets/", "assets/../index.html", "/etc/passwd", "//index.html",
                             "index.html/", "%2e%2e/secret.json", "assets/app-3f2a91bc.js.gz"}) {
        EXPECT_EQ(files.find(name), nullptr) << name;
    }
    EXPECT_EQ(files.find(std::string("index.html\0.js", 14)), nullptr);
}

TEST_F(ConsoleFilesTest, ANewBuildIsTakenUp) {
    ConsoleFiles files(folder_);
    ASSERT_NE(files.find("assets/app-3f2a91bc.js"), nullptr);
    fs::remove(folder_ / "assets/app-3f2a91bc.js");
    put("assets/app-77777777.js", "let b;");
    put("index.html", "<!doctype html><p>");
    fs::last_write_time(folder_ / "index.html", fs::file_time_type::clock::now() + std::chrono::seconds(5));
    EXPECT_EQ(files.find("")->content, "<!doctype html><p>");
    EXPECT_EQ(files.find("assets/app-3f2a91bc.js"), nullptr);
    EXPECT_NE(files.find("assets/app-77777777.js"), nullptr);
    fs::remove(folder_ / "index.html");
    EXPECT_EQ(files.find(""), nullptr);
}

TEST_F(ConsoleFilesTest, IsBounded) {
    for (size_t i = 0; i < ConsoleFiles::kMostFiles + 10; ++i) put("many/" + std::to_string(i) + ".js", "x");
    ConsoleFiles files(folder_);
    size_t served = 0;
    for (size_t i = 0; i < ConsoleFiles::kMostFiles + 10; ++i)
        served += files.find("many/" + std::to_string(i) + ".js") != nullptr ? 1 : 0;
    EXPECT_LE(served, ConsoleFiles::kMostFiles);
    EXPECT_GT(served, 0u);
}

TEST(ConsoleFile, NamesWithAHash) {
    EXPECT_TRUE(has_hash("assets/index-BxQ2_9aZ.css"));
    EXPECT_FALSE(has_hash("assets/index.css"));
    EXPECT_FALSE(has_hash("assets/a-b.css"));
    EXPECT_FALSE(has_hash("assets/x-12345.78.css"));
}

}  // namespace
}  // namespace bitfusion::daemon
