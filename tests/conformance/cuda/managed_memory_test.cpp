// Managed memory: cuda.h, "Memory Management" and "Unified Addressing"; the rules are those for devices
// without concurrent managed access: the host touches it when no kernel runs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {

constexpr char kVariables[] = R"(
.version 6.4
.target sm_52
.address_size 64
.visible .global .attribute(.managed) .align 4 .u32 first = 5;
.visible .global .attribute(.managed) .align 4 .u32 table[3000];
.visible .global .align 4 .u32 plain = 7;
.visible .entry add_first()
{
    .reg .u32 %v;
    ld.global.u32 %v, [first];
    add.u32 %v, %v, 1;
    st.global.u32 [first], %v;
    st.global.u32 [table+8000], %v;
    ret;
}
)";

constexpr CUmemLocation kHost{CU_MEM_LOCATION_TYPE_HOST, 0};
constexpr CUmemLocation kDevice{CU_MEM_LOCATION_TYPE_DEVICE, 0};

// Managed memory as words.
class Managed {
  public:
    explicit Managed(uint32_t count) : count_(count) {
        EXPECT_EQ(CU_CALL(cuMemAllocManaged, &address_, std::size_t{count} * 4, CU_MEM_ATTACH_GLOBAL),
                  CUDA_SUCCESS);
    }
    ~Managed() {
        if (address_ != 0) CU_CALL(cuMemFree_v2, address_);
    }
    Managed(const Managed&) = delete;
    Managed& operator=(const Managed&) = delete;

    bool ok() const { return address_ != 0; }
    CUdeviceptr at(std::size_t word = 0) const { return address_ + 4 * word; }
    uint32_t* words() const { return reinterpret_cast<uint32_t*>(address_); }
    uint32_t count() const { return count_; }
    bool all(uint32_t value) const {
        return std::all_of(words(), words() + count_, [&](uint32_t word) { return word == value; });
    }

  private:
    const uint32_t count_;
    CUdeviceptr address_ = 0;
};

}  // namespace

class ManagedMemory : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (attribute(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY) == 0)
            GTEST_SKIP() << "the device has no managed memory";
    }
    CUresult add_one(const Managed& memory, CUstream stream = nullptr) {
        return launch(kernel("add_one"), {.grid_x = (memory.count() + 255) / 256, .block_x = 256}, stream,
                      memory.at(), memory.count());
    }
};

TEST_F(ManagedMemory, LargeMemoryGoesBackAndForth) {
    const Managed memory(3u << 20);  // 12 MiB
    ASSERT_TRUE(memory.ok());
    for (uint32_t i = 0; i < memory.count(); ++i) memory.words()[i] = i;
    for (uint32_t round = 1; round <= 3; ++round) {
        ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
        CU_OK(cuCtxSynchronize);
        memory.words()[round * 100000] += 50;
        for (uint32_t i = 0; i < memory.count(); ++i) {
            const bool touched = i % 100000 == 0 && i >= 100000 && i <= round * 100000;
            ASSERT_EQ(memory.words()[i], i + round + (touched ? 50 : 0)) << i;
        }
    }
}

TEST_F(ManagedMemory, BeginsAsTheGpuLeavesIt) {
    const Managed memory(100000);
    ASSERT_TRUE(memory.ok());
    CU_OK(cuMemsetD32_v2, memory.at(), 3, memory.count());
    EXPECT_TRUE(memory.all(3));
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_TRUE(memory.all(4));
}

TEST_F(ManagedMemory, SparseWritesMergeWithTheGpus) {
    const Managed memory(1u << 20);
    ASSERT_TRUE(memory.ok());
    CU_OK(cuMemsetD8_v2, memory.at(), 0, memory.count() * 4);
    std::vector<uint32_t> expected(memory.count());
    uint32_t seed = 12345;
    for (int round = 0; round < 8; ++round) {
        for (int i = 0; i < 300; ++i) {
            seed = seed * 1664525u + 1013904223u;
            memory.words()[seed % memory.count()] += 7;
            expected[seed % memory.count()] += 7;
        }
        ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
        for (uint32_t& word : expected) ++word;
        CU_OK(cuCtxSynchronize);
        for (int i = 0; i < 300; ++i) {
            seed = seed * 1664525u + 1013904223u;
            ASSERT_EQ(memory.words()[seed % memory.count()], expected[seed % memory.count()]);
        }
    }
    EXPECT_EQ(std::vector<uint32_t>(memory.words(), memory.words() + memory.count()), expected);
}

