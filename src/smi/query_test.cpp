#include "smi/query.h"

#include <gtest/gtest.h>

namespace bitfusion::smi {
namespace {

Reading reading() {
    Reading r{"580.159.03", 13000, {}};
    r.gpus.resize(2);
    r.gpus[0].name = "Tesla T4";
    r.gpus[0].uuid = "GPU-1";
    r.gpus[0].memory_total = uint64_t{15360} << 20;
    r.gpus[0].memory_used = (uint64_t{3} << 20) + 4096;
    r.gpus[0].utilization = 7;
    r.gpus[0].power = 9876;
    r.gpus[0].processes = {{42, "python3", uint64_t{5} << 20}};
    r.gpus[1].index = 1;
    return r;
}

std::string csv(const std::vector<std::string>& fields, CsvFormat format = {}) {
    auto text = query_gpus(reading(), fields, format, 0);
    return text ? *text : "error: " + text.error().what;
}

TEST(Query, PrintsNamesUnitsAndValues) {
    EXPECT_EQ(csv({"index", "name", "memory.total", "memory.used", "utilization.gpu", "power.draw"}),
              "index, name, memory.total [MiB], memory.used [MiB], utilization.gpu [%], power.draw [W]\n"
              "0, Tesla T4, 15360 MiB, 3 MiB, 7 %, 9.87 W\n"
              "1, [N/A], [N/A], [N/A], [N/A], [N/A]\n");
}

TEST(Query, LeavesOutWhatIsNotWanted) {
    EXPECT_EQ(csv({"memory.total", "gpu_name"}, {false, false}), "15360, Tesla T4\n[N/A], [N/A]\n");
    EXPECT_EQ(csv({"memory.total"}, {true, false}), "memory.total [MiB]\n15360\n[N/A]\n");
}

TEST(Query, KnowsFieldsOfTheMachine) {
    EXPECT_EQ(csv({"count", "driver_version"}, {false, true}), "2, 580.159.03\n2, 580.159.03\n");
}

TEST(Query, RefusesUnknownFieldsBeforeItPrints) {
    EXPECT_EQ(csv({"name", "speed_of_light"}),
              "error: Field \"speed_of_light\" is not a valid field to query; see --help-query-gpu");
    EXPECT_FALSE(query_processes(reading(), {"pid", "nonsense"}, {}));
}

TEST(Query, EveryListedFieldCanBeAsked) {
    std::istringstream lines(list_gpu_fields());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        EXPECT_TRUE(query_gpus(reading(), {line.substr(0, line.find(' '))}, {}, 0)) << line;
    EXPECT_GT(count, 45);
}

TEST(Query, Processes) {
    auto text = query_processes(reading(), {"pid", "process_name", "used_gpu_memory", "gpu_uuid"}, {});
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "pid, process_name, used_gpu_memory [MiB], gpu_uuid\n42, python3, 5 MiB, GPU-1\n");
}

TEST(Format, IsCsvWithOrWithoutMore) {
    auto format = parse_format("csv,noheader, nounits");
    ASSERT_TRUE(format);
    EXPECT_FALSE(format->header);
    EXPECT_FALSE(format->units);
    EXPECT_TRUE(parse_format("csv")->header);
    EXPECT_FALSE(parse_format("xml"));
    EXPECT_FALSE(parse_format("noheader"));
    EXPECT_FALSE(parse_format(""));
}

}  // namespace
}  // namespace bitfusion::smi
