// Attendance: what a server that does not schedule tells the one that does, once a second and whenever
// something happened, and the orders that it gets back. Every message says all that is not yet acknowledged,
// so that a lost one needs no other cure than the next.
//
// JSON both ways; the pool's records are written in it as in the store (store/records.h). Parsing checks
// every field and bounds every list. Value types.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "pool/claim.h"
#include "pool/server.h"

namespace bitfusion::daemon {

struct Attendance {
    pool::Server server;                      // with the instance that tells its process from earlier ones
    bool leaving = false;                     // it ends; nothing is to be placed on it
    std::vector<std::string> leases;          // that it still knows: what they hold is in use
    std::set<std::string> heard;              // leases that gave a sign of life
    std::set<std::string> used;               // leases whose GPUs did something
    std::set<std::string> kept;               // leases that live without signs of life from now on
    std::set<std::string> over;               // leases whose workers are reaped
    std::map<std::string, std::string> ends;  // leases to end, and why

    // Something that cannot wait a second.
    bool urgent() const { return !over.empty() || !ends.empty() || !kept.empty(); }
};

struct Orders {
    std::vector<pool::Lease> leases;  // all of this server
    bool accepts = true;
    uint64_t waiting = 0;  // claims in the pool's queue
    std::string error;     // why the server is not taken into the pool; empty when it is
};

std::string to_json(const Attendance& attendance);
Result<Attendance> attendance_from(const std::string& text);
std::string to_json(const Orders& orders);
Result<Orders> orders_from(const std::string& text);

}  // namespace bitfusion::daemon
