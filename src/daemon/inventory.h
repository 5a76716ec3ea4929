// Inventory: which GPUs this server has, and how they feel.
//
// The daemon never opens a GPU itself: a process of its own does (Watcher), and tells of them in one JSON
// object for each look. It is checked like anything that comes from another process.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/child.h"
#include "daemon/watcher.h"

namespace bitfusion::daemon {

struct Gpu {
    uint32_t ordinal = 0;
    std::string uuid;
    std::string name;
    uint64_t memory_mib = 0;
    nlohmann::json
        telemetry;  // flat object of the known measurements: numbers, short strings, booleans or null
};

struct Report {
    std::string backend;  // soft or real
    std::string driver_version;
    int64_t cuda_version = 0;
    std::optional<int64_t> management_gpus;  // as NVML counts and names them; absent without NVML
    std::optional<int64_t> management_cuda_version;
    std::vector<Gpu> gpus;
    std::string error;  // why there are no GPUs or the report is old; empty when all is well
};

Result<Report> parse_report(const std::string& text);

class Inventory {
  public:
    // `arguments` are the worker's, argv[0] included.
    Inventory(asio::io_context& io, Children& children, std::string worker,
              std::vector<std::string> arguments);

    const Report& report() const { return report_; }
    // Looks again unless the report is younger than `most_age`. Callers at the same time share one look.
    // On failure the old report stays and its error says why.
    Task<void> refresh(std::chrono::milliseconds most_age);

  private:
    Task<Result<Report>> run();

    Watcher watcher_;
    Report report_;
    Clock::time_point taken_ = Clock::time_point::min();
    bool running_ = false;
    Bell done_;
};

}  // namespace bitfusion::daemon
