// Devices and what is known of them: cuda.h, "Device Management".
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include "conformance/target.h"

namespace bitfusion::conformance {

class Device : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(CU_CALL(cuInit, 0), CUDA_SUCCESS);
        ASSERT_EQ(CU_CALL(cuDeviceGetCount, &count_), CUDA_SUCCESS);
        ASSERT_GE(count_, 1);
        ASSERT_EQ(CU_CALL(cuDeviceGet, &device_, 0), CUDA_SUCCESS);
    }
    int count_ = 0;
    CUdevice device_ = 0;
};

TEST_F(Device, OrdinalsOutsideTheCountAreRefused) {
    CUdevice device = 0;
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet, &device, count_);
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet, &device, -1);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceGet, nullptr, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceGetCount, nullptr);
    int value = 0;
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDeviceGetAttribute, &value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 9999);
}

TEST_F(Device, NameIsTextAndIsCutToTheBuffer) {
    std::array<char, 256> name{};
    CU_OK(cuDeviceGetName, name.data(), static_cast<int>(name.size()), device_);
    const std::size_t length = strnlen(name.data(), name.size());
    ASSERT_GT(length, 5u);
    ASSERT_LT(length, name.size());

    std::array<char, 8> start;
    start.fill('#');
    CU_OK(cuDeviceGetName, start.data(), 5, device_);
    EXPECT_EQ(start[4], '\0');
    EXPECT_EQ(std::string(start.data()), std::string(name.data(), 4));
    EXPECT_EQ(start[5], '#') << "written beyond the length given";
}

TEST_F(Device, MemoryIsPlausible) {
    std::size_t bytes = 0;
    CU_OK(cuDeviceTotalMem_v2, &bytes, device_);
    EXPECT_GE(bytes, std::size_t{64} << 20);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceTotalMem_v2, nullptr, device_);
}

TEST_F(Device, UuidsAreDistinctAndNotZero) {
    std::vector<std::string> seen;
    for (int ordinal = 0; ordinal < count_; ++ordinal) {
        CUuuid uuid{};
        CU_OK(cuDeviceGetUuid_v2, &uuid, ordinal);
        const std::string text(uuid.bytes, sizeof uuid.bytes);
        EXPECT_NE(text, std::string(16, '\0'));
        EXPECT_EQ(std::count(seen.begin(), seen.end(), text), 0);
        seen.push_back(text);
    }
}

TEST_F(Device, PciAddressAgreesWithAttributesAndFindsTheDevice) {
    std::array<char, 32> text{};
    CU_OK(cuDeviceGetPCIBusId, text.data(), static_cast<int>(text.size()), device_);
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    ASSERT_EQ(std::sscanf(text.data(), "%x:%x:%x.0", &domain, &bus, &slot), 3) << text.data();
    EXPECT_EQ(static_cast<int>(domain), attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID));
    EXPECT_EQ(static_cast<int>(bus), attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID));
    EXPECT_EQ(static_cast<int>(slot), attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID));

    CUdevice found = -1;
    CU_OK(cuDeviceGetByPCIBusId, &found, text.data());
    EXPECT_EQ(found, device_);
}

TEST_F(Device, AttributesAreSane) {
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE), 32);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X), 1024);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y), 1024);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z), 64);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X), 2147483647);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y), 65535);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z), 65535);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK), 49152);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), 49152);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY), 65536);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK), 65536);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING), 1);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT), 1);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR), 1024);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR), 7);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), 0);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT), 1);
    EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE), 1);
}

TEST_F(Device, EveryAttributeAnswersAndOthersAreRefused) {
    int value = 0;
    for (int which = CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK;
         which <= CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED; ++which) {
        EXPECT_EQ(CU_CALL(cuDeviceGetAttribute, &value, static_cast<CUdevice_attribute>(which), device_),
                  CUDA_SUCCESS)
            << "attribute " << which;
    }
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceGetAttribute, &value, CU_DEVICE_ATTRIBUTE_MAX, device_);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceGetAttribute, nullptr, CU_DEVICE_ATTRIBUTE_WARP_SIZE, device_);
}

TEST_F(Device, OldFactsAgreeWithAttributes) {
    int major = 0;
    int minor = 0;
    CU_OK(cuDeviceComputeCapability, &major, &minor, 0);
    EXPECT_EQ(major, attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
    EXPECT_EQ(minor, attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceComputeCapability, nullptr, &minor, 0);
    CUdevprop facts{};
    CU_OK(cuDeviceGetProperties, &facts, 0);
    EXPECT_EQ(facts.maxThreadsPerBlock, attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK));
    EXPECT_EQ(facts.maxGridSize[1], attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y));
    EXPECT_EQ(facts.SIMDWidth, attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE));
    EXPECT_EQ(facts.totalConstantMemory, attribute(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY));
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuDeviceGetProperties, nullptr, 0);
}

TEST_F(Device, NoDeviceIsItsOwnPeer) {
    int can = 7;
    CU_OK(cuDeviceCanAccessPeer, &can, 0, 0);
    EXPECT_EQ(can, 0);
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDeviceCanAccessPeer, &can, 0, 1000);
    CU_IS(CUDA_ERROR_INVALID_DEVICE, cuDeviceGetP2PAttribute, &can, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED,
          0, 1000);
    int count = 0;
    CU_OK(cuDeviceGetCount, &count);
    for (int other = 1; other < count; ++other) {
        int supported = 7;
        CU_OK(cuDeviceCanAccessPeer, &can, 0, other);
        CU_OK(cuDeviceGetP2PAttribute, &supported, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 0, other);
        EXPECT_EQ(can, supported);
    }
}

// "The LUID is only available on Windows" and on devices of which the driver knows one.
TEST_F(Device, LuidsAreRefusedOrDistinct) {
    std::array<char, 8> luid{};
    unsigned mask = 0;
    const CUresult code = CU_CALL(cuDeviceGetLuid, luid.data(), &mask, 0);
    EXPECT_TRUE(code == CUDA_SUCCESS || code == CUDA_ERROR_NOT_SUPPORTED || code == CUDA_ERROR_INVALID_DEVICE)
        << testing::PrintToString(code);
    EXPECT_NE(CU_CALL(cuDeviceGetLuid, luid.data(), &mask, 1000), CUDA_SUCCESS);
}

}  // namespace bitfusion::conformance
