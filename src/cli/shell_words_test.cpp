#include "cli/shell_words.h"

#include <gtest/gtest.h>

namespace bitfusion::cli {
namespace {

using Words = std::vector<std::string>;

TEST(ShellWords, SplitsLikeAShellWithoutExpansion) {
    EXPECT_EQ(*split_words("python train.py --lr 0.1"), (Words{"python", "train.py", "--lr", "0.1"}));
    EXPECT_EQ(*split_words("  a\t b\n"), (Words{"a", "b"}));
    EXPECT_EQ(*split_words("sh -c 'echo \"x\" $HOME'"), (Words{"sh", "-c", "echo \"x\" $HOME"}));
    EXPECT_EQ(*split_words(R"(a "b \" \\ \n c" d\ e)"), (Words{"a", R"(b " \ \n c)", "d e"}));
    EXPECT_EQ(*split_words("a''b \"\" ''"), (Words{"ab", "", ""}));
    EXPECT_EQ(*split_words("ls *.py | wc $X ~"), (Words{"ls", "*.py", "|", "wc", "$X", "~"}));
    EXPECT_EQ(*split_words("a\\\nb"), (Words{"ab"}));
    EXPECT_TRUE(split_words("   ")->empty());
}

TEST(ShellWords, OpenQuotesAndTrailingBackslashesAreErrors) {
    EXPECT_FALSE(split_words("a 'b"));
    EXPECT_FALSE(split_words("a \"b"));
    EXPECT_FALSE(split_words("a \\"));
}

}  // namespace
}  // namespace bitfusion::cli
