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
}

}  // namespace bitfusion::conformance
