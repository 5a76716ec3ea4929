// Memory, programs, readings, fields. Expectations: NVIDIA, "NVML API Reference"; memory is the partition's.
#include <cstring>

#include "nvml/watching.h"
#include "session/raw_peer.h"
#include "wire/rows.h"

namespace bitfusion::nvml_test {
namespace {

constexpr uint64_t kPartition = session_test::kPartitionMib << 20;

TEST_F(Watching, MemoryIsThePartition) {
    nvmlMemory_t memory{};
    ASSERT_EQ(nvmlDeviceGetMemoryInfo(device_, &memory), NVML_SUCCESS);
    EXPECT_EQ(memory.total, kPartition);
    EXPECT_EQ(memory.used, 0u);
    EXPECT_EQ(memory.free, kPartition);
    nvmlMemory_v2_t second{};
    second.version = sizeof second | 2u << 24;
    ASSERT_EQ(nvmlDeviceGetMemoryInfo_v2(device_, &second), NVML_SUCCESS);
    EXPECT_EQ(second.total, kPartition);
    EXPECT_EQ(second.used + second.free + second.reserved, kPartition);
}

TEST_F(Watching, EveryOtherStructVersionIsRefused) {
    nvmlMemory_v2_t memory{};
    for (const unsigned version : {0u, 2u << 24, static_cast<unsigned>(sizeof memory), 1u << 24 | 40u,
                                   3u << 24 | 40u, 2u << 24 | 41u, ~0u}) {
        memory.version = version;
        memory.total = 7;
        EXPECT_EQ(nvmlDeviceGetMemoryInfo_v2(device_, &memory), NVML_ERROR_ARGUMENT_VERSION_MISMATCH)
            << version;
        EXPECT_EQ(memory.total, 7u);
    }
    nvmlGpuFabricInfoV_t fabric{};
    fabric.version = 99;
    EXPECT_EQ(nvmlDeviceGetGpuFabricInfoV(device_, &fabric), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    fabric.version = sizeof(nvmlGpuFabricInfo_v2_t) | 2u << 24;
    EXPECT_EQ(nvmlDeviceGetGpuFabricInfoV(device_, &fabric), NVML_ERROR_NOT_SUPPORTED);
    nvmlTemperature_t temperature{};
    EXPECT_EQ(nvmlDeviceGetTemperatureV(device_, &temperature), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    temperature.version = sizeof temperature | 1u << 24;
    EXPECT_EQ(nvmlDeviceGetTemperatureV(device_, &temperature), NVML_SUCCESS);
    unsigned celsius = 0;
    EXPECT_EQ(nvmlDeviceGetTemperature(device_, NVML_TEMPERATURE_GPU, &celsius), NVML_SUCCESS);
    EXPECT_EQ(temperature.temperature, static_cast<int>(celsius));
    temperature.sensorType = static_cast<nvmlTemperatureSensors_t>(77);
    EXPECT_EQ(nvmlDeviceGetTemperatureV(device_, &temperature), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, AProgramThatWatchesUsesNoDevice) {
    unsigned count = 4;
    nvmlProcessInfo_t infos[4];
    EXPECT_EQ(nvmlDeviceGetComputeRunningProcesses_v3(device_, &count, infos), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
    count = 0;
    EXPECT_EQ(nvmlDeviceGetComputeRunningProcesses(device_, &count, nullptr), NVML_SUCCESS);
    count = 3;
    EXPECT_EQ(nvmlDeviceGetComputeRunningProcesses_v2(device_, &count, nullptr), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetGraphicsRunningProcesses_v3(device_, &count, nullptr), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
}

TEST_F(Watching, NamesProcesses) {
    char name[256] = "";
    EXPECT_EQ(nvmlSystemGetProcessName(static_cast<unsigned>(getpid()), name, sizeof name), NVML_SUCCESS);
    EXPECT_NE(std::string(name).find("nvml_tests"), std::string::npos) << name;
    char small[3];
    EXPECT_EQ(nvmlSystemGetProcessName(static_cast<unsigned>(getpid()), small, sizeof small),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(nvmlSystemGetProcessName((1u << 22) + 1, name, sizeof name), NVML_ERROR_NOT_FOUND);
    EXPECT_EQ(nvmlSystemGetProcessName(1, nullptr, 5), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, AnIdleSoftwareGpuIsCold) {
    nvmlUtilization_t rates{9, 9};
    EXPECT_EQ(nvmlDeviceGetUtilizationRates(device_, &rates), NVML_SUCCESS);
    EXPECT_LE(rates.gpu, 100u);
    nvmlPstates_t state{};
    EXPECT_EQ(nvmlDeviceGetPerformanceState(device_, &state), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceGetUtilizationRates(device_, nullptr), NVML_ERROR_INVALID_ARGUMENT);
    unsigned value = 0;
    EXPECT_EQ(nvmlDeviceGetTemperature(device_, static_cast<nvmlTemperatureSensors_t>(5), &value),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetClockInfo(device_, static_cast<nvmlClockType_t>(-1), &value),
              NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetFanSpeed(device_, &value), NVML_ERROR_NOT_SUPPORTED);  // it has none
}

TEST_F(Watching, FieldsAreAnsweredOneByOne) {
    nvmlFieldValue_t values[3];
    memset(static_cast<void*>(values), 0xee, sizeof values);
    for (unsigned i = 0; i < 3; ++i) {
        values[i].fieldId = i + 1;
        values[i].scopeId = i;
    }
    ASSERT_EQ(nvmlDeviceGetFieldValues(device_, 3, values), NVML_SUCCESS);
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_EQ(values[i].fieldId, i + 1);
        EXPECT_EQ(values[i].scopeId, i);
        EXPECT_EQ(values[i].nvmlReturn, NVML_ERROR_NOT_SUPPORTED);
    }
    EXPECT_EQ(nvmlDeviceGetFieldValues(device_, 0, values), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetFieldValues(device_, -1, values), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetFieldValues(device_, 1 << 30, values), NVML_ERROR_INVALID_ARGUMENT);
}

TEST(Memory, OfASessionThatComputesIsCountedAndListed) {
    session_test::RawClient client;
    ASSERT_TRUE(client.open());
    session_test::Bytes body;
    ASSERT_EQ(client.ask(msg::MonitorMemory{0}, &body), CUDA_SUCCESS);
    wire::Reader reader(body);
    msg::MonitorMemory::Reply reply;
    reply.decode(reader);
    ASSERT_TRUE(reader.done());
    EXPECT_EQ(reply.result, NVML_SUCCESS);
    EXPECT_EQ(reply.total, kPartition);
    EXPECT_GE(reply.used, session_test::RawClient::kBytes);
    wire::Reader list(reply.processes);
    std::vector<wire::ProcessFact> processes;
    ASSERT_TRUE(wire::decode(list, &processes));
    ASSERT_EQ(processes.size(), 1u);
    EXPECT_EQ(processes[0].pid, session_test::kClientProcess);
    EXPECT_EQ(processes[0].name, "session_tests");
    EXPECT_GE(processes[0].used_bytes, reply.used) << "NVML lists the context too";
    // The other GPU is not in use.
    ASSERT_EQ(client.ask(msg::MonitorMemory{1}, &body), CUDA_SUCCESS);
    wire::Reader other(body);
    reply.decode(other);
    EXPECT_EQ(reply.used, 0u);
    EXPECT_EQ(reply.processes.size(), 4u);
}

}  // namespace
}  // namespace bitfusion::nvml_test
