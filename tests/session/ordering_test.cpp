// Order and independence: what one thread waits for does not stop another, and an answer never overtakes the
// data that it covers.
#include <cstring>
#include <thread>
#include <vector>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class Ordering : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        open_device();
        CU_OK(client::cuStreamCreate(&blocked_, CU_STREAM_NON_BLOCKING));
        CU_OK(client::cuStreamCreate(&free_, CU_STREAM_NON_BLOCKING));
    }
    void TearDown() override {
        open_gate();
        SessionTest::TearDown();
    }
    void open_gate() {
        if (!opened_) gate_.set_value();
        opened_ = true;
    }
    // Puts a host function on the stream that waits for open_gate().
    void block(CUstream stream) {
        CU_OK(client::cuLaunchHostFunc(
            stream, [](void* gate) { static_cast<std::shared_future<void>*>(gate)->wait(); }, &gate_opened_));
    }
    // Runs the program on a thread; when it does not end in time, opens the gate, frees the worker and fails.
    void ends(const char* what, const std::function<void()>& program) {
        std::future<void> done = std::async(std::launch::async, [&] {
            EXPECT_EQ(client::cuCtxSetCurrent(context_), CUDA_SUCCESS);
            program();
        });
        if (done.wait_for(kShort) == std::future_status::ready) return;
        ADD_FAILURE() << what << " does not end while a host function runs";
        open_gate();
        if (done.wait_for(kShort) != std::future_status::ready) server_->rescue();
        done.wait();
    }

    static constexpr std::chrono::seconds kShort{15};
    std::promise<void> gate_;
    std::shared_future<void> gate_opened_ = gate_.get_future().share();
    bool opened_ = false;
    CUstream blocked_ = nullptr;
    CUstream free_ = nullptr;
};

TEST_F(Ordering, AWaitingThreadDoesNotStopLaunchesOfAnother) {
    block(blocked_);
    std::future<CUresult> waiting = std::async(std::launch::async, [&] {
        client::cuCtxSetCurrent(context_);
        return client::cuStreamSynchronize(blocked_);
    });
    ends("a launch and a query loop", [&] {
        for (int i = 0; i < 100; ++i) ASSERT_EQ(add_one(memory_, 1, free_), CUDA_SUCCESS);
        CUresult state = CUDA_ERROR_NOT_READY;
        while (state == CUDA_ERROR_NOT_READY) {
            std::this_thread::yield();
            state = client::cuStreamQuery(free_);
        }
        EXPECT_EQ(state, CUDA_SUCCESS);
    });
    open_gate();
    EXPECT_EQ(waiting.get(), CUDA_SUCCESS);
}

TEST_F(Ordering, AWaitingThreadDoesNotHoldUpTheAnswersOfAnother) {
    block(blocked_);
    std::promise<void> begun;
    std::future<CUresult> waiting = std::async(std::launch::async, [&] {
        client::cuCtxSetCurrent(context_);
        begun.set_value();
        return client::cuStreamSynchronize(blocked_);
    });
    begun.get_future().wait();
    // Each read needs an answer; whoever receives meanwhile must hand it over.
    ends("a read", [&] {
        for (uint32_t i = 1; i <= 200; ++i) {
            uint32_t value = 0;
            ASSERT_EQ(add_one(memory_, 1, free_), CUDA_SUCCESS);
            ASSERT_EQ(client::cuMemcpyDtoHAsync_v2(&value, memory_, sizeof value, free_), CUDA_SUCCESS);
            ASSERT_EQ(value, i);
        }
    });
    open_gate();
    EXPECT_EQ(waiting.get(), CUDA_SUCCESS);
}

