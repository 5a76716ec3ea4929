// Metrics: what GET /metrics answers, in Prometheus' text format 0.0.4.
//
// GPUs have the names that NVIDIA's DCGM exporter gives them, so that its dashboards work; ours begin with
// bitfusion_. What a device does not tell is left out, never zero. Pure: the text follows from the view
// alone. Written here and not by a library: Debian's prometheus-cpp is a shared C++ library, which would
// bring a second C++ runtime into the bundle.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "daemon/census.h"
#include "daemon/counters.h"
#include "daemon/interface_bytes.h"
#include "daemon/inventory.h"
#include "daemon/observer.h"
#include "health/check.h"

namespace bitfusion::daemon {

struct MetricsView {
    std::string version;
    std::string host;
    const Report& report;
    const Census& census;
    const Counters& counters;
    const std::vector<health::Checked>& health;
    std::string server;               // its id in the pool
    std::string pool;                 // the pool's id
    std::optional<PoolUse> pool_use;  // on the server that schedules
    std::map<std::string, InterfaceBytes> interfaces = {};
};

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string metrics_text(const MetricsView& view);

}  // namespace bitfusion::daemon
