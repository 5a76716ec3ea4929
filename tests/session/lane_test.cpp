// Large copies over lanes: what travels where, exactly; the order of copies and of what stands around them;
// and what happens when a lane cannot be opened, or breaks.
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "client/memory_map.h"
#include "session/lane_peer.h"
#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kMiB = 1u << 20;
constexpr size_t kPieceHead = 32;

// A link that receives nothing until its gate opens.
class Gated : public link::Link {
  public:
    Gated(std::unique_ptr<link::Link> inner, std::shared_future<void> gate)
        : inner_(std::move(inner)), gate_(std::move(gate)) {}
    Status send(std::span<const iovec> pieces) override { return inner_->send(pieces); }
    Result<link::Received> receive(void* target, size_t bytes, link::Wait wait) override {
        if (greeted_) gate_.wait();
        greeted_ = true;
        return inner_->receive(target, bytes, wait);
    }
    int wait_descriptor() const override { return inner_->wait_descriptor(); }
    void shut() override { inner_->shut(); }
    void leave_to_parent() override { inner_->leave_to_parent(); }

  private:
    std::unique_ptr<link::Link> inner_;
    std::shared_future<void> gate_;
    bool greeted_ = false;
};

class LaneTest : public SessionTest {
  protected:
    void SetUp() override {
        client::stats().enable("session_tests");
        client::trust_addresses();
    }
    // Over sockets, whatever the other tests run over: between processes that share memory there are none.
    void connect(size_t lanes, client::OpenLane open = {}) {
        disconnect();
        hall_ = std::make_unique<LaneHall>();
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        server_ = std::make_unique<Server>(link::over_socket(ends[1]), soft_driver(), hall_->door());
        client::use_link(link::over_socket(ends[0]), lanes, open ? std::move(open) : hall_->opener());
        open_device();
        CU_OK(client::cuMemAlloc_v2(&large_, kLarge));
    }
    void TearDown() override {
        if (large_ != 0 && client::session() != nullptr) client::cuMemFree_v2(large_);
        SessionTest::TearDown();
    }
    static std::vector<uint8_t> pattern(size_t bytes, unsigned seed) {
        std::vector<uint8_t> made(bytes);
        for (size_t i = 0; i < bytes; i += 8) {
            const uint64_t word = (i + seed) * 0x9e3779b97f4a7c15u;
            memcpy(made.data() + i, &word, std::min<size_t>(8, bytes - i));
        }
        return made;
    }
    static client::Stats::Totals travelled(const std::function<void()>& program) {
        const client::Stats::Totals before = client::stats().totals();
        program();
        client::Stats::Totals after = client::stats().totals();
        after.posted -= before.posted;
        after.round_trips -= before.round_trips;
        after.bytes_out -= before.bytes_out;
        after.bytes_in -= before.bytes_in;
        after.lane_pieces -= before.lane_pieces;
        after.lane_bytes -= before.lane_bytes;
        return after;
    }
    // The lanes are open.
    void warm_up() {
        std::vector<uint8_t> host(client::Lanes::kFrom);
        CU_OK(client::cuMemcpyHtoD_v2(large_, host.data(), host.size()));
        CU_OK(client::cuCtxSynchronize());
    }

    static constexpr size_t kLarge = 96 * kMiB;
    std::unique_ptr<LaneHall> hall_;
    CUdeviceptr large_ = 0;
};

TEST_F(LaneTest, LargeCopiesTravelOverThemAndSmallOnesDoNot) {
    connect(4);
    const std::vector<uint8_t> sent = pattern(40 * kMiB, 1);
    std::vector<uint8_t> back(sent.size());
    const auto small = travelled([&] {
        CU_OK(client::cuMemcpyHtoD_v2(large_, sent.data(), client::Lanes::kFrom - 1));
        CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, client::Lanes::kFrom - 1));
    });
    EXPECT_EQ(small.lane_pieces, 0u);
    warm_up();
    const auto in = travelled([&] { CU_OK(client::cuMemcpyHtoD_v2(large_, sent.data(), sent.size())); });
    EXPECT_EQ(in.posted, 3u) << "groups of 16 MiB";
    EXPECT_EQ(in.round_trips, 0u);
    EXPECT_EQ(in.lane_pieces, 24u) << "of 2 MiB, and of 1 MiB in the last group";
    EXPECT_EQ(in.lane_bytes, sent.size() + 24 * kPieceHead);
    EXPECT_EQ(in.bytes_out - in.lane_bytes, 3u * (16 + 32));
    const auto out = travelled([&] { CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, back.size())); });
    EXPECT_EQ(out.round_trips, 1u);
    EXPECT_EQ(out.posted, 0u);
    EXPECT_EQ(out.lane_pieces, 20u) << "of 2 MiB, in groups of 8 MiB";
    EXPECT_EQ(out.lane_bytes, back.size() + 20 * kPieceHead);
    EXPECT_EQ(out.bytes_in - out.lane_bytes, 5u * (16 + 12));
    EXPECT_EQ(back, sent);
}

