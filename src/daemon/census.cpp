#include "daemon/census.h"

namespace bitfusion::daemon {

std::string client_label(const std::string& name) { return name.empty() ? "unnamed" : name; }

Census take_census(const Leases& leases, const Report& report, const Counters& counters) {
    Census census;
    std::map<uint32_t, uint64_t> memory_mib;
    for (const Gpu& gpu : report.gpus) {
        census.gpus[gpu.ordinal] = {};
        memory_mib[gpu.ordinal] = gpu.memory_mib;
    }
    census.traffic = counters.traffic_of_ended;
    for (const auto& [id, lease] : leases.all()) {
        ++census.leases;
        census.sessions += lease->workers.size();
        census.traffic += read_traffic(lease->usage.descriptor());
        double share = 0;
        for (const pool::Part& part : lease->grant.parts) {
            Census::GpuUse& use = census.gpus[part.ordinal];
            use.allocated_mib += part.memory_mib;
            ++use.partitions;
            const uint64_t all = memory_mib[part.ordinal];
            share += all == 0 ? 1 : static_cast<double>(part.memory_mib) / static_cast<double>(all);
        }
        census.clients[client_label(lease->note.client_name)] += share;
        census.gpus_allocated += share;
    }
    return census;
}

}  // namespace bitfusion::daemon
