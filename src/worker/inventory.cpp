#include "worker/inventory.h"

#include <nlohmann/json.hpp>

namespace bitfusion::worker {
namespace {

using Json = nlohmann::json;

std::string uuid_text(const CUuuid& uuid) {
    char text[48];
    const auto* b = reinterpret_cast<const uint8_t*>(uuid.bytes);
    snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return text;
}

int attribute(const DriverTable& driver, CUdevice device, CUdevice_attribute which) {
    int value = 0;
    return driver.cuDeviceGetAttribute(&value, which, device) == CUDA_SUCCESS ? value : 0;
}

template <typename T>
Json known(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// Ordinals whose memory the device reaches by itself, "0,2".
std::string peers_of(const DriverTable& driver, CUdevice device, int count) {
    std::string peers;
    for (CUdevice other = 0; other < count; ++other) {
        int reaches = 0;
        if (other == device || driver.cuDeviceCanAccessPeer(&reaches, device, other) != CUDA_SUCCESS)
            continue;
        if (reaches != 0) peers += (peers.empty() ? "" : ",") + std::to_string(other);
    }
    return peers;
}

Json describe(const DriverTable& driver, Management* management, CUdevice device, int count) {
    char text[256] = "";
    driver.cuDeviceGetName(text, sizeof text, device);
    CUuuid uuid{};
    driver.cuDeviceGetUuid_v2(&uuid, device);
    size_t total = 0;
    driver.cuDeviceTotalMem_v2(&total, device);
    char pci[64];
    snprintf(pci, sizeof pci, "%08X:%02X:%02X.0",
             attribute(driver, device, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID),
             attribute(driver, device, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID),
             attribute(driver, device, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID));
    Json gpu{{"ordinal", device},
             {"uuid", uuid_text(uuid)},
             {"name", text},
             {"memory_mib", total >> 20},
             {"capability",
              std::to_string(attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)) + "." +
                  std::to_string(attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))},
             {"pci", pci},
             {"memory_operations",
              attribute(driver, device, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS) != 0},
             {"peers", peers_of(driver, device, count)}};
    const Management::Reading reading = management != nullptr ? management->read(pci) : Management::Reading{};
    gpu["memory_used_mib"] = known(reading.memory_used_mib);
    gpu["temperature_c"] = known(reading.temperature_c);
    gpu["fan_percent"] = known(reading.fan_percent);
    gpu["power_w"] = known(reading.power_w);
    gpu["power_limit_w"] = known(reading.power_limit_w);
    gpu["utilization_percent"] = known(reading.utilization_percent);
    gpu["performance_state"] = known(reading.performance_state);
    gpu["persistence"] = known(reading.persistence);
    gpu["ecc_errors"] = known(reading.ecc_errors);
    gpu["compute_mode"] = known(reading.compute_mode);
    return gpu;
}

}  // namespace

std::string Inventory::look() {
    int count = 0;
    int version = 0;
    if (driver_.cuInit(0) != CUDA_SUCCESS || driver_.cuDeviceGetCount(&count) != CUDA_SUCCESS) {
        return failed_inventory(
            "the driver finds no GPU; look at 'nvidia-smi', or start with --backend soft");
    }
    driver_.cuDriverGetVersion(&version);
    if (real_ && !management_) management_ = Management::open();
    Json out{{"backend", real_ ? "real" : "soft"},
             {"cuda_version", version},
             {"gpus", Json::array()},
             {"error", ""}};
    out["driver_version"] = management_ ? management_->driver_version() : real_ ? "unknown" : "software";
    if (management_) {
        out["management_gpus"] = known(management_->count());
        out["management_cuda_version"] = known(management_->cuda_version());
    }
    for (CUdevice device = 0; device < count; ++device)
        out["gpus"].push_back(describe(driver_, management_ ? &*management_ : nullptr, device, count));
    return out.dump();
}

std::string failed_inventory(const std::string& error) {
    return Json{{"backend", ""},
                {"cuda_version", 0},
                {"driver_version", ""},
                {"gpus", Json::array()},
                {"error", error}}
        .dump();
}

}  // namespace bitfusion::worker
