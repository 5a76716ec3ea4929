// Copies of memory that the program registered itself: cuda.h, cuMemHostRegister, and "API synchronization
// behavior" for page-locked memory.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "conformance/gate.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Pages of the program's own, page-locked for as long as this lives.
class Registered {
  public:
    explicit Registered(std::size_t bytes) : bytes_(bytes) {
        void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) return;
        pages_ = static_cast<uint8_t*>(pages);
        registered_ = CU_CALL(cuMemHostRegister_v2, pages_, bytes_, 0) == CUDA_SUCCESS;
    }
    ~Registered() {
        if (registered_) {
            EXPECT_EQ(CU_CALL(cuMemHostUnregister, pages_), CUDA_SUCCESS);
        }
        if (pages_ != nullptr) munmap(pages_, bytes_);
    }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
    bool ok() const { return registered_; }
    uint8_t* data() const { return pages_; }
    // A pattern that no two pages share.
    void fill(uint32_t seed) const {
        for (std::size_t at = 0; at < bytes_; ++at)
            pages_[at] = static_cast<uint8_t>(at * 131 + (at >> 12) * 7 + seed);
    }
    bool all(std::size_t from, std::size_t bytes, uint8_t value) const {
        return static_cast<std::size_t>(std::count(pages_ + from, pages_ + from + bytes, value)) == bytes;
    }

  private:
    const std::size_t bytes_;
    uint8_t* pages_ = nullptr;
    bool registered_ = false;
};

const std::size_t kSizes[] = {
    4, 65537, 256 << 10, 2 * kMiB - 1, 2 * kMiB, kMiB * 2 + 1, 4 * kMiB + 5, 33 * kMiB + 3, 80 * kMiB + 1};

}  // namespace

class RegisteredSize : public OnDevice, public testing::WithParamInterface<std::size_t> {};

TEST_P(RegisteredSize, ThereAndBack) {
    const std::size_t bytes = GetParam();
    const Registered out(bytes + 2), in(bytes + 2);
    const Memory memory(bytes);
    const Stream stream;
    ASSERT_TRUE(out.ok() && in.ok() && memory.ok() && stream.ok());
    for (const bool async : {false, true}) {
        out.fill(async ? 5 : 6);
        memset(in.data(), 0xEE, bytes + 2);
        if (async) {
            CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), out.data() + 1, bytes, stream);
            CU_OK(cuMemcpyDtoHAsync_v2, in.data() + 1, memory.at(), bytes, stream);
            CU_OK(cuStreamSynchronize, stream);
        } else {
            CU_OK(cuMemcpyHtoD_v2, memory.at(), out.data() + 1, bytes);
            CU_OK(cuMemcpyDtoH_v2, in.data() + 1, memory.at(), bytes);
        }
        EXPECT_EQ(memcmp(in.data() + 1, out.data() + 1, bytes), 0) << async;
        EXPECT_EQ(in.data()[0], 0xEE) << async;
        EXPECT_EQ(in.data()[bytes + 1], 0xEE) << async;
    }
}

INSTANTIATE_TEST_SUITE_P(Bytes, RegisteredSize, testing::ValuesIn(kSizes), testing::PrintToStringParamName());

class RegisteredCopy : public WithKernels {};

TEST_F(RegisteredCopy, OutAndInAgainWithoutASynchronisation) {
    // Each copy takes what the one before it on the stream has brought, asynchronous or not.
    for (const std::size_t bytes : {std::size_t{300} << 10, 20 * kMiB}) {
        const Registered host(bytes);
        const Memory from(bytes), to(bytes);
        const Stream stream;
        ASSERT_TRUE(host.ok() && from.ok() && to.ok() && stream.ok());
        for (uint8_t round = 1; round < 5; ++round) {
            CU_OK(cuMemsetD8Async, from.at(), round, bytes, stream);
            CU_OK(cuMemcpyDtoHAsync_v2, host.data(), from.at(), bytes, stream);
            CU_OK(cuMemcpyHtoDAsync_v2, to.at(), host.data(), bytes, stream);
        }
        CU_OK(cuStreamSynchronize, stream);
        EXPECT_EQ(to.content(), std::vector<uint8_t>(bytes, 4));
        CU_OK(cuMemsetD8Async, from.at(), 9, bytes, nullptr);
        CU_OK(cuMemcpyDtoHAsync_v2, host.data(), from.at(), bytes, nullptr);
        CU_OK(cuMemcpyHtoD_v2, to.at(), host.data(), bytes);
        EXPECT_EQ(to.content(), std::vector<uint8_t>(bytes, 9));
    }
}

