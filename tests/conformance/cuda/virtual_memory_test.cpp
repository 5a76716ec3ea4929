// Address ranges and physical memory apart from each other: cuda.h, "Virtual Memory Management".
#include "conformance/objects.h"

namespace bitfusion::conformance {

class VirtualMemory : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (HasFatalFailure()) return;
        if (attribute(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED) == 0) {
            GTEST_SKIP() << "the device has no virtual memory management";
        }
        properties_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
        properties_.location.id = device_;
        access_.location = properties_.location;
        access_.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        CU_OK(cuMemGetAllocationGranularity, &granule_, &properties_, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
    }

    CUmemAllocationProp properties_{};
    CUmemAccessDesc access_{};
    std::size_t granule_ = 0;
};

TEST_F(VirtualMemory, TwoPiecesBehaveAsOneRange) {
    ASSERT_GT(granule_, 0u);
    CUdeviceptr range = 0;
    CU_OK(cuMemAddressReserve, &range, 4 * granule_, 0, 0, 0);
    CUmemGenericAllocationHandle first = 0;
    CUmemGenericAllocationHandle second = 0;
    CU_OK(cuMemCreate, &first, granule_, &properties_, 0);
    CU_OK(cuMemCreate, &second, granule_, &properties_, 0);
    CU_OK(cuMemMap, range, granule_, 0, first, 0);
    CU_OK(cuMemMap, range + granule_, granule_, 0, second, 0);
    CU_OK(cuMemSetAccess, range, 2 * granule_, &access_, 1);
    CU_OK(cuMemRelease, first);  // stays alive as long as it is mapped
    CU_OK(cuMemRelease, second);

    const auto count = static_cast<uint32_t>(2 * granule_ / 4);
    ASSERT_EQ(launch(kernel("iota"), {.grid_x = count / 256, .block_x = 256}, nullptr, range, 5u, count),
              CUDA_SUCCESS);
    std::vector<uint32_t> words(count);
    CU_OK(cuMemcpyDtoH_v2, words.data(), range, 2 * granule_);  // across the border of the pieces
    for (uint32_t i = 0; i < count; ++i) ASSERT_EQ(words[i], i + 5);

    CU_OK(cuMemUnmap, range, granule_);
    CU_OK(cuMemUnmap, range + granule_, granule_);
    CU_OK(cuMemAddressFree, range, 4 * granule_);
}

TEST_F(VirtualMemory, PhysicalMemoryKeepsItsContentAtAnotherAddress) {
    ASSERT_GT(granule_, 0u);
    CUdeviceptr range = 0;
    CU_OK(cuMemAddressReserve, &range, 2 * granule_, 0, 0, 0);
    CUmemGenericAllocationHandle memory = 0;
    CU_OK(cuMemCreate, &memory, granule_, &properties_, 0);
    CU_OK(cuMemMap, range, granule_, 0, memory, 0);
    CU_OK(cuMemSetAccess, range, granule_, &access_, 1);
    CU_OK(cuMemsetD32_v2, range, 0x12345678, granule_ / 4);
    CU_OK(cuCtxSynchronize);
    CU_OK(cuMemUnmap, range, granule_);
    CU_OK(cuMemMap, range + granule_, granule_, 0, memory, 0);
    CU_OK(cuMemSetAccess, range + granule_, granule_, &access_, 1);
    uint32_t word = 0;
    CU_OK(cuMemcpyDtoH_v2, &word, range + 2 * granule_ - 4, 4);
    EXPECT_EQ(word, 0x12345678u);
    CU_OK(cuMemUnmap, range + granule_, granule_);
    CU_OK(cuMemRelease, memory);
    CU_OK(cuMemAddressFree, range, 2 * granule_);
}

TEST_F(VirtualMemory, SizesMustBeMultiplesOfTheGranule) {
    CUmemGenericAllocationHandle memory = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemCreate, &memory, granule_ + 1, &properties_, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemCreate, &memory, 0, &properties_, 0);
}

// Physical memory and addresses belong to no context, so it does not matter what became of the current one.
TEST_F(VirtualMemory, NeedsNoContext) {
    CUcontext first = nullptr;
    CU_OK(cuCtxCreate_v4, &first, nullptr, 0, device_);
    CU_OK(cuCtxPushCurrent_v2, first);  // twice on the stack: destroying it pops it once
    CU_OK(cuCtxDestroy_v2, first);
    std::size_t granule = 0;
    const CUresult asked =
        CU_CALL(cuMemGetAllocationGranularity, &granule, &properties_, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
    CUmemGenericAllocationHandle memory = 0;
    const CUresult made = CU_CALL(cuMemCreate, &memory, granule_, &properties_, 0);
    const CUresult released = CU_CALL(cuMemRelease, memory);
    CUcontext popped = nullptr;
    CU_CALL(cuCtxPopCurrent_v2, &popped);
    CU_OK(cuCtxSetCurrent, context_);
    EXPECT_EQ(asked, CUDA_SUCCESS);
    EXPECT_EQ(granule, granule_);
    EXPECT_EQ(made, CUDA_SUCCESS);
    EXPECT_EQ(released, CUDA_SUCCESS);
}

}  // namespace bitfusion::conformance
