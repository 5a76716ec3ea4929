// Handles and identities. Expectations: NVIDIA, "NVML API Reference", device queries.
#include <set>
#include <string>

#include "nvml/watching.h"

namespace bitfusion::nvml_test {
namespace {

TEST_F(Watching, CountsTheDevicesOfTheLease) {
    unsigned count = 0;
    EXPECT_EQ(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
    EXPECT_EQ(count, static_cast<unsigned>(session_test::kGpus));
    EXPECT_EQ(nvmlDeviceGetCount(&count), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceGetCount_v2(nullptr), NVML_ERROR_INVALID_ARGUMENT);
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(count, &device), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(~0u, &device), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(0, nullptr), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, EveryWayToADeviceLeadsToTheSameHandle) {
    for (const nvmlDevice_t device : {device_, second_}) {
        char uuid[96] = "";
        nvmlPciInfo_t pci{};
        ASSERT_EQ(nvmlDeviceGetUUID(device, uuid, sizeof uuid), NVML_SUCCESS);
        ASSERT_EQ(nvmlDeviceGetPciInfo_v3(device, &pci), NVML_SUCCESS);
        nvmlDevice_t found = nullptr;
        EXPECT_EQ(nvmlDeviceGetHandleByUUID(uuid, &found), NVML_SUCCESS);
        EXPECT_EQ(found, device);
        for (const char* text : {pci.busId, pci.busIdLegacy}) {
            found = nullptr;
            EXPECT_EQ(nvmlDeviceGetHandleByPciBusId_v2(text, &found), NVML_SUCCESS) << text;
            EXPECT_EQ(found, device) << text;
        }
        nvmlUUID_t typed{};
        typed.version = sizeof typed | 1u << 24;
        typed.type = NVML_UUID_TYPE_ASCII;
        ASSERT_LT(strlen(uuid), sizeof typed.value.str);
        memcpy(typed.value.str, uuid, strlen(uuid));
        EXPECT_EQ(nvmlDeviceGetHandleByUUIDV(&typed, &found), NVML_SUCCESS);
        EXPECT_EQ(found, device);
        typed.version = sizeof typed;
        EXPECT_EQ(nvmlDeviceGetHandleByUUIDV(&typed, &found), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    }
}

TEST_F(Watching, WhatNamesNoDevice) {
    nvmlDevice_t found = nullptr;
    EXPECT_EQ(nvmlDeviceGetHandleByUUID("GPU-00000000-0000-0000-0000-000000000000", &found),
              NVML_ERROR_NOT_FOUND);
    EXPECT_EQ(nvmlDeviceGetHandleByUUID(nullptr, &found), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetHandleByPciBusId_v2("00000000:ff:00.0", &found), NVML_ERROR_NOT_FOUND);
    for (const char* wrong : {"", "x", "12", "0:1:2.3.4", "0000:10:00.0 "})
        EXPECT_EQ(nvmlDeviceGetHandleByPciBusId_v2(wrong, &found), NVML_ERROR_INVALID_ARGUMENT) << wrong;
    EXPECT_EQ(nvmlDeviceGetHandleBySerial("1", &found), NVML_ERROR_NOT_FOUND);
    nvmlDevice_t mig = nullptr;
    EXPECT_EQ(nvmlDeviceGetMigDeviceHandleByIndex(device_, 0, &mig), NVML_ERROR_NOT_FOUND);
}

TEST_F(Watching, ForeignHandlesAreRefusedEverywhere) {
    int here = 0;
    unsigned value = 0;
    nvmlMemory_t memory{};
    for (void* foreign :
         {static_cast<void*>(nullptr), static_cast<void*>(&here), reinterpret_cast<void*>(~0ul),
          reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(second_) + 1),
          reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(device_) - 1)}) {
        auto* const device = static_cast<nvmlDevice_t>(foreign);
        EXPECT_EQ(nvmlDeviceGetIndex(device, &value), NVML_ERROR_INVALID_ARGUMENT);
        EXPECT_EQ(nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, &value),
                  NVML_ERROR_INVALID_ARGUMENT);
        EXPECT_EQ(nvmlDeviceGetMemoryInfo(device, &memory), NVML_ERROR_INVALID_ARGUMENT);
        EXPECT_EQ(nvmlDeviceGetComputeRunningProcesses_v3(device, &value, nullptr),
                  NVML_ERROR_INVALID_ARGUMENT);
        EXPECT_EQ(nvmlDeviceIsMigDeviceHandle(device, &value), NVML_ERROR_INVALID_ARGUMENT);
        nvmlFieldValue_t field{};
        EXPECT_EQ(nvmlDeviceGetFieldValues(device, 1, &field), NVML_ERROR_INVALID_ARGUMENT);
        nvmlGpuP2PStatus_t status{};
        EXPECT_EQ(nvmlDeviceGetP2PStatus(device_, device, NVML_P2P_CAPS_INDEX_READ, &status),
                  NVML_ERROR_INVALID_ARGUMENT);
    }
}

TEST_F(Watching, NamesAndNumbersAreTheDevices) {
    char name[96] = "";
    ASSERT_EQ(nvmlDeviceGetName(device_, name, sizeof name), NVML_SUCCESS);
    char native[256] = "";
    ASSERT_EQ(session_test::soft_driver().cuDeviceGetName(native, sizeof native, 0), CUDA_SUCCESS);
    EXPECT_STREQ(name, native);
    char bus[64] = "";
    ASSERT_EQ(session_test::soft_driver().cuDeviceGetPCIBusId(bus, sizeof bus, 0), CUDA_SUCCESS);
    nvmlPciInfo_t pci{};
    ASSERT_EQ(nvmlDeviceGetPciInfo_v3(device_, &pci), NVML_SUCCESS);
    EXPECT_STREQ(pci.busIdLegacy, bus);
    int major = 0;
    int minor = 0;
    ASSERT_EQ(nvmlDeviceGetCudaComputeCapability(device_, &major, &minor), NVML_SUCCESS);
    EXPECT_EQ(major * 10 + minor, 89);
    unsigned index = 9;
    EXPECT_EQ(nvmlDeviceGetIndex(second_, &index), NVML_SUCCESS);
    EXPECT_EQ(index, 1u);
}

TEST_F(Watching, TextsThatDoNotFitAreNotCut) {
    char name[8];
    memset(name, 'x', sizeof name);
    EXPECT_EQ(nvmlDeviceGetName(device_, name, sizeof name), NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(name[0], 'x');
    EXPECT_EQ(nvmlDeviceGetName(device_, name, 0), NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(nvmlDeviceGetName(device_, nullptr, 96), NVML_ERROR_INVALID_ARGUMENT);
    char whole[96] = "";
    ASSERT_EQ(nvmlDeviceGetName(device_, whole, sizeof whole), NVML_SUCCESS);
    const auto exact = static_cast<unsigned>(strlen(whole) + 1);
    EXPECT_EQ(nvmlDeviceGetName(device_, whole, exact), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceGetName(device_, whole, exact - 1), NVML_ERROR_INSUFFICIENT_SIZE);
}

// nvidia-smi asks for one of the two.
TEST_F(Watching, OperationModesMayBeAskedForOneByOne) {
    nvmlGpuOperationMode_t mode{};
    EXPECT_EQ(nvmlDeviceGetGpuOperationMode(device_, &mode, nullptr), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlDeviceGetGpuOperationMode(device_, nullptr, &mode), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlDeviceGetGpuOperationMode(device_, nullptr, nullptr), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, OlderStructsAreNotOverrun) {
    nvmlPciInfo_t pci{};
    memset(static_cast<void*>(&pci), 'x', sizeof pci);
    ASSERT_EQ(nvmlDeviceGetPciInfo(device_, &pci), NVML_SUCCESS);
    EXPECT_EQ(reinterpret_cast<const char*>(&pci.pciSubSystemId)[0], 'x');
    ASSERT_EQ(nvmlDeviceGetPciInfo_v2(device_, &pci), NVML_SUCCESS);
    EXPECT_EQ(pci.busId[0], 'x');
    EXPECT_NE(reinterpret_cast<const char*>(&pci.pciSubSystemId)[0], 'x');
}

TEST_F(Watching, HandlesOutliveASession) {
    ASSERT_EQ(nvmlShutdown(), NVML_SUCCESS);
    server_.reset();
    unsigned index = 0;
    EXPECT_EQ(nvmlDeviceGetIndex(second_, &index), NVML_ERROR_UNINITIALIZED);
    server_ = std::make_unique<session_test::Server>(connect_library());
    ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceGetIndex(second_, &index), NVML_SUCCESS);
    EXPECT_EQ(index, 1u);
}

TEST_F(Watching, DevicesOfOneServerAreNeighbours) {
    nvmlGpuP2PStatus_t status{};
    EXPECT_EQ(nvmlDeviceGetP2PStatus(device_, second_, NVML_P2P_CAPS_INDEX_READ, &status), NVML_SUCCESS);
    EXPECT_EQ(status, NVML_P2P_STATUS_OK);
    EXPECT_EQ(nvmlDeviceGetP2PStatus(device_, second_, static_cast<nvmlGpuP2PCapsIndex_t>(99), &status),
              NVML_ERROR_INVALID_ARGUMENT);
    nvmlGpuTopologyLevel_t level{};
    EXPECT_EQ(nvmlDeviceGetTopologyCommonAncestor(device_, second_, &level), NVML_SUCCESS);
    unsigned count = 1;
    nvmlDevice_t nearest[1] = {};
    EXPECT_EQ(nvmlDeviceGetTopologyNearestGpus(device_, level, &count, nearest), NVML_SUCCESS);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(nearest[0], second_);
}

}  // namespace
}  // namespace bitfusion::nvml_test