// Allocations of whole pages often lie side by side; a driver copies within one of them.
TEST_F(ManagedMemory, NeighboursAreWrittenInOneGo) {
    std::vector<std::unique_ptr<Managed>> all;
    for (uint32_t i = 0; i < 8; ++i) {
        all.push_back(std::make_unique<Managed>(1024));
        ASSERT_TRUE(all.back()->ok());
    }
    for (uint32_t round = 0; round < 2; ++round) {
        for (uint32_t i = 0; i < 8; ++i) std::fill_n(all[i]->words(), 1024, 10 * i + round);
        for (const auto& memory : all) ASSERT_EQ(add_one(*memory), CUDA_SUCCESS);
        CU_OK(cuCtxSynchronize);
        for (uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(all[i]->all(10 * i + round + 1)) << i;
    }
}

TEST_F(ManagedMemory, CopiesTakeItOnEitherSide) {
    const Managed memory(50000);
    const Memory device(50000 * 4);
    ASSERT_TRUE(memory.ok() && device.ok());
    std::vector<uint32_t> host(50000, 8);
    CU_OK(cuMemcpyHtoD_v2, memory.at(), host.data(), host.size() * 4);
    EXPECT_TRUE(memory.all(8));
    memory.words()[49999] = 9;
    CU_OK(cuMemcpyDtoD_v2, device.at(), memory.at(), host.size() * 4);
    EXPECT_EQ(device.words()[49999], 9u);
    EXPECT_EQ(device.words()[0], 8u);
    memory.words()[0] = 1;
    CU_OK(cuMemcpyDtoH_v2, host.data(), memory.at(), host.size() * 4);
    EXPECT_EQ(host[0], 1u);
    device.fill(2);
    CU_OK(cuMemcpy, memory.at(), device.at(), host.size() * 4);  // from device to device: not awaited
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_TRUE(memory.all(0x02020202));
    // As host memory of a copy, too.
    memory.words()[5] = 77;
    CU_OK(cuMemcpyHtoD_v2, device.at(), memory.words(), host.size() * 4);
    EXPECT_EQ(device.words()[5], 77u);
    device.fill(4);
    CU_OK(cuMemcpyDtoH_v2, memory.words(), device.at(), host.size() * 4);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_TRUE(memory.all(0x04040404));
    CU_OK(cuMemcpyDtoHAsync_v2, memory.words(), device.at(), 4, nullptr);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_EQ(memory.words()[0], 0x04040404u);
}

TEST_F(ManagedMemory, RowsAreCopied) {
    const Managed memory(64 * 64);
    const Memory device(64 * 64 * 4);
    ASSERT_TRUE(memory.ok() && device.ok());
    for (uint32_t i = 0; i < memory.count(); ++i) memory.words()[i] = i;
    device.fill(0);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
    copy.srcDevice = memory.at();
    copy.srcPitch = 256;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = device.at();
    copy.dstPitch = 256;
    copy.WidthInBytes = 8;
    copy.Height = 64;
    CU_OK(cuMemcpy2D_v2, &copy);
    EXPECT_EQ(device.words()[64 * 3 + 1], 64u * 3 + 1);
    EXPECT_EQ(device.words()[64 * 3 + 2], 0u);
}

TEST_F(ManagedMemory, SystemCallsReachIt) {
    const Managed memory(20000);
    ASSERT_TRUE(memory.ok());
    std::fill_n(memory.words(), memory.count(), 1u);
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const ssize_t sent = write(ends[1], memory.words() + 9000, 4096);
    if (sent < 0 && errno == EFAULT && may_skip()) {
        close(ends[0]);
        close(ends[1]);
        GTEST_SKIP() << "the system does not let managed memory be watched in system calls";
    }
    EXPECT_EQ(sent, 4096);
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(read(ends[0], memory.words() + 100, 4096), 4096);
    close(ends[0]);
    close(ends[1]);
    EXPECT_EQ(memory.words()[99], 3u);
    EXPECT_EQ(memory.words()[100], 2u);
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.words()[100], 3u);
    EXPECT_EQ(memory.words()[19999], 4u);
}

