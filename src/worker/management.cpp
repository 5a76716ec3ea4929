#include "worker/management.h"

#include <dlfcn.h>

#include <array>

namespace bitfusion::worker {
namespace {

// NVML's public interface (NVIDIA, "NVML API Reference"): return code 0 is success, a device is an opaque
// pointer.
using Code = int;
using Device = void*;
struct Memory {
    unsigned long long total, free, used;
};
struct Utilization {
    unsigned gpu, memory;
};
constexpr int kTemperatureGpu = 0;
constexpr int kEccUncorrected = 1;
constexpr int kEccVolatile = 0;

}  // namespace

template <typename F>
F* Management::function(const char* name) const {
    return reinterpret_cast<F*>(dlsym(library_, name));
}

std::optional<Management> Management::open() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return std::nullopt;
    Management management(library);
    auto* const init = management.function<Code()>("nvmlInit_v2");
    if (init == nullptr || init() != 0) return std::nullopt;
    return management;
}

std::string Management::driver_version() const {
    std::array<char, 96> text{};
    auto* const ask = function<Code(char*, unsigned)>("nvmlSystemGetDriverVersion");
    return ask != nullptr && ask(text.data(), text.size()) == 0 ? text.data() : "unknown";
}

std::optional<unsigned> Management::count() const {
    unsigned gpus = 0;
    auto* const ask = function<Code(unsigned*)>("nvmlDeviceGetCount_v2");
    return ask != nullptr && ask(&gpus) == 0 ? std::optional<unsigned>(gpus) : std::nullopt;
}

std::optional<int> Management::cuda_version() const {
    int version = 0;
    auto* const ask = function<Code(int*)>("nvmlSystemGetCudaDriverVersion_v2");
    return ask != nullptr && ask(&version) == 0 ? std::optional<int>(version) : std::nullopt;
}

Management::Reading Management::read(const std::string& pci) const {
    Reading r;
    Device device = nullptr;
    auto* const find = function<Code(const char*, Device*)>("nvmlDeviceGetHandleByPciBusId_v2");
    if (find == nullptr || find(pci.c_str(), &device) != 0) return r;
    const auto number = [&](const char* name) -> std::optional<unsigned> {
        unsigned value = 0;
        auto* const ask = function<Code(Device, unsigned*)>(name);
        return ask != nullptr && ask(device, &value) == 0 ? std::optional<unsigned>(value) : std::nullopt;
    };
    Memory memory{};
    if (auto* const ask = function<Code(Device, Memory*)>("nvmlDeviceGetMemoryInfo");
        ask != nullptr && ask(device, &memory) == 0) {
        r.memory_used_mib = static_cast<unsigned>(memory.used >> 20);
    }
    unsigned value = 0;
    if (auto* const ask = function<Code(Device, int, unsigned*)>("nvmlDeviceGetTemperature");
        ask != nullptr && ask(device, kTemperatureGpu, &value) == 0) {
        r.temperature_c = value;
    }
    r.fan_percent = number("nvmlDeviceGetFanSpeed");
    if (const auto milliwatts = number("nvmlDeviceGetPowerUsage")) r.power_w = *milliwatts / 1000;
    if (const auto milliwatts = number("nvmlDeviceGetEnforcedPowerLimit"))
        r.power_limit_w = *milliwatts / 1000;
    Utilization utilization{};
    if (auto* const ask = function<Code(Device, Utilization*)>("nvmlDeviceGetUtilizationRates");
        ask != nullptr && ask(device, &utilization) == 0) {
        r.utilization_percent = utilization.gpu;
    }
    if (const auto state = number("nvmlDeviceGetPerformanceState"); state && *state < 16)
        r.performance_state = "P" + std::to_string(*state);
    if (const auto mode = number("nvmlDeviceGetPersistenceMode")) r.persistence = *mode != 0;
    unsigned long long errors = 0;
    if (auto* const ask =
            function<Code(Device, int, int, unsigned long long*)>("nvmlDeviceGetTotalEccErrors");
        ask != nullptr && ask(device, kEccUncorrected, kEccVolatile, &errors) == 0) {
        r.ecc_errors = errors;
    }
    if (const auto mode = number("nvmlDeviceGetComputeMode")) {
        constexpr std::array<const char*, 4> kModes = {"Default", "Exclusive Thread", "Prohibited",
                                                       "Exclusive Process"};
        if (*mode < kModes.size()) r.compute_mode = kModes[*mode];
    }
    return r;
}

}  // namespace bitfusion::worker
