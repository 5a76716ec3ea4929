// Lists in snapshots, on both sides. Expectations: NVIDIA, "NVML API Reference",
// nvmlDeviceGetSupportedMemoryClocks and nvmlDeviceGetRetiredPages_v2.
#include <algorithm>

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
        if (head.id == msg::kId_MonitorClocks) {
            msg::MonitorClocks::Reply reply;
            reply.clocks = row_;
            return message(head, body_of(reply));
        }
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
    const OneAnswer other(Bytes(7));
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(other.device, 2619, &count, clocks),
              NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(count, 4u);
    EXPECT_EQ(clocks[0], 7u);
}

// A driver with clocks: two of memory, and three of graphics with the first of them.
class DriverWithClocks : public Watching {
  protected:
    DriverWithClocks() {
        session_test::changed_management() = [](ManagementTable* driver) {
            driver->nvmlDeviceGetSupportedMemoryClocks = [](nvmlDevice_t, unsigned* count, unsigned* clocks) {
                return put({2619, 1593}, count, clocks);
            };
            driver->nvmlDeviceGetSupportedGraphicsClocks = [](nvmlDevice_t, unsigned memory, unsigned* count,
                                                              unsigned* clocks) {
                return memory == 2619 ? put({1980, 1965, 1950}, count, clocks) : NVML_ERROR_NOT_FOUND;
            };
        };
    }
    ~DriverWithClocks() override { session_test::changed_management() = nullptr; }

  private:
    static nvmlReturn_t put(std::initializer_list<unsigned> list, unsigned* count, unsigned* clocks) {
        const bool fits = list.size() <= *count;
        *count = static_cast<unsigned>(list.size());
        if (!fits) return NVML_ERROR_INSUFFICIENT_SIZE;
        std::copy(list.begin(), list.end(), clocks);
        return NVML_SUCCESS;
    }
};

TEST_F(DriverWithClocks, TheirListsTravelAsLongAsTheyAre) {
    unsigned clocks[8] = {};
    unsigned count = 8;
    ASSERT_EQ(nvmlDeviceGetSupportedMemoryClocks(device_, &count, clocks), NVML_SUCCESS);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(clocks[1], 1593u);
    count = 3;
    ASSERT_EQ(nvmlDeviceGetSupportedGraphicsClocks(second_, 2619, &count, clocks), NVML_SUCCESS);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(clocks[2], 1950u);
    count = 2;
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(device_, 2619, &count, clocks),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(device_, 7, &count, clocks), NVML_ERROR_NOT_FOUND);
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(device_, 2619, nullptr, clocks),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(device_, 2619, &count, nullptr),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(nullptr, 2619, &count, clocks),
              NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, TheSoftwareGpuHasNoClocks) {
    unsigned clock = 0;
    unsigned count = 1;
    EXPECT_EQ(nvmlDeviceGetSupportedMemoryClocks(device_, &count, &clock), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlDeviceGetSupportedGraphicsClocks(device_, 1, &count, &clock), NVML_ERROR_NOT_SUPPORTED);
}

}  // namespace
}  // namespace bitfusion::nvml_test
