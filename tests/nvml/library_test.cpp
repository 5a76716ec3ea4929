// Initialisation, refusals, and a child of fork. Expectations: NVIDIA, "NVML API Reference".
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/log.h"
#include "nvml/watching.h"

namespace bitfusion::nvml_test {
namespace {

TEST(Library, NothingWorksBeforeInit) {
    unsigned value = 0;
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(nvmlDeviceGetCount_v2(&value), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlDeviceGetTemperature(nullptr, NVML_TEMPERATURE_GPU, nullptr), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlDeviceSetPersistenceMode(nullptr, NVML_FEATURE_ENABLED), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlShutdown(), NVML_ERROR_UNINITIALIZED);
    EXPECT_STREQ(nvmlErrorString(NVML_ERROR_UNINITIALIZED), "Uninitialized");
    EXPECT_STREQ(nvmlErrorString(static_cast<nvmlReturn_t>(12345)), "Unknown Error");
}

TEST(Library, WithoutASessionThereIsNoDriver) {
    log::configure("off");
    unsetenv("BITFUSION_SESSION");
    EXPECT_EQ(nvmlInit_v2(), NVML_ERROR_DRIVER_NOT_LOADED);
    setenv("BITFUSION_SESSION", "127.0.0.1:1", 1);
    EXPECT_EQ(nvmlInit_v2(), NVML_ERROR_UNKNOWN);
    unsetenv("BITFUSION_SESSION");
    EXPECT_EQ(nvmlInitWithFlags(0x80), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, InitIsCounted) {
    EXPECT_EQ(nvmlInit(), NVML_SUCCESS);
    EXPECT_EQ(nvmlInitWithFlags(1), NVML_SUCCESS);
    unsigned count = 0;
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
    EXPECT_EQ(nvmlShutdown(), NVML_ERROR_UNINITIALIZED);
    EXPECT_NE(server_->wait_for_end(), "") << "the worker must end with the last shutdown";
}

TEST_F(Watching, VersionsAreTheServers) {
    char text[96] = "";
    EXPECT_EQ(nvmlSystemGetDriverVersion(text, sizeof text), NVML_SUCCESS);
    EXPECT_STREQ(text, "software");
    int version = 0;
    EXPECT_EQ(nvmlSystemGetCudaDriverVersion_v2(&version), NVML_SUCCESS);
    int native = 0;
    ASSERT_EQ(session_test::soft_driver().cuDriverGetVersion(&native), CUDA_SUCCESS);
    EXPECT_EQ(version, native);
    EXPECT_EQ(nvmlSystemGetCudaDriverVersion(nullptr), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, NothingCanBeChanged) {
    EXPECT_EQ(nvmlDeviceSetPersistenceMode(device_, NVML_FEATURE_ENABLED), NVML_ERROR_NO_PERMISSION);
    EXPECT_EQ(nvmlDeviceSetPowerManagementLimit(device_, 1), NVML_ERROR_NO_PERMISSION);
    EXPECT_EQ(nvmlDeviceSetComputeMode(device_, NVML_COMPUTEMODE_PROHIBITED), NVML_ERROR_NO_PERMISSION);
    EXPECT_EQ(nvmlDeviceResetGpuLockedClocks(device_), NVML_ERROR_NO_PERMISSION);
    nvmlReturn_t status{};
    EXPECT_EQ(nvmlDeviceSetMigMode(device_, 1, &status), NVML_ERROR_NO_PERMISSION);
}

TEST_F(Watching, WhatIsNotServedSaysSo) {
    unsigned value = 0;
    EXPECT_EQ(nvmlDeviceGetNumaNodeId(device_, &value), NVML_ERROR_NOT_SUPPORTED);
    unsigned long affinity = 0;
    EXPECT_EQ(nvmlDeviceGetCpuAffinity(device_, 1, &affinity), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlUnitGetCount(&value), NVML_SUCCESS);
    EXPECT_EQ(value, 0u);
    const void* table = &value;
    const unsigned char unknown[16] = {};
    EXPECT_NE(nvmlInternalGetExportTable(&table, unknown), NVML_SUCCESS);
    EXPECT_EQ(table, nullptr);
    EXPECT_EQ(nvmlInternalGetExportTable(nullptr, unknown), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, ThreadsShareTheSession) {
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                nvmlDevice_t device = nullptr;
                nvmlMemory_t memory{};
                char uuid[96] = "";
                unsigned index = 9;
                const auto wanted = static_cast<unsigned>(t % 2);
                if (nvmlInit_v2() != NVML_SUCCESS ||
                    nvmlDeviceGetHandleByIndex_v2(wanted, &device) != NVML_SUCCESS ||
                    nvmlDeviceGetUUID(device, uuid, sizeof uuid) != NVML_SUCCESS ||
                    nvmlDeviceGetMemoryInfo(device, &memory) != NVML_SUCCESS ||
                    nvmlDeviceGetHandleByUUID(uuid, &device) != NVML_SUCCESS ||
                    nvmlDeviceGetIndex(device, &index) != NVML_SUCCESS || index != wanted ||
                    nvmlShutdown() != NVML_SUCCESS)
                    ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(Watching, AChildOfForkDoesNotUseItsParentsSession) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        unsigned count = 0;
        unsetenv("BITFUSION_SESSION");
        // A session of its own is wanted, which this environment does not have.
        _exit(nvmlDeviceGetCount_v2(&count) == NVML_ERROR_DRIVER_NOT_LOADED ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    unsigned count = 0;
    EXPECT_EQ(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
    unsigned celsius = 0;
    EXPECT_EQ(nvmlDeviceGetTemperature(device_, NVML_TEMPERATURE_GPU, &celsius), NVML_SUCCESS);
}

TEST_F(Watching, AServerThatGoesIsALostGpu) {
    server_->cut();
    nvmlMemory_t memory{};
    EXPECT_EQ(nvmlDeviceGetMemoryInfo(device_, &memory), NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(nvmlDeviceGetMemoryInfo(second_, &memory), NVML_ERROR_GPU_IS_LOST);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::nvml_test
