// Links that break: at every place of a conversation, in either direction, every call comes back with an
// error and nothing hangs; a byte that arrives wrong crashes neither side.
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class BrokenLink : public SessionTest {
  protected:
    // What a program does; stops at nothing. Kernels only where their arguments cannot be wrong.
    void run_program(bool with_kernels) {
        if (client::cuInit(0) != CUDA_SUCCESS) return;
        client::cuDevicePrimaryCtxRetain(&context_, 0);
        client::cuCtxSetCurrent(context_);
        if (client::cuMemAlloc_v2(&memory_, kBytes) != CUDA_SUCCESS) memory_ = 0;
        CUstream stream = nullptr;
        CUevent event = nullptr;
        client::cuStreamCreate(&stream, CU_STREAM_DEFAULT);
        client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING);
        std::vector<uint8_t> host(200000, 7);
        client::cuMemcpyHtoD_v2(memory_, host.data(), host.size());
        client::remote::cuMemsetD8Async(memory_, 1, 4096, stream);
        if (with_kernels && client::cuModuleLoadData(&module_, kNothing) == CUDA_SUCCESS) {
            CUfunction function = nullptr;
            if (client::cuModuleGetFunction(&function, module_, "nothing") == CUDA_SUCCESS)
                launch(function, stream, {});
        }
        client::cuEventRecord(event, stream);
        client::cuMemcpyDtoHAsync_v2(host.data(), memory_, 4, stream);
        client::cuStreamSynchronize(stream);
        client::cuMemcpyDtoH_v2(host.data(), memory_, host.size());
        client::cuEventSynchronize(event);
        client::cuEventDestroy_v2(event);
        client::cuStreamDestroy_v2(stream);
        client::cuCtxSynchronize();
        if (memory_ != 0) client::cuMemFree_v2(memory_);
        memory_ = 0;
        if (module_ != nullptr) client::cuModuleUnload(module_);
        module_ = nullptr;
        client::cuCtxSynchronize();
    }
    // Whether it ends by itself; when it waits for bytes that will not come, the link is shut under it.
    bool run_to_end(bool with_kernels) {
        std::future<void> done = std::async(std::launch::async, [&] { run_program(with_kernels); });
        if (done.wait_for(kHang) == std::future_status::ready) return true;
        server_->cut();
        done.wait();
        return false;
    }

    // After a cut nothing succeeds any more that needs the server.
    void expect_dead(uint64_t place) {
        if (client::session() == nullptr) return;  // cuInit itself has failed
        CUdeviceptr address = 0;
        uint32_t value = 0;
        EXPECT_NE(client::cuCtxSetCurrent(context_) == CUDA_SUCCESS ? client::cuCtxSynchronize()
                                                                    : CUDA_ERROR_UNKNOWN,
                  CUDA_SUCCESS)
            << "cut at byte " << place;
        EXPECT_NE(client::cuMemAlloc_v2(&address, 16), CUDA_SUCCESS) << "cut at byte " << place;
        EXPECT_NE(client::cuMemcpyDtoH_v2(&value, address, 4), CUDA_SUCCESS) << "cut at byte " << place;
        EXPECT_NE(client::cuStreamSynchronize(nullptr), CUDA_SUCCESS) << "cut at byte " << place;
        EXPECT_NE(client::cuStreamQuery(nullptr), CUDA_SUCCESS) << "cut at byte " << place;
        EXPECT_TRUE(client::session()->lost());
    }

    static constexpr char kNothing[] =
        ".version 6.4\n.target sm_52\n.address_size 64\n.visible .entry nothing() { ret; }\n";
};

constexpr int kPlaces = 60;

// Dense over the first bytes, where heads and small messages are, then spread over the rest.
uint64_t place_of(int i, uint64_t length) {
    return i < kPlaces / 2 ? static_cast<uint64_t>(i) * 37 : length * static_cast<uint64_t>(i) / kPlaces;
}

TEST_F(BrokenLink, ACutTowardsTheWorkerEndsEveryCall) {
    const auto before = client::stats().totals();
    ASSERT_TRUE(run_to_end(true));
    disconnect();
    const uint64_t length = client::stats().totals().bytes_out - before.bytes_out;
    ASSERT_GT(length, 200000u);
    for (int i = 0; i < kPlaces; ++i) {
        const uint64_t place = place_of(i, length);
        link::LoopFaults faults;
        faults.cut_after = place;
        connect(faults, Direction::kToWorker);
        ASSERT_TRUE(run_to_end(true)) << "hangs after a cut at byte " << place;
        expect_dead(place);
        disconnect();
    }
}

