// What is known of an address: cuda.h, "Unified Addressing".
#include <array>
#include <memory>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class PointerTest : public OnDevice {};

TEST_F(PointerTest, DeviceMemory) {
    const Memory memory(10000);
    const Memory other(16);
    ASSERT_TRUE(memory.ok() && other.ok());
    const CUdeviceptr inside = memory.at(4321);
    CUmemorytype type{};
    CU_OK(cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, inside);
    EXPECT_EQ(type, CU_MEMORYTYPE_DEVICE);
    CUcontext context = nullptr;
    CU_OK(cuPointerGetAttribute, &context, CU_POINTER_ATTRIBUTE_CONTEXT, inside);
    EXPECT_EQ(context, context_);
    CUdeviceptr address = 0;
    CU_OK(cuPointerGetAttribute, &address, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, inside);
    EXPECT_EQ(address, inside);
    void* host = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute, &host, CU_POINTER_ATTRIBUTE_HOST_POINTER, inside);
    int ordinal = -1;
    CU_OK(cuPointerGetAttribute, &ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, inside);
    EXPECT_EQ(ordinal, 0);
    CU_OK(cuPointerGetAttribute, &address, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, inside);
    EXPECT_EQ(address, memory.at());
    std::size_t size = 0;
    CU_OK(cuPointerGetAttribute, &size, CU_POINTER_ATTRIBUTE_RANGE_SIZE, inside);
    EXPECT_EQ(size, memory.bytes());
    unsigned managed = 1;
    CU_OK(cuPointerGetAttribute, &managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, inside);
    EXPECT_EQ(managed & 0xFF, 0u);
    unsigned long long first = 0;
    unsigned long long same = 0;
    unsigned long long second = 0;
    CU_OK(cuPointerGetAttribute, &first, CU_POINTER_ATTRIBUTE_BUFFER_ID, inside);
    CU_OK(cuPointerGetAttribute, &same, CU_POINTER_ATTRIBUTE_BUFFER_ID, memory.at());
    CU_OK(cuPointerGetAttribute, &second, CU_POINTER_ATTRIBUTE_BUFFER_ID, other.at());
    EXPECT_EQ(first, same);
    EXPECT_NE(first, second);
}

TEST_F(PointerTest, PinnedMemory) {
    const Pinned pinned(8192);
    ASSERT_TRUE(pinned.ok());
    const auto inside = reinterpret_cast<CUdeviceptr>(pinned.data()) + 100;
    CUmemorytype type{};
    CU_OK(cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, inside);
    EXPECT_EQ(type, CU_MEMORYTYPE_HOST);
    void* host = nullptr;
    CU_OK(cuPointerGetAttribute, &host, CU_POINTER_ATTRIBUTE_HOST_POINTER, inside);
    EXPECT_EQ(host, static_cast<char*>(pinned.data()) + 100);
}

TEST_F(PointerTest, PageableMemoryIsUnknown) {
    const auto pageable = std::make_unique<std::array<char, 4096>>();
    const auto address = reinterpret_cast<CUdeviceptr>(pageable->data());
    CUmemorytype type{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, kNowhere);
}

TEST_F(PointerTest, SeveralAttributesAtOnce) {
    const Memory memory(256);
    ASSERT_TRUE(memory.ok());
    unsigned type = 99;
    unsigned managed = 99;
    int ordinal = 99;
    CUdeviceptr start = 99;
    std::array<CUpointer_attribute, 4> wanted{
        CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
        CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, CU_POINTER_ATTRIBUTE_IS_MANAGED};
    std::array<void*, 4> places{&type, &ordinal, &start, &managed};
    CU_OK(cuPointerGetAttributes, 4, wanted.data(), places.data(), memory.at(8));
    EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_DEVICE));
    EXPECT_EQ(ordinal, 0);
    EXPECT_EQ(start, memory.at());
    EXPECT_EQ(managed & 0xFF, 0u);

    // Unlike the single form, this one answers for pageable memory: with zeros.
    const auto pageable = std::make_unique<std::array<char, 4096>>();
    CU_OK(cuPointerGetAttributes, 1, wanted.data(), places.data(),
          reinterpret_cast<CUdeviceptr>(pageable->data()));
    EXPECT_EQ(type, 0u);
}

TEST_F(PointerTest, FreedMemoryIsUnknown) {
    CUdeviceptr address = 0;
    CU_OK(cuMemAlloc_v2, &address, std::size_t{32} << 20);
    CU_OK(cuMemFree_v2, address);
    CUmemorytype type{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address);
}