TEST_F(Ordering, ReadsOfSeveralThreadsReachTheirOwners) {
    std::vector<std::future<bool>> threads;
    for (uint32_t t = 0; t < 4; ++t) {
        threads.push_back(std::async(std::launch::async, [this, t] {
            if (client::cuCtxSetCurrent(context_) != CUDA_SUCCESS) return false;
            const CUdeviceptr place = memory_ + t * 65536;
            for (uint32_t i = 0; i < 200; ++i) {
                const std::vector<uint32_t> sent(i % 16 == 0 ? 16000 : 1, t << 16 | i);
                std::vector<uint32_t> back(sent.size());
                const size_t bytes = sent.size() * sizeof sent[0];
                if (client::cuMemcpyHtoD_v2(place, sent.data(), bytes) != CUDA_SUCCESS ||
                    client::cuMemcpyDtoH_v2(back.data(), place, bytes) != CUDA_SUCCESS || back != sent)
                    return false;
            }
            return true;
        }));
    }
    for (auto& thread : threads) EXPECT_TRUE(thread.get());
}

TEST_F(Ordering, FreeingMemoryWhileAHostFunctionRunsEnds) {
    CUdeviceptr block_of_memory = 0;
    CU_OK(client::cuMemAlloc_v2(&block_of_memory, 4096));
    block(blocked_);
    ends("cuMemFree and a read", [&] {
        uint32_t value = 0;
        EXPECT_EQ(client::cuMemFree_v2(block_of_memory), CUDA_SUCCESS);
        EXPECT_EQ(client::cuMemcpyDtoHAsync_v2(&value, memory_, sizeof value, free_), CUDA_SUCCESS);
    });
    open_gate();
    CU_OK(client::cuStreamSynchronize(blocked_));
}

TEST_F(Ordering, ALargeReadBehindAHostFunctionDoesNotStopTheWorker) {
    CUdeviceptr large = 0;
    constexpr size_t kLarge = 100u << 20;  // more than the worker can stage at once
    CU_OK(client::cuMemAlloc_v2(&large, kLarge));
    CU_OK(client::remote::cuMemsetD8Async(large, 0x21, kLarge, nullptr));
    CU_OK(client::cuCtxSynchronize());
    void* pinned = nullptr;
    CU_OK(client::cuMemHostAlloc(&pinned, kLarge, 0));
    block(blocked_);
    CU_OK(client::cuMemcpyDtoHAsync_v2(pinned, large, kLarge, blocked_));
    ends("work on another stream", [&] {
        uint32_t value = 0;
        EXPECT_EQ(client::cuMemcpyDtoHAsync_v2(&value, memory_, sizeof value, free_), CUDA_SUCCESS);
    });
    open_gate();
    ends("the copy itself", [&] { EXPECT_EQ(client::cuStreamSynchronize(blocked_), CUDA_SUCCESS); });
    EXPECT_EQ(static_cast<uint8_t*>(pinned)[kLarge - 1], 0x21);
    CU_OK(client::cuMemFreeHost(pinned));
    CU_OK(client::cuMemFree_v2(large));
}

TEST_F(Ordering, ALargeWriteBehindAHostFunctionDoesNotStopTheWorker) {
    CUdeviceptr large = 0;
    constexpr size_t kLarge = 100u << 20;
    CU_OK(client::cuMemAlloc_v2(&large, kLarge));
    void* pinned = nullptr;
    CU_OK(client::cuMemHostAlloc(&pinned, kLarge, 0));
    memset(pinned, 0x33, kLarge);
    block(blocked_);
    ends("a copy from pinned memory",
         [&] { EXPECT_EQ(client::cuMemcpyHtoDAsync_v2(large, pinned, kLarge, blocked_), CUDA_SUCCESS); });
    open_gate();
    ends("the copy itself", [&] { EXPECT_EQ(client::cuStreamSynchronize(blocked_), CUDA_SUCCESS); });
    uint8_t last = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&last, large + kLarge - 1, 1));
    EXPECT_EQ(last, 0x33);
    CU_OK(client::cuMemFreeHost(pinned));
    CU_OK(client::cuMemFree_v2(large));
}

