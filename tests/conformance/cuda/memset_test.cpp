// Setting memory: cuda.h, cuMemset*.
#include <algorithm>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class Memset : public OnDevice {
  protected:
    static constexpr std::size_t kBytes = 4096;
};

TEST_F(Memset, EveryWidthSetsExactlyItsRange) {
    const Memory memory(kBytes);
    ASSERT_TRUE(memory.ok());
    memory.fill(0xEE);
    std::vector<uint8_t> expected(kBytes, 0xEE);
    CU_OK(cuMemsetD8_v2, memory.at(3), 0x11, 77);
    for (std::size_t i = 0; i < 77; ++i) expected[3 + i] = 0x11;
    CU_OK(cuMemsetD16_v2, memory.at(102), 0x2233, 55);
    for (std::size_t i = 0; i < 55; ++i) {
        expected[102 + 2 * i] = 0x33;
        expected[103 + 2 * i] = 0x22;
    }
    CU_OK(cuMemsetD32_v2, memory.at(404), 0x44556677, 33);
    for (std::size_t i = 0; i < 33; ++i) {
        expected[404 + 4 * i] = 0x77;
        expected[405 + 4 * i] = 0x66;
        expected[406 + 4 * i] = 0x55;
        expected[407 + 4 * i] = 0x44;
    }
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.content(), expected);
}

TEST_F(Memset, AsynchronousOnesRunInOrder) {
    const Stream stream;
    const Memory memory(kBytes);
    ASSERT_TRUE(stream.ok() && memory.ok());
    CU_OK(cuMemsetD8Async, memory.at(), 1, kBytes, stream);
    CU_OK(cuMemsetD16Async, memory.at(1024), 0x0202, 512, stream);
    CU_OK(cuMemsetD32Async, memory.at(2048), 0x03030303, 256, stream);
    CU_OK(cuMemsetD8Async, memory.at(2048), 4, 1, stream);
    CU_OK(cuStreamSynchronize, stream);
    std::vector<uint8_t> expected(kBytes, 1);
    std::fill(expected.begin() + 1024, expected.begin() + 2048, uint8_t{2});
    std::fill(expected.begin() + 2048, expected.begin() + 3072, uint8_t{3});
    expected[2048] = 4;
    EXPECT_EQ(memory.content(), expected);
}

TEST_F(Memset, NothingIsSetForACountOfZero) {
    const Memory memory(kBytes);
    ASSERT_TRUE(memory.ok());
    memory.fill(5);
    CU_OK(cuMemsetD8_v2, memory.at(), 9, 0);
    CU_OK(cuMemsetD32_v2, memory.at(), 9, 0);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.content(), std::vector<uint8_t>(kBytes, 5));
}

TEST_F(Memset, RefusesMisalignedAndForeignAddresses) {
    const Memory memory(kBytes);
    ASSERT_TRUE(memory.ok());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemsetD16_v2, memory.at(1), 0, 4);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemsetD32_v2, memory.at(2), 0, 4);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2, kNowhere, 0, 4);
}

TEST_F(Memset, TwoDimensionsLeaveThePaddingAlone) {
    constexpr std::size_t kPitch = 256;
    const Memory memory(kBytes);
    ASSERT_TRUE(memory.ok());
    memory.fill(0xEE);
    std::vector<uint8_t> expected(kBytes, 0xEE);
    CU_OK(cuMemsetD2D8_v2, memory.at(), kPitch, 0x11, 100, 3);
    CU_OK(cuMemsetD2D16_v2, memory.at(4 * kPitch), kPitch, 0x2222, 50, 3);
    CU_OK(cuMemsetD2D32_v2, memory.at(8 * kPitch), kPitch, 0x33333333, 25, 3);
    for (std::size_t row = 0; row < 3; ++row) {
        for (std::size_t x = 0; x < 100; ++x) {
            expected[row * kPitch + x] = 0x11;
            expected[(row + 4) * kPitch + x] = 0x22;
            expected[(row + 8) * kPitch + x] = 0x33;
        }
    }
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.content(), expected);
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CU_OK(cuMemsetD2D8Async, memory.at(), kPitch, 0x44, 10, 2, stream);
    CU_OK(cuMemsetD2D16Async, memory.at(4 * kPitch), kPitch, 0x5555, 10, 2, stream);
    CU_OK(cuMemsetD2D32Async, memory.at(8 * kPitch), kPitch, 0x66666666, 10, 2, stream);
    CU_OK(cuStreamSynchronize, stream);
    for (std::size_t row = 0; row < 2; ++row) {
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(row * kPitch), 10, uint8_t{0x44});
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>((row + 4) * kPitch), 20, uint8_t{0x55});
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>((row + 8) * kPitch), 40, uint8_t{0x66});
    }
    EXPECT_EQ(memory.content(), expected);
}

TEST_F(Memset, LargeOnes) {
    constexpr std::size_t kLarge = (std::size_t{48} << 20) + 4;
    const Memory memory(kLarge);
    ASSERT_TRUE(memory.ok());
    CU_OK(cuMemsetD32_v2, memory.at(), 0xCAFEBABE, kLarge / 4);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>(kLarge / 4, 0xCAFEBABE));
}

}  // namespace bitfusion::conformance