TEST_F(PointerTest, ManagedMemory) {
    if (attribute(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY) == 0)
        GTEST_SKIP() << "the device has no managed memory";
    CUdeviceptr address = 0;
    CU_OK(cuMemAllocManaged, &address, 4096, CU_MEM_ATTACH_GLOBAL);
    unsigned managed = 0;
    CU_OK(cuPointerGetAttribute, &managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address);
    EXPECT_NE(managed & 0xFF, 0u);
    CU_OK(cuMemFree_v2, address);
}

// "Returns the mempool handle for the allocation if it was allocated from a mempool. Otherwise returns NULL."
TEST_F(PointerTest, MemoryOfAPoolKnowsItsPool) {
    if (attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) == 0) GTEST_SKIP() << "no memory pools";
    CUmemoryPool usual = nullptr;
    CU_OK(cuDeviceGetDefaultMemPool, &usual, 0);
    CUmemPoolProps properties{};
    properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    CUmemoryPool made = nullptr;
    CU_OK(cuMemPoolCreate, &made, &properties);
    const Stream stream;
    std::array<CUdeviceptr, 2> memory{};
    CU_OK(cuMemAllocAsync, &memory[0], 4096, stream);
    CU_OK(cuMemAllocFromPoolAsync, &memory[1], 4096, made, stream);
    for (const std::size_t i : {0, 1}) {
        CUmemoryPool pool = nullptr;
        CU_OK(cuPointerGetAttribute, &pool, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, memory[i] + 100);
        EXPECT_EQ(pool, i == 0 ? usual : made);
        CU_OK(cuMemFreeAsync, memory[i], stream);
    }
    CU_OK(cuStreamSynchronize, stream);
    CU_OK(cuMemPoolDestroy, made);
    const Memory plain(64);
    const Pinned pinned(64);
    ASSERT_TRUE(plain.ok() && pinned.ok());
    for (const CUdeviceptr address : {plain.at(), reinterpret_cast<CUdeviceptr>(pinned.data())}) {
        CUmemoryPool pool = usual;
        CU_OK(cuPointerGetAttribute, &pool, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, address);
        EXPECT_EQ(pool, nullptr);
    }
}

// "Bitmask of allowed CUmemAllocationHandleType for this allocation."
TEST_F(PointerTest, MemoryKnowsAsWhatItCanBeShared) {
    if (attribute(CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED) == 0)
        GTEST_SKIP() << "memory cannot be shared by file descriptor";
    const std::array<CUmemAllocationHandleType, 2> asked{CU_MEM_HANDLE_TYPE_NONE,
                                                         CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR};
    for (const CUmemAllocationHandleType type : asked) {
        CUmemAllocationProp properties{};
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
        properties.requestedHandleTypes = type;
        std::size_t bytes = 0;
        CU_OK(cuMemGetAllocationGranularity, &bytes, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
        CUmemGenericAllocationHandle physical = 0;
        CUdeviceptr address = 0;
        CU_OK(cuMemCreate, &physical, bytes, &properties, 0);
        CU_OK(cuMemAddressReserve, &address, bytes, 0, 0, 0);
        CU_OK(cuMemMap, address, bytes, 0, physical, 0);
        const CUmemAccessDesc access{{CU_MEM_LOCATION_TYPE_DEVICE, 0}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
        CU_OK(cuMemSetAccess, address, bytes, &access, 1);
        unsigned long long allowed = 99;
        CUmemoryPool pool = nullptr;
        std::array<CUpointer_attribute, 2> wanted{CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
                                                  CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE};
        std::array<void*, 2> places{&allowed, &pool};
        CU_OK(cuPointerGetAttributes, 2, wanted.data(), places.data(), address);
        EXPECT_EQ(allowed, static_cast<unsigned long long>(type));
        EXPECT_EQ(pool, nullptr);
        CU_OK(cuMemUnmap, address, bytes);
        CU_OK(cuMemRelease, physical);
        CU_OK(cuMemAddressFree, address, bytes);
    }
    const Memory plain(64);
    ASSERT_TRUE(plain.ok());
    unsigned long long allowed = 99;
    CU_OK(cuPointerGetAttribute, &allowed, CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, plain.at());
    EXPECT_EQ(allowed, 0u);
}

TEST_F(PointerTest, OnlySynchronisationCanBeSet) {
    const Memory memory(64);
    ASSERT_TRUE(memory.ok());
    const unsigned one = 1;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerSetAttribute, nullptr, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS,
          memory.at());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerSetAttribute, &one, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
          memory.at());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuPointerSetAttribute, &one, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, kNowhere);
    CU_OK(cuPointerSetAttribute, &one, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory.at());
    unsigned set = 0;
    CU_OK(cuPointerGetAttribute, &set, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory.at());
    EXPECT_EQ(set & 0xff, 1u);
    const unsigned zero = 0;
    CU_OK(cuPointerSetAttribute, &zero, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory.at());
    CU_OK(cuPointerGetAttribute, &set, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory.at());
    EXPECT_EQ(set & 0xff, 0u);
}

