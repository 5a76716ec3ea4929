// Kernel launches and their limits: cuda.h, "Execution Control". Launches that fail on the device:
// fault_test.cpp.
#include <array>
#include <cstring>
#include <numeric>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class Launch : public WithKernels {};

TEST_F(Launch, ComputesWhatTheKernelSays) {
    constexpr uint32_t kCount = 10000;
    const Memory x(kCount * 4), y(kCount * 4);
    ASSERT_TRUE(x.ok() && y.ok());
    std::vector<float> xs(kCount), ys(kCount), expected(kCount), result(kCount);
    for (uint32_t i = 0; i < kCount; ++i) {
        xs[i] = static_cast<float>(i) * 0.5f;
        ys[i] = static_cast<float>(i % 97);
        expected[i] = 3.0f * xs[i] + ys[i];  // exact in 32 bits
    }
    x.write(xs.data(), kCount * 4);
    y.write(ys.data(), kCount * 4);
    ASSERT_EQ(launch(kernel("saxpy"), {.grid_x = 79, .block_x = 128}, nullptr, 3.0f, x.at(), y.at(), kCount),
              CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoH_v2, result.data(), y.at(), kCount * 4);
    EXPECT_EQ(result, expected);
}

TEST_F(Launch, ThreeDimensions) {
    constexpr uint32_t kThreads = 3 * 4 * 5 * 7 * 2 * 3;
    const Memory memory(kThreads * 4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0xFF);
    ASSERT_EQ(launch(kernel("coordinates"),
                     {.grid_x = 3, .grid_y = 4, .grid_z = 5, .block_x = 7, .block_y = 2, .block_z = 3},
                     nullptr, memory.at()),
              CUDA_SUCCESS);
    std::vector<uint32_t> expected(kThreads);
    std::iota(expected.begin(), expected.end(), 0u);
    EXPECT_EQ(memory.words(), expected);
}

TEST_F(Launch, ParametersOfEverySize) {
    struct Twelve {
        uint32_t words[3];
    };
    const Memory memory(80);
    ASSERT_TRUE(memory.ok());
    const Twelve twelve{{0x11111111, 0x22222222, 0x33333333}};
    ASSERT_EQ(launch(kernel("parameters"), {}, nullptr, memory.at(), uint8_t{0xA1}, uint16_t{0xB2B3},
                     uint32_t{0xC4C5C6C7}, uint8_t{0xD8}, uint64_t{0xE1E2E3E4E5E6E7E8}, 1.5f, -2.25, twelve),
              CUDA_SUCCESS);
    std::array<uint64_t, 10> slots{};
    CU_OK(cuMemcpyDtoH_v2, slots.data(), memory.at(), 80);
    double f = 0;
    double g = 0;
    std::memcpy(&f, &slots[5], 8);
    std::memcpy(&g, &slots[6], 8);
    EXPECT_EQ(slots[0], 0xA1u);
    EXPECT_EQ(slots[1], 0xB2B3u);
    EXPECT_EQ(slots[2], 0xC4C5C6C7u);
    EXPECT_EQ(slots[3], 0xD8u);
    EXPECT_EQ(slots[4], 0xE1E2E3E4E5E6E7E8u);
    EXPECT_EQ(f, 1.5);
    EXPECT_EQ(g, -2.25);
    EXPECT_EQ(slots[7], 0x11111111u);
    EXPECT_EQ(slots[8], 0x22222222u);
    EXPECT_EQ(slots[9], 0x33333333u);
}

TEST_F(Launch, ParametersAreReadWhenTheCallIsMade) {
    const Stream stream;
    const Memory memory(64 * 4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    memory.fill(0);
    CUdeviceptr address = 0;
    uint32_t factor = 1;
    uint32_t term = 0;
    std::array<void*, 3> parameters{&address, &factor, &term};
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < 64; ++i) {
        address = memory.at(4 * i);
        term = i * 3;
        expected.push_back(term);
        CU_OK(cuLaunchKernel, kernel("step"), 1, 1, 1, 1, 1, 1, 0, stream, parameters.data(), nullptr);
    }
    address = 0;
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), expected);
}

