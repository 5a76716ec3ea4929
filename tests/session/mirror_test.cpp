// Memory that program and GPU share: what travels, what does not, and what a hostile client gets.
#include <algorithm>
#include <cstring>
#include <vector>

#include "session/raw_peer.h"
#include "session/session_test.h"
#include "wire/changes.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kPinned = 4u << 20;

std::span<const uint8_t> bytes_of(const wire::Run& run) {
    return {reinterpret_cast<const uint8_t*>(&run), sizeof run};
}

class MirrorTest : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        connect();
        open_device();
        CU_OK(client::cuMemHostAlloc(&pinned_, kPinned, CU_MEMHOSTALLOC_DEVICEMAP));
        memset(pinned_, 1, kPinned);
        CU_OK(client::cuMemHostGetDevicePointer_v2(&device_, pinned_, 0));
    }
    void TearDown() override {
        EXPECT_EQ(client::cuMemFreeHost(pinned_), CUDA_SUCCESS);
        SessionTest::TearDown();
    }
    uint32_t* words() { return static_cast<uint32_t*>(pinned_); }

    void* pinned_ = nullptr;
    CUdeviceptr device_ = 0;
};

TEST_F(MirrorTest, OnlyWhatChangedTravelsBothWays) {
    client::stats().enable("/dev/null");
    CU_OK(add_one(device_, 8, nullptr));
    CU_OK(client::cuCtxSynchronize());
    const auto before = client::stats().totals();
    for (uint32_t round = 0; round < 10; ++round) {
        words()[1000 * round] = 70;
        CU_OK(add_one(device_, 8, nullptr));
        CU_OK(client::cuCtxSynchronize());
        ASSERT_EQ(words()[1], 0x01010101u + round + 2);
    }
    const auto after = client::stats().totals();
    EXPECT_LT(after.bytes_out - before.bytes_out, 10000u);
    EXPECT_LT(after.bytes_in - before.bytes_in, 10000u);
}

