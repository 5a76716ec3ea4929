// Server: one machine with GPUs, as the pool knows it.
//
// Written down when it joins and when its administrator changes it; whether it is up is not written down:
// after a restart every server is down until it says otherwise. All texts are the server's own words: for
// filters, listings and explanations. Value types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitfusion::pool {

// The most servers, the most GPUs of one, and the most leases on one.
constexpr uint32_t kMostServers = 16384;
constexpr uint32_t kMostGpus = 64;
constexpr size_t kMostLeasesOfServer = 4096;
// A GPU of more than 16 TiB is a mistake of whoever says so.
constexpr uint64_t kMostGpuMib = uint64_t{1} << 24;

struct Gpu {
    uint32_t ordinal = 0;  // unique within the server; what --filter device.id compares
    uint64_t memory_mib = 0;
    // Must be unique in the pool where it is not empty: two servers with one GPU would give it away twice.
    // Leave it empty for GPUs that are no hardware.
    std::string uuid;
    std::string name;        // "Tesla V100S-PCIE-32GB"
    std::string capability;  // "7.0"

    bool operator==(const Gpu&) const = default;
};

struct Server {
    std::string id;       // given at enrolment, never changes
    uint32_t number = 0;  // "server 0": the lowest that was free when it joined; given by the pool
    std::string address;  // of the control port: "172.31.51.20:56001", "[fd00::7]:56001"
    std::string hostname;
    std::string cuda_version;    // "12.4"
    std::string driver_version;  // "550.54.15"
    bool has_rdma = false;
    bool accepts = true;  // "allow new client connections"; false is a drain: running applications finish
    // Of the process that serves, new with each start: at another one, what an earlier process served is
    // gone.
    std::string instance;
    std::vector<Gpu> gpus;

    bool operator==(const Server&) const = default;
};

}  // namespace bitfusion::pool
