// Look routes: what the REST API tells of a server beside its leases: metrics, history, health checks,
// interfaces, probes, backups; history_routes.cpp has the history. Described in look_openapi.cpp;
// api.answer() hands their requests over.
#pragma once

#include <string>
#include <vector>

#include "daemon/backups.h"
#include "daemon/observer.h"
#include "daemon/probe.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {

const std::vector<Route>& look_routes();

// The paths and schemas of look_routes(), to be merged into the document of the whole API.
const nlohmann::json& look_document();

class HistorySource;

class LookApi {
  public:
    // Who this server is, and who keeps the history instead of it.
    struct Place {
        std::string server;  // ids
        std::string pool;
        HistorySource* source = nullptr;  // null: itself
    };

    LookApi(const Settings& settings, Inventory& inventory, const Counters& counters, Observer& observer,
            Probes& probes, std::string version);
    void set_place(Place place) { place_ = std::move(place); }
    // `pin`: of the data port's key, for probes; empty: not encrypted.
    void set_data_port(uint16_t port, std::string pin) {
        data_port_ = port;
        pin_ = std::move(pin);
    }

    // What backups hold of the pool. Outlives it.
    void set_keep(PoolKeep* keep) { backups_.set_keep(keep); }

    // `path` is one of look_routes(); `id` what stands for {id}.
    Task<Reply> answer(std::string path, std::string id, ApiRequest request);
    // The checks' part of GET /v1/health; fresh: run them now (at most every 2 s).
    nlohmann::json health(bool fresh);
    Reply toggle(const std::string& name, const ApiRequest& request);
    // Between measurements; nothing: as this server was started with.
    void set_interval(std::optional<std::chrono::seconds> interval) { observer_.set_interval(interval); }
    // Whether the history is read from a server that knows the whole pool.
    bool has_source() const { return place_.source != nullptr; }
    // What history there is and costs, for GET /v1/about.
    nlohmann::json history_costs() const;
    // Of this server's pool; null where nothing is kept.
    nlohmann::json pool_name() const;

  private:
    Reply metrics();
    Reply stats() const;
    Task<Reply> history(std::string query);
    Reply kept_history(const std::string& query) const;
    Reply interfaces() const;
    Reply probe(const ApiRequest& request);
    Reply create_backup(const ApiRequest& request);

    const Settings& settings_;
    Inventory& inventory_;
    const Counters& counters_;
    Observer& observer_;
    Probes& probes_;
    Backups backups_;
    std::string version_;
    Place place_;
    uint16_t data_port_ = 0;
    std::string pin_;
};

// "a=1&b=two" -> the value of `key`, percent-decoded; nothing when it is not there or not proper.
std::optional<std::string> query_value(const std::string& query, const std::string& key);
// The same for a key that may come several times; what is not proper is left out.
std::vector<std::string> query_values(const std::string& query, const std::string& key);

}  // namespace bitfusion::daemon
