#include "digits/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "digits/embedded.h"

namespace digits {

TEST(Dataset, EmbeddedDataIsComplete) {
    const Dataset all = parse_csv(embedded_csv());
    ASSERT_EQ(all.count(), 1797u);
    EXPECT_EQ(all.images.size(), 1797u * kPixels);
    EXPECT_EQ(all.labels.front(), 0u);
    EXPECT_EQ(all.labels.back(), 8u);
    EXPECT_EQ(all.images[2], 5.0f / 16.0f);
    EXPECT_EQ(*std::max_element(all.images.begin(), all.images.end()), 1.0f);
}

TEST(Dataset, MalformedTextGivesNothing) {
    std::string line;
    for (unsigned i = 0; i < kPixels; ++i) line += "3,";
    EXPECT_EQ(parse_csv(line + "7\n").count(), 1u);
    EXPECT_EQ(parse_csv(line + "7").count(), 0u);
    EXPECT_EQ(parse_csv(line + "10\n").count(), 0u);
    EXPECT_EQ(parse_csv("17," + line.substr(2) + "7\n").count(), 0u);
    EXPECT_EQ(parse_csv("x," + line.substr(2) + "7\n").count(), 0u);
    EXPECT_EQ(parse_csv(line + "7\n1,2,3\n").count(), 0u);
    EXPECT_EQ(parse_csv("").count(), 0u);
}

TEST(Dataset, SplitKeepsEveryDigitOnce) {
    const Dataset all = parse_csv(embedded_csv());
    const auto [training, unseen] = split(all, 7);
    EXPECT_EQ(unseen.count(), 256u);
    EXPECT_EQ(training.count(), 1541u);
    EXPECT_EQ(unseen.labels[0], all.labels[6]);
    EXPECT_EQ(unseen.images[kPixels + 5], all.images[13 * kPixels + 5]);
}

TEST(Dataset, ShuffleKeepsPicturesAndLabelsTogether) {
    Dataset set;
    for (unsigned i = 0; i < 100; ++i) {
        set.labels.push_back(i % 10);
        set.images.insert(set.images.end(), kPixels, static_cast<float>(i % 10));
    }
    const Dataset before = set;
    Random random(5);
    shuffle(set, random);
    EXPECT_NE(set.labels, before.labels);
    EXPECT_EQ(std::count(set.labels.begin(), set.labels.end(), 3u), 10);
    for (unsigned i = 0; i < 100; ++i) {
        EXPECT_EQ(set.images[i * kPixels], static_cast<float>(set.labels[i]));
        EXPECT_EQ(set.images[i * kPixels + kPixels - 1], static_cast<float>(set.labels[i]));
    }
    Dataset again = before;
    Random same(5);
    shuffle(again, same);
    EXPECT_EQ(again.labels, set.labels) << "one seed, one order";
}

}  // namespace digits