TEST_F(LaneTest, OddSizesAndPlacesComeWhole) {
    connect(3);
    for (const size_t bytes : {4 * kMiB, 4 * kMiB + 1, 16 * kMiB - 1, 16 * kMiB + 3, 33 * kMiB + 12345}) {
        const std::vector<uint8_t> sent = pattern(bytes, static_cast<unsigned>(bytes));
        std::vector<uint8_t> back(bytes + 2, 0xee);
        CU_OK(client::cuMemcpyHtoD_v2(large_ + 5, sent.data(), bytes));
        CU_OK(client::cuMemcpyDtoH_v2(back.data() + 1, large_ + 5, bytes));
        EXPECT_EQ(back.front(), 0xee);
        EXPECT_EQ(back.back(), 0xee);
        EXPECT_EQ(memcmp(back.data() + 1, sent.data(), bytes), 0) << bytes;
    }
}

// What a program writes again at once has been read; what it launches behind a copy sees the copy.
TEST_F(LaneTest, CopiesAndLaunchesKeepTheirOrder) {
    connect(4);
    constexpr size_t kBytes = 8 * kMiB;
    std::vector<uint32_t> host(kBytes / 4);
    std::vector<uint32_t> pinned_in(kBytes / 4);
    std::vector<uint32_t> pinned_out(kBytes / 4);
    CU_OK(client::cuMemHostRegister_v2(pinned_in.data(), kBytes, 0));
    CU_OK(client::cuMemHostRegister_v2(pinned_out.data(), kBytes, 0));
    CUstream stream = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (uint32_t round = 1; round <= 6; ++round) {
        std::fill(host.begin(), host.end(), round);
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_, host.data(), kBytes, stream));
        std::fill(host.begin(), host.end(), 0xdeadbeef);
        CU_OK(add_one(large_, 4096, stream));
        std::fill(pinned_in.begin(), pinned_in.end(), 1000 * round);
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_ + kBytes, pinned_in.data(), kBytes, stream));
        CU_OK(add_one(large_ + kBytes, 4096, stream));
        CU_OK(client::cuMemcpyDtoHAsync_v2(pinned_out.data(), large_ + kBytes, kBytes, stream));
        CU_OK(client::remote::cuMemsetD8Async(large_ + kBytes, 0x77, kBytes, stream));
        std::vector<uint32_t> back(kBytes / 4);
        CU_OK(client::cuMemcpyDtoHAsync_v2(back.data(), large_, kBytes, stream));  // returns with its data
        EXPECT_EQ(std::accumulate(back.begin(), back.end(), uint64_t{0}),
                  uint64_t{round} * (kBytes / 4) + 4096)
            << round;
        CU_OK(client::cuStreamSynchronize(stream));
        EXPECT_EQ(std::accumulate(pinned_out.begin(), pinned_out.end(), uint64_t{0}),
                  uint64_t{1000} * round * (kBytes / 4) + 4096)
            << round;
    }
    EXPECT_GT(client::stats().totals().lane_pieces, 0u);
    CU_OK(client::cuMemHostUnregister(pinned_in.data()));
    CU_OK(client::cuMemHostUnregister(pinned_out.data()));
}

TEST_F(LaneTest, ACompletionDoesNotOvertakeDataOnALane) {
    std::promise<void> opening;
    const std::shared_future<void> gate = opening.get_future().share();
    LaneHall* hall = nullptr;
    connect(1, [&](const wire::LaneKey& key) -> Result<std::unique_ptr<link::Link>> {
        return std::make_unique<Gated>(hall_->connect(key), gate);
    });
    hall = hall_.get();
    ASSERT_NE(hall, nullptr);
    constexpr size_t kBytes = 4 * kMiB;
    std::vector<uint8_t> pinned(kBytes, 1);
    CU_OK(client::cuMemHostRegister_v2(pinned.data(), kBytes, 0));
    CU_OK(client::remote::cuMemsetD8Async(large_, 0x5a, kBytes, nullptr));
    CU_OK(client::cuCtxSynchronize());
    const uint64_t before = client::stats().totals().bytes_in;
    CU_OK(client::cuMemcpyDtoHAsync_v2(pinned.data(), large_, kBytes, nullptr));
    std::future<CUresult> synchronised = std::async(std::launch::async, [&] {
        client::cuCtxSetCurrent(context_);
        return client::cuStreamSynchronize(nullptr);
    });
    // The worker has said that it sent everything: a head, the ticket, the number of bytes.
    while (client::stats().totals().bytes_in < before + 32 &&
           synchronised.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    }
    EXPECT_NE(synchronised.wait_for(std::chrono::milliseconds(20)), std::future_status::ready);
    opening.set_value();
    EXPECT_EQ(synchronised.get(), CUDA_SUCCESS);
    EXPECT_EQ(pinned, std::vector<uint8_t>(kBytes, 0x5a));
    CU_OK(client::cuMemHostUnregister(pinned.data()));
}

