// Pinned memory that the worker maps too: what travels, what is seen without a message, and what a hostile
// client gets. Only over shared memory; elsewhere there is none, and mirror_test.cpp tells of what there is.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/descriptor.h"
#include "session/raw_peer.h"
#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kPinned = 8u << 20;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

class SharedPages : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        connect();
        open_device();
        if (!client::session()->shares_memory()) GTEST_SKIP() << "the server is another machine";
        client::stats().enable("/dev/null");
        CU_OK(client::cuMemHostAlloc(&pinned_, kPinned, 0));
        CU_OK(client::cuMemAlloc_v2(&large_, kPinned));
    }
    void TearDown() override {
        if (pinned_ != nullptr) {
            EXPECT_EQ(client::cuMemFreeHost(pinned_), CUDA_SUCCESS);
        }
        if (large_ != 0) {
            EXPECT_EQ(client::cuMemFree_v2(large_), CUDA_SUCCESS);
        }
        SessionTest::TearDown();
    }
    uint32_t* words() { return static_cast<uint32_t*>(pinned_); }
    // Bytes that went over the link meanwhile, both ways.
    static uint64_t traffic(const std::function<void()>& program) {
        const auto before = client::stats().totals();
        program();
        const auto after = client::stats().totals();
        return after.bytes_out - before.bytes_out + after.bytes_in - before.bytes_in;
    }

    void* pinned_ = nullptr;
    CUdeviceptr large_ = 0;
};

TEST_F(SharedPages, CopiesCarryNoData) {
    for (size_t i = 0; i < kPinned / 4; ++i) words()[i] = static_cast<uint32_t>(i);
    std::vector<uint32_t> sent(words(), words() + kPinned / 4);
    EXPECT_LT(traffic([&] {
                  CU_OK(client::cuMemcpyHtoDAsync_v2(large_, pinned_, kPinned, nullptr));
                  CU_OK(client::cuStreamSynchronize(nullptr));
                  memset(pinned_, 0, kPinned);
                  CU_OK(client::cuMemcpyDtoHAsync_v2(pinned_, large_, kPinned, nullptr));
                  CU_OK(client::cuStreamSynchronize(nullptr));
              }),
              500u);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), words()));
}

TEST_F(SharedPages, SynchronousCopiesAreDoneWhenTheyReturn) {
    for (const size_t bytes : {size_t{4}, size_t{64} << 10, (size_t{64} << 10) + 4, kPinned}) {
        memset(pinned_, 0x21, bytes);
        CU_OK(client::cuMemcpyHtoD_v2(large_, pinned_, bytes));
        memset(pinned_, 0x99, bytes);  // the copy has read it
        CU_OK(client::cuMemcpyDtoH_v2(pinned_, large_, bytes));
        const auto* got = static_cast<const uint8_t*>(pinned_);
        EXPECT_EQ(std::count(got, got + bytes, 0x21), static_cast<ptrdiff_t>(bytes));
        CU_OK(client::cuMemcpy(reinterpret_cast<CUdeviceptr>(pinned_) + kPinned / 2,
                               reinterpret_cast<CUdeviceptr>(pinned_), std::min(bytes, kPinned / 2)));
        EXPECT_EQ(got[kPinned / 2], 0x21);
    }
}

TEST_F(SharedPages, ACopyIsMadeInTheOrderOfItsStream) {
    // What the program promises not to change is read when the stream comes to it: here it is what the copy
    // before has brought.
    CU_OK(client::remote::cuMemsetD8Async(large_, 7, kPinned, nullptr));
    memset(pinned_, 1, kPinned);
    CUdeviceptr second = 0;
    CU_OK(client::cuMemAlloc_v2(&second, kPinned));
    CU_OK(client::cuMemcpyDtoHAsync_v2(pinned_, large_, kPinned, nullptr));
    CU_OK(client::cuMemcpyHtoDAsync_v2(second, pinned_, kPinned, nullptr));
    std::vector<uint8_t> back(kPinned);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), second, kPinned));
    EXPECT_EQ(std::count(back.begin(), back.end(), 7), static_cast<ptrdiff_t>(kPinned));
    CU_OK(client::cuMemFree_v2(second));
}