TEST_F(ManagedMemory, ManyThreadsTouchOnePage) {
    const Managed memory(1u << 18);
    ASSERT_TRUE(memory.ok());
    for (uint32_t round = 0; round < 5; ++round) {
        ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
        CU_OK(cuCtxSynchronize);
        std::vector<std::thread> threads;
        std::atomic<int> wrong{0};
        for (uint32_t t = 0; t < 8; ++t) {
            threads.emplace_back([&, t] {
                for (uint32_t i = t; i < memory.count(); i += 8) {
                    if (memory.words()[i] != 2 * round + 1) ++wrong;
                    memory.words()[i] += 1;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        ASSERT_EQ(wrong.load(), 0);
    }
}

TEST_F(ManagedMemory, VariablesOfModulesAreTheHostsToo) {
    CUmodule module = nullptr;
    CU_OK(cuModuleLoadData, &module, kVariables);
    CUdeviceptr first = 0;
    CUdeviceptr table = 0;
    std::size_t bytes = 0;
    CU_OK(cuModuleGetGlobal_v2, &first, &bytes, module, "first");
    EXPECT_EQ(bytes, 4u);
    CU_OK(cuModuleGetGlobal_v2, &table, &bytes, module, "table");
    EXPECT_EQ(bytes, 12000u);
    auto* value = reinterpret_cast<volatile uint32_t*>(first);
    auto* entries = reinterpret_cast<volatile uint32_t*>(table);
    EXPECT_EQ(*value, 5u);
    *value = 40;
    entries[1] = 3;
    CUfunction function = nullptr;
    CU_OK(cuModuleGetFunction, &function, module, "add_first");
    ASSERT_EQ(launch(function, {}, nullptr), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(*value, 41u);
    EXPECT_EQ(entries[2000], 41u);
    EXPECT_EQ(entries[1], 3u);
    unsigned managed = 0;
    CU_OK(cuPointerGetAttribute, &managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, first);
    EXPECT_NE(managed & 0xFF, 0u);
    CU_OK(cuModuleUnload, module);
}

TEST_F(ManagedMemory, VariablesOfLibrariesAreTheHostsToo) {
    CUlibrary library = nullptr;
    CU_OK(cuLibraryLoadData, &library, kVariables, nullptr, nullptr, 0, nullptr, nullptr, 0);
    CUdeviceptr first = 0;
    std::size_t bytes = 0;
    CU_OK(cuLibraryGetManaged, &first, &bytes, library, "first");
    EXPECT_EQ(bytes, 4u);
    *reinterpret_cast<volatile uint32_t*>(first) = 50;
    CUkernel kernel = nullptr;
    CUfunction function = nullptr;
    CU_OK(cuLibraryGetKernel, &kernel, library, "add_first");
    CU_OK(cuKernelGetFunction, &function, kernel);
    ASSERT_EQ(launch(function, {}, nullptr), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(*reinterpret_cast<volatile uint32_t*>(first), 51u);
    CU_IS(CUDA_ERROR_NOT_FOUND, cuLibraryGetManaged, &first, &bytes, library, "plain");
    CU_IS(CUDA_ERROR_NOT_FOUND, cuLibraryGetManaged, &first, &bytes, library, "none");
    CU_OK(cuLibraryUnload, library);
}

TEST_F(ManagedMemory, PrefetchedMemoryIsTheSame) {
    const Managed memory(200000);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    std::fill_n(memory.words(), memory.count(), 6u);
    CU_OK(cuMemPrefetchAsync_v2, memory.at(), memory.count() * 4, kDevice, 0, stream);
    ASSERT_EQ(add_one(memory, stream), CUDA_SUCCESS);
    CU_OK(cuMemPrefetchAsync_v2, memory.at(), memory.count() * 4, kHost, 0, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_TRUE(memory.all(7));
    int where = 99;
    CU_OK(cuMemRangeGetAttribute, &where, sizeof where, CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION,
          memory.at(), memory.count() * 4);
    EXPECT_EQ(where, CU_DEVICE_CPU);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPrefetchAsync_v2, memory.at(), std::size_t{64} << 20, kDevice, 0,
          stream);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPrefetchAsync_v2, memory.at(), 4096, kDevice, 1, stream);
    const Memory plain(4096);
    ASSERT_TRUE(plain.ok());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPrefetchAsync_v2, plain.at(), 4096, kDevice, 0, stream);
}

TEST_F(ManagedMemory, AdviceCanBeReadBack) {
    const Managed memory(4096);
    ASSERT_TRUE(memory.ok());
    constexpr std::size_t kBytes = 4096 * 4;
    int value = 99;
    CU_OK(cuMemRangeGetAttribute, &value, sizeof value, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, memory.at(),
          kBytes);
    EXPECT_EQ(value, 0);
    CU_OK(cuMemAdvise_v2, memory.at(), kBytes, CU_MEM_ADVISE_SET_READ_MOSTLY, kDevice);
    CU_OK(cuMemAdvise_v2, memory.at(), kBytes, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, kHost);
    CU_OK(cuMemAdvise_v2, memory.at(), kBytes, CU_MEM_ADVISE_SET_ACCESSED_BY, kHost);
    int preferred = 99;
    std::array<int, 3> accessed{99, 99, 99};
    std::array<void*, 3> data{&value, &preferred, accessed.data()};
    std::array<std::size_t, 3> sizes{4, 4, 12};
    std::array<CUmem_range_attribute, 3> asked{CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
                                               CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION,
                                               CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY};
    CU_OK(cuMemRangeGetAttributes, data.data(), sizes.data(), asked.data(), 3, memory.at(), kBytes);
    EXPECT_EQ(value, 1);
    EXPECT_EQ(preferred, CU_DEVICE_CPU);
    EXPECT_EQ(accessed[0], CU_DEVICE_CPU);
    EXPECT_EQ(accessed[1], CU_DEVICE_INVALID);
    CU_OK(cuMemAdvise_v2, memory.at(), kBytes, CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION, kHost);
    CU_OK(cuMemRangeGetAttribute, &preferred, sizeof preferred, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION,
          memory.at(), kBytes);
    EXPECT_EQ(preferred, CU_DEVICE_INVALID);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemRangeGetAttribute, &value, 3, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
          memory.at(), kBytes);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAdvise_v2, memory.at(), kBytes * 1024, CU_MEM_ADVISE_SET_READ_MOSTLY,
          kDevice);
}

TEST_F(ManagedMemory, AttachesToStreams) {
    const Managed memory(1000);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    CU_OK(cuStreamAttachMemAsync, stream, memory.at(), 0, CU_MEM_ATTACH_SINGLE);
    CU_OK(cuStreamSynchronize, stream);
    std::fill_n(memory.words(), memory.count(), 1u);
    ASSERT_EQ(add_one(memory, stream), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_TRUE(memory.all(2));
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamAttachMemAsync, stream, memory.at(), 4, CU_MEM_ATTACH_GLOBAL);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamAttachMemAsync, stream, memory.at(), 0, 8);
    const Memory plain(64);
    ASSERT_TRUE(plain.ok());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamAttachMemAsync, stream, plain.at(), 0, CU_MEM_ATTACH_GLOBAL);
}

