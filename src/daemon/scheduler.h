// Scheduler: the daemon's door to the pool. One server of a pool schedules: it holds the ledger and keeps
// time for it. The others tell it once a second, and whenever something happened, what became of their leases
// (attendance.h), and hear which leases are theirs; when it is gone, the first that notices takes its place.
// Requests that only the scheduling server can decide are handed on to it by forward.h.
//
// Every command is written down in the store before it returns. The daemon's thread only; a command waits for
// the store. Errors carry HTTP statuses: those of the pool (pool.h), 421 when another server schedules (the
// text names it), 503 when the store does not answer.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/attendance.h"
#include "daemon/inventory.h"
#include "daemon/member.h"
#include "daemon/peer.h"
#include "store/ledger.h"

namespace bitfusion::daemon {

// Where a server that does not schedule tells the one that does.
constexpr char kAttendancePath[] = "/v1/cluster/attendance";

class Scheduler {
  public:
    // `store` outlives it.
    Scheduler(asio::io_context& io, store::Store& store);

    // How it finds the others; null: this server is alone. Before open(). `peer` outlives it.
    void set_cluster(Cluster cluster, Peer* peer);
    // Takes the role where it is free. `auto_release` holds for the pool until an administrator chooses
    // another.
    Status open(const Member& self, std::chrono::seconds auto_release);
    // Tells the others that this server ends, once its last leases are over.
    Task<void> leave();
    // Leaves the role to others.
    void close();
    void set_changed(std::function<void()> changed) { changed_ = std::move(changed); }
    // Which leases this server still has something of; called when the pool has to know.
    void set_known(std::function<std::vector<std::string>()> known) { known_here_ = std::move(known); }

    bool leading() const { return ledger_.has_value(); }
    const pool::Pool* pool() const { return ledger_ ? &ledger_->pool() : nullptr; }
    const Member& self() const { return self_; }
    // Other facts of this server, for the others.
    Status set_self(const Member& self);
    const Cluster& cluster() const { return cluster_; }
    std::chrono::seconds auto_release() const { return auto_release_; }
    // The control address of the server that schedules; empty when there is none just now.
    std::string leader();
    // From the store; 404 where there is none.
    Result<Member> member(const std::string& id);
    // Whether new leases may come here, and how many claims wait: as last heard, where another schedules.
    bool accepts() const;
    uint64_t waiting() const;

    // This server's GPUs. Refused while leases hold what would vanish.
    Status put_gpus(const Report& report);

    Result<pool::Standing> submit(const pool::Claim& claim, const pool::Client& client);
    Result<pool::Standing> heard(const std::string& claim);
    Status cancel(const std::string& claim);
    Status heartbeat(const std::string& lease);
    Status used(const std::string& lease);
    // Where another server schedules: known to it when catch_up() has returned true.
    Status keep(const std::string& lease);
    Status end(const std::string& lease, const std::string& reason);
    Status over(const std::string& lease);

    // Anything else: `command(pool, now)` returns a Result.
    template <typename Command>
    auto run(Command command) -> std::invoke_result_t<Command, pool::Pool&, pool::Time> {
        if (!ledger_) return tl::unexpected<Error>(elsewhere());
        const pool::Time now = this->now();
        auto answer = ledger_->run(now, [&](pool::Pool& pool) { return command(pool, now); });
        told();
        if (!answer && answer.error().code < 100)
            return tl::unexpected<Error>(Error{answer.error().what, 503});
        return answer;
    }

    // The leases of this server.
    const std::vector<pool::Lease>& mine();

    // As the server that schedules: what another one tells.
    Result<Orders> attend(const Attendance& attendance);
    // As another one: returns when everything that is decided by now is known here too. False: nobody could
    // be asked within `patience`, which 0 makes one try.
    Task<bool> catch_up(std::chrono::milliseconds patience);

  private:
    static pool::Time now();
    Error elsewhere() const;
    Status lead();
    void step_down();
    Status arrive(pool::Pool& pool, const Attendance& attendance, pool::Time now);
    void end_programs_of(const std::string& server, pool::Pool& pool, pool::Time now);
    void told();
    void schedule_tick();
    void tick();
    // What was to be told to another server, told to the ledger.
    void hand_over();
    void tell();
    Task<void> tell_now();
    Task<Status> tell_leader(const std::string& leader);
    std::vector<std::string> known_here() const;

    asio::io_context& io_;
    store::Store* store_;
    std::optional<store::Ledger> ledger_;
    Member self_;
    Cluster cluster_;
    Peer* peer_ = nullptr;           // null: this server is alone
    std::vector<pool::Lease> mine_;  // as last known
    Attendance attendance_;          // what the leader has not acknowledged
    Orders orders_;                  // its last
    uint64_t tellings_begun_ = 0;
    uint64_t tellings_done_ = 0;
    uint64_t last_heard_ = 0;  // the last telling that was answered
    bool tell_again_ = false;
    const std::string instance_;  // of this process
    // As the server that schedules: the leases that each server's process said to have, by server.
    std::map<std::string, std::set<std::string>> had_;
    bool closed_ = false;
    std::string last_trouble_;
    Bell told_;
    std::function<std::vector<std::string>()> known_here_;
    std::chrono::seconds auto_release_{0};
    std::optional<Report> gpus_;
    std::function<void()> changed_;
    asio::steady_timer tick_;
};

}  // namespace bitfusion::daemon
