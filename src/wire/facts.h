// Facts: what the worker tells of devices and kernels, so that the client can answer for them (docs/wire.md,
// "facts"). Plain data and its encoding; the numbers are the driver's own attribute numbers and values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.h"

namespace bitfusion::wire {

struct AttributeFact {
    int32_t result = 1;  // CUresult of asking; the client repeats it
    int32_t value = 0;
};

struct DeviceFacts {
    std::string name;
    std::array<uint8_t, 16> uuid{};         // as the first version of cuDeviceGetUuid tells it
    std::array<uint8_t, 16> uuid_second{};  // as _v2 does: another one on MIG devices
    std::array<uint8_t, 8> luid{};
    uint32_t node_mask = 0;
    int32_t luid_result = 801;
    uint64_t total_bytes = 0;               // of the partition
    std::string pci_bus;                    // "0000:65:00.0"
    std::vector<AttributeFact> attributes;  // [CUdevice_attribute]
};

// A kernel or function: its name on the wire, where its parameters lie, its attributes.
struct FunctionFacts {
    struct Parameter {
        uint32_t offset;
        uint32_t size;
    };
    uint64_t name = 0;
    std::string symbol;
    std::vector<Parameter> parameters;
    std::vector<AttributeFact> attributes;  // [CUfunction_attribute]
};

std::vector<uint8_t> encode(const std::vector<DeviceFacts>& devices);
std::vector<uint8_t> encode(const std::vector<FunctionFacts>& functions);

// False when the bytes are not what encode() makes; lists are bounded by what the bytes can hold.
bool decode(Reader& reader, std::vector<DeviceFacts>* devices);
bool decode(Reader& reader, std::vector<FunctionFacts>* functions);

}  // namespace bitfusion::wire