TEST_F(Ordering, DataInPinnedMemoryAreThereWhenAQuerySaysSo) {
    void* pinned = nullptr;
    CU_OK(client::cuMemHostAlloc(&pinned, 12u << 20, 0));
    CUdeviceptr source = 0;
    CU_OK(client::cuMemAlloc_v2(&source, 12u << 20));
    CUevent event = nullptr;
    CU_OK(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    auto* bytes = static_cast<uint8_t*>(pinned);
    EXPECT_EQ(round_trips([&] {
                  for (int i = 1; i <= 60; ++i) {
                      const size_t size = i % 10 == 0 ? 12u << 20 : size_t{4} << (i % 10);
                      const auto value = static_cast<uint8_t>(i);
                      memset(pinned, 0, size);
                      ASSERT_EQ(client::remote::cuMemsetD8Async(source, value, size, free_), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuMemcpyDtoHAsync_v2(pinned, source, size, free_), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuEventRecord(event, free_), CUDA_SUCCESS);
                      CUresult state = CUDA_ERROR_NOT_READY;
                      while (state == CUDA_ERROR_NOT_READY) {
                          std::this_thread::yield();
                          state = client::cuEventQuery(event);
                      }
                      ASSERT_EQ(state, CUDA_SUCCESS);
                      ASSERT_EQ(bytes[0], value) << i;
                      ASSERT_EQ(memcmp(bytes, bytes + 1, size - 1), 0) << i;
                  }
              }),
              0u);
    CU_OK(client::cuEventDestroy_v2(event));
    CU_OK(client::cuMemFreeHost(pinned));
    CU_OK(client::cuMemFree_v2(source));
}

TEST_F(Ordering, DataInPinnedMemoryAreThereWhenAStreamQuerySaysSo) {
    void* pinned = nullptr;
    CU_OK(client::cuMemHostAlloc(&pinned, 65536, 0));
    for (int i = 1; i <= 60; ++i) {
        memset(pinned, 0, 65536);
        CU_OK(client::remote::cuMemsetD8Async(memory_, static_cast<uint8_t>(i), 65536, free_));
        CU_OK(client::cuMemcpyDtoHAsync_v2(pinned, memory_, 65536, free_));
        CUresult state = CUDA_ERROR_NOT_READY;
        while (state == CUDA_ERROR_NOT_READY) {
            std::this_thread::yield();
            state = client::cuStreamQuery(free_);
        }
        CU_OK(state);
        ASSERT_EQ(static_cast<uint8_t*>(pinned)[65535], i);
    }
    CU_OK(client::cuMemFreeHost(pinned));
}

TEST_F(Ordering, WhatACopyBroughtIntoPinnedMemoryIsWhatTheNextOneTakes) {
    // No synchronisation stands between the two: the stream is the order.
    void* pinned = nullptr;
    CUdeviceptr second = 0;
    CU_OK(client::cuMemHostAlloc(&pinned, kBytes, 0));
    CU_OK(client::cuMemAlloc_v2(&second, kBytes));
    for (uint8_t round = 1; round < 9; ++round) {
        CU_OK(client::remote::cuMemsetD8Async(memory_, round, kBytes, free_));
        CU_OK(client::cuMemcpyDtoHAsync_v2(pinned, memory_, kBytes, free_));
        CU_OK(client::cuMemcpyHtoDAsync_v2(second, pinned, kBytes, free_));
    }
    std::vector<uint8_t> back(kBytes);
    CU_OK(client::cuStreamSynchronize(free_));
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), second, kBytes));
    EXPECT_EQ(back, std::vector<uint8_t>(kBytes, 8));
    CU_OK(client::cuMemFree_v2(second));
    CU_OK(client::cuMemFreeHost(pinned));
}

TEST_F(Ordering, ManyHostFunctionsRunInOrder) {
    struct Log {
        std::vector<int> seen;
    } log;
    struct Entry {
        Log* log;
        int number;
    };
    std::vector<Entry> entries;
    for (int i = 0; i < 50; ++i) entries.push_back({&log, i});
    for (Entry& entry : entries) {
        CU_OK(client::cuLaunchHostFunc(
            free_,
            [](void* e) {
                auto* entry = static_cast<Entry*>(e);
                entry->log->seen.push_back(entry->number);
            },
            &entry));
    }
    CU_OK(client::cuStreamSynchronize(free_));
    ASSERT_EQ(log.seen.size(), 50u);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(log.seen[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace bitfusion::session_test
