// Where mapped memory lies for kernels when its own address is taken in the worker: at one that is free in
// both processes, or nowhere.
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "client/memory_map.h"
#include "session/raw_server.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPinned = 3 * kPage;

// Nobody has anything at these addresses.
bool is_free(uint64_t address, size_t bytes) {
    void* got = mmap(reinterpret_cast<void*>(address), bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED) return false;
    munmap(got, bytes);
    return reinterpret_cast<uint64_t>(got) == address;
}

class MappedAddress : public RawServerTest {
  protected:
    void SetUp() override {
        RawServerTest::SetUp();
        ours_ = mmap(nullptr, kPinned, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(ours_, MAP_FAILED);
        memset(ours_, 5, kPinned);
    }
    void TearDown() override {
        client::trust_addresses();
        RawServerTest::TearDown();
        munmap(ours_, kPinned);
    }
    // The session's memory is trusted to be at its address; what is mapped from here on is not.
    void open_distrusting(const std::function<uint64_t(uint64_t wish)>& place) {
        open_with(msg::kId_MirrorMap,
                  [this, place](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
                      const uint64_t wish = wire::Reader(body).get<uint64_t>();
                      wishes_.push_back(wish);
                      server.send(head.id, head.call, CUDA_SUCCESS, words(place(wish)));
                  });
        client::trust_addresses(false);
    }
    uint64_t taken() const { return reinterpret_cast<uint64_t>(ours_); }
    // Registered memory, which cannot move, as kernels would reach it.
    CUresult map(CUdeviceptr* device) {
        EXPECT_EQ(client::cuMemHostRegister_v2(pinned_.data(), pinned_.size(), CU_MEMHOSTREGISTER_DEVICEMAP),
                  CUDA_SUCCESS);
        return client::cuMemHostGetDevicePointer_v2(device, pinned_.data(), 0);
    }
    void unmap() { EXPECT_EQ(client::cuMemHostUnregister(pinned_.data()), CUDA_SUCCESS); }

    std::vector<uint8_t> pinned_ = std::vector<uint8_t>(kPinned, 9);
    void* ours_ = nullptr;
    // Written by the server's thread before it answers.
    std::vector<uint64_t> wishes_;
    std::vector<uint64_t> returned_;
};

TEST_F(MappedAddress, ATakenOneIsNotUsedAndAnotherIsWishedFor) {
    open_distrusting([this](uint64_t wish) { return wishes_.size() < 3 ? taken() : wish; });
    CUdeviceptr device = 0;
    CU_OK(map(&device));
    ASSERT_EQ(wishes_.size(), 3u);
    const auto first = reinterpret_cast<uint64_t>(pinned_.data());
    EXPECT_EQ(wishes_[0], first / kPage * kPage) << "the program's own address";
    EXPECT_NE(wishes_[1], wishes_[0]);
    EXPECT_NE(wishes_[2], wishes_[1]);
    EXPECT_EQ(device, wishes_[2] + first % kPage);
    // From now on it is the GPU's here as well.
    EXPECT_FALSE(is_free(wishes_[2], kPage));
    const auto range = client::range_of(device);
    ASSERT_TRUE(range);
    EXPECT_EQ(range->kind, client::MemoryRange::Kind::kMapped);
    EXPECT_FALSE(client::range_of(taken()));
    unmap();
}

TEST_F(MappedAddress, TheProgramsOwnNeedsNoOther) {
    open_distrusting([](uint64_t wish) { return wish; });
    CUdeviceptr device = 0;
    CU_OK(map(&device));
    EXPECT_EQ(device, reinterpret_cast<uint64_t>(pinned_.data()));
    EXPECT_EQ(wishes_.size(), 1u);
    unmap();
}

TEST_F(MappedAddress, WithoutAFreeOneThereIsNone) {
    for (const uint64_t address : {taken(), taken() + kPage, UINT64_MAX - kPage + 1, UINT64_MAX - 5,
                                   uint64_t{1} << 47, uint64_t{1} << 60}) {
        wishes_.clear();
        open_distrusting([address](uint64_t) { return address; });
        CUdeviceptr device = 0;
        EXPECT_EQ(map(&device), CUDA_ERROR_OUT_OF_MEMORY) << std::hex << address;
        EXPECT_EQ(device, 0u);
        EXPECT_LE(wishes_.size(), 16u) << "the search ends";
        EXPECT_FALSE(client::range_of(address));
        unmap();
        client::trust_addresses();
    }
    for (size_t i = 0; i < kPinned; ++i) {
        ASSERT_EQ(static_cast<uint8_t*>(ours_)[i], 5);
        ASSERT_EQ(pinned_[i], 9);
    }
}

TEST_F(MappedAddress, WhatWasRefusedIsGivenBack) {
    connect([this](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        if (head.id == msg::kId_MirrorMap)
            return server.send(head.id, head.call, CUDA_SUCCESS, words(taken()));
        if (head.id == msg::kId_MirrorUnmap) returned_.push_back(wire::Reader(body).get<uint64_t>());
        be_decent(server, head, body);
    });
    open();
    client::trust_addresses(false);
    CUdeviceptr device = 0;
    EXPECT_EQ(map(&device), CUDA_ERROR_OUT_OF_MEMORY);
    CU_OK(client::cuCtxSynchronize());  // what was posted before it has arrived
    uint32_t word = 0;
    CU_OK(read(&word, sizeof word));
    EXPECT_EQ(returned_, std::vector<uint64_t>(5, taken()));
    unmap();
}

}  // namespace
}  // namespace bitfusion::session_test
