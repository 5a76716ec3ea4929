// Hostile peers on either side: a client whose questions name what it does not have, and a server whose
// answers are not what was asked for.
#include <functional>
#include <random>

#include "nvml/lying_server.h"
#include "nvml/watching.h"
#include "nvml_groups.gen.h"
#include "session/raw_peer.h"
#include "wire/rows.h"

namespace bitfusion::nvml_test {
namespace {

using session_test::body_of;
using session_test::Bytes;
using session_test::RawClient;
using session_test::words;

// Whether a question ends the session, as it must when no client of ours would ask it.
template <typename Message>
bool ends_session(const Message& m) {
    RawClient client;
    if (!client.open()) return false;
    client.send(m);
    while (client.receive()) {
    }
    return !client.send(msg::MonitorOpen{}) || !client.receive();
}

TEST(HostileWatcher, AsksForWhatThereIsNot) {
    const auto group = [](MonitorGroup g) { return static_cast<uint32_t>(g); };
    EXPECT_TRUE(ends_session(msg::MonitorRead{kMonitorGroups, 0, 0}));
    EXPECT_TRUE(ends_session(msg::MonitorRead{~0u, 0, 0}));
    EXPECT_TRUE(ends_session(msg::MonitorRead{group(MonitorGroup::kReading), 2, 0}));
    EXPECT_TRUE(ends_session(msg::MonitorRead{group(MonitorGroup::kFacts), ~0u, 0}));
    EXPECT_TRUE(ends_session(msg::MonitorRead{group(MonitorGroup::kPair), 0, 2}));
    EXPECT_TRUE(ends_session(msg::MonitorMemory{2}));
    EXPECT_TRUE(ends_session(msg::MonitorMemory{~0u}));
    const Bytes one_short(sizeof(nvmlFieldValue_t) - 1);
    const Bytes many(sizeof(nvmlFieldValue_t) * 1025);
    const Bytes one(sizeof(nvmlFieldValue_t));
    EXPECT_TRUE(ends_session(msg::MonitorFields{0, one_short}));
    EXPECT_TRUE(ends_session(msg::MonitorFields{0, {}}));
    EXPECT_TRUE(ends_session(msg::MonitorFields{0, many}));
    EXPECT_TRUE(ends_session(msg::MonitorFields{2, one}));
    EXPECT_TRUE(ends_session(msg::MonitorClocks{2, 0}));
}

TEST(HostileWatcher, MayAskWithoutOpeningAndWithoutAContext) {
    RawClient client;
    Bytes body;
    EXPECT_EQ(client.ask(msg::MonitorRead{0, 0, 0}, &body), CUDA_SUCCESS);
    wire::Reader reader(body);
    msg::MonitorRead::Reply reply;
    reply.decode(reader);
    EXPECT_EQ(reply.result, NVML_SUCCESS);
    std::vector<wire::Row> rows;
    wire::Reader bytes(reply.rows);
    EXPECT_TRUE(wire::decode(bytes, kMonitorRows[0], &rows));
}

class HostileServer : public testing::Test {
  protected:
    void SetUp() override { session_test::quiet(); }
    void TearDown() override {
        while (nvmlShutdown() == NVML_SUCCESS) {
        }
    }
    // What a reading gives when MonitorRead is answered with these bytes.
    static nvmlReturn_t read_from(const std::function<Bytes(const wire::RequestHead&)>& answer) {
        const LyingServer server([&](const wire::RequestHead& head, const Bytes&) {
            return head.id == msg::kId_MonitorOpen ? opened(head) : answer(head);
        });
        EXPECT_EQ(nvmlInit_v2(), NVML_SUCCESS);
        nvmlDevice_t device = nullptr;
        EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_SUCCESS);
        nvmlUtilization_t rates{1, 2};
        const nvmlReturn_t result = nvmlDeviceGetUtilizationRates(device, &rates);
        EXPECT_EQ(rates.gpu * 10 + rates.memory, 12u) << "written although it failed";
        nvmlShutdown();
        return result;
    }
};

Bytes rows_reply(const wire::RequestHead& to, const Bytes& rows) {
    msg::MonitorRead::Reply reply;
    reply.rows = rows;
    return message(to, body_of(reply));
}

TEST_F(HostileServer, NamesMoreDevicesThanThereCanBe) {
    const LyingServer server([](const wire::RequestHead& head, const Bytes&) { return opened(head, 65); });
    EXPECT_EQ(nvmlInit_v2(), NVML_ERROR_GPU_IS_LOST);
}

TEST_F(HostileServer, AnswersAreNotWhatWasAsked) {
    EXPECT_EQ(read_from([](const wire::RequestHead& head) { return message(head, {}); }),
              NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(read_from([](const wire::RequestHead& head) { return rows_reply(head, {}); }),
              NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(read_from([](wire::RequestHead head) {
                  ++head.call;
                  return rows_reply(head, {});
              }),
              NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(read_from([](wire::RequestHead head) {
                  head.id = msg::kId_MonitorMemory;
                  return rows_reply(head, {});
              }),
              NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(read_from([](const wire::RequestHead& to) {
                  const wire::ReplyHead head{0xfffffff0, to.id, 0, 0, to.call};
                  return words(head);
              }),
              NVML_ERROR_GPU_IS_LOST);
}

TEST_F(HostileServer, RowsHaveOtherSizes) {
    // As many rows as there are, each longer or shorter than any function writes.
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}}) {
        wire::RowWriter rows;
        const std::vector<uint8_t> bytes(size, 0xee);
        for (size_t i = 0; i < kMonitorRows[0]; ++i) rows.row(0, {std::span<const uint8_t>(bytes)});
        EXPECT_EQ(read_from([&](const wire::RequestHead& head) { return rows_reply(head, rows.bytes()); }),
                  NVML_ERROR_GPU_IS_LOST)
            << size;
    }
    wire::RowWriter refused;
    for (size_t i = 0; i < kMonitorRows[0]; ++i) refused.row(NVML_ERROR_NOT_SUPPORTED, {});
    EXPECT_EQ(read_from([&](const wire::RequestHead& head) { return rows_reply(head, refused.bytes()); }),
              NVML_ERROR_NOT_SUPPORTED);
}

TEST_F(HostileServer, BytesWithoutSense) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 200; ++i) {
        const nvmlReturn_t result = read_from([&](const wire::RequestHead& head) {
            return rows_reply(head, session_test::random_bytes(random, random() % 2000));
        });
        EXPECT_EQ(result, NVML_ERROR_GPU_IS_LOST) << i;
    }
}

}  // namespace
}  // namespace bitfusion::nvml_test