TEST_F(LaneTest, BothWaysAtOnceFromManyThreads) {
    connect(4);
    constexpr int kThreads = 4;
    constexpr size_t kBytes = 20 * kMiB;
    std::vector<std::future<int>> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.push_back(std::async(std::launch::async, [&, t] {
            int wrong = client::cuCtxSetCurrent(context_) == CUDA_SUCCESS ? 0 : 1;
            CUstream stream = nullptr;
            wrong += client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS ? 0 : 1;
            const CUdeviceptr mine = large_ + static_cast<size_t>(t) * kBytes;
            for (unsigned round = 0; round < 2; ++round) {
                const std::vector<uint8_t> sent = pattern(kBytes, round * 100 + static_cast<unsigned>(t));
                std::vector<uint8_t> back(kBytes);
                wrong +=
                    client::cuMemcpyHtoDAsync_v2(mine, sent.data(), kBytes, stream) == CUDA_SUCCESS ? 0 : 1;
                wrong +=
                    client::cuMemcpyDtoHAsync_v2(back.data(), mine, kBytes, stream) == CUDA_SUCCESS ? 0 : 1;
                wrong += back == sent ? 0 : 1;
            }
            return wrong;
        }));
    }
    for (auto& thread : threads) EXPECT_EQ(thread.get(), 0);
}

// The first copy in is not finished when the copy out, on another stream, begins.
TEST_F(LaneTest, PinnedBothWaysAtOnce) {
    connect(2);
    constexpr size_t kBytes = 40 * kMiB;
    std::vector<uint8_t> up = pattern(kBytes, 3);
    std::vector<uint8_t> down(kBytes);
    CU_OK(client::cuMemHostRegister_v2(up.data(), kBytes, 0));
    CU_OK(client::cuMemHostRegister_v2(down.data(), kBytes, 0));
    CUstream first = nullptr;
    CUstream second = nullptr;
    CU_OK(client::cuStreamCreate(&first, CU_STREAM_NON_BLOCKING));
    CU_OK(client::cuStreamCreate(&second, CU_STREAM_NON_BLOCKING));
    CU_OK(client::remote::cuMemsetD8Async(large_ + 48 * kMiB, 0x21, kBytes, second));
    for (int round = 0; round < 2; ++round) {
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_, up.data(), kBytes, first));
        CU_OK(client::cuMemcpyDtoHAsync_v2(down.data(), large_ + 48 * kMiB, kBytes, second));
        CU_OK(client::cuStreamSynchronize(second));
        EXPECT_EQ(down, std::vector<uint8_t>(kBytes, 0x21));
        CU_OK(client::cuStreamSynchronize(first));
    }
    CU_OK(client::cuMemHostUnregister(down.data()));
    std::vector<uint8_t> back(kBytes);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, kBytes));
    EXPECT_EQ(back, up);
    CU_OK(client::cuMemHostUnregister(up.data()));
}

// Its pages may go as soon as the call returns: nothing may still read them.
TEST_F(LaneTest, PinnedMemoryIsReadBeforeItIsFreed) {
    connect(4);
    constexpr size_t kBytes = 32 * kMiB;
    void* pinned = nullptr;
    CU_OK(client::cuMemHostAlloc(&pinned, kBytes, 0));
    const std::vector<uint8_t> sent = pattern(kBytes, 5);
    memcpy(pinned, sent.data(), kBytes);
    CU_OK(client::cuMemcpyHtoDAsync_v2(large_, pinned, kBytes, nullptr));
    CU_OK(client::cuMemFreeHost(pinned));
    std::vector<uint8_t> back(kBytes);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, kBytes));
    EXPECT_EQ(back, sent);
}