TEST_F(Launch, ParametersAsOneBuffer) {
    struct __attribute__((packed)) {
        CUdeviceptr data;
        uint32_t first;
        uint32_t count;
    } packed{};
    const Memory memory(100 * 4);
    ASSERT_TRUE(memory.ok());
    packed.data = memory.at();
    packed.first = 1000;
    packed.count = 100;
    std::size_t size = sizeof packed;
    std::array<void*, 5> extra{CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                               CU_LAUNCH_PARAM_END};
    CU_OK(cuLaunchKernel, kernel("iota"), 1, 1, 1, 128, 1, 1, 0, nullptr, nullptr, extra.data());
    const std::vector<uint32_t> words = memory.words();
    ASSERT_EQ(words.size(), 100u);
    EXPECT_EQ(words[0], 1000u);
    EXPECT_EQ(words[99], 1099u);
    std::array<void*, 3> parameters{&packed.data, &packed.first, &packed.count};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel, kernel("iota"), 1, 1, 1, 128, 1, 1, 0, nullptr,
          parameters.data(), extra.data());
}

TEST_F(Launch, FourThousandBytesOfParameters) {
    struct Words {
        std::array<uint32_t, 1000> word;
    } words{};
    uint32_t expected = 0;
    for (uint32_t i = 0; i < words.word.size(); ++i) expected += words.word[i] = i * i + 1;
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(launch(kernel("large_parameters"), {}, nullptr, memory.at(), words), CUDA_SUCCESS);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{expected});
}

// Not documented, and what NCCL's launches do: it gives the parameters that its kernel reads, of 4 KiB.
TEST_F(Launch, ABufferOfParametersMayEndEarly) {
    struct {
        CUdeviceptr out;
        std::array<uint32_t, 1000> word;
    } block{};
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    block.out = memory.at();
    uint32_t expected = 0;
    for (uint32_t i = 0; i < block.word.size(); ++i) block.word[i] = i < 100 ? i * i + 1 : 0xdead;
    for (uint32_t i = 0; i < 100; ++i) expected += block.word[i];
    std::size_t size = sizeof block.out + 100 * sizeof block.word[0];
    std::array<void*, 5> extra{CU_LAUNCH_PARAM_BUFFER_POINTER, &block, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                               CU_LAUNCH_PARAM_END};
    CU_OK(cuLaunchKernel, kernel("large_parameters"), 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra.data());
    CU_OK(cuCtxSynchronize);
    // What the driver leaves in the rest is its own affair.
    if (is_software_gpu()) {
        EXPECT_EQ(memory.words(), std::vector<uint32_t>{expected});
    }
}

TEST_F(Launch, DynamicSharedMemory) {
    const Memory memory(512 * 4);
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(launch(kernel("iota"), {.grid_x = 2, .block_x = 256}, nullptr, memory.at(), 0u, 512u),
              CUDA_SUCCESS);
    ASSERT_EQ(launch(kernel("reverse"), {.block_x = 512, .shared_bytes = 512 * 4}, nullptr, memory.at()),
              CUDA_SUCCESS);
    const std::vector<uint32_t> words = memory.words();
    for (uint32_t i = 0; i < 512; ++i) ASSERT_EQ(words[i], 511 - i);
}

TEST_F(Launch, MoreThan48KiBOfSharedMemoryNeedTheAttribute) {
    const unsigned most =
        static_cast<unsigned>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
    if (most <= 49152) GTEST_SKIP() << "the device has no more than 48 KiB";
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    const CUfunction function = kernel("shared_last");
    std::array<void*, 3> parameters{};
    CUdeviceptr address = memory.at();
    uint32_t bytes = most;
    uint32_t value = 123;
    parameters = {&address, &bytes, &value};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel, function, 1, 1, 1, 1, 1, 1, most, nullptr,
          parameters.data(), nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuFuncSetAttribute, function,
          CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(most) + 1024);
    CU_OK(cuFuncSetAttribute, function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
          static_cast<int>(most));
    CU_OK(cuLaunchKernel, function, 1, 1, 1, 1, 1, 1, most, nullptr, parameters.data(), nullptr);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{123});
}