TEST_F(SharedPages, KernelsReachThemWithoutAMessage) {
    CUdeviceptr device = 0;
    CU_OK(client::cuMemHostGetDevicePointer_v2(&device, pinned_, 0));
    std::fill_n(words(), 1000, 5u);
    EXPECT_LT(traffic([&] {
                  for (int i = 0; i < 10; ++i) {
                      words()[500] += 10;
                      CU_OK(add_one(device, 1000, nullptr));
                      CU_OK(client::cuCtxSynchronize());
                  }
              }),
              10 * 250u);
    EXPECT_EQ(words()[0], 15u);
    EXPECT_EQ(words()[500], 115u);
}

TEST_F(SharedPages, ASetOfThemIsDoneWhenItReturns) {
    CUdeviceptr device = 0;
    CU_OK(client::cuMemHostGetDevicePointer_v2(&device, pinned_, 0));
    CU_OK(client::remote::cuMemsetD32_v2(device, 77, 1000));
    EXPECT_EQ(words()[999], 77u);
}

TEST_F(SharedPages, AGraphReadsWhatTheStreamHasBroughtBefore) {
    CUstream stream = nullptr;
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CU_OK(client::cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    CU_OK(client::cuMemcpyHtoDAsync_v2(memory_, pinned_, kBytes, stream));
    CU_OK(client::cuStreamEndCapture(stream, &graph));
    CU_OK(client::cuGraphInstantiateWithFlags(&exec, graph, 0));
    memset(pinned_, 1, kBytes);
    for (uint8_t round = 2; round < 6; ++round) {
        CU_OK(client::remote::cuMemsetD8Async(large_, round, kPinned, stream));
        CU_OK(client::cuMemcpyDtoHAsync_v2(pinned_, large_, kPinned, stream));
        CU_OK(client::cuGraphLaunch(exec, stream));
    }
    CU_OK(client::cuStreamSynchronize(stream));
    std::vector<uint8_t> back(kBytes);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), memory_, kBytes));
    EXPECT_EQ(std::count(back.begin(), back.end(), 5), static_cast<ptrdiff_t>(kBytes));
    CU_OK(client::cuGraphExecDestroy(exec));
    CU_OK(client::remote::cuGraphDestroy(graph));
    CU_OK(client::cuStreamDestroy_v2(stream));
}

TEST_F(SharedPages, LargeReadsIntoPageableMemoryCarryNoDataEither) {
    CU_OK(client::remote::cuMemsetD8Async(large_, 0x5a, kPinned, nullptr));
    std::vector<uint8_t> back(kPinned);
    CU_OK(client::cuMemcpyDtoH_v2(back.data(), large_, kPinned));  // the first one finds pages for itself
    back.assign(kPinned, 0);
    EXPECT_LT(traffic([&] { CU_OK(client::cuMemcpyDtoH_v2(back.data() + 3, large_ + 5, kPinned - 11)); }),
              2000u);
    EXPECT_EQ(std::count(back.begin(), back.end(), 0x5a), static_cast<ptrdiff_t>(kPinned - 11));
    EXPECT_EQ(back[2], 0);
    EXPECT_EQ(back[kPinned - 8], 0);
}

// In pieces, by threads from some size on, more than there are slots for, and with an end that is no whole
// page.
TEST_F(SharedPages, PageableMemoryIsCopiedWholeInEverySize) {
    constexpr size_t kMost = (40u << 20) + 7;
    CUdeviceptr device = 0;
    CU_OK(client::cuMemAlloc_v2(&device, kMost));
    std::vector<uint32_t> sent(kMost / 4 + 2), back(kMost / 4 + 2);
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<uint32_t>(i * 2654435761u);
    for (const size_t bytes :
         {size_t{256} << 10, (size_t{1} << 20) + 1, (size_t{2} << 20) - 1, size_t{17} << 20, kMost}) {
        std::fill(back.begin(), back.end(), 0);
        CU_OK(client::cuMemcpyHtoD_v2(device, sent.data(), bytes));
        CU_OK(client::cuMemcpyDtoH_v2(back.data(), device, bytes));
        EXPECT_EQ(memcmp(back.data(), sent.data(), bytes), 0) << bytes;
        EXPECT_EQ(reinterpret_cast<const uint8_t*>(back.data())[bytes], 0) << "a byte after the " << bytes;
    }
    CU_OK(client::cuMemFree_v2(device));
}

