#include "nvml/device.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "nvml/snapshot.h"
#include "nvml_hand.gen.h"
#include "nvml_snapshot.gen.h"

namespace bitfusion::nvml {
namespace {

// What handles point at. Nothing is in it: only the address counts.
std::array<char, kMostDevices> g_places;

size_t count() {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    return ensure_session(&l) == NVML_SUCCESS ? l.devices : 0;
}

// The first device that `is_it` holds for.
template <typename IsIt>
nvmlReturn_t find(nvmlDevice_t* device, const IsIt& is_it) {
    for (size_t i = 0; i < count(); ++i) {
        if (!is_it(handle_of(i))) continue;
        *device = handle_of(i);
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}

struct PciAddress {
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    unsigned function = 0;
};

// "domain:bus:device.function", "domain:bus:device", "bus:device.function".
bool parse_pci(const char* text, PciAddress* address) {
    PciAddress a;
    char rest = '\0';
    int fields = sscanf(text, "%x:%x:%x.%x%c", &a.domain, &a.bus, &a.slot, &a.function, &rest);
    if (fields < 3) {
        a = {};
        fields = sscanf(text, "%x:%x.%x%c", &a.bus, &a.slot, &a.function, &rest);
        if (fields != 3) return false;
    } else if (fields > 4) {
        return false;
    }
    *address = a;
    return true;
}

nvmlReturn_t first_bytes_of_pci(nvmlDevice_t device, nvmlPciInfo_t* pci, size_t bytes) {
    if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlPciInfo_t whole{};
    const nvmlReturn_t result = snapshot::nvmlDeviceGetPciInfo_v3(device, &whole);
    if (result == NVML_SUCCESS) memcpy(static_cast<void*>(pci), &whole, bytes);
    return result;
}

}  // namespace

nvmlDevice_t handle_of(size_t index) { return reinterpret_cast<nvmlDevice_t>(&g_places[index]); }

bool index_of(const Library& l, nvmlDevice_t device, size_t* index) {
    const auto distance = reinterpret_cast<uintptr_t>(device) - reinterpret_cast<uintptr_t>(g_places.data());
    *index = distance;
    return distance < l.devices;  // what lies below the first place is a huge number
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* deviceCount) {
    if (deviceCount == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const nvmlReturn_t result = ensure_session(&l);
    if (result == NVML_SUCCESS) *deviceCount = static_cast<unsigned>(l.devices);
    return result;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int* deviceCount) { return nvmlDeviceGetCount_v2(deviceCount); }

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
    if (device == nullptr || index >= count()) return NVML_ERROR_INVALID_ARGUMENT;
    *device = handle_of(index);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t* device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int* index) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    size_t found = 0;
    if (index == nullptr || !index_of(l, device, &found)) return NVML_ERROR_INVALID_ARGUMENT;
    *index = static_cast<unsigned>(found);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
    if (uuid == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return find(device, [&](nvmlDevice_t candidate) {
        char text[128] = "";
        return snapshot::nvmlDeviceGetUUID(candidate, text, sizeof text) == NVML_SUCCESS &&
               strcmp(text, uuid) == 0;
    });
}

nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t* uuid, nvmlDevice_t* device) {
    if (uuid == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!has_version(uuid, sizeof(nvmlUUID_v1_t), 1)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (uuid->type == NVML_UUID_TYPE_ASCII) {
        const std::string text(uuid->value.str, strnlen(uuid->value.str, sizeof uuid->value.str));
        return nvmlDeviceGetHandleByUUID(text.c_str(), device);
    }
    if (uuid->type != NVML_UUID_TYPE_BINARY) return NVML_ERROR_INVALID_ARGUMENT;
    std::string text = "GPU-";
    for (size_t i = 0; i < sizeof uuid->value.bytes; ++i) {
        char digits[4];
        snprintf(digits, sizeof digits, "%02x", uuid->value.bytes[i]);
        text += (i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "") + std::string(digits);
    }
    return nvmlDeviceGetHandleByUUID(text.c_str(), device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* pciBusId, nvmlDevice_t* device) {
    PciAddress wanted;
    if (pciBusId == nullptr || device == nullptr || !parse_pci(pciBusId, &wanted))
        return NVML_ERROR_INVALID_ARGUMENT;
    return find(device, [&](nvmlDevice_t candidate) {
        nvmlPciInfo_t pci{};
        return snapshot::nvmlDeviceGetPciInfo_v3(candidate, &pci) == NVML_SUCCESS &&
               pci.domain == wanted.domain && pci.bus == wanted.bus && pci.device == wanted.slot &&
               wanted.function == 0;
    });
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char* pciBusId, nvmlDevice_t* device) {
    return nvmlDeviceGetHandleByPciBusId_v2(pciBusId, device);
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char* serial, nvmlDevice_t* device) {
    if (serial == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return find(device, [&](nvmlDevice_t candidate) {
        char text[128] = "";
        return snapshot::nvmlDeviceGetSerial(candidate, text, sizeof text) == NVML_SUCCESS &&
               strcmp(text, serial) == 0;
    });
}

// Of the struct's older versions, which end earlier.
nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t* pci) {
    return first_bytes_of_pci(device, pci, offsetof(nvmlPciInfo_t, pciSubSystemId));
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t* pci) {
    return first_bytes_of_pci(device, pci, offsetof(nvmlPciInfo_t, busId));
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int* isMigDevice) {
    unsigned index = 0;
    if (isMigDevice == nullptr || nvmlDeviceGetIndex(device, &index) != NVML_SUCCESS)
        return NVML_ERROR_INVALID_ARGUMENT;
    *isMigDevice = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int, nvmlDevice_t* migDevice) {
    unsigned own = 0;
    if (migDevice == nullptr || nvmlDeviceGetIndex(device, &own) != NVML_SUCCESS)
        return NVML_ERROR_INVALID_ARGUMENT;
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t, nvmlDevice_t*) {
    return NVML_ERROR_INVALID_ARGUMENT;  // no handle of ours is a MIG device's
}

nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
    return snapshot::nvmlDeviceGetAttributes_v2(device, attributes);
}

}  // namespace bitfusion::nvml