// "When set, the region of memory that ptr points to is guaranteed to always synchronize memory operations
// that are synchronous": copies inside the device and sets, which otherwise return before they are done.
class SynchronousMemory : public WithKernels {
  protected:
    // Work on the legacy stream that takes a while.
    void keep_busy(const Memory& memory) {
        for (int i = 0; i < 40; ++i)
            ASSERT_EQ(
                launch(kernel("add_one"), {.grid_x = 512, .block_x = 128}, nullptr, memory.at(), 65536u),
                CUDA_SUCCESS);
    }
};

TEST_F(SynchronousMemory, OperationsOnItAreDoneWhenTheyReturn) {
    const Memory memory(4096);
    const Memory other(4096);
    const Memory busy(std::size_t{65536} * 4);
    ASSERT_TRUE(memory.ok() && other.ok() && busy.ok());
    const unsigned one = 1;
    keep_busy(busy);
    CU_OK(cuMemsetD32_v2, memory.at(), 5, 1024);
    CU_OK(cuPointerSetAttribute, &one, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory.at());
    CU_OK(cuStreamQuery, nullptr);  // "does not return until those memory operations are complete"
    keep_busy(busy);
    CU_OK(cuMemsetD32_v2, memory.at(), 6, 1024);
    CU_OK(cuStreamQuery, nullptr);
    keep_busy(busy);
    CU_OK(cuMemcpyDtoD_v2, memory.at(), other.at(), 4096);
    CU_OK(cuStreamQuery, nullptr);
    keep_busy(busy);
    CU_OK(cuMemcpyDtoD_v2, other.at(), memory.at(), 4096);
    CU_OK(cuStreamQuery, nullptr);
    keep_busy(busy);
    CU_OK(cuMemcpy, memory.at(), other.at(), 4096);
    CU_OK(cuStreamQuery, nullptr);
    keep_busy(busy);
    CU_OK(cuMemcpyHtoD_v2, memory.at(), &one, sizeof one);
    CU_OK(cuStreamQuery, nullptr);
    keep_busy(busy);
    CUDA_MEMCPY2D rows{};
    rows.srcMemoryType = rows.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    rows.srcDevice = other.at();
    rows.dstDevice = memory.at();
    rows.srcPitch = rows.dstPitch = 128;
    rows.WidthInBytes = 64;
    rows.Height = 16;
    CU_OK(cuMemcpy2D_v2, &rows);
    CU_OK(cuStreamQuery, nullptr);
    CU_OK(cuCtxSynchronize);
}

TEST_F(SynchronousMemory, OfAContextAllIs) {
    CUcontext context = nullptr;
    const Memory busy(std::size_t{65536} * 4);
    const Memory memory(4096);
    ASSERT_TRUE(busy.ok() && memory.ok());
    unsigned before = 0;
    CU_OK(cuCtxGetCurrent, &context);
    CU_OK(cuCtxGetFlags, &before);
    CU_OK(cuCtxSetFlags, before | CU_CTX_SYNC_MEMOPS);
    unsigned flags = 0;
    CU_OK(cuCtxGetFlags, &flags);
    EXPECT_NE(flags & CU_CTX_SYNC_MEMOPS, 0u);
    keep_busy(busy);
    CU_OK(cuMemsetD32_v2, memory.at(), 5, 1024);
    CU_OK(cuStreamQuery, nullptr);
    CU_OK(cuCtxSetFlags, before);
}

class Profiler : public OnDevice {};

// Without a tool they switch nothing.
TEST_F(Profiler, StartsAndStopsInAContext) {
    CU_OK(cuProfilerStart);
    CU_OK(cuProfilerStart);
    CU_OK(cuProfilerStop);
    CUcontext context = nullptr;
    CU_OK(cuCtxPopCurrent_v2, &context);
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuProfilerStart);
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuProfilerStop);
    CU_OK(cuCtxPushCurrent_v2, context);
}

}  // namespace bitfusion::conformance
