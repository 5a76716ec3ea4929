// Observer: looks at this server again and again: measures its GPUs, keeps the history, runs the health
// checks.
//
// Every metrics-interval the inventory is taken and recorded; the checks run at most once a minute and when
// asked for. With a state-dir it keeps there: history/ (src/history), health.json (which checks count), and
// it locks the folder, so that two managers never write one. Without one, or when the folder is not to be
// had, it serves all the same, keeps no history, and the check cass_buckets says so. The daemon's thread
// only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "daemon/async.h"
#include "daemon/census.h"
#include "daemon/inventory.h"
#include "daemon/settings.h"
#include "health/check.h"
#include "health/node.h"
#include "history/history.h"

namespace bitfusion::daemon {

// A GPU's, an interface's or a client's name as part of a series' name: printable, at most 64 characters,
// without blanks and slashes.
std::string name_part(const std::string& text);

// What the server that schedules knows of all of them.
struct PoolUse {
    double gpus = 0;  // of servers that are up
    double gpus_allocated = 0;
    size_t waiting = 0;
    std::map<std::string, double> clients;  // as Census::clients
};

class Observer {
  public:
    Observer(asio::io_context& io, const Settings& settings, Inventory& inventory, Leases& leases,
             const Counters& counters, std::string installation);

    ~Observer() { stop(); }
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    // Opens the state folder and begins to look. `refreshed` is called after every inventory.
    void start(std::function<void()> refreshed);
    void stop();

    // Runs the checks unless the last run is younger than `most_age`.
    const std::vector<health::Checked>& check(std::chrono::seconds most_age);
    const std::vector<health::Checked>& last_checks() const { return results_; }
    // Lets a check count or not; kept over restarts where there is a state folder.
    Status set_counted(const std::string& name, bool counted);

    // Between measurements from now on; nothing: what the settings say.
    void set_interval(std::optional<std::chrono::seconds> interval);
    std::chrono::seconds interval() const { return interval_.value_or(settings_.metrics_interval); }

    // Null while none is kept; history_error() says why.
    const history::History* history() const { return history_ ? &*history_ : nullptr; }
    const std::string& history_error() const { return history_error_; }
    // Of the state folder; empty when there is none.
    const std::filesystem::path& folder() const { return folder_; }
    // Lets go of the history's files while `change` replaces them, and takes up what is there then.
    Status replace_history(const std::function<Status(const std::filesystem::path& folder)>& change);
    // Reads health.json again.
    Status load_toggles();

    // Who knows the pool's store fills in what the checks cass_* look at; called at each run of the checks.
    void ask_store(std::function<void(health::Store*)> fill) { fill_store_ = std::move(fill); }
    // Who knows the queue tells its length; nothing while another server has it.
    void ask_queue(std::function<std::optional<size_t>()> length) { queue_length_ = std::move(length); }

    // Nothing while another server schedules.
    void ask_pool(std::function<std::optional<PoolUse>()> use) { pool_use_ = std::move(use); }

    std::optional<PoolUse> pool_use() const { return pool_use_ ? pool_use_() : std::nullopt; }

    Census census() const;

  private:
    Task<void> watch();
    Status take_folder();
    void open_history();
    void record();
    void record_network(int64_t now);
    health::Node node() const;

    asio::io_context& io_;
    const Settings& settings_;
    Inventory& inventory_;
    Leases& leases_;
    const Counters& counters_;
    std::string installation_;
    std::function<void()> refreshed_;
    std::function<void(health::Store*)> fill_store_;
    std::function<std::optional<size_t>()> queue_length_;
    std::function<std::optional<PoolUse>()> pool_use_;
    std::optional<std::chrono::seconds> interval_;
    std::shared_ptr<bool> stopped_ = std::make_shared<bool>(false);  // outlives this
    asio::steady_timer pause_;
    std::filesystem::path folder_;
    Descriptor lock_;
    std::optional<history::History> history_;
    std::string history_error_;
    std::string record_error_;  // said once
    std::set<std::string> off_;
    std::vector<health::Checked> results_;
    Clock::time_point checked_ = Clock::time_point::min();
    std::map<std::string, uint64_t> losses_;
    std::map<std::string, std::pair<uint64_t, Clock::time_point>> network_bytes_;
};

}  // namespace bitfusion::daemon