TEST_F(RegisteredCopy, DataAreThereWhateverSaysThatTheyAre) {
    constexpr std::size_t kBytes = 24 * kMiB;
    const Registered host(kBytes);
    const Memory memory(kBytes);
    const Stream stream;
    const Event event;
    ASSERT_TRUE(host.ok() && memory.ok() && stream.ok() && event.ok());
    for (uint8_t round = 1; round <= 12; ++round) {
        CU_OK(cuMemsetD8Async, memory.at(), round, kBytes, stream);
        CU_OK(cuMemcpyDtoHAsync_v2, host.data(), memory.at(), kBytes, stream);
        CUresult state = CUDA_ERROR_NOT_READY;
        switch (round % 4) {
            case 0:
                CU_OK(cuStreamSynchronize, stream);
                break;
            case 1:
                CU_OK(cuEventRecord, event, stream);
                CU_OK(cuEventSynchronize, event);
                break;
            case 2:
                while (state == CUDA_ERROR_NOT_READY) state = CU_CALL(cuStreamQuery, stream);
                ASSERT_EQ(state, CUDA_SUCCESS);
                break;
            default:
                CU_OK(cuCtxSynchronize);
        }
        ASSERT_TRUE(host.all(0, kBytes, round)) << unsigned{round};
    }
}

TEST_F(RegisteredCopy, ASourceMayChangeAfterASynchronisation) {
    constexpr std::size_t kBytes = 24 * kMiB;
    const Registered host(kBytes);
    const Memory memory(kBytes);
    const Stream stream;
    ASSERT_TRUE(host.ok() && memory.ok() && stream.ok());
    memset(host.data(), 3, kBytes);
    CU_OK(cuMemcpyHtoDAsync_v2, memory.at(), host.data(), kBytes, stream);
    CU_OK(cuStreamSynchronize, stream);
    memset(host.data(), 4, kBytes);
    EXPECT_EQ(memory.content(), std::vector<uint8_t>(kBytes, 3));
}

TEST_F(RegisteredCopy, ABusyStreamHoldsUpNeitherTheCallerNorAnotherStream) {
    // "Asynchronous": the calls return although the stream cannot get on before the caller lets it.
    constexpr std::size_t kBytes = 40 * kMiB;
    const Registered host(3 * kBytes);
    const Memory first(kBytes), second(kBytes);
    const Stream busy, free;
    ASSERT_TRUE(host.ok() && first.ok() && second.ok() && busy.ok() && free.ok());
    second.fill(8);
    memset(host.data(), 2, 2 * kBytes);
    Gate gate;
    PUT_GATE(gate, busy);
    CU_OK(cuMemcpyHtoDAsync_v2, first.at(), host.data(), kBytes, busy);
    CU_OK(cuMemcpyDtoHAsync_v2, host.data() + kBytes, second.at(), kBytes, busy);
    CU_OK(cuMemcpyDtoHAsync_v2, host.data() + 2 * kBytes, second.at(), kBytes, free);
    CU_OK(cuStreamSynchronize, free);
    EXPECT_TRUE(host.all(2 * kBytes, kBytes, 8));
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, busy);
    EXPECT_TRUE(host.all(kBytes, kBytes, 2));
    gate.open();
    CU_OK(cuStreamSynchronize, busy);
    EXPECT_TRUE(host.all(kBytes, kBytes, 8));
    EXPECT_EQ(first.content(), std::vector<uint8_t>(kBytes, 2));
}

}  // namespace bitfusion::conformance
