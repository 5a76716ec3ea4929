#include <algorithm>

#include "pool/book.h"

namespace bitfusion::pool {

ServerEntry* Book::server(const std::string& id) {
    const auto found = numbers.find(id);
    return found == numbers.end() ? nullptr : servers[found->second].get();
}

ClientEntry* Book::client(const std::string& id) {
    const auto found = clients.find(id);
    return found == clients.end() ? nullptr : &found->second;
}

void Book::hold_back(const std::string& id) {
    const ClientEntry* owner = client(id);
    const Share quota = owner == nullptr ? Share{} : quota_of(owner->client);
    const Share held = owner == nullptr ? Share{} : owner->held;
    bool back = false;
    for (const auto& [turn, waiter] : queue.of_client(id)) {
        // Later ones wait too: they would take from the quota what this one waits for.
        back = back || held + waiter->share > quota;
        if (!back && !waiter->active) fresh(*waiter);
        queue.set_active(*waiter, !back);
    }
}

void Book::refresh_vacancy(uint32_t number) {
    const ServerEntry& entry = *servers[number];
    if (entry.usable()) {
        vacancy.put(number, entry.spots);
    } else {
        vacancy.remove(number);
    }
}

void Book::enter(Lease lease, uint32_t number) {
    ServerEntry& entry = *servers[number];
    for (const Part& part : lease.grant.parts) {
        for (Spot& spot : entry.spots) {
            if (spot.device.ordinal != part.ordinal) continue;
            spot.free_mib -= part.memory_mib;
            spot.spare_mib = spot.free_mib;
        }
    }
    entry.leases.insert(lease.id);
    refresh_vacancy(number);
    const std::string owner_id = lease.client;
    if (ClientEntry* owner = client(owner_id)) {
        owner->held += lease.share;
        owner->leases.insert(lease.id);
    }
    const std::string id = lease.id;
    const LeaseEntry& added =
        leases.emplace(id, LeaseEntry{std::move(lease), number, now, now}).first->second;
    watch_lease(added);
    hold_back(owner_id);
}

void Book::leave(std::string id, const std::string& why) {
    const auto found = leases.find(id);
    const uint32_t number = found->second.server;
    const Lease lease = std::move(found->second.lease);
    leases.erase(found);
    ServerEntry& entry = *servers[number];
    for (const Part& part : lease.grant.parts) {
        for (Spot& spot : entry.spots) {
            if (spot.device.ordinal != part.ordinal) continue;
            spot.free_mib += part.memory_mib;
            spot.spare_mib = spot.free_mib;
        }
    }
    entry.leases.erase(id);
    refresh_vacancy(number);
    stale(number);
    if (ClientEntry* owner = client(lease.client)) {
        owner->held -= lease.share;
        owner->leases.erase(id);
    }
    hold_back(lease.client);
    change(Removal{RecordKind::kLease, id});
    notice(Notice::Kind::kOver, id, why);
}

void Book::begin_end(LeaseEntry& entry, const std::string& reason) {
    if (entry.lease.state == LeaseState::kEnding) return;
    entry.lease.state = LeaseState::kEnding;
    entry.lease.end_reason = reason;
    change(entry.lease);
    notice(Notice::Kind::kEnding, entry.lease.id, reason);
}

void Book::refuse(Waiter& waiter, const std::string& why) {
    const std::string id = waiter.claim.id;
    const std::string owner = waiter.claim.client;
    const bool written = waiter.written;
    queue.remove(waiter);
    if (written) {
        change(Removal{RecordKind::kClaim, id});
        notice(Notice::Kind::kRefused, id, why);
    }
    // What waited behind it for the quota may be next.
    hold_back(owner);
}

void Book::refuse_impossible(const std::string* of_client) {
    std::vector<std::pair<Waiter*, std::string>> impossible;
    const auto look = [&](Waiter& waiter) {
        const ClientEntry* owner = client(waiter.claim.client);
        const Eligibility& may = eligibility(waiter);
        if (auto why = may.never(waiter.claim.ask)) {
            impossible.emplace_back(&waiter, *why);
            return;
        }
        waiter.share = may.least_share(waiter.claim.ask);
        if (owner != nullptr && !owner->client.enabled) {
            impossible.emplace_back(&waiter,
                                    "the client was disabled; ask the administrator to enable it again");
            return;
        }
        if (owner == nullptr || waiter.share > quota_of(owner->client))
            impossible.emplace_back(&waiter, owner == nullptr
                                                 ? "its client is not of the pool any more; enrol it again"
                                                 : over_quota_text(waiter.share, owner->client));
    };
    if (of_client != nullptr) {
        for (const auto& [turn, waiter] : queue.of_client(*of_client)) look(*waiter);
    } else {
        queue.for_each(look);
    }
    for (const auto& [waiter, why] : impossible) refuse(*waiter, why);
}

}  // namespace bitfusion::pool
