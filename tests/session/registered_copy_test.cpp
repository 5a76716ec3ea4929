// Copies of memory that the program registered itself, with a worker on this machine: what travels, and what
// stays in order. Over another link the same must hold, but for the bytes.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kLarge = 96 * kMiB;  // more than there are slots for

class RegisteredCopy : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        connect({}, Direction::kToWorker, soft_driver());
        open_device();
        client::stats().enable("/dev/null");
        CU_OK(client::cuStreamCreate(&first_, CU_STREAM_NON_BLOCKING));
        CU_OK(client::cuStreamCreate(&second_, CU_STREAM_NON_BLOCKING));
        CU_OK(client::cuMemAlloc_v2(&large_, kLarge));
        CU_OK(client::cuMemAlloc_v2(&other_, kLarge));
        host_.resize(kLarge / 4);
        CU_OK(client::cuMemHostRegister_v2(host_.data(), kLarge, 0));
    }
    void TearDown() override {
        open_gate();
        if (client::session() != nullptr && !client::session()->lost()) {
            EXPECT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
            EXPECT_EQ(client::cuMemFree_v2(large_), CUDA_SUCCESS);
            EXPECT_EQ(client::cuMemFree_v2(other_), CUDA_SUCCESS);
        }
        client::cuMemHostUnregister(host_.data());
        SessionTest::TearDown();
    }
    // The stream waits until open_gate().
    void block(CUstream stream) {
        CU_OK(client::cuLaunchHostFunc(
            stream, [](void* gate) { static_cast<std::shared_future<void>*>(gate)->wait(); }, &gate_opened_));
    }
    void open_gate() {
        if (!opened_) gate_.set_value();
        opened_ = true;
    }
    // Bytes that went over the link meanwhile, both ways.
    static uint64_t traffic(const std::function<void()>& program) {
        const auto before = client::stats().totals();
        program();
        const auto after = client::stats().totals();
        return after.bytes_out - before.bytes_out + after.bytes_in - before.bytes_in;
    }
    bool shares_memory() const { return client::session()->shares_memory(); }
    uint8_t* bytes() { return reinterpret_cast<uint8_t*>(host_.data()); }
    void expect_all(const uint8_t* data, size_t count, uint8_t value) {
        EXPECT_EQ(std::count(data, data + count, value), static_cast<ptrdiff_t>(count));
    }
    std::vector<uint8_t> device(CUdeviceptr from, size_t count) {
        std::vector<uint8_t> back(count);
        EXPECT_EQ(client::cuMemcpyDtoH_v2(back.data(), from, count), CUDA_SUCCESS);
        return back;
    }

    std::vector<uint32_t> host_;
    CUstream first_ = nullptr;
    CUstream second_ = nullptr;
    CUdeviceptr large_ = 0;
    CUdeviceptr other_ = 0;
    std::promise<void> gate_;
    std::shared_future<void> gate_opened_ = gate_.get_future().share();
    bool opened_ = false;
};

TEST_F(RegisteredCopy, NoDataTravelWhereMemoryIsShared) {
    if (!shares_memory()) GTEST_SKIP() << "the server is another machine";
    std::iota(host_.begin(), host_.end(), 7u);
    const std::vector<uint32_t> sent = host_;
    EXPECT_LT(traffic([&] {
                  CU_OK(client::cuMemcpyHtoDAsync_v2(large_, host_.data(), kLarge, first_));
                  CU_OK(client::cuStreamSynchronize(first_));
                  std::fill(host_.begin(), host_.end(), 0u);
                  CU_OK(client::cuMemcpyDtoHAsync_v2(host_.data(), large_, kLarge, first_));
                  CU_OK(client::cuStreamSynchronize(first_));
              }),
              20000u);
    EXPECT_EQ(host_, sent);
}

TEST_F(RegisteredCopy, SynchronousCopiesCarryNoDataEither) {
    if (!shares_memory()) GTEST_SKIP() << "the server is another machine";
    std::iota(host_.begin(), host_.end(), 9u);
    const std::vector<uint32_t> sent = host_;
    CU_OK(client::cuMemcpyHtoD_v2(other_, host_.data(), kLarge));  // the first one finds pages for itself
    EXPECT_LT(traffic([&] {
                  CU_OK(client::cuMemcpyHtoD_v2(large_, host_.data(), kLarge));
                  std::fill(host_.begin(), host_.end(), 0u);
                  CU_OK(client::cuMemcpyDtoH_v2(host_.data(), large_, kLarge));
              }),
              20000u);
    EXPECT_EQ(host_, sent);
}

