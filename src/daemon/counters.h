// Counters: what the daemon has seen since it started; shown by GET /v1/health. The daemon's thread only.
#pragma once

#include <cstdint>

#include "daemon/traffic.h"

namespace bitfusion::daemon {

struct Counters {
    uint64_t control_connections = 0;
    uint64_t control_requests = 0;
    uint64_t control_malformed = 0;  // bytes that are not HTTP, or more of it than allowed
    uint64_t control_timeouts = 0;
    uint64_t control_overload = 0;  // connections closed because too many were open
    uint64_t data_connections = 0;
    uint64_t hello_malformed = 0;  // bytes that are not a hello
    uint64_t hello_timeouts = 0;
    uint64_t hello_version = 0;  // refused: another protocol version
    uint64_t hello_ticket = 0;   // refused: no lease has the ticket
    uint64_t hello_busy = 0;     // refused: no worker could be started
    uint64_t hello_overload = 0;
    uint64_t workers_started = 0;
    uint64_t workers_failed = 0;  // ended by a signal or with another status than 0, and not by us
    uint64_t leases_granted = 0;
    uint64_t leases_refused = 0;
    uint64_t leases_ended = 0;
    Traffic traffic_of_ended;  // of the leases that are over
    AttachTimes attach_times;
};

}  // namespace bitfusion::daemon
