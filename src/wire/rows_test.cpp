#include "wire/rows.h"

#include <gtest/gtest.h>

namespace bitfusion::wire {
namespace {

TEST(Rows, CarryResultsAndTheBytesOfSuccess) {
    RowWriter writer;
    const uint32_t first = 7;
    const uint64_t second = 9;
    writer.row(0, {piece(first), piece(second)});
    writer.row(3, {piece(first)});
    writer.row(0, {text_piece("abc", 8)});
    Reader reader(writer.bytes());
    std::vector<Row> rows;
    ASSERT_TRUE(decode(reader, 3, &rows));
    EXPECT_EQ(rows[0].bytes.size(), 12u);
    EXPECT_EQ(rows[1].result, 3);
    EXPECT_TRUE(rows[1].bytes.empty());
    EXPECT_EQ(std::string(rows[2].bytes.begin(), rows[2].bytes.end()), "abc");
}

TEST(Rows, AnotherCountIsRefused) {
    RowWriter writer;
    writer.row(3, {});
    for (const size_t count : {size_t{0}, size_t{2}, ~size_t{0}}) {
        Reader reader(writer.bytes());
        std::vector<Row> rows;
        EXPECT_FALSE(decode(reader, count, &rows)) << count;
    }
}

TEST(Rows, LengthsBeyondTheEndAreRefused) {
    const uint32_t words[] = {0, 0xffffffff};
    Reader reader(reinterpret_cast<const uint8_t*>(words), sizeof words);
    std::vector<Row> rows;
    EXPECT_FALSE(decode(reader, 1, &rows));
    const uint32_t many = 0x10000000;
    Reader hostile(reinterpret_cast<const uint8_t*>(&many), sizeof many);
    std::vector<ProcessFact> processes;
    EXPECT_FALSE(decode(hostile, &processes));
}

TEST(Rows, ProcessesComeBackAsTheyWere) {
    const auto bytes = encode(std::vector<ProcessFact>{{42, 1 << 20, "train"}, {43, 0, ""}});
    Reader reader(bytes);
    std::vector<ProcessFact> processes;
    ASSERT_TRUE(decode(reader, &processes));
    ASSERT_EQ(processes.size(), 2u);
    EXPECT_EQ(processes[0].pid, 42u);
    EXPECT_EQ(processes[0].used_bytes, 1u << 20);
    EXPECT_EQ(processes[0].name, "train");
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
        Reader shorter(bytes.data(), cut);
        EXPECT_FALSE(decode(shorter, &processes)) << cut;
    }
}

}  // namespace
}  // namespace bitfusion::wire