TEST_F(ManagedMemory, FlagsAndSizesAreChecked) {
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAllocManaged, &address, 0, CU_MEM_ATTACH_GLOBAL);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAllocManaged, &address, 64, CU_MEM_ATTACH_SINGLE);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemAllocManaged, nullptr, 64, CU_MEM_ATTACH_GLOBAL);
    CU_OK(cuMemAllocManaged, &address, 64, CU_MEM_ATTACH_HOST);
    *reinterpret_cast<uint32_t*>(address) = 1;
    CU_OK(cuMemFree_v2, address);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2, address);
}

TEST_F(ManagedMemory, HostFunctionsStandBetweenKernels) {
    const Managed memory(3000);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    std::fill_n(memory.words(), memory.count(), 1u);
    ASSERT_EQ(add_one(memory, stream), CUDA_SUCCESS);
    const CUhostFn triple = [](void* words) {
        for (uint32_t i = 0; i < 3000; ++i) static_cast<uint32_t*>(words)[i] *= 3;
    };
    CU_OK(cuLaunchHostFunc, stream, triple, memory.words());
    ASSERT_EQ(add_one(memory, stream), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_TRUE(memory.all(7));
}

TEST_F(ManagedMemory, ResultsOfCallsMayLieInIt) {
    const Managed memory(1024);
    ASSERT_TRUE(memory.ok());
    memory.words()[0] = 1;
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    auto* place = reinterpret_cast<CUdeviceptr*>(memory.at(16));
    CU_OK(cuMemAlloc_v2, place, 4096);
    ASSERT_EQ(add_one(memory), CUDA_SUCCESS);  // adds to the address, too: both words of it
    CU_OK(cuCtxSynchronize);
    CUdeviceptr address = 0;
    memcpy(&address, place, sizeof address);
    CU_OK(cuMemFree_v2, address - ((uint64_t{1} << 32) + 1));
}

}  // namespace bitfusion::conformance
