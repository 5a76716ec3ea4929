// Client: an enrolled machine or person that may ask for GPUs; and the settings that hold for all of them.
//
// The pool trusts its caller that a claim's client is who it says. Value types.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "pool/share.h"

namespace bitfusion::pool {

// A time of a clock that never goes back. Only differences count, and no record keeps one: two servers may
// disagree by hours about the time of day without any effect on the pool.
using Time = std::chrono::milliseconds;

struct Settings {
    Share quota = Share::whole(64);      // for each client over all its programs
    std::chrono::minutes idle_limit{0};  // GPUs unused for so long are taken back; 0: never
    std::chrono::seconds auto_release =
        std::chrono::minutes(10);      // without a sign of life of a lease's client
    bool auto_release_chosen = false;  // by an administrator of the pool: the manager's option does not count
    std::chrono::seconds claim_silence{60};   // without a sign of life of a waiting client
    std::chrono::seconds server_silence{15};  // without a sign of life a server counts as down

    bool operator==(const Settings&) const = default;
};

// What is not set follows Settings.
struct Client {
    std::string id;
    std::string name;  // for listings
    bool enabled = true;
    std::optional<Share> quota;
    std::optional<std::chrono::minutes> idle_limit;
    std::optional<std::chrono::seconds> auto_release;

    bool operator==(const Client&) const = default;
};

}  // namespace bitfusion::pool
