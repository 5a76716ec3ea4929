// Census: what of this server is in use at one moment; what metrics and history are made of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/counters.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"

namespace bitfusion::daemon {

struct Census {
    struct GpuUse {
        uint64_t allocated_mib = 0;
        size_t partitions = 0;
    };
    std::map<uint32_t, GpuUse> gpus;        // by ordinal; every GPU of the inventory has an entry
    std::map<std::string, double> clients;  // by the name in the list of clients; a partition is its fraction
    double gpus_allocated = 0;              // the same over all clients
    size_t leases = 0;
    size_t sessions = 0;            // workers
    std::optional<size_t> waiting;  // requests in the queue; nothing on a server that keeps none
    Traffic traffic;                // since the daemon started
};

// What a client is called where it is measured.
std::string client_label(const std::string& name);

Census take_census(const Leases& leases, const Report& report, const Counters& counters);

}  // namespace bitfusion::daemon
