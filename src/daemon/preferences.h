// Preferences: what administrators have set of servers, for all of them and for each, in the pool's store.
// What a server does not say for itself holds as for all. Threads: as the store; it waits for the store.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::daemon {

struct Preference {
    std::optional<bool> accepts;                           // new leases
    std::optional<std::chrono::seconds> metrics_interval;  // between measurements

    bool operator==(const Preference&) const = default;
};

class Preferences {
  public:
    static constexpr std::chrono::seconds kLongestInterval{3600};
    // Their keys in the store; of one server with its id behind it.
    static constexpr const char* kServers = "control/servers";
    static constexpr const char* kServer = "control/server/";

    // `store` outlives it.
    explicit Preferences(store::Store& store) : store_(store) {}

    Result<Preference> of_all() const { return read(kServers); }
    Result<Preference> of(const std::string& server) const { return read(kServer + server); }
    // What is in force for a server: its own, or that of all; nothing where neither says.
    Result<Preference> in_force(const std::string& server) const;
    Status put_for_all(const Preference& preference) { return write(kServers, preference); }
    Status put(const std::string& server, const Preference& preference) {
        return write(kServer + server, preference);
    }

  private:
    Result<Preference> read(const std::string& key) const;
    Status write(const std::string& key, const Preference& preference);

    store::Store& store_;
};

}  // namespace bitfusion::daemon
