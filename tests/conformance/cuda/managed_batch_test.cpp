// Batches of hints for managed memory: cuda.h, cuMemPrefetchBatchAsync, cuMemDiscardBatchAsync and both at
// once.
#include <array>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class ManagedBatch : public OnDevice {
  protected:
    static constexpr size_t kBytes = 1 << 20;

    void SetUp() override {
        OnDevice::SetUp();
        if (HasFatalFailure()) return;
        for (CUdeviceptr& range : ranges_) CU_OK(cuMemAllocManaged, &range, kBytes, CU_MEM_ATTACH_GLOBAL);
        if (attribute(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS) == 0 && !may_skip())
            GTEST_SKIP() << "prefetches are for devices with concurrent managed access";
    }
    void TearDown() override {
        for (const CUdeviceptr range : ranges_) {
            if (range != 0) CU_CALL(cuMemFree_v2, range);
        }
        OnDevice::TearDown();
    }
    uint32_t* words(size_t index) const { return reinterpret_cast<uint32_t*>(ranges_[index]); }

    std::array<CUdeviceptr, 2> ranges_{};
    std::array<size_t, 2> sizes_{kBytes, kBytes};
    CUmemLocation there_{CU_MEM_LOCATION_TYPE_DEVICE, 0};
    size_t first_ = 0;
};

TEST_F(ManagedBatch, PrefetchedMemoryKeepsItsContent) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    words(0)[5] = 55;
    words(1)[6] = 66;
    CU_OK(cuMemPrefetchBatchAsync, ranges_.data(), sizes_.data(), size_t{2}, &there_, &first_, size_t{1},
          0ull, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(words(0)[5], 55u);
    EXPECT_EQ(words(1)[6], 66u);
}

// What was discarded may hold anything until it is written; what is written then stays.
TEST_F(ManagedBatch, DiscardedMemoryCanBeWrittenAgain) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    words(0)[5] = 55;
    CU_OK(cuMemDiscardBatchAsync, ranges_.data(), sizes_.data(), size_t{2}, 0ull, stream);
    CU_OK(cuMemsetD32Async, ranges_[0], 77, kBytes / 4, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(words(0)[5], 77u);
    CU_OK(cuMemDiscardAndPrefetchBatchAsync, ranges_.data(), sizes_.data(), size_t{2}, &there_, &first_,
          size_t{1}, 0ull, stream);
    CU_OK(cuMemsetD32Async, ranges_[1], 88, kBytes / 4, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(words(1)[9], 88u);
}

TEST_F(ManagedBatch, RefusesWhatIsNoBatch) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    const CUresult bad = CUDA_ERROR_INVALID_VALUE;
    if (answers_misuse()) CU_IS(bad, cuMemDiscardBatchAsync, nullptr, sizes_.data(), size_t{2}, 0ull, stream);
    CU_IS(bad, cuMemDiscardBatchAsync, ranges_.data(), sizes_.data(), size_t{2}, 1ull, stream);
    if (answers_misuse())
        CU_IS(bad, cuMemPrefetchBatchAsync, ranges_.data(), nullptr, size_t{2}, &there_, &first_, size_t{1},
              0ull, stream);
    if (answers_misuse())
        CU_IS(bad, cuMemDiscardAndPrefetchBatchAsync, ranges_.data(), sizes_.data(), size_t{2}, &there_,
              &first_, size_t{3}, 0ull, stream);
}

}  // namespace bitfusion::conformance