TEST_F(RegisteredCopy, EverySizeComesWholeAndNothingBeside) {
    for (const size_t count :
         {2 * kMiB - 1, 2 * kMiB, 2 * kMiB + 1, 4 * kMiB + 3, 16 * kMiB - 5, 33 * kMiB + 7, kLarge - 11}) {
        for (size_t i = 0; i < host_.size(); ++i) host_[i] = static_cast<uint32_t>(i * 2654435761u + count);
        const std::vector<uint32_t> sent = host_;
        CU_OK(client::remote::cuMemsetD8Async(large_, 0xee, kLarge, first_));
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_ + 5, bytes() + 3, count, first_));
        CU_OK(client::cuStreamSynchronize(first_));
        memset(bytes(), 0xaa, kLarge);
        CU_OK(client::cuMemcpyDtoHAsync_v2(bytes() + 3, large_ + 5, count, first_));
        CU_OK(client::cuStreamSynchronize(first_));
        EXPECT_EQ(memcmp(bytes() + 3, reinterpret_cast<const uint8_t*>(sent.data()) + 3, count), 0) << count;
        EXPECT_EQ(bytes()[2], 0xaa);
        EXPECT_EQ(bytes()[3 + count], 0xaa);
        const std::vector<uint8_t> beside = device(large_ + 5 + count, 1);
        EXPECT_EQ(beside[0], 0xee);
    }
}

TEST_F(RegisteredCopy, CallsReturnWhileTheStreamIsHeldUp) {
    // The gate is opened by the thread that copies: a call that waited for the stream would never return.
    constexpr size_t kBytes = 40 * kMiB;
    std::fill(host_.begin(), host_.end(), 0x05050505u);
    CU_OK(client::remote::cuMemsetD8Async(other_, 9, kBytes, nullptr));
    CU_OK(client::cuCtxSynchronize());
    block(first_);
    CU_OK(client::cuMemcpyHtoDAsync_v2(large_, bytes(), kBytes, first_));
    CU_OK(client::cuMemcpyDtoHAsync_v2(bytes() + kBytes, other_, kBytes, first_));
    EXPECT_EQ(client::cuStreamQuery(first_), CUDA_ERROR_NOT_READY);
    // Nor does it hold up another stream.
    CU_OK(client::cuMemcpyDtoHAsync_v2(bytes() + 2 * kBytes, other_, 8 * kMiB, second_));
    CU_OK(client::cuStreamSynchronize(second_));
    expect_all(bytes() + 2 * kBytes, 8 * kMiB, 9);
    expect_all(bytes() + kBytes, kBytes, 5);
    open_gate();
    CU_OK(client::cuStreamSynchronize(first_));
    expect_all(bytes() + kBytes, kBytes, 9);
    expect_all(device(large_, kBytes).data(), kBytes, 5);
}

TEST_F(RegisteredCopy, ManyCopiesIntoTheSameMemoryEndWithTheLast) {
    constexpr size_t kBytes = 12 * kMiB;
    for (int round = 1; round <= 20; ++round) {
        for (CUstream stream : {first_, second_}) {
            const size_t at = stream == first_ ? 0 : kBytes;
            CU_OK(client::remote::cuMemsetD8Async(large_ + at, static_cast<uint8_t>(round), kBytes, stream));
            CU_OK(client::cuMemcpyDtoHAsync_v2(bytes() + at, large_ + at, kBytes, stream));
        }
    }
    CU_OK(client::cuStreamSynchronize(second_));
    expect_all(bytes() + kBytes, kBytes, 20);
    CU_OK(client::cuStreamSynchronize(first_));
    expect_all(bytes(), kBytes, 20);
}

TEST_F(RegisteredCopy, WhatIsWrittenAfterASynchronisationIsNotWhatIsCopied) {
    constexpr size_t kBytes = 24 * kMiB;
    for (uint8_t round = 1; round <= 6; ++round) {
        memset(bytes(), round, kBytes);
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_, bytes(), kBytes, first_));
        CU_OK(client::remote::cuMemcpyDtoDAsync_v2(other_, large_, kBytes, first_));
        CU_OK(client::cuStreamSynchronize(first_));
        memset(bytes(), 0xdd, kBytes);
        expect_all(device(other_, kBytes).data(), kBytes, round);
    }
}

