#include "daemon/scheduler.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kTimeToLive = std::chrono::seconds(10);
constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kOneTry = std::chrono::milliseconds(0);
constexpr int kFarewells = 3;  // one says what is to end, the next that it is over
constexpr auto kTellDeadline = std::chrono::seconds(5);
constexpr auto kTellAgainAfter = std::chrono::milliseconds(500);
constexpr size_t kInstanceBytes = 16;

std::string cuda_text(int64_t version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

pool::Server server_of(const Member& self, const std::string& instance, const Report& report) {
    pool::Server server;
    server.id = self.id;
    server.instance = instance;
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

Scheduler::Scheduler(asio::io_context& io, store::Store& store)
    : io_(io), store_(&store), instance_(identity::random_text(kInstanceBytes)), told_(io), tick_(io) {}

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

void Scheduler::set_cluster(Cluster cluster, Peer* peer) {
    cluster_ = std::move(cluster);
    peer_ = peer;
}

Status Scheduler::open(const Member& self, std::chrono::seconds auto_release) {
    self_ = self;
    auto_release_ = auto_release;
    if (peer_ != nullptr) {
        if (auto written = write_member(*store_, self_); !written) return written;
    }
    schedule_tick();
    return lead();
}

Status Scheduler::set_self(const Member& self) {
    self_ = self;
    return peer_ == nullptr ? Status() : write_member(*store_, self_);
}

Status Scheduler::lead() {
    auto role = store_->campaign(store::kScheduler, self_.control_address, kTimeToLive);
    if (!role) return tl::unexpected<Error>(role.error());
    if (*role == nullptr) return {};
    auto ledger = store::Ledger::open(*store_, std::move(*role), now());
    if (!ledger) return tl::unexpected<Error>(ledger.error());
    ledger_.emplace(std::move(*ledger));
    if (peer_ != nullptr) BF_LOG("daemon", kInfo, "this server schedules the pool from now on");
    auto begun = run([this](pool::Pool& pool, pool::Time now) -> Status {
        pool::Settings settings = pool.settings();
        if (!settings.auto_release_chosen) settings.auto_release = auto_release_;
        const pool::Server* own = pool.server(self_.id);
        if (own != nullptr && own->instance != instance_) end_programs_of(self_.id, pool, now);
        return pool.set_settings(settings, now);
    });
    if (!begun) {
        step_down();
        return begun;
    }
    if (gpus_) {
        // Its own GPUs come when what they are still used for has ended; the pool goes on meanwhile.
        if (auto put = put_gpus(*gpus_); !put) BF_LOG("daemon", kWarn, "%s", put.error().what.c_str());
        if (changed_) changed_();
    }
    told_.ring();
    return {};
}

void Scheduler::step_down() {
    mine();
    ledger_.reset();
    had_.clear();
}

Task<void> Scheduler::leave() {
    attendance_.leaving = true;
    if (ledger_ || peer_ == nullptr || !gpus_) co_return;
    for (int round = 0; round < kFarewells && (round == 0 || attendance_.urgent()); ++round)
        co_await catch_up(kOneTry);
}

void Scheduler::close() {
    closed_ = true;
    tick_.cancel();
    told_.ring();
    ledger_.reset();
}

std::string Scheduler::leader() {
    if (ledger_) return self_.control_address;
    const auto holder = store_->read(store::role_key(store::kScheduler));
    for (const store::Entry& entry : holder ? holder->entries : std::vector<store::Entry>()) {
        // Its own, from before it was started again.
        if (entry.key == store::role_key(store::kScheduler) && entry.value != self_.control_address)
            return entry.value;
    }
    return "";
}

Result<Member> Scheduler::member(const std::string& id) {
    auto members = read_members(*store_);
    if (!members) return tl::unexpected<Error>(members.error());
    for (Member& member : *members) {
        if (member.id == id) return std::move(member);
    }
    return fail("the pool has no server '" + id + "'; see its servers with: bitfusion list_gpus", 404);
}

bool Scheduler::accepts() const {
    if (!ledger_) return orders_.accepts;
    const pool::Server* server = ledger_->pool().server(self_.id);
    return server == nullptr || server->accepts;
}

uint64_t Scheduler::waiting() const { return ledger_ ? ledger_->pool().waiting().size() : orders_.waiting; }

std::vector<std::string> Scheduler::known_here() const {
    return known_here_ ? known_here_() : std::vector<std::string>();
}

// What holds for a server that schedules and for one that does not alike.
Status Scheduler::arrive(pool::Pool& pool, const Attendance& attendance, pool::Time now) {
    const std::string& id = attendance.server.id;
    const pool::Server* known = pool.server(id);
    const bool begun = known == nullptr || known->instance != attendance.server.instance;
    // Before the new instance is written down: a first part of it that alone reached the store is repeated.
    if (begun) end_programs_of(id, pool, now);
    // What has ended no longer stands against a GPU that is gone.
    for (const std::string& lease : attendance.over) {
        const pool::Lease* ended = pool.lease(lease);
        if (ended == nullptr || ended->server != id) continue;
        if (auto over = pool.over(lease, now); !over)
            BF_LOG("daemon", kWarn, "%s", over.error().what.c_str());
    }
    if (auto put = pool.put_server(attendance.server, now); !put) {
        if (begun && known != nullptr) (void)pool.server_down(id, now);
        return put;
    }
    had_[id] = {attendance.leases.begin(), attendance.leases.end()};
    if (attendance.leaving) return pool.server_down(id, now);
    if (!begun && pool.room(id).up) return pool.server_heard(id, now);
    return pool.server_up(id, attendance.leases, now);
}

// The programs of a run ended with the workers of the process that was there before; a lease of request_gpus
// goes on with new ones, and so does one that was granted after that process died, which nobody held yet.
void Scheduler::end_programs_of(const std::string& server, pool::Pool& pool, pool::Time now) {
    const auto had = had_.find(server);
    for (const pool::Lease& lease : pool.records().leases) {
        if (lease.server != server || lease.persistent) continue;
        // What nobody told us of may have been told to the one that scheduled before us.
        if (had == had_.end() || had->second.contains(lease.id))
            pool.end(lease.id, "the manager of its server was started again", now);
    }
}

Status Scheduler::put_gpus(const Report& report) {
    gpus_ = report;
    attendance_.server = server_of(self_, instance_, report);
    if (!ledger_) {
        tell();
        return {};
    }
    attendance_.leases = known_here();
    return run([&](pool::Pool& pool, pool::Time now) { return arrive(pool, attendance_, now); });
}

Result<Orders> Scheduler::attend(const Attendance& attendance) {
    const std::string& id = attendance.server.id;
    return run([&](pool::Pool& pool, pool::Time now) -> Result<Orders> {
        const auto own = [&](const std::string& lease) {
            const pool::Lease* known = pool.lease(lease);
            return known != nullptr && known->server == id;
        };
        Orders orders;
        if (auto arrived = arrive(pool, attendance, now); !arrived) orders.error = arrived.error().what;
        // Before what ends: who wanted both wanted the end.
        for (const std::string& lease : attendance.kept) {
            if (own(lease)) (void)pool.keep(lease, now);
        }
        for (const auto& [lease, reason] : attendance.ends) {
            if (own(lease)) pool.end(lease, reason, now);
        }
        for (const std::string& lease : attendance.heard) {
            if (own(lease)) (void)pool.heartbeat(lease, now);
        }
        for (const std::string& lease : attendance.used) {
            if (own(lease)) (void)pool.used(lease, now);
        }
        for (const pool::Lease* lease : pool.leases()) {
            if (lease->server == id) orders.leases.push_back(*lease);
        }
        const pool::Server* server = pool.server(id);
        orders.accepts = server == nullptr || server->accepts;
        orders.waiting = pool.waiting().size();
        return orders;
    });
}

void Scheduler::tell() {
    if (peer_ == nullptr || ledger_ || !gpus_ || closed_) return;
    if (tellings_begun_ != tellings_done_) {
        tell_again_ = true;
        return;
    }
    ++tellings_begun_;
    asio::co_spawn(io_, tell_now(), asio::detached);
}

Task<void> Scheduler::tell_now() {
    const std::string leader = this->leader();
    Status told = fail("no server schedules just now", 503);
    if (!leader.empty()) told = co_await tell_leader(leader);
    const std::string trouble = told ? orders_.error : told.error().what;
    if (!trouble.empty() && trouble != last_trouble_) BF_LOG("daemon", kWarn, "%s", trouble.c_str());
    last_trouble_ = trouble;
    ++tellings_done_;
    if (told) last_heard_ = tellings_done_;
    told_.ring();
    const bool again = tell_again_;
    tell_again_ = false;
    if (told && changed_ && !closed_) changed_();
    if (again || (told && attendance_.urgent())) tell();
}

Task<Status> Scheduler::tell_leader(const std::string& leader) {
    attendance_.leases = known_here();
    const Attendance told = attendance_;
    PeerRequest request;
    request.verb = boost::beast::http::verb::post;
    request.target = kAttendancePath;
    request.headers = {{"Authorization", "Bearer " + cluster_.secret}};
    request.content_type = "application/json";
    request.body = to_json(told);
    const auto answer = co_await peer_->ask(leader, std::move(request), kTellDeadline);
    if (!answer) co_return tl::unexpected<Error>(answer.error());
    if (answer->status != 200)
        co_return fail(
            "server " + leader + " does not take this server into the pool: " + answer->body.substr(0, 300),
            503);
    auto orders = orders_from(answer->body);
    if (!orders) co_return tl::unexpected<Error>(orders.error());
    // Elected meanwhile: then the ledger knows better.
    if (ledger_) co_return Status();
    for (const std::string& lease : told.over) attendance_.over.erase(lease);
    for (const auto& [lease, reason] : told.ends) attendance_.ends.erase(lease);
    for (const std::string& lease : told.heard) attendance_.heard.erase(lease);
    for (const std::string& lease : told.used) attendance_.used.erase(lease);
    for (const std::string& lease : told.kept) attendance_.kept.erase(lease);
    mine_ = std::move(orders->leases);
    orders_ = std::move(*orders);
    co_return Status();
}

Task<bool> Scheduler::catch_up(std::chrono::milliseconds patience) {
    // One that is under way may have been answered before what we want to know was decided.
    const uint64_t wanted = tellings_begun_ + 1;
    const auto until = Clock::now() + patience;
    while (!ledger_ && peer_ != nullptr && gpus_ && !closed_ && last_heard_ < wanted) {
        const uint64_t next = tellings_begun_ + 1;
        tell();
        while (tellings_done_ < next && !ledger_ && !closed_) co_await told_.wait();
        if (ledger_ || last_heard_ >= wanted) break;
        if (Clock::now() >= until) co_return false;
        asio::steady_timer again(io_, kTellAgainAfter);
        co_await again.async_wait(kNoThrow);
    }
    co_return true;
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
    if (!ledger_ && peer_ != nullptr) {
        attendance_.heard.insert(lease);
        return {};
    }
    return run([&](pool::Pool& pool, pool::Time now) { return pool.heartbeat(lease, now); });
}

Status Scheduler::used(const std::string& lease) {
    if (!ledger_ && peer_ != nullptr) {
        attendance_.used.insert(lease);
        return {};
    }
    return run([&](pool::Pool& pool, pool::Time now) { return pool.used(lease, now); });
}

Status Scheduler::keep(const std::string& lease) {
    if (!ledger_ && peer_ != nullptr) {
        attendance_.kept.insert(lease);
        return {};
    }
    return run([&](pool::Pool& pool, pool::Time now) { return pool.keep(lease, now); });
}

Status Scheduler::end(const std::string& lease, const std::string& reason) {
    if (!ledger_ && peer_ != nullptr) {
        attendance_.ends.emplace(lease, reason);
        tell();
        return {};
    }
    return run([&](pool::Pool& pool, pool::Time now) -> Status {
        pool.end(lease, reason, now);
        return {};
    });
}

Status Scheduler::over(const std::string& lease) {
    if (!ledger_ && peer_ != nullptr) {
        attendance_.over.insert(lease);
        std::erase_if(mine_, [&](const pool::Lease& one) { return one.id == lease; });
        tell();
        return {};
    }
    return run([&](pool::Pool& pool, pool::Time now) { return pool.over(lease, now); });
}

const std::vector<pool::Lease>& Scheduler::mine() {
    // What could not be written down may never have happened.
    if (!ledger_ || !ledger_->good()) return mine_;
    mine_.clear();
    for (const pool::Lease* lease : ledger_->pool().leases()) {
        if (lease->server == self_.id) mine_.push_back(*lease);
    }
    return mine_;
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
        if (!ledger_) tell();
        return;
    }
    const auto kept = ledger_->keep();
    if (kept && !*kept) {
        BF_LOG("daemon", kWarn, "this server no longer schedules");
        step_down();
        return;
    }
    hand_over();
    const auto ticked = run([this](pool::Pool& pool, pool::Time now) -> Status {
        if (pool.server(self_.id) != nullptr) {
            const bool up = pool.room(self_.id).up;
            auto heard = up ? pool.server_heard(self_.id, now) : pool.server_up(self_.id, known_here(), now);
            if (!heard) return heard;
        }
        pool.tick(now);
        return {};
    });
    if (!ticked) BF_LOG("daemon", kWarn, "%s", ticked.error().what.c_str());
}

void Scheduler::hand_over() {
    const Attendance before = std::exchange(attendance_, Attendance());
    attendance_.server = before.server;
    attendance_.leaving = before.leaving;
    for (const std::string& lease : before.kept) (void)keep(lease);
    for (const std::string& lease : before.over) (void)over(lease);
    for (const auto& [lease, reason] : before.ends) (void)end(lease, reason);
}

}  // namespace bitfusion::daemon
