// Scheduler: the daemon's door to the pool. It holds the ledger while this process has the role of the
// scheduler, keeps time for it, and tells which of its leases are to be served here.
//
// Every command is written down in the store before it returns. The daemon's thread only; a command waits for
// the store. Errors carry HTTP statuses: those of the pool (pool.h), 421 when another server schedules (the
// text names it), 503 when the store does not answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/inventory.h"
#include "store/ledger.h"

namespace bitfusion::daemon {

// One server of the pool, as the others are told of it. Its entry is in the store.
struct Member {
    std::string id;
    std::string name;
    std::string control_address;
    std::string data_address;
    std::string pin;  // of its key, hexadecimal; empty: not encrypted
};

class Scheduler {
  public:
    // `store` outlives it.
    Scheduler(asio::io_context& io, store::Store& store);

    // Takes the role where it is free. `auto_release` is the pool's default from now on.
    Status open(const Member& self, std::chrono::seconds auto_release);
    // Leaves the role to others.
    void close();
    void set_changed(std::function<void()> changed) { changed_ = std::move(changed); }

    bool leading() const { return ledger_.has_value(); }
    const pool::Pool* pool() const { return ledger_ ? &ledger_->pool() : nullptr; }
    const Member& self() const { return self_; }

    // This server's GPUs. Refused while leases hold what would vanish.
    Status put_gpus(const Report& report);

    Result<pool::Standing> submit(const pool::Claim& claim, const pool::Client& client);
    Result<pool::Standing> heard(const std::string& claim);
    Status cancel(const std::string& claim);
    Status heartbeat(const std::string& lease);
    Status used(const std::string& lease);
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
    std::vector<pool::Lease> mine() const;

  private:
    static pool::Time now();
    Error elsewhere() const;
    Status lead();
    void told();
    void schedule_tick();
    void tick();

    store::Store* store_;
    std::optional<store::Ledger> ledger_;
    Member self_;
    std::chrono::seconds auto_release_{0};
    std::optional<Report> gpus_;
    std::function<void()> changed_;
    asio::steady_timer tick_;
};

}  // namespace bitfusion::daemon