// A host function of the program holds the stream up, and with it every buffer that the copies need.
TEST_F(LaneTest, CopiesBehindAHostFunctionWaitForItAndNothingElseDoes) {
    connect(2);
    constexpr size_t kBytes = 48 * kMiB;
    std::vector<uint8_t> up = pattern(kBytes, 7);
    CU_OK(client::cuMemHostRegister_v2(up.data(), kBytes, 0));
    CUstream stream = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    std::promise<void> opening;
    std::shared_future<void> gate = opening.get_future().share();
    CU_OK(client::cuLaunchHostFunc(
        stream, [](void* held) { static_cast<std::shared_future<void>*>(held)->wait(); }, &gate));
    CU_OK(client::cuMemcpyHtoDAsync_v2(large_, up.data(), kBytes, stream));
    CU_OK(add_one(memory_, 1, nullptr));
    uint32_t word = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&word, memory_, sizeof word));
    EXPECT_EQ(word, 1u);
    EXPECT_EQ(client::cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    opening.set_value();
    CU_OK(client::cuStreamSynchronize(stream));
    std::vector<uint8_t> back(kBytes);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, kBytes));
    EXPECT_EQ(back, up);
    CU_OK(client::cuMemHostUnregister(up.data()));
}

TEST_F(LaneTest, AnEarlierErrorIsToldToTheProgram) {
    connect(2);
    CUevent event = nullptr;
    CU_OK(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    CU_OK(client::cuEventDestroy_v2(event));
    CU_OK(client::cuStreamWaitEvent(nullptr, event, 0));  // posted, and refused
    std::vector<uint8_t> host(8 * kMiB);
    EXPECT_EQ(client::cuMemcpyDtoH_v2(host.data(), large_, host.size()), CUDA_ERROR_INVALID_HANDLE);
    CU_OK(client::cuMemcpyDtoH_v2(host.data(), large_, host.size()));
}

TEST_F(LaneTest, WithoutALaneCopiesGoTheOrdinaryWay) {
    connect(4, [](const wire::LaneKey&) -> Result<std::unique_ptr<link::Link>> { return fail("no way"); });
    const std::vector<uint8_t> sent = pattern(12 * kMiB, 9);
    std::vector<uint8_t> back(sent.size());
    const auto both = travelled([&] {
        CU_OK(client::cuMemcpyHtoD_v2(large_, sent.data(), sent.size()));
        CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, back.size()));
    });
    EXPECT_EQ(both.lane_pieces, 0u);
    EXPECT_EQ(back, sent);
    EXPECT_FALSE(client::session()->lost());
}

TEST_F(LaneTest, SomeLanesAreEnough) {
    std::atomic<int> asked{0};
    connect(4, [&](const wire::LaneKey& key) -> Result<std::unique_ptr<link::Link>> {
        if (asked++ % 2 == 0) return fail("no way");
        return hall_->connect(key);
    });
    const std::vector<uint8_t> sent = pattern(12 * kMiB, 11);
    std::vector<uint8_t> back(sent.size());
    const auto both = travelled([&] {
        CU_OK(client::cuMemcpyHtoD_v2(large_, sent.data(), sent.size()));
        CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, back.size()));
    });
    EXPECT_GE(both.lane_bytes, 2 * sent.size());
    EXPECT_EQ(back, sent);
}

// A network that takes one connection away: calls end with an error, on both sides.
TEST_F(LaneTest, ALaneThatBreaksEndsTheSession) {
    for (const bool to_device : {true, false}) {
        std::atomic<link::Link*> last{nullptr};
        connect(2, [&](const wire::LaneKey& key) -> Result<std::unique_ptr<link::Link>> {
            auto made = hall_->connect(key);
            last = made.get();
            return made;
        });
        warm_up();
        ASSERT_NE(last.load(), nullptr);
        last.load()->shut();
        std::vector<uint8_t> host(64 * kMiB);
        std::future<CUresult> copied = std::async(std::launch::async, [&] {
            client::cuCtxSetCurrent(context_);
            CUresult result = CUDA_SUCCESS;
            while (result == CUDA_SUCCESS) {
                result = to_device ? client::cuMemcpyHtoD_v2(large_, host.data(), host.size())
                                   : client::cuMemcpyDtoH_v2(host.data(), large_, host.size());
            }
            return result;
        });
        ASSERT_EQ(copied.wait_for(kHang), std::future_status::ready);
        EXPECT_EQ(copied.get(), CUDA_ERROR_DEVICE_UNAVAILABLE);
        EXPECT_TRUE(client::session()->lost());
        large_ = 0;
    }
}

}  // namespace
}  // namespace bitfusion::session_test
