#include <algorithm>

#include "pool/book.h"

namespace bitfusion::pool {
namespace {

std::string span_text(std::chrono::milliseconds span) {
    const auto count = [](int64_t n, const char* unit) {
        return std::to_string(n) + " " + unit + (n == 1 ? "" : "s");
    };
    const int64_t ms = span.count();
    if (ms >= 60'000 && ms % 60'000 == 0) return count(ms / 60'000, "minute");
    if (ms % 1000 == 0) return count(ms / 1000, "second");
    return count(ms, "millisecond");
}

Time release_limit(const Book& book, const LeaseEntry& entry) {
    const auto owner = book.clients.find(entry.lease.client);
    if (owner == book.clients.end()) return book.settings.auto_release;
    return owner->second.client.auto_release.value_or(book.settings.auto_release);
}

Time idle_limit(const Book& book, const LeaseEntry& entry) {
    const auto owner = book.clients.find(entry.lease.client);
    if (owner == book.clients.end()) return book.settings.idle_limit;
    return owner->second.client.idle_limit.value_or(book.settings.idle_limit);
}

}  // namespace

std::optional<Time> Book::alarm_of(const Waiter& waiter) const {
    return std::min(waiter.deadline, waiter.heard + settings.claim_silence);
}

std::optional<Time> Book::alarm_of(const LeaseEntry& entry) const {
    if (entry.lease.state == LeaseState::kEnding) return std::nullopt;
    std::optional<Time> alarm;
    if (!entry.lease.persistent) alarm = entry.heard + release_limit(*this, entry);
    const Time idle = idle_limit(*this, entry);
    if (idle > Time::zero()) alarm = alarm ? std::min(*alarm, entry.used + idle) : entry.used + idle;
    return alarm;
}

void Book::watch_claim(const Waiter& waiter) {
    if (const auto alarm = alarm_of(waiter)) alarms_.emplace(*alarm, Owner::kClaim, waiter.claim.id);
}

void Book::watch_lease(const LeaseEntry& entry) {
    if (const auto alarm = alarm_of(entry)) alarms_.emplace(*alarm, Owner::kLease, entry.lease.id);
}

void Book::watch_server(const ServerEntry& entry) {
    if (entry.up) alarms_.emplace(entry.heard + settings.server_silence, Owner::kServer, entry.server.id);
}

void Book::watch_all() {
    alarms_.clear();
    queue.for_each([this](const Waiter& waiter) { watch_claim(waiter); });
    for (const auto& [id, entry] : leases) watch_lease(entry);
    for (const auto& entry : servers) {
        if (entry) watch_server(*entry);
    }
}

void Book::ring_alarms() {
    // Signs of life do not move alarms; an alarm that rings too early is set again.
    while (!alarms_.empty() && std::get<Time>(*alarms_.begin()) <= now) {
        const auto [time, owner, id] = *alarms_.begin();
        alarms_.erase(alarms_.begin());
        if (owner == Owner::kClaim) {
            Waiter* waiter = queue.find(id);
            if (waiter == nullptr) continue;
            if (*alarm_of(*waiter) > now) {
                watch_claim(*waiter);
            } else if (waiter->deadline <= now) {
                refuse(*waiter, "no GPUs came free in time (" + span_text(waiter->claim.timeout) +
                                    "): " + why_waiting(*waiter) +
                                    "; wait longer with --timeout, or ask for less with -n, -m "
                                    "or -p");
            } else {
                refuse(*waiter, "the client that waited was silent for " + span_text(settings.claim_silence) +
                                    "; ask again if it still runs");
            }
        } else if (owner == Owner::kLease) {
            const auto found = leases.find(id);
            if (found == leases.end()) continue;
            LeaseEntry& entry = found->second;
            const auto alarm = alarm_of(entry);
            if (!alarm) continue;
            const Time idle = idle_limit(*this, entry);
            if (*alarm > now) {
                watch_lease(entry);
            } else if (idle > Time::zero() && entry.used + idle <= now) {
                begin_end(entry, "its GPUs were idle for " + span_text(idle) +
                                     "; request them again, or have the idle limit raised");
            } else {
                begin_end(entry, "its client was not heard of for " + span_text(release_limit(*this, entry)));
            }
        } else if (ServerEntry* entry = server(id); entry != nullptr && entry->up) {
            if (entry->heard + settings.server_silence > now) {
                watch_server(*entry);
            } else {
                entry->up = false;
                refresh_vacancy(entry->server.number);
            }
        }
    }
}

}  // namespace bitfusion::pool