TEST_F(Launch, ImpossibleShapesAreRefused) {
    const CUfunction nothing = kernel("nothing");
    const auto shape = [&](unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz) {
        return CU_CALL(cuLaunchKernel, nothing, gx, gy, gz, bx, by, bz, 0, nullptr, nullptr, nullptr);
    };
    EXPECT_EQ(shape(1, 1, 1, 1024, 1, 1), CUDA_SUCCESS);
    EXPECT_EQ(shape(0, 1, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 0, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 0, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 1, 0, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 1, 1025, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 1, 64, 32, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 1, 1, 1, 65), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 65536, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 65536, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(shape(1, 1, 1, 1, 1, 1), CUDA_SUCCESS) << "a refused launch must harm nothing";
    const Memory memory(1024 * 4);
    ASSERT_TRUE(memory.ok());
    CUdeviceptr address = memory.at();
    std::array<void*, 1> parameters{&address};
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, cuLaunchKernel,
                 kernel("limited"), 1, 1, 1, 256, 1, 1, 0, nullptr, parameters.data(), nullptr);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel, nullptr, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
}

TEST_F(Launch, StaticSharedMemoryAndThreadLimit) {
    const Memory memory(128 * 4);
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(launch(kernel("limited"), {.block_x = 128}, nullptr, memory.at()), CUDA_SUCCESS);
    const std::vector<uint32_t> words = memory.words();
    for (uint32_t i = 0; i < 128; ++i) ASSERT_EQ(words[i], 2 * i);
}

TEST_F(Launch, ManyBlocksCountAtomically) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    ASSERT_EQ(
        launch(kernel("count_threads"), {.grid_x = 1000, .grid_y = 3, .block_x = 96}, nullptr, memory.at()),
        CUDA_SUCCESS);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{288000});
}

TEST_F(Launch, ExtendedForm) {
    const Memory memory(256 * 4);
    ASSERT_TRUE(memory.ok());
    CUdeviceptr address = memory.at();
    uint32_t first = 3;
    uint32_t count = 256;
    std::array<void*, 3> parameters{&address, &first, &count};
    CUlaunchConfig configuration{};
    configuration.gridDimX = 2;
    configuration.gridDimY = configuration.gridDimZ = 1;
    configuration.blockDimX = 128;
    configuration.blockDimY = configuration.blockDimZ = 1;
    CU_OK(cuLaunchKernelEx, &configuration, kernel("iota"), parameters.data(), nullptr);
    EXPECT_EQ(memory.words()[255], 258u);

    CUlaunchAttribute cooperative{};
    cooperative.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    cooperative.value.cooperative = 1;
    configuration.attrs = &cooperative;
    configuration.numAttrs = 1;
    first = 10;
    CU_OK(cuLaunchKernelEx, &configuration, kernel("iota"), parameters.data(), nullptr);
    EXPECT_EQ(memory.words()[255], 265u);
    configuration.numAttrs = 0;
    configuration.blockDimX = 2048;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuLaunchKernelEx, &configuration, kernel("iota"), parameters.data(),
          nullptr);
}

TEST_F(Launch, CooperativeGridsMustFit) {
    if (attribute(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH) == 0)
        GTEST_SKIP() << "the device has no cooperative launch";
    CU_OK(cuLaunchCooperativeKernel, kernel("nothing"), 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr);
    CU_IS(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, cuLaunchCooperativeKernel, kernel("nothing"), 1000000, 1,
          1, 1024, 1, 1, 0, nullptr, nullptr);
}

TEST_F(Launch, InEveryDefaultStream) {
    const Memory memory(3 * 4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    const CUfunction step = kernel("step");
    ASSERT_EQ(launch(step, {}, nullptr, memory.at(0), 1u, 1u), CUDA_SUCCESS);
    ASSERT_EQ(launch(step, {}, CU_STREAM_LEGACY, memory.at(4), 1u, 2u), CUDA_SUCCESS);
    ASSERT_EQ(launch(step, {}, CU_STREAM_PER_THREAD, memory.at(8), 1u, 3u), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, CU_STREAM_PER_THREAD);
    CU_OK(cuStreamSynchronize, nullptr);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{1, 2, 3}));
}

}  // namespace bitfusion::conformance
