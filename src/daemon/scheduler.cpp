#include "daemon/scheduler.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kTimeToLive = std::chrono::seconds(10);
constexpr auto kTick = std::chrono::seconds(1);

std::string cuda_text(int64_t version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

pool::Server server_of(const Member& self, const Report& report) {
    pool::Server server;
    server.id = self.id;
    server.address = self.control_address;
    server.hostname = self.name;
    server.cuda_version = cuda_text(report.cuda_version);
    server.driver_version = report.driver_version;
    for (const Gpu& gpu : report.gpus) {
        pool::Gpu one;
        one.ordinal = gpu.ordinal;
        one.memory_mib = gpu.memory_mib;
        // Software GPUs are no hardware: every server has its own, all with the same ids.
        one.uuid = report.backend == "real" ? gpu.uuid : "";
        one.name = gpu.name;
        one.capability = gpu.telemetry.value("capability", nlohmann::json()).is_string()
                             ? gpu.telemetry["capability"].get<std::string>()
                             : "";
        server.gpus.push_back(std::move(one));
    }
    return server;
}

}  // namespace

Scheduler::Scheduler(asio::io_context& io, store::Store& store) : store_(&store), tick_(io) {}

pool::Time Scheduler::now() {
    return std::chrono::duration_cast<pool::Time>(Clock::now().time_since_epoch());
}

Error Scheduler::elsewhere() const {
    const auto holder = store_->read(store::role_key(store::kScheduler));
    const bool known = holder && !holder->entries.empty();
    return {known ? "another server schedules: " + holder->entries.front().value
                  : "no server schedules just now; try again in a few seconds",
            known ? 421 : 503};
}

Status Scheduler::open(const Member& self, std::chrono::seconds auto_release) {
    self_ = self;
    auto_release_ = auto_release;
    schedule_tick();
    return lead();
}

Status Scheduler::lead() {
    auto role = store_->campaign(store::kScheduler, self_.control_address, kTimeToLive);
    if (!role) return tl::unexpected<Error>(role.error());
    if (*role == nullptr) return {};
    auto ledger = store::Ledger::open(*store_, std::move(*role), now());
    if (!ledger) return tl::unexpected<Error>(ledger.error());
    ledger_.emplace(std::move(*ledger));
    // The programs of a run ended with the workers of the process that was here before; a lease of
    // request_gpus goes on with new ones.
    auto begun = run([this](pool::Pool& pool, pool::Time now) -> Status {
        pool::Settings settings = pool.settings();
        settings.auto_release = auto_release_;
        if (auto set = pool.set_settings(settings, now); !set) return set;
        for (const pool::Lease& lease : pool.records().leases) {
            if (lease.server == self_.id && !lease.persistent)
                pool.end(lease.id, "the manager of its server was started again", now);
        }
        return {};
    });
    if (begun && gpus_) begun = put_gpus(*gpus_);
    if (!begun) ledger_.reset();
    return begun;
}

void Scheduler::close() {
    tick_.cancel();
    ledger_.reset();
}

Status Scheduler::put_gpus(const Report& report) {
    gpus_ = report;
    if (!ledger_) return {};
    return run([&](pool::Pool& pool, pool::Time now) -> Status {
        if (auto put = pool.put_server(server_of(self_, report), now); !put) return put;
        if (pool.room(self_.id).up) return pool.server_heard(self_.id, now);
        return pool.server_up(self_.id, {}, now);
    });
}

Result<pool::Standing> Scheduler::submit(const pool::Claim& claim, const pool::Client& client) {
    return run([&](pool::Pool& pool, pool::Time now) -> Result<pool::Standing> {
        const pool::Client* known = pool.client(client.id);
        if (known == nullptr) {
            if (auto put = pool.put_client(client, now); !put) return tl::unexpected<Error>(put.error());
        } else if (known->name != client.name) {
            pool::Client renamed = *known;
            renamed.name = client.name;
            if (auto put = pool.put_client(renamed, now); !put) return tl::unexpected<Error>(put.error());
        }
        return pool.submit(claim, now);
    });
}

Result<pool::Standing> Scheduler::heard(const std::string& claim) {
    return run([&](pool::Pool& pool, pool::Time now) { return pool.heard(claim, now); });
}

Status Scheduler::cancel(const std::string& claim) {
    return run([&](pool::Pool& pool, pool::Time now) { return pool.cancel(claim, now); });
}

Status Scheduler::heartbeat(const std::string& lease) {
    return run([&](pool::Pool& pool, pool::Time now) { return pool.heartbeat(lease, now); });
}

Status Scheduler::used(const std::string& lease) {
    return run([&](pool::Pool& pool, pool::Time now) { return pool.used(lease, now); });
}

Status Scheduler::end(const std::string& lease, const std::string& reason) {
    return run([&](pool::Pool& pool, pool::Time now) -> Status {
        pool.end(lease, reason, now);
        return {};
    });
}

Status Scheduler::over(const std::string& lease) {
    return run([&](pool::Pool& pool, pool::Time now) { return pool.over(lease, now); });
}

std::vector<pool::Lease> Scheduler::mine() const {
    std::vector<pool::Lease> leases;
    if (!ledger_) return leases;
    for (const pool::Lease* lease : ledger_->pool().leases()) {
        if (lease->server == self_.id) leases.push_back(*lease);
    }
    return leases;
}

void Scheduler::told() {
    const auto notices = ledger_->take_notices();
    for (const pool::Notice& notice : notices) {
        if (!notice.text.empty()) BF_LOG("daemon", kInfo, "%s: %s", notice.id.c_str(), notice.text.c_str());
    }
    if (!notices.empty() && changed_) changed_();
}

void Scheduler::schedule_tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        tick();
        schedule_tick();
    });
}

void Scheduler::tick() {
    if (!ledger_) {
        if (auto led = lead(); !led) BF_LOG("daemon", kWarn, "%s", led.error().what.c_str());
        return;
    }
    const auto kept = ledger_->keep();
    if (kept && !*kept) {
        BF_LOG("daemon", kWarn, "this server no longer schedules");
        ledger_.reset();
        return;
    }
    const auto ticked = run([this](pool::Pool& pool, pool::Time now) -> Status {
        if (pool.server(self_.id) != nullptr) {
            if (auto heard = pool.server_heard(self_.id, now); !heard) return heard;
        }
        pool.tick(now);
        return {};
    });
    if (!ticked) BF_LOG("daemon", kWarn, "%s", ticked.error().what.c_str());
}

}  // namespace bitfusion::daemon
