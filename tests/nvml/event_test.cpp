// Event sets. Expectations: NVIDIA, "NVML API Reference", Event Handling Methods.
#include <chrono>
#include <future>
#include <thread>

#include "nvml/watching.h"

namespace bitfusion::nvml_test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned long long kXidCriticalError = 8;  // nvmlEventTypeXidCriticalError
constexpr unsigned kAnHour = 3'600'000;

TEST(Events, NeedInit) {
    nvmlEventSet_t set = nullptr;
    nvmlEventData_t data{};
    EXPECT_EQ(nvmlEventSetCreate(&set), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvmlEventSetFree(set), NVML_ERROR_UNINITIALIZED);
}

TEST_F(Watching, EventSetsAreTheProgramsOwn) {
    nvmlEventSet_t one = nullptr;
    nvmlEventSet_t other = nullptr;
    ASSERT_EQ(nvmlEventSetCreate(&one), NVML_SUCCESS);
    ASSERT_EQ(nvmlEventSetCreate(&other), NVML_SUCCESS);
    EXPECT_NE(one, nullptr);
    EXPECT_NE(one, other);
    EXPECT_EQ(nvmlEventSetCreate(nullptr), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlEventSetFree(one), NVML_SUCCESS);
    EXPECT_EQ(nvmlEventSetFree(one), NVML_ERROR_INVALID_ARGUMENT);
    nvmlEventData_t data{};
    EXPECT_EQ(nvmlEventSetWait_v2(one, &data, 0), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlEventSetWait_v2(other, &data, 0), NVML_ERROR_TIMEOUT);
    EXPECT_EQ(nvmlEventSetFree(other), NVML_SUCCESS);
    EXPECT_EQ(nvmlEventSetFree(nullptr), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlEventSetFree(reinterpret_cast<nvmlEventSet_t>(this)), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, NoEventTypeIsSupported) {
    nvmlEventSet_t set = nullptr;
    ASSERT_EQ(nvmlEventSetCreate(&set), NVML_SUCCESS);
    unsigned long long types = ~0ull;
    EXPECT_EQ(nvmlDeviceGetSupportedEventTypes(device_, &types), NVML_SUCCESS);
    EXPECT_EQ(types, 0u);
    EXPECT_EQ(nvmlDeviceGetSupportedEventTypes(device_, nullptr), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceGetSupportedEventTypes(nullptr, &types), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceRegisterEvents(device_, kXidCriticalError, set), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlDeviceRegisterEvents(device_, ~0ull, set), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvmlDeviceRegisterEvents(device_, types, set), NVML_SUCCESS);
    EXPECT_EQ(nvmlDeviceRegisterEvents(device_, kXidCriticalError, nullptr), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvmlDeviceRegisterEvents(nullptr, kXidCriticalError, set), NVML_ERROR_INVALID_ARGUMENT);
    // "Event set can still be used."
    nvmlEventData_t data{};
    EXPECT_EQ(nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_TIMEOUT);
    EXPECT_EQ(nvmlEventSetFree(set), NVML_SUCCESS);
}

TEST_F(Watching, AWaitEndsByItsTime) {
    nvmlEventSet_t set = nullptr;
    ASSERT_EQ(nvmlEventSetCreate(&set), NVML_SUCCESS);
    EXPECT_EQ(nvmlEventSetWait_v2(set, nullptr, 0), NVML_ERROR_INVALID_ARGUMENT);
    nvmlEventData_t data{};
    data.eventType = 7;
    for (const auto wait : {nvmlEventSetWait, nvmlEventSetWait_v2}) {
        const auto start = Clock::now();
        EXPECT_EQ(wait(set, &data, 50), NVML_ERROR_TIMEOUT);
        EXPECT_GE(Clock::now() - start, milliseconds(50));
    }
    EXPECT_EQ(data.eventType, 7u) << "written although nothing came";
    EXPECT_EQ(nvmlEventSetFree(set), NVML_SUCCESS);
}

TEST_F(Watching, AWaitHoldsNobodyUpAndEndsWithItsSet) {
    nvmlEventSet_t set = nullptr;
    ASSERT_EQ(nvmlEventSetCreate(&set), NVML_SUCCESS);
    auto waiting = std::async(std::launch::async, [&] {
        nvmlEventData_t data{};
        return nvmlEventSetWait_v2(set, &data, kAnHour);
    });
    EXPECT_EQ(waiting.wait_for(milliseconds(20)), std::future_status::timeout);
    unsigned celsius = 0;
    EXPECT_EQ(nvmlDeviceGetTemperature(device_, NVML_TEMPERATURE_GPU, &celsius), NVML_SUCCESS);
    EXPECT_EQ(nvmlEventSetFree(set), NVML_SUCCESS);
    EXPECT_EQ(waiting.get(), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, AWaitEndsWithTheLibrary) {
    nvmlEventSet_t set = nullptr;
    ASSERT_EQ(nvmlEventSetCreate(&set), NVML_SUCCESS);
    auto waiting = std::async(std::launch::async, [&] {
        nvmlEventData_t data{};
        return nvmlEventSetWait_v2(set, &data, kAnHour);
    });
    EXPECT_EQ(waiting.wait_for(milliseconds(20)), std::future_status::timeout);
    EXPECT_EQ(nvmlShutdown(), NVML_SUCCESS);
    EXPECT_EQ(waiting.get(), NVML_ERROR_UNINITIALIZED);
}

}  // namespace
}  // namespace bitfusion::nvml_test
