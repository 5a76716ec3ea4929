// Claim: what a client asks of the pool, and its turn while it waits. Lease: what it got.
//
// A claim that is granted becomes the lease of the same id; so asking again with the same id after a lost
// answer gives the same lease and never a second one. Value types.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "pool/client.h"
#include "pool/filter.h"
#include "pool/placement.h"

namespace bitfusion::pool {

// The place in the queue: lower goes first. Given by the pool.
struct Turn {
    int64_t virtual_time = 0;  // millionths of a GPU that its client was ahead with; see queue.h
    uint64_t number = 0;       // order of arrival

    friend auto operator<=>(const Turn&, const Turn&) = default;
};

struct Claim {
    std::string id;  // chosen by whoever asks, unique for ever: a UUID
    std::string client;
    Request ask;                       // how many GPUs and how much of each
    std::vector<Filter> filters;       // at most 32
    std::vector<std::string> servers;  // ids or addresses of the servers that may serve it; empty: all
    std::chrono::milliseconds timeout{std::chrono::minutes(30)};  // how long it may wait; 0: not at all
    bool persistent = false;  // the lease lives without signs of life until released or idle
    std::string note;  // the caller's own, at most 16 KiB; kept with claim and lease, never looked into
    Turn turn;
};

enum class LeaseState {
    kGranted,
    kEnding,  // nothing new may start; its memory is still used by workers that are ending
};

struct Lease {
    std::string id;
    std::string client;
    std::string server;
    Request ask;
    Grant grant;
    Share share;  // what it counts in its client's quota
    bool persistent = false;
    LeaseState state = LeaseState::kGranted;
    std::string why_here;    // the decision, for people
    std::string end_reason;  // empty while granted
    std::string note;
};

}  // namespace bitfusion::pool