TEST_F(BrokenLink, ACutTowardsTheClientEndsEveryCall) {
    const auto before = client::stats().totals();
    ASSERT_TRUE(run_to_end(true));
    disconnect();
    const uint64_t length = client::stats().totals().bytes_in - before.bytes_in;
    ASSERT_GT(length, 200000u);
    for (int i = 0; i < kPlaces; ++i) {
        const uint64_t place = place_of(i, length);
        link::LoopFaults faults;
        faults.cut_after = place;
        connect(faults, Direction::kToClient);
        ASSERT_TRUE(run_to_end(true)) << "hangs after a cut at byte " << place;
        expect_dead(place);
        disconnect();
    }
}

TEST_F(BrokenLink, AServerThatGoesAwayEndsAThreadThatWaits) {
    open_device();
    // Static: the function may come to it after the test.
    static struct Gate {
        std::mutex lock;
        std::condition_variable changed;
        bool open = false;
        bool left = false;
    } gate;
    CU_OK(client::cuLaunchHostFunc(
        nullptr,
        [](void* g) {
            auto* gate = static_cast<Gate*>(g);
            std::unique_lock<std::mutex> lock(gate->lock);
            gate->changed.wait(lock, [&] { return gate->open; });
            gate->left = true;
            gate->changed.notify_all();
        },
        &gate));
    client::session()->flush();
    std::vector<std::future<CUresult>> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.push_back(std::async(std::launch::async, [&] {
            client::cuCtxSetCurrent(context_);
            return client::cuStreamSynchronize(nullptr);
        }));
    }
    server_->cut();
    for (auto& thread : waiting) {
        ASSERT_EQ(thread.wait_for(kHang), std::future_status::ready);
        EXPECT_EQ(thread.get(), CUDA_ERROR_DEVICE_UNAVAILABLE);
    }
    EXPECT_NE(server_->wait_for_end(), "") << "the worker stays although its client is gone";
    // The function may not have begun before the cut; then it never does.
    std::unique_lock<std::mutex> lock(gate.lock);
    gate.open = true;
    gate.changed.notify_all();
    gate.changed.wait_for(lock, std::chrono::seconds(1), [&] { return gate.left; });
}

// A wrong byte may make either side wait for more than comes; the session is then ended from outside, as a
// broken connection would be. Nothing may crash, and what the worker charged comes back.
class WrongByte : public BrokenLink, public testing::WithParamInterface<Direction> {
  protected:
    void run(uint64_t place) {
        std::future<void> done = std::async(std::launch::async, [&] { run_program(false); });
        if (done.wait_for(std::chrono::milliseconds(1500)) == std::future_status::ready) return;
        server_->rescue();
        server_->cut();
        ASSERT_EQ(done.wait_for(kHang), std::future_status::ready) << "hangs after a wrong byte at " << place;
    }
};

TEST_P(WrongByte, CrashesNobody) {
    const auto before = client::stats().totals();
    run(link::kNever);
    disconnect();
    const auto after = client::stats().totals();
    const bool to_worker = GetParam() == Direction::kToWorker;
    const uint64_t length = to_worker ? after.bytes_out - before.bytes_out : after.bytes_in - before.bytes_in;
    for (int i = 0; i < kPlaces; ++i) {
        link::LoopFaults faults;
        // Every place of the first heads counts; the first answer (the devices) is long.
        faults.corrupt_at =
            i < kPlaces / 2 ? static_cast<uint64_t>(i) * 3 : length * static_cast<uint64_t>(i) / kPlaces;
        connect(faults, GetParam());
        run(faults.corrupt_at);
        disconnect();
    }
}

INSTANTIATE_TEST_SUITE_P(Towards, WrongByte, testing::Values(Direction::kToWorker, Direction::kToClient),
                         [](const auto& direction) {
                             return direction.param == Direction::kToWorker ? "Worker" : "Client";
                         });

}  // namespace
}  // namespace bitfusion::session_test
