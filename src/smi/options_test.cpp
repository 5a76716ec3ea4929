#include "smi/options.h"

#include <gtest/gtest.h>

namespace bitfusion::smi {
namespace {

Result<Options> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "nvidia-smi");
    return parse_options(static_cast<int>(words.size()), words.data());
}

TEST(Options, NothingIsTheTable) {
    auto options = parse({});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->what, What::kTable);
    EXPECT_EQ(options->repeat_ms, 0u);
    EXPECT_TRUE(options->gpus.empty());
}

TEST(Options, TheWaysOfScripts) {
    auto query = parse({"--query-gpu=memory.total,name", "--format=csv,noheader,nounits", "-i", "0,GPU-x"});
    ASSERT_TRUE(query) << query.error().what;
    EXPECT_EQ(query->what, What::kQueryGpus);
    EXPECT_EQ(query->fields, (std::vector<std::string>{"memory.total", "name"}));
    EXPECT_EQ(query->gpus, (std::vector<std::string>{"0", "GPU-x"}));
    EXPECT_FALSE(query->format.header);
    EXPECT_FALSE(query->format.units);
    EXPECT_EQ(parse({"-L"})->what, What::kList);
    EXPECT_EQ(parse({"--list-gpus"})->what, What::kList);
    EXPECT_EQ(parse({"-q", "-i", "1"})->what, What::kDetails);
    EXPECT_EQ(parse({"--query-compute-apps=pid", "--format=csv"})->what, What::kQueryProcesses);
    EXPECT_EQ(parse({"--help-query-gpu"})->what, What::kGpuFields);
    EXPECT_EQ(parse({"-h"})->what, What::kHelp);
}

TEST(Options, Loops) {
    EXPECT_EQ(parse({"-l", "2"})->repeat_ms, 2000u);
    EXPECT_EQ(parse({"--loop=3"})->repeat_ms, 3000u);
    EXPECT_EQ(parse({"-l"})->repeat_ms, 5000u);
    EXPECT_EQ(parse({"-lms", "250"})->repeat_ms, 250u);
    EXPECT_FALSE(parse({"-l", "0"}));
    EXPECT_FALSE(parse({"-l", "soon"}));
    EXPECT_FALSE(parse({"-l", "99999999999"}));
}

TEST(Options, WhatDoesNotGoTogether) {
    EXPECT_FALSE(parse({"--query-gpu=name"}));
    EXPECT_FALSE(parse({"--format=csv"}));
    EXPECT_FALSE(parse({"--query-gpu=name", "--query-compute-apps=pid", "--format=csv"}));
    EXPECT_FALSE(parse({"--query-gpu=name", "--format=json"}));
    EXPECT_FALSE(parse({"--persistence-mode=1"}));
    EXPECT_FALSE(parse({"extra"}));
}

}  // namespace
}  // namespace bitfusion::smi
