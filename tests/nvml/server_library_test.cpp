// The worker's half against the management library of this machine: NVIDIA's where there is a GPU, ours under
// 'bitfusion run'. What NVML and the CUDA driver both know must agree.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "device/device.h"
#include "device/management.h"
#include "monitor_rows.gen.h"
#include "wire/rows.h"

namespace bitfusion::nvml_test {
namespace {

class ServerLibrary : public testing::Test {
  protected:
    void SetUp() override {
        Status opened = open_driver_library(kDriverLibrary, &cuda_);
        if (opened) opened = open_management_library(kManagementLibrary, &nvml_);
        if (!opened) GTEST_SKIP() << "SKIPPED, NOT TESTED: " << opened.error().what;
        ASSERT_EQ(cuda_.cuInit(0), CUDA_SUCCESS);
        ASSERT_EQ(cuda_.cuDeviceGetPCIBusId(bus_, sizeof bus_, 0), CUDA_SUCCESS);
        ASSERT_EQ(nvml_.nvmlDeviceGetHandleByPciBusId_v2(bus_, &device_), NVML_SUCCESS) << bus_;
    }

    DriverTable cuda_;
    ManagementTable nvml_;
    char bus_[64] = "";
    nvmlDevice_t device_ = nullptr;
};

TEST_F(ServerLibrary, AnswersEveryGroupWithItsRows) {
    for (uint32_t group = 0; group < kMonitorGroups; ++group) {
        wire::RowWriter writer;
        worker::read_rows(nvml_, static_cast<MonitorGroup>(group), device_, device_, &writer);
        std::vector<wire::Row> rows;
        wire::Reader reader(writer.bytes());
        ASSERT_TRUE(wire::decode(reader, kMonitorRows[group], &rows)) << group;
        for (const wire::Row& row : rows) {
            EXPECT_NE(row.result, NVML_ERROR_ARGUMENT_VERSION_MISMATCH) << group;
            EXPECT_NE(row.result, NVML_ERROR_UNINITIALIZED) << group;
        }
    }
}

TEST_F(ServerLibrary, AgreesWithTheDriver) {
    char name[256] = "";
    char cuda_name[256] = "";
    ASSERT_EQ(nvml_.nvmlDeviceGetName(device_, name, sizeof name), NVML_SUCCESS);
    ASSERT_EQ(cuda_.cuDeviceGetName(cuda_name, sizeof cuda_name, 0), CUDA_SUCCESS);
    EXPECT_STREQ(name, cuda_name);
    char uuid[96] = "";
    CUuuid bytes{};
    ASSERT_EQ(nvml_.nvmlDeviceGetUUID(device_, uuid, sizeof uuid), NVML_SUCCESS);
    ASSERT_EQ(cuda_.cuDeviceGetUuid_v2(&bytes, 0), CUDA_SUCCESS);
    std::string text = "GPU-";
    for (size_t i = 0; i < sizeof bytes.bytes; ++i) {
        char digits[4];
        snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(bytes.bytes[i]));
        text += (i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "") + std::string(digits);
    }
    EXPECT_EQ(uuid, text);
    int cuda_version = 0;
    int nvml_version = 0;
    ASSERT_EQ(cuda_.cuDriverGetVersion(&cuda_version), CUDA_SUCCESS);
    ASSERT_EQ(nvml_.nvmlSystemGetCudaDriverVersion_v2(&nvml_version), NVML_SUCCESS);
    EXPECT_EQ(nvml_version, cuda_version);
    nvmlPciInfo_t pci{};
    ASSERT_EQ(nvml_.nvmlDeviceGetPciInfo_v3(device_, &pci), NVML_SUCCESS);
    EXPECT_STRCASEEQ(pci.busIdLegacy, bus_);
    nvmlMemory_t memory{};
    ASSERT_EQ(nvml_.nvmlDeviceGetMemoryInfo(device_, &memory), NVML_SUCCESS);
    size_t total = 0;
    ASSERT_EQ(cuda_.cuDeviceTotalMem_v2(&total, 0), CUDA_SUCCESS);
    EXPECT_GE(memory.total, total);  // the driver keeps some of the board's for itself
}

}  // namespace
}  // namespace bitfusion::nvml_test