TEST_F(SharedPages, ASynchronousCopyTakesWhatAnAsynchronousOneIsStillToBring) {
    // No synchronisation stands between the two: both are of the legacy stream, which is the order.
    CUdeviceptr second = 0;
    CU_OK(client::cuMemAlloc_v2(&second, kPinned));
    std::vector<uint8_t> registered(kPinned);
    CU_OK(client::cuMemHostRegister_v2(registered.data(), kPinned, 0));
    uint8_t round = 0;
    for (const size_t bytes : {size_t{300} << 10, size_t{1} << 20, kPinned}) {
        for (int i = 0; i < 5; ++i) {
            ++round;
            CU_OK(client::remote::cuMemsetD8Async(large_, round, bytes, nullptr));
            CU_OK(client::cuMemcpyDtoHAsync_v2(registered.data(), large_, bytes, nullptr));
            CU_OK(client::cuMemcpyHtoD_v2(second, registered.data(), bytes));
            std::vector<uint8_t> back(bytes);
            CU_OK(client::cuMemcpyDtoH_v2(back.data(), second, bytes));
            EXPECT_EQ(std::count(back.begin(), back.end(), round), static_cast<ptrdiff_t>(bytes));
        }
    }
    CU_OK(client::cuMemHostUnregister(registered.data()));
    CU_OK(client::cuMemFree_v2(second));
}

TEST_F(SharedPages, ARefusedCopyOfPageableMemoryEndsCleanly) {
    std::vector<uint8_t> memory(kPinned);
    CU_OK(client::remote::cuMemFree_v2(large_));  // behind the client's back: it still believes in it
    EXPECT_NE(client::cuMemcpyHtoD_v2(large_, memory.data(), kPinned), CUDA_SUCCESS);
    EXPECT_NE(client::cuMemcpyDtoH_v2(memory.data(), large_, kPinned), CUDA_SUCCESS);
    CU_OK(client::cuMemFree_v2(large_));
    EXPECT_NE(client::cuCtxSynchronize(), CUDA_SUCCESS) << "it was freed twice";
    CU_OK(client::cuMemAlloc_v2(&large_, kPinned));
    CU_OK(client::cuMemcpyHtoD_v2(large_, memory.data(), kPinned));
}

TEST_F(SharedPages, TheyAreThisProcesssAfterTheSessionHasEnded) {
    memset(pinned_, 3, kPinned);
    server_->cut();
    server_->wait_for_end();
    EXPECT_EQ(words()[kPinned / 4 - 1], 0x03030303u);
    EXPECT_NE(client::cuMemcpyDtoH_v2(pinned_, large_, kPinned), CUDA_SUCCESS);
    client::cuMemFreeHost(pinned_);
    pinned_ = nullptr;
    large_ = 0;
}

Descriptor make_file(size_t bytes, int seals) {
    Descriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
    if (seals != 0) {
        EXPECT_EQ(fcntl(file.get(), F_ADD_SEALS, seals), 0);
    }
    return file;
}

class HostilePages : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(client_.open());
        if (!client_.shares_memory()) GTEST_SKIP() << "the server is another machine";
    }
    CUresult share(const Descriptor& file, uint64_t wish, uint64_t bytes, uint64_t* device = nullptr) {
        EXPECT_TRUE(client_.give_file(file.get()));
        Bytes body;
        const CUresult result = client_.ask(msg::PagesShare{wish, bytes}, &body);
        if (device != nullptr && body.size() == 8) *device = wire::Reader(body).get<uint64_t>();
        return result;
    }
    RawClient client_;
};

