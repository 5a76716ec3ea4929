// Integrity: the answer that CUDA runtimes demand of a driver before they work with it: HMAC-MD2 (RFC 1319,
// RFC 2104) over facts of the caller's own process, so it is computed here and never forwarded.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace bitfusion::client {

using Digest = std::array<uint8_t, 16>;

Digest md2(std::span<const uint8_t> message);
Digest hmac_md2(const Digest& key, std::span<const uint8_t> message);

struct IntegrityDevice {
    std::array<uint8_t, 16> uuid;
    int32_t pci_domain;
    int32_t pci_bus;
    int32_t pci_device;
};

struct IntegrityQuestion {
    uint32_t driver_version;
    uint32_t version;  // of the runtime, plus 0, 1 or 2
    uint32_t process;
    uint32_t thread;  // low half of pthread_self()
    uint64_t runtime_table;
    uint64_t integrity_table;
    uint64_t integrity_function;
    uint64_t seconds;
    std::vector<IntegrityDevice> devices;
};

Digest integrity_answer(const IntegrityQuestion& question);

}  // namespace bitfusion::client