TEST_F(MirrorTest, LittleMemoryIsToldOfWithoutAsking) {
    CU_OK(client::cuMemFreeHost(pinned_));
    CU_OK(client::cuMemHostAlloc(&pinned_, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
    memset(pinned_, 0, 4096);
    CU_OK(client::cuMemHostGetDevicePointer_v2(&device_, pinned_, 0));
    EXPECT_EQ(round_trips([&] {
                  for (uint32_t round = 1; round <= 10; ++round) {
                      words()[100] = round;
                      ASSERT_EQ(add_one(device_, 200, nullptr), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
                      ASSERT_EQ(words()[7], round);
                      ASSERT_EQ(words()[100], round + 1);
                  }
              }),
              10u);
}

TEST_F(MirrorTest, ASynchronisationWithoutWorkAsksNothing) {
    CU_OK(add_one(device_, 8, nullptr));
    CU_OK(client::cuCtxSynchronize());
    EXPECT_EQ(round_trips([] {
                  for (int i = 0; i < 100; ++i) client::cuCtxSynchronize();
              }),
              0u);
}

TEST_F(MirrorTest, MemoryThatIsMappedCountsUntilItsLastMappingGoes) {
    constexpr size_t kGranule = 2u << 20;
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    size_t free_before = 0;
    size_t free_now = 0;
    size_t total = 0;
    CU_OK(client::cuMemGetInfo_v2(&free_before, &total));
    CUdeviceptr address = 0;
    CUmemGenericAllocationHandle handle = 0;
    CUmemGenericAllocationHandle again = 0;
    CU_OK(client::cuMemAddressReserve(&address, kGranule, 0, 0, 0));
    CU_OK(client::remote::cuMemCreate(&handle, kGranule, &properties, 0));
    CU_OK(client::cuMemMap(address, kGranule, 0, handle, 0));
    CU_OK(client::remote::cuMemRelease(handle));
    CU_OK(client::cuMemGetInfo_v2(&free_now, &total));
    EXPECT_EQ(free_now, free_before - kGranule) << "it is still mapped";
    CU_OK(client::remote::cuMemRetainAllocationHandle(&again, reinterpret_cast<void*>(address)));
    CU_OK(client::cuMemUnmap(address, kGranule));
    CU_OK(client::cuMemGetInfo_v2(&free_now, &total));
    EXPECT_EQ(free_now, free_before - kGranule) << "there is a handle";
    CU_OK(client::remote::cuMemRelease(again));
    CU_OK(client::cuMemGetInfo_v2(&free_now, &total));
    EXPECT_EQ(free_now, free_before);
    CU_OK(client::cuMemAddressFree(address, kGranule));
}

TEST_F(MirrorTest, TheGranularityOfHostMemoryCanBeAsked) {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    for (const auto type : {CU_MEM_LOCATION_TYPE_HOST, CU_MEM_LOCATION_TYPE_HOST_NUMA}) {
        properties.location = {type, 0};
        size_t granule = 0;
        CU_OK(client::cuMemGetAllocationGranularity(&granule, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
        EXPECT_GE(granule, 4096u);
        CUmemGenericAllocationHandle handle = 0;
        EXPECT_EQ(client::remote::cuMemCreate(&handle, granule, &properties, 0), CUDA_ERROR_NOT_SUPPORTED);
    }
}

class HostileMirror : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(client_.open()); }
    uint64_t map(uint64_t wish, uint64_t bytes) {
        Bytes body;
        EXPECT_EQ(client_.ask(msg::MirrorMap{wish, bytes}, &body), CUDA_SUCCESS) << wish;
        if (body.size() != 8) return 0;
        return wire::Reader(body).get<uint64_t>();
    }
    RawClient client_;
};

TEST_F(HostileMirror, AWishNeverReplacesWhatIsThere) {
    static uint8_t ours[8192] = {5};
    const uint64_t inside = reinterpret_cast<uint64_t>(ours) / 4096 * 4096;
    for (const uint64_t wish : {inside, client_.memory, uint64_t{0}, uint64_t{4096}, UINT64_MAX - 4095,
                                (uint64_t{1} << 47) - 4096, inside + 1}) {
        const uint64_t device = map(wish, 4096);
        EXPECT_NE(device, 0u);
        EXPECT_NE(device, inside);
        EXPECT_NE(device, client_.memory);
        client_.send(msg::MirrorUnmap{device});
        EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    }
    EXPECT_EQ(ours[0], 5);
}

TEST_F(HostileMirror, SizesAreBounded) {
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{4097}})
        EXPECT_EQ(client_.ask(msg::MirrorMap{0, bytes}), CUDA_ERROR_INVALID_VALUE) << bytes;
    for (const uint64_t bytes : {uint64_t{1} << 40, UINT64_MAX - 4095})
        EXPECT_EQ(client_.ask(msg::MirrorMap{0, bytes}), CUDA_ERROR_OUT_OF_MEMORY) << bytes;
}

// What sessions that begin while it lives may take.
class MappedMemory {
  public:
    explicit MappedMemory(uint64_t bytes) : before_(mapped_memory()) { mapped_memory() = bytes; }
    ~MappedMemory() { mapped_memory() = before_; }
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;

  private:
    uint64_t before_;
};

class LimitedMirror : private MappedMemory, public HostileMirror {
  protected:
    LimitedMirror() : MappedMemory(1 << 20) {}
};

TEST_F(LimitedMirror, BothCopiesOfEveryPageCountUntilTheyAreGone) {
    EXPECT_EQ(client_.ask(msg::MirrorMap{0, (512 << 10) + 4096}), CUDA_ERROR_OUT_OF_MEMORY);
    const uint64_t first = map(0, 256 << 10);
    map(0, 256 << 10);
    EXPECT_EQ(client_.ask(msg::MirrorMap{0, 4096}), CUDA_ERROR_OUT_OF_MEMORY) << "1 MiB is taken";
    client_.send(msg::MirrorUnmap{first});
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    EXPECT_NE(map(0, 128 << 10), 0u);
    EXPECT_EQ(client_.ask(msg::MirrorMap{0, (128 << 10) + 4096}), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_NE(map(0, 128 << 10), 0u);
}

class NoMirror : private MappedMemory, public HostileMirror {
  protected:
    NoMirror() : MappedMemory(0) {}
};

TEST_F(NoMirror, IsMade) { EXPECT_EQ(client_.ask(msg::MirrorMap{0, 4096}), CUDA_ERROR_OUT_OF_MEMORY); }

// One message is served in a bounded time: however much is mapped, an answer looks at a part of it, and the
// next goes on there.
TEST_F(HostileMirror, AnAnswerLooksAtAPart) {
    constexpr uint64_t kLarge = 512u << 20;
    const uint64_t first = map(0, kLarge);
    const uint64_t second = map(0, 8192);
    ASSERT_TRUE(first != 0 && second != 0);
    const std::vector<uint64_t> places{first, first + kLarge / 2 + 4, first + kLarge - 4, second + 4096};
    for (int round = 1; round <= 2; ++round) {
        for (const uint64_t place : places)
            client_.send(msg::kId_cuMemsetD8_v2, words(place, static_cast<uint8_t>(round), uint64_t{4}));
        EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
        std::vector<uint64_t> told;
        int answers = 0;
        for (uint32_t more = 1; more != 0 && answers < 100; ++answers) {
            Bytes body;
            ASSERT_EQ(client_.ask(msg::MirrorChanges{}, &body), CUDA_SUCCESS);
            wire::Reader reader(body);
            more = reader.get<uint32_t>();
            const std::span<const uint8_t> runs = reader.bytes();
            for (size_t at = 0; at < runs.size(); at += sizeof(wire::Run)) {
                wire::Run run;
                memcpy(&run, runs.data() + at, sizeof run);
                told.push_back(run.address);
            }
        }
        std::sort(told.begin(), told.end());
        std::vector<uint64_t> sorted = places;
        std::sort(sorted.begin(), sorted.end());
        EXPECT_EQ(told, sorted);
        EXPECT_GE(answers, 8);
        EXPECT_LE(answers, 20);
    }
}

TEST_F(HostileMirror, WritesOnlyItsOwnMemory) {
    static uint8_t target[64] = {9};
    const uint64_t device = map(0, 8192);
    const Bytes data(64, 0xee);
    for (const uint64_t address :
         {reinterpret_cast<uint64_t>(target), uint64_t{0}, device - 1, device + 8192 - 63,
          client_.memory + RawClient::kBytes - 63, UINT64_MAX - 10}) {
        const wire::Run run{address, 64};
        client_.send(msg::MirrorIn{bytes_of(run), {}}, data);
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        EXPECT_EQ(client_.ask(msg::MirrorOut{address, 64}), CUDA_ERROR_INVALID_VALUE) << address;
    }
    EXPECT_EQ(target[0], 9);
    client_.send(msg::MirrorUnmap{device + 4096});
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
    client_.send(msg::MirrorUnmap{client_.memory});
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(HostileMirror, RunsAndDataMustFitTogether) {
    const wire::Run run{client_.memory, 64};
    client_.send(msg::MirrorIn{bytes_of(run), {}}, Bytes(63));
    EXPECT_NE(client_.end().find("MirrorIn"), std::string::npos);
}

}  // namespace
}  // namespace bitfusion::session_test
