#include "daemon/lease.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "daemon/traffic.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kTermGrace = std::chrono::seconds(2);
constexpr auto kHoldGrace = std::chrono::seconds(10);

}  // namespace

void fill_random(void* bytes, size_t size) {
    auto* at = static_cast<uint8_t*>(bytes);
    while (size > 0) {
        const ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            BF_LOG("daemon", kError, "getrandom failed with %d; tickets cannot be made", errno);
            abort();
        }
        at += got;
        size -= static_cast<size_t>(got);
    }
}

std::string random_uuid() {
    uint8_t bytes[16];
    fill_random(bytes, sizeof bytes);
    bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text;
    for (size_t i = 0; i < sizeof bytes; ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

Leases::Leases(asio::io_context& io, Children& children, Counters& counters, Scheduler& scheduler)
    : io_(io), children_(children), counters_(counters), scheduler_(scheduler), changed_(io), tick_(io) {
    schedule_tick();
}

void Leases::mirror() {
    // Ending a lease that has no worker tells the pool, which tells us.
    if (mirroring_) return;
    mirroring_ = true;
    bool again = true;
    while (again) {
        again = false;
        const auto told = scheduler_.mine();
        std::map<std::string, const pool::Lease*> known;
        for (const pool::Lease& lease : told) known[lease.id] = &lease;
        for (const pool::Lease& lease : told) {
            if (!leases_.contains(lease.id) && lease.state == pool::LeaseState::kGranted) take(lease);
        }
        const auto here = leases_;
        for (const auto& [id, lease] : here) {
            const auto found = known.find(id);
            if (found == known.end()) {
                begin_end(lease, "the pool no longer has it");
                if (lease->workers.empty()) leases_.erase(id);
            } else if (found->second->state == pool::LeaseState::kEnding) {
                begin_end(lease, found->second->end_reason);
            } else {
                lease->persistent = found->second->persistent;
            }
        }
        for (const pool::Lease& lease : told) {
            const auto found = leases_.find(lease.id);
            const bool idle = found == leases_.end() || found->second->workers.empty();
            if (lease.state != pool::LeaseState::kEnding || !idle) continue;
            if (auto over = scheduler_.over(lease.id); !over) {
                BF_LOG("daemon", kWarn, "%s", over.error().what.c_str());
                continue;
            }
            if (found != leases_.end()) {
                counters_.traffic_of_ended += read_traffic(found->second->usage.descriptor());
                leases_.erase(found);
            }
            ++counters_.leases_ended;
            BF_LOG("daemon", kInfo, "lease %s is over", lease.id.c_str());
            again = true;
        }
    }
    mirroring_ = false;
    changed_.ring();
}

Task<bool> Leases::catch_up(std::chrono::milliseconds patience) {
    const bool asked = co_await scheduler_.catch_up(patience);
    mirror();
    co_return asked;
}

std::vector<std::string> Leases::ids() const {
    std::vector<std::string> ids;
    for (const auto& [id, lease] : leases_) ids.push_back(id);
    return ids;
}

void Leases::take(const pool::Lease& granted) {
    auto note = lease_note_from(granted.note);
    auto memory = UsageMemory::make();
    if (!note || !memory) {
        const std::string why = !note ? note.error().what : memory.error().what;
        BF_LOG("daemon", kError, "lease %s: %s", granted.id.c_str(), why.c_str());
        scheduler_.end(granted.id, why);
        return;
    }
    auto lease = std::make_shared<Lease>(io_, std::move(*memory));
    lease->id = granted.id;
    lease->owner = granted.client;
    lease->note = std::move(*note);
    lease->grant = granted.grant;
    lease->persistent = granted.persistent;
    lease->unheld_since = Clock::now();
    leases_.emplace(lease->id, lease);
    ++counters_.leases_granted;
    const Client& client = lease->note.client;
    BF_LOG("daemon", kInfo, "lease %s: %zu GPUs, partition %llu MiB, for %s pid %lld on %s (%s)",
           lease->id.c_str(), lease->grant.parts.size(),
           static_cast<unsigned long long>(lease->grant.partition_mib), client.user.c_str(),
           static_cast<long long>(client.pid), client.host.c_str(), client.program.c_str());
}

LeasePointer Leases::by_id(const std::string& id) const {
    const auto found = leases_.find(id);
    return found == leases_.end() ? nullptr : found->second;
}

LeasePointer Leases::by_ticket(const wire::Ticket& ticket) const {
    // Comparing digests tells nothing of the ticket that would be wanted.
    const std::string digest = digest_of(ticket);
    for (const auto& [id, lease] : leases_) {
        if (lease->note.ticket_digest == digest) return lease->ending ? nullptr : lease;
    }
    return nullptr;
}

size_t Leases::running() const {
    size_t count = 0;
    for (const auto& [id, lease] : leases_) count += lease->ending ? 0 : 1;
    return count;
}

void Leases::add_worker(const LeasePointer& lease, pid_t pid, int slot) {
    lease->workers.emplace(pid, slot);
    ++counters_.workers_started;
    children_.watch(pid, [this, lease, pid](int status) { worker_ended(lease, pid, status); });
}

void Leases::worker_ended(const LeasePointer& lease, pid_t pid, int status) {
    const auto found = lease->workers.find(pid);
    if (found != lease->workers.end()) {
        wire::forget_worker(&*lease->usage, found->second);
        lease->doors.erase(found->second);
        lease->workers.erase(found);
    }
    const bool failed = status != 0 && !lease->ending;
    if (failed) ++counters_.workers_failed;
    const std::string text =
        "lease " + lease->id + ": worker " + std::to_string(pid) + " " + status_text(status);
    if (failed)
        BF_LOG("daemon", kWarn, "%s", text.c_str());
    else
        BF_LOG("daemon", kInfo, "%s", text.c_str());
    if (lease->ending && lease->workers.empty()) mirror();
    changed_.ring();
}

void Leases::set_held(const LeasePointer& lease, bool held) {
    lease->held = held;
    lease->unheld_since = Clock::now();
    if (auto told = scheduler_.heartbeat(lease->id); !told && !lease->ending)
        BF_LOG("daemon", kInfo, "lease %s: %s", lease->id.c_str(), told.error().what.c_str());
}

Task<Status> Leases::keep(std::string id, std::chrono::milliseconds patience) {
    if (auto kept = scheduler_.keep(id); !kept) co_return kept;
    const bool told = co_await catch_up(patience);
    const LeasePointer lease = by_id(id);
    if (!lease || lease->ending)
        co_return fail("the lease ended: " + (lease ? lease->end_reason : "it is over") + "; ask for another",
                       409);
    if (!told || !lease->persistent)
        co_return fail("no server schedules just now; try again in a few seconds", 503);
    co_return Status();
}

void Leases::end(const std::string& id, const std::string& reason) {
    const LeasePointer lease = by_id(id);
    const Status ended = scheduler_.end(id, reason);
    if (!ended && (!lease || lease->unwritten_end.empty()))
        BF_LOG("daemon", kWarn, "lease %s cannot be ended now: %s", id.c_str(), ended.error().what.c_str());
    if (lease) lease->unwritten_end = ended ? "" : reason;
    mirror();
}

void Leases::begin_end(const LeasePointer& lease, const std::string& reason) {
    if (lease->ending) return;
    lease->ending = true;
    lease->end_reason = reason;
    lease->pulse.cancel();
    BF_LOG("daemon", kInfo, "lease %s ends: %s", lease->id.c_str(), reason.c_str());
    for (const auto& [pid, slot] : lease->workers) kill(-pid, SIGTERM);
    if (lease->workers.empty()) return;
    auto grace = std::make_shared<asio::steady_timer>(io_, kTermGrace);
    grace->async_wait([lease, grace](const boost::system::error_code&) {
        for (const auto& [pid, slot] : lease->workers) {
            BF_LOG("daemon", kWarn, "lease %s: worker %d ignored SIGTERM for 2 s and is killed",
                   lease->id.c_str(), static_cast<int>(pid));
            kill(-pid, SIGKILL);
        }
    });
}

Task<void> Leases::gone(std::string id) {
    while (leases_.contains(id)) co_await changed_.wait();
}

Task<void> Leases::end_all(std::string reason) {
    const auto all = leases_;
    for (const auto& [id, lease] : all) {
        // Whatever the pool says, and whether it can be asked or not. The lease of a session stays in the
        // pool for the next manager.
        begin_end(lease, reason);
        if (!lease->persistent) end(id, reason);
    }
    for (;;) {
        bool busy = false;
        for (const auto& [id, lease] : leases_) busy = busy || !lease->workers.empty();
        if (!busy) break;
        co_await changed_.wait();
    }
}

void Leases::schedule_tick() {
    tick_.expires_after(std::chrono::seconds(1));
    tick_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        const auto all = leases_;
        for (const auto& [id, lease] : all) look_after(lease);
        schedule_tick();
    });
}

void Leases::look_after(const LeasePointer& lease) {
    if (lease->ending) return;
    if (!lease->unwritten_end.empty()) {
        end(lease->id, std::string(lease->unwritten_end));
        return;
    }
    const uint64_t activity = lease->usage->activity.load(std::memory_order_relaxed);
    if (activity != lease->activity) {
        lease->activity = activity;
        scheduler_.used(lease->id);
    }
    if (lease->held || !lease->workers.empty()) {
        lease->unheld_since = Clock::now();
        scheduler_.heartbeat(lease->id);
    } else if (!lease->persistent && lease->note.must_hold &&
               Clock::now() - lease->unheld_since > kHoldGrace) {
        end(lease->id, "its client did not come to hold it");
    }
}

}  // namespace bitfusion::daemon