TEST_F(RegisteredCopy, ThreadsOfOneStreamAndOfSeveral) {
    constexpr size_t kBytes = 6 * kMiB;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 6; ++t)
        threads.emplace_back([&, t] {
            const CUstream stream = t % 2 == 0 ? first_ : second_;
            uint8_t* const out = bytes() + 2 * t * kBytes;
            uint8_t* const in = out + kBytes;
            bool good = client::cuCtxSetCurrent(context_) == CUDA_SUCCESS;
            for (uint8_t round = 1; round <= 8 && good; ++round) {
                memset(out, round, kBytes);
                good =
                    client::cuMemcpyHtoDAsync_v2(large_ + t * kBytes, out, kBytes, stream) == CUDA_SUCCESS &&
                    client::cuMemcpyDtoHAsync_v2(in, large_ + t * kBytes, kBytes, stream) == CUDA_SUCCESS &&
                    client::cuStreamSynchronize(stream) == CUDA_SUCCESS &&
                    static_cast<size_t>(std::count(in, in + kBytes, round)) == kBytes;
            }
            if (!good) ++wrong;
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(RegisteredCopy, ARefusedOneIsToldOfAndTheNextOnesWork) {
    CU_OK(client::remote::cuMemFree_v2(large_));  // behind the client's back: it still believes in it
    // By the call itself, when it waited for the GPU, or by the synchronisation.
    const auto refused = [&](CUresult of_call) {
        const CUresult later = client::cuStreamSynchronize(first_);
        EXPECT_TRUE(of_call != CUDA_SUCCESS || later != CUDA_SUCCESS);
    };
    refused(client::cuMemcpyHtoDAsync_v2(large_, bytes(), kLarge, first_));
    refused(client::cuMemcpyDtoHAsync_v2(bytes(), large_, kLarge, first_));
    refused(client::cuMemcpyHtoDAsync_v2(large_, bytes(), kLarge / 2, first_));
    refused(client::cuMemcpyDtoHAsync_v2(bytes(), large_, kLarge / 2, first_));
    while (client::cuCtxSynchronize() != CUDA_SUCCESS) {
    }
    CU_OK(client::cuMemFree_v2(large_));
    CU_OK(client::remote::cuMemsetD8Async(other_, 0, 1, first_));  // something to wait for
    EXPECT_NE(client::cuStreamSynchronize(first_), CUDA_SUCCESS) << "it was freed twice";
    CU_OK(client::cuMemAlloc_v2(&large_, kLarge));
    memset(bytes(), 4, kLarge);
    CU_OK(client::cuMemcpyHtoDAsync_v2(large_, bytes(), kLarge, first_));
    CU_OK(client::cuStreamSynchronize(first_));
    expect_all(device(large_, kLarge).data(), kLarge, 4);
}

TEST_F(RegisteredCopy, NobodyTouchesMemoryThatIsNotRegisteredAnyMore) {
    constexpr size_t kBytes = 48 * kMiB;
    for (int round = 0; round < 3; ++round) {
        void* const pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(pages, MAP_FAILED);
        memset(pages, 0x11 + round, kBytes);
        CU_OK(client::cuMemHostRegister_v2(pages, kBytes, 0));
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_, pages, kBytes, first_));
        CU_OK(client::cuMemcpyDtoHAsync_v2(pages, other_, kBytes / 2, second_));
        CU_OK(client::cuMemHostUnregister(pages));
        ASSERT_EQ(munmap(pages, kBytes), 0);
        CU_OK(client::cuStreamSynchronize(first_));
        EXPECT_EQ(device(large_ + kBytes - 1, 1)[0], 0x11 + round);
    }
}

TEST_F(RegisteredCopy, ASessionThatEndsLeavesNobodyWaiting) {
    if (!shares_memory()) GTEST_SKIP() << "the server is another machine";
    constexpr size_t kBytes = 24 * kMiB;
    for (CUstream stream : {first_, second_}) {
        const size_t at = stream == first_ ? 0 : 2 * kBytes;
        CU_OK(client::cuMemcpyHtoDAsync_v2(large_ + at, bytes() + at, kBytes, stream));
        CU_OK(client::cuMemcpyDtoHAsync_v2(bytes() + at + kBytes, other_ + at, kBytes, stream));
    }
    server_->cut();
    client::cuStreamSynchronize(first_);  // all may have been done before
    client::cuMemHostUnregister(host_.data());
    std::fill(host_.begin(), host_.end(), 6u);
    server_->wait_for_end();
    EXPECT_EQ(std::count(host_.begin(), host_.end(), 6u), static_cast<ptrdiff_t>(host_.size()));
}

}  // namespace
}  // namespace bitfusion::session_test
