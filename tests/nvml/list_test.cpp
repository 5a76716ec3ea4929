// Lists in snapshots, on both sides. Expectations: NVIDIA, "NVML API Reference",
// nvmlDeviceGetSupportedMemoryClocks and nvmlDeviceGetRetiredPages_v2.
#include <algorithm>

#include "monitor_rows.gen.h"
#include "nvml/lying_server.h"
#include "nvml/watching.h"
#include "wire/rows.h"

namespace bitfusion::nvml_test {
namespace {

// A server all of whose rows have the same bytes.
class OneAnswer {
  public:
    explicit OneAnswer(Bytes row) : row_(std::move(row)) {
        EXPECT_EQ(nvmlInit_v2(), NVML_SUCCESS);
        EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_SUCCESS);
    }
    ~OneAnswer() { nvmlShutdown(); }
    OneAnswer(const OneAnswer&) = delete;
    OneAnswer& operator=(const OneAnswer&) = delete;

    nvmlDevice_t device = nullptr;

  private:
    Bytes answer(const wire::RequestHead& head, const Bytes& body) const {
        if (head.id == msg::kId_MonitorOpen) return opened(head);
        wire::Reader reader(body);
        msg::MonitorRead asked;
        asked.decode(reader);
        wire::RowWriter rows;
        for (size_t i = 0; i < kMonitorRows[asked.group]; ++i) rows.row(0, {std::span<const uint8_t>(row_)});
        msg::MonitorRead::Reply reply;
        reply.rows = rows.bytes();
        return message(head, body_of(reply));
    }

    const Bytes row_;
    const LyingServer server_{
        [this](const wire::RequestHead& head, const Bytes& body) { return answer(head, body); }};
};

TEST(Lists, AreCopiedWhereThereIsRoom) {
    const OneAnswer server(session_test::words(2619u, 1593u, 0u));
    unsigned clocks[4] = {7, 7, 7, 7};
    unsigned count = 4;
    ASSERT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, clocks), NVML_SUCCESS);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(clocks[0], 2619u);
    EXPECT_EQ(clocks[1], 1593u);
    EXPECT_EQ(clocks[3], 7u);
    clocks[0] = 7;
    count = 2;
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, clocks),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(count, 3u) << "the number of required elements";
    EXPECT_EQ(clocks[0], 7u);
    count = 0;
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, nullptr),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, nullptr),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, nullptr, clocks),
              NVML_ERROR_INVALID_ARGUMENT);
}

TEST(Lists, OfOneNumberLieOneBehindTheOther) {
    const OneAnswer server(session_test::words(uint64_t{11}, uint64_t{12}, uint64_t{21}, uint64_t{22}));
    unsigned long long addresses[2] = {};
    unsigned long long times[2] = {};
    unsigned count = 2;
    const auto cause = static_cast<nvmlPageRetirementCause_t>(1);
    ASSERT_EQ(nvmlDeviceGetRetiredPages_v2(server.device, cause, &count, addresses, times), NVML_SUCCESS);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(addresses[1], 12u);
    EXPECT_EQ(times[0], 21u);
    EXPECT_EQ(nvmlDeviceGetRetiredPages_v2(server.device, cause, &count, addresses, nullptr),
              NVML_ERROR_INVALID_ARGUMENT);
    const auto no_cause = static_cast<nvmlPageRetirementCause_t>(2);
    EXPECT_EQ(nvmlDeviceGetRetiredPages_v2(server.device, no_cause, &count, addresses, times),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetRetiredPages(server.device, cause, &count, addresses),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(count, 4u);
}

TEST(Lists, MayBeEmpty) {
    const OneAnswer server({});
    unsigned count = 0;
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, nullptr), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
}

TEST(Lists, WithPartsOfElementsEndTheSession) {
    session_test::quiet();
    const OneAnswer server(Bytes(7));
    unsigned clocks[4] = {7, 7, 7, 7};
    unsigned count = 4;
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(server.device, &count, clocks), NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(count, 4u);
    EXPECT_EQ(clocks[0], 7u);
}

TEST(Lists, OfTheDriverTravelAsLongAsTheyAre) {
    ManagementTable driver;
    driver.nvmlDeviceGetSupportedMemoryClocks = [](nvmlDevice_t, unsigned* count, unsigned* clocks) {
        if (*count < 2) return NVML_ERROR_INSUFFICIENT_SIZE;
        *count = 2;
        clocks[0] = 2619;
        clocks[1] = 1593;
        return NVML_SUCCESS;
    };
    wire::RowWriter writer;
    worker::read_rows(driver, MonitorGroup::kFacts, nullptr, nullptr, &writer);
    wire::Reader reader(writer.bytes());
    std::vector<wire::Row> rows;
    ASSERT_TRUE(wire::decode(reader, kMonitorRows[static_cast<size_t>(MonitorGroup::kFacts)], &rows));
    EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.result == 0; }), 1);
    const auto found =
        std::find_if(rows.begin(), rows.end(), [](const auto& row) { return row.result == 0; });
    ASSERT_NE(found, rows.end());
    EXPECT_EQ(found->bytes, session_test::words(2619u, 1593u));
}

}  // namespace
}  // namespace bitfusion::nvml_test
