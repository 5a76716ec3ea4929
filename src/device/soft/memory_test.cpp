#include <cstring>
#include <vector>

#include "device/soft/context.h"
#include "device/soft/test_device.h"
#include "device/soft/test_kernels.h"

namespace bitfusion::soft {
namespace {

class MemoryTest : public test::DeviceTest {
  protected:
    size_t free_bytes() {
        size_t available = 0;
        size_t total = 0;
        EXPECT_EQ(cu.cuMemGetInfo_v2(&available, &total), CUDA_SUCCESS);
        EXPECT_EQ(total, test::kTestMemory);
        return available;
    }
};

TEST_F(MemoryTest, AllocateAndFree) {
    const size_t before = free_bytes();
    const CUdeviceptr a = allocate(1000);
    const CUdeviceptr b = allocate(1);
    EXPECT_EQ(a % 512, 0u);
    EXPECT_EQ(b % 512, 0u);
    EXPECT_EQ(before - free_bytes(), 1024u + 512u);
    CUdeviceptr base = 0;
    size_t bytes = 0;
    EXPECT_EQ(cu.cuMemGetAddressRange_v2(&base, &bytes, a + 999), CUDA_SUCCESS);
    EXPECT_EQ(base, a);
    EXPECT_EQ(bytes, 1000u);
    EXPECT_EQ(cu.cuMemGetAddressRange_v2(&base, &bytes, a + 1000), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(cu.cuMemFree_v2(a + 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemFree_v2(a), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFree_v2(a), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemFree_v2(b), CUDA_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
}

TEST_F(MemoryTest, TheLimitIsReal) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemAlloc_v2(nullptr, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, test::kTestMemory + 1), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, ~size_t{0}), CUDA_ERROR_OUT_OF_MEMORY);
    std::vector<CUdeviceptr> all;
    while (cu.cuMemAlloc_v2(&address, size_t{16} << 20) == CUDA_SUCCESS) all.push_back(address);
    EXPECT_EQ(all.size(), 15u) << "the context has its part";
    EXPECT_EQ(free_bytes(), (size_t{16} << 20) - kContextBytes);
    // Every other one freed: what is asked for still fits, for addresses do not run out before bytes do.
    for (size_t i = 0; i < all.size(); i += 2) EXPECT_EQ(cu.cuMemFree_v2(all[i]), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAlloc_v2(&address, size_t{128} << 20), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFree_v2(address), CUDA_SUCCESS);
    for (size_t i = 1; i < all.size(); i += 2) EXPECT_EQ(cu.cuMemFree_v2(all[i]), CUDA_SUCCESS);
}

TEST_F(MemoryTest, ContextEndFreesItsMemory) {
    const size_t before = free_bytes();
    CUcontext made = nullptr;
    ASSERT_EQ(cu.cuCtxCreate_v4(&made, nullptr, 0, 0), CUDA_SUCCESS);
    allocate(1 << 20);
    EXPECT_EQ(cu.cuCtxDestroy_v2(made), CUDA_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
}

TEST_F(MemoryTest, Pitch) {
    CUdeviceptr address = 0;
    size_t pitch = 0;
    EXPECT_EQ(cu.cuMemAllocPitch_v2(&address, &pitch, 100, 10, 3), CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(cu.cuMemAllocPitch_v2(&address, &pitch, 100, 10, 4), CUDA_SUCCESS);
    EXPECT_EQ(pitch, 512u);
    EXPECT_EQ(cu.cuMemsetD8_v2(address, 1, 5120), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFree_v2(address), CUDA_SUCCESS);
}

TEST_F(MemoryTest, PinnedAndRegisteredHostMemory) {
    void* pinned = nullptr;
    ASSERT_EQ(cu.cuMemHostAlloc(&pinned, 5000, CU_MEMHOSTALLOC_PORTABLE), CUDA_SUCCESS);
    memset(pinned, 7, 5000);
    unsigned flags = 0;
    EXPECT_EQ(cu.cuMemHostGetFlags(&flags, pinned), CUDA_SUCCESS);
    EXPECT_EQ(flags, static_cast<unsigned>(CU_MEMHOSTALLOC_PORTABLE));
    CUdeviceptr device = 0;
    EXPECT_EQ(cu.cuMemHostGetDevicePointer_v2(&device, pinned, 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemHostAlloc(&pinned, 10, 0x80), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemFreeHost(static_cast<char*>(pinned) + 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemFreeHost(pinned), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE);

    std::vector<char> mine(10000);
    EXPECT_EQ(cu.cuMemHostUnregister(mine.data()), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    EXPECT_EQ(cu.cuMemHostRegister_v2(mine.data(), mine.size(), 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemHostRegister_v2(mine.data() + 100, 10, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    EXPECT_EQ(cu.cuMemHostUnregister(mine.data()), CUDA_SUCCESS);
}

TEST_F(MemoryTest, PointerAttributes) {
    const CUdeviceptr device = allocate(4096);
    unsigned type = 0;
    EXPECT_EQ(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, device + 5), CUDA_SUCCESS);
    EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_DEVICE));
    CUcontext owner = nullptr;
    EXPECT_EQ(cu.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, device), CUDA_SUCCESS);
    EXPECT_EQ(owner, context);
    void* host = nullptr;
    EXPECT_EQ(cu.cuPointerGetAttribute(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, device),
              CUDA_ERROR_INVALID_VALUE);
    int local = 0;
    const auto pageable = reinterpret_cast<CUdeviceptr>(&local);
    EXPECT_EQ(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pageable),
              CUDA_ERROR_INVALID_VALUE);
    int ordinal = 5;
    CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                                    CU_POINTER_ATTRIBUTE_HOST_POINTER};
    void* data[] = {&type, &ordinal, &host};
    EXPECT_EQ(cu.cuPointerGetAttributes(3, wanted, data, pageable), CUDA_SUCCESS);
    EXPECT_EQ(type, 0u);
    EXPECT_EQ(ordinal, -2);
    CUdeviceptr managed = 0;
    ASSERT_EQ(cu.cuMemAllocManaged(&managed, 100, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuPointerGetAttributes(3, wanted, data, managed), CUDA_SUCCESS);
    EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_DEVICE));
    EXPECT_EQ(host, reinterpret_cast<void*>(managed));
    *static_cast<int*>(host) = 3;
    EXPECT_EQ(cu.cuMemFree_v2(managed), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFree_v2(device), CUDA_SUCCESS);
}

TEST_F(MemoryTest, StreamOrderedPools) {
    const size_t before = free_bytes();
    CUmemoryPool pool = nullptr;
    ASSERT_EQ(cu.cuDeviceGetDefaultMemPool(&pool, 0), CUDA_SUCCESS);
    const CUstream stream = make_stream();
    CUdeviceptr address = 0;
    ASSERT_EQ(cu.cuMemAllocAsync(&address, 1000, stream), CUDA_SUCCESS);
    cuuint64_t used = 0;
    EXPECT_EQ(cu.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
    EXPECT_EQ(used, 1024u);
    EXPECT_EQ(cu.cuMemsetD8Async(address, 1, 1000, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFreeAsync(address, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemFreeAsync(address, stream), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
    // Memory that the stream will have freed by then can be asked for again.
    ASSERT_EQ(cu.cuMemAllocAsync(&address, before - (1 << 20), stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemFreeAsync(address, stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemAllocAsync(&address, before - (1 << 20), stream), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemFreeAsync(address, stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
}

TEST_F(MemoryTest, OnePieceMappedTwice) {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    size_t granule = 0;
    ASSERT_EQ(cu.cuMemGetAllocationGranularity(&granule, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
              CUDA_SUCCESS);
    const size_t before = free_bytes();
    CUdeviceptr range = 0;
    ASSERT_EQ(cu.cuMemAddressReserve(&range, 4 * granule, 0, 0, 0), CUDA_SUCCESS);
    CUmemGenericAllocationHandle piece = 0;
    ASSERT_EQ(cu.cuMemCreate(&piece, granule, &properties, 0), CUDA_SUCCESS);
    EXPECT_EQ(before - free_bytes(), granule);
    ASSERT_EQ(cu.cuMemMap(range, granule, 0, piece, 0), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemMap(range, granule, 0, piece, 0), CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(cu.cuMemMap(range + granule, granule, 0, piece, 0), CUDA_SUCCESS);
    CUmemAccessDesc access{};
    access.location = properties.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    ASSERT_EQ(cu.cuMemSetAccess(range, 2 * granule, &access, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemsetD32_v2(range, 0xabcd, granule / 4), CUDA_SUCCESS);
    uint32_t seen = 0;
    ASSERT_EQ(cu.cuMemcpyDtoH_v2(&seen, range + granule + 400, 4), CUDA_SUCCESS);
    EXPECT_EQ(seen, 0xabcdu);
    // A copy may cross from one mapping into the next, not beyond.
    std::vector<char> both(2 * granule);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(both.data(), range, both.size()), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(both.data(), range + 8, both.size()), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemRelease(piece), CUDA_SUCCESS);
    EXPECT_EQ(before - free_bytes(), granule);
    EXPECT_EQ(cu.cuMemAddressFree(range, 4 * granule), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemUnmap(range, 2 * granule), CUDA_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
    EXPECT_EQ(cu.cuMemAddressFree(range, 4 * granule), CUDA_SUCCESS);
}

TEST_F(MemoryTest, AnotherDeviceReachesWhatItAloneMayAccess) {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    const size_t granule = size_t{2} << 20;
    CUdeviceptr range = 0;
    CUmemGenericAllocationHandle piece = 0;
    ASSERT_EQ(cu.cuMemAddressReserve(&range, granule, 0, 0, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemCreate(&piece, granule, &properties, 0), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuMemMap(range, granule, 0, piece, 0), CUDA_SUCCESS);
    const CUmemAccessDesc access{{CU_MEM_LOCATION_TYPE_DEVICE, 1}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    ASSERT_EQ(cu.cuMemSetAccess(range, granule, &access, 1), CUDA_SUCCESS);
    CUcontext other = nullptr;
    CUmodule module = nullptr;
    CUfunction add = nullptr;
    ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&other, 1), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuCtxSetCurrent(other), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuModuleLoadData(&module, test::kPtx), CUDA_SUCCESS);
    ASSERT_EQ(cu.cuModuleGetFunction(&add, module, "add"), CUDA_SUCCESS);
    uint32_t value = 9;
    uint32_t count = 64;
    void* arguments[] = {&range, &value, &count};
    EXPECT_EQ(cu.cuLaunchKernel(add, 1, 1, 1, 64, 1, 1, 0, nullptr, arguments, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_SUCCESS);
    uint32_t seen = 0;
    EXPECT_EQ(cu.cuMemcpyDtoH_v2(&seen, range + 4 * 63, 4), CUDA_SUCCESS);
    EXPECT_EQ(seen, 9u);
    EXPECT_EQ(cu.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemUnmap(range, granule), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemRelease(piece), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAddressFree(range, granule), CUDA_SUCCESS);
}

TEST_F(MemoryTest, AdviceIsRemembered) {
    CUdeviceptr managed = 0;
    ASSERT_EQ(cu.cuMemAllocManaged(&managed, 8192, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
    const CUmemLocation device{CU_MEM_LOCATION_TYPE_DEVICE, 1};
    EXPECT_EQ(cu.cuMemAdvise_v2(managed, 8192, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, device), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAdvise_v2(managed, 8192, CU_MEM_ADVISE_SET_ACCESSED_BY, device), CUDA_SUCCESS);
    EXPECT_EQ(cu.cuMemAdvise_v2(managed, 8193, CU_MEM_ADVISE_SET_ACCESSED_BY, device),
              CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cu.cuMemPrefetchAsync_v2(managed, 8192, {CU_MEM_LOCATION_TYPE_DEVICE, 9}, 0, nullptr),
              CUDA_ERROR_INVALID_VALUE);
    int preferred = 0;
    int users[2] = {};
    EXPECT_EQ(
        cu.cuMemRangeGetAttribute(&preferred, 4, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION, managed, 8192),
        CUDA_SUCCESS);
    EXPECT_EQ(preferred, 1);
    EXPECT_EQ(cu.cuMemRangeGetAttribute(users, 8, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, managed, 8192),
              CUDA_SUCCESS);
    EXPECT_EQ(users[0], 1);
    EXPECT_EQ(users[1], -2);
    EXPECT_EQ(cu.cuMemFree_v2(managed), CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::soft