TEST_F(HostilePages, OnlyFilesThatCannotShrink) {
    EXPECT_EQ(client_.ask(msg::PagesShare{0, 4096}), CUDA_ERROR_INVALID_VALUE) << "no file";
    EXPECT_EQ(share(make_file(4096, 0), 0, 4096), CUDA_ERROR_INVALID_VALUE) << "not sealed";
    EXPECT_EQ(share(make_file(4096, F_SEAL_GROW), 0, 4096), CUDA_ERROR_INVALID_VALUE) << "may shrink";
    EXPECT_EQ(share(Descriptor(dup(STDIN_FILENO)), 0, 4096), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(share(Descriptor(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), 0, 4096),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(share(make_file(4096, kSeals | F_SEAL_WRITE), 0, 4096), CUDA_ERROR_OUT_OF_MEMORY)
        << "cannot be mapped for writing";
    EXPECT_EQ(share(make_file(4096, kSeals), 0, 4096), CUDA_SUCCESS) << "and the others left nothing behind";
}

TEST_F(HostilePages, SizesAreBounded) {
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{4097}, uint64_t{8192}})
        EXPECT_EQ(share(make_file(4096, kSeals), 0, bytes), CUDA_ERROR_INVALID_VALUE) << bytes;
    const uint64_t whole = uint64_t{1} << 46;  // a sparse file may be that large
    EXPECT_EQ(share(make_file(4096, kSeals), 0, UINT64_MAX - 4095), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(share(make_file(whole, kSeals), 0, whole), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(HostilePages, AWishNeverReplacesWhatIsThere) {
    static uint8_t ours[8192] = {5};
    const uint64_t inside = reinterpret_cast<uint64_t>(ours) / 4096 * 4096;
    for (const uint64_t wish :
         {inside, client_.memory, uint64_t{4096}, UINT64_MAX - 4095, (uint64_t{1} << 47) - 4096}) {
        uint64_t device = 0;
        EXPECT_EQ(share(make_file(4096, kSeals), wish, 4096, &device), CUDA_SUCCESS);
        EXPECT_NE(device, inside);
        EXPECT_NE(device, client_.memory);
        client_.send(msg::PagesUnshare{device});
        EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    }
    EXPECT_EQ(ours[0], 5);
}

TEST_F(HostilePages, CopiesStayInsideOfWhatIsTheSessions) {
    static uint8_t target[64] = {9};
    uint64_t device = 0;
    EXPECT_EQ(share(make_file(8192, kSeals), 0, 8192, &device), CUDA_SUCCESS);
    for (const uint64_t address :
         {reinterpret_cast<uint64_t>(target), uint64_t{0}, device - 1, device + 8192 - 63,
          client_.memory + RawClient::kBytes - 63, UINT64_MAX - 10}) {
        client_.send(msg::CopyPages{address, device, 64, 0});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        client_.send(msg::CopyPages{client_.memory, address, 64, 0});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        EXPECT_EQ(client_.ask(msg::CopyPagesAwaited{address, client_.memory, 64, 0}),
                  CUDA_ERROR_INVALID_VALUE);
    }
    EXPECT_EQ(client_.ask(msg::CopyPagesAwaited{device, client_.memory, UINT64_MAX, 0}),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(client_.ask(msg::CopyPagesAwaited{device, client_.memory, 64, 12345}),
              CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(client_.ask(msg::CopyPagesAwaited{device, client_.memory, 8192, 0}), CUDA_SUCCESS);
    EXPECT_EQ(target[0], 9);
}

TEST_F(HostilePages, WhatIsNotSharedCannotBeTakenBack) {
    uint64_t device = 0;
    EXPECT_EQ(share(make_file(8192, kSeals), 0, 8192, &device), CUDA_SUCCESS);
    for (const uint64_t address : {uint64_t{0}, device + 4096, client_.memory}) {
        client_.send(msg::PagesUnshare{address});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
    }
    client_.send(msg::PagesUnshare{device});
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    EXPECT_EQ(client_.ask(msg::CopyPagesAwaited{device, client_.memory, 64, 0}), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace bitfusion::session_test
