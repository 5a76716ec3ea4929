// ServerView: what a manager tells about itself (GET /v1/server), checked field by field. Absent measurements
// stay absent; a document that lacks what every manager sends is an error that names the server.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/servers.h"

namespace bitfusion::cli {

struct GpuView {
    int64_t ordinal = 0;
    std::string name;
    uint64_t memory_mib = 0;
    uint64_t free_mib = 0;
    uint64_t allocated_mib = 0;
    std::string capability;  // "" unknown
    std::string pci;
    std::string performance_state;
    std::string compute_mode;
    std::optional<int64_t> memory_used_mib;
    std::optional<int64_t> temperature_c;
    std::optional<int64_t> fan_percent;
    std::optional<int64_t> power_w;
    std::optional<int64_t> power_limit_w;
    std::optional<int64_t> utilization_percent;
    std::optional<int64_t> ecc_errors;
    std::optional<bool> persistence;
};

struct ServerView {
    Endpoint endpoint;
    std::string version;
    std::string id;    // of the server in its pool
    std::string pool;  // of the servers that decide together; empty: alone
    bool leader = false;
    std::string driver_version;
    std::string inventory_error;
    int64_t running_tasks = 0;
    std::vector<GpuView> gpus;
    nlohmann::json document;  // as received, for --json
};

Result<ServerView> view_server(const Endpoint& endpoint, const nlohmann::json& document);
// Asks; `fresh` measures the GPUs now.
Result<ServerView> ask_server(const Endpoint& endpoint, bool fresh);

}  // namespace bitfusion::cli
