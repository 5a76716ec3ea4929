#include "pool/pool_auditor.h"

#include <algorithm>

namespace bitfusion::pool {

uint64_t Auditor::part_on(const Claim& claim, uint64_t memory_mib) {
    if (claim.ask.memory_mib) return *claim.ask.memory_mib;
    return claim.ask.fraction ? partition_of(memory_mib, *claim.ask.fraction) : memory_mib;
}

bool Auditor::may_use(const Claim& claim, const Server& server, const Gpu& gpu) const {
    if (!claim.servers.empty() &&
        std::find(claim.servers.begin(), claim.servers.end(), server.id) == claim.servers.end())
        return false;
    for (const Filter& filter : claim.filters) {
        if (!holds(filter, server, gpu)) return false;
    }
    const uint64_t part = part_on(claim, gpu.memory_mib);
    return part > 0 && part <= gpu.memory_mib;
}

// Whether the server has enough GPUs of the right kind, whatever is free.
bool Auditor::serves(const Claim& claim, const Server& server) const {
    size_t count = 0;
    for (const Gpu& gpu : server.gpus) count += may_use(claim, server, gpu) ? 1 : 0;
    return count >= claim.ask.gpus;
}

Share Auditor::quota_of(const std::string& client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? Share{} : found->second.quota.value_or(settings_.quota);
}

Share Auditor::share_of(const Claim& claim) const {
    if (claim.ask.fraction) return {Share::from(*claim.ask.fraction).millionths * claim.ask.gpus};
    if (!claim.ask.memory_mib) return Share::whole(claim.ask.gpus);
    Share least = Share::whole(1'000'000);
    for (const auto& [id, server] : servers_) {
        std::vector<uint64_t> sizes;
        for (const Gpu& gpu : server.gpus) {
            if (may_use(claim, server, gpu)) sizes.push_back(gpu.memory_mib);
        }
        if (sizes.size() < claim.ask.gpus) continue;
        std::sort(sizes.rbegin(), sizes.rend());
        Share share;
        for (uint32_t i = 0; i < claim.ask.gpus; ++i) share += Share::of(*claim.ask.memory_mib, sizes[i]);
        least = std::min(least, share);
    }
    return least;
}

bool Auditor::held_back(const Waiting& waiting, std::set<std::string>& blocked) const {
    const std::string& client = waiting.claim.client;
    if (blocked.contains(client)) return true;
    const auto held = held_.find(client);
    if ((held == held_.end() ? Share{} : held->second) + waiting.share <= quota_of(client)) return false;
    blocked.insert(client);
    return true;
}

const Auditor::Waiting* Auditor::first() const {
    std::set<std::string> blocked;
    for (const auto& [turn, waiting] : waiting_) {
        if (!held_back(waiting, blocked)) return &waiting;
    }
    return nullptr;
}

void Auditor::submitted(const Claim& claim) { asked_[claim.id] = claim; }

void Auditor::granted(const Lease& lease) {
    ++grants;
    Claim claim;
    const auto turn = turns_.find(lease.id);
    if (turn != turns_.end()) {
        claim = waiting_.at(turn->second).claim;
    } else {
        ASSERT_TRUE(asked_.contains(lease.id))
            << "lease " << lease.id << " was never asked for, or is given twice";
        claim = asked_.at(lease.id);
        asked_.erase(lease.id);
    }
    const Server& server = servers_.at(lease.server);
    EXPECT_TRUE(server.accepts && up_[server.id]) << server.id;
    EXPECT_EQ(lease.grant.parts.size(), claim.ask.gpus);
    std::set<uint32_t> ordinals;
    uint64_t smallest = UINT64_MAX;
    for (const Part& part : lease.grant.parts) {
        EXPECT_TRUE(ordinals.insert(part.ordinal).second);
        const Gpu& gpu = server.gpus.at(part.ordinal);
        EXPECT_TRUE(may_use(claim, server, gpu));
        smallest = std::min(smallest, gpu.memory_mib);
        uint64_t& free = free_[server.id][part.ordinal];
        ASSERT_GE(free, part.memory_mib)
            << "GPU " << part.ordinal << " of " << server.id << " is given twice";
        free -= part.memory_mib;
    }
    for (const Part& part : lease.grant.parts) {
        const bool whole = !claim.ask.memory_mib && !claim.ask.fraction;
        EXPECT_EQ(part.memory_mib,
                  whole ? server.gpus.at(part.ordinal).memory_mib : part_on(claim, smallest));
    }
    held_[lease.client] += lease.share;
    EXPECT_LE(held_[lease.client], quota_of(lease.client)) << lease.client;

    const Waiting* before = first();
    if (before != nullptr && before->claim.id != lease.id &&
        (turn == turns_.end() || before->claim.turn < turn->second)) {
        ++overtakings;
        // Whoever waits first could use none of these GPUs, or still has room on them for what it asks.
        const Claim& next = before->claim;
        for (const Part& part : lease.grant.parts) {
            const Gpu& gpu = server.gpus.at(part.ordinal);
            if (!serves(next, server) || !may_use(next, server, gpu)) continue;
            EXPECT_GE(free_[server.id][part.ordinal], part_on(next, gpu.memory_mib))
                << lease.id << " delays " << next.id;
        }
    }
    if (turn != turns_.end()) {
        waiting_.erase(turn->second);
        turns_.erase(turn);
    }
    leases_[lease.id] = lease;
}

void Auditor::take_in(const Effects& effects) {
    for (const Change& change : effects.changes) {
        if (const auto* settings = std::get_if<Settings>(&change)) settings_ = *settings;
        if (const auto* server = std::get_if<Server>(&change)) {
            if (!servers_.contains(server->id)) {
                for (const Gpu& gpu : server->gpus) free_[server->id][gpu.ordinal] = gpu.memory_mib;
            }
            servers_[server->id] = *server;
        }
        if (const auto* client = std::get_if<Client>(&change)) clients_[client->id] = *client;
        if (const auto* claim = std::get_if<Claim>(&change)) {
            EXPECT_TRUE(turns_.emplace(claim->id, claim->turn).second);
            EXPECT_TRUE(waiting_.emplace(claim->turn, Waiting{*claim, share_of(*claim)}).second);
            asked_.erase(claim->id);
        }
        if (const auto* lease = std::get_if<Lease>(&change)) {
            const auto known = leases_.find(lease->id);
            if (known == leases_.end()) {
                granted(*lease);
            } else {
                EXPECT_EQ(known->second.state, LeaseState::kGranted);
                EXPECT_EQ(lease->state, LeaseState::kEnding);
                known->second = *lease;
            }
        }
        if (const auto* removal = std::get_if<Removal>(&change)) {
            if (removal->kind == RecordKind::kLease) {
                const Lease lease = leases_.at(removal->id);
                for (const Part& part : lease.grant.parts)
                    free_[lease.server][part.ordinal] += part.memory_mib;
                held_[lease.client] -= lease.share;
                leases_.erase(removal->id);
                ++ended;
            }
            if (removal->kind == RecordKind::kClaim && !leases_.contains(removal->id)) {
                ASSERT_TRUE(turns_.contains(removal->id)) << removal->id;
                waiting_.erase(turns_.at(removal->id));
                turns_.erase(removal->id);
                ++refused;
            }
        }
    }
    check_first_stays();
}

// The first gives its place up to nobody but to who was before it and held back by a quota.
void Auditor::check_first_stays() {
    const Waiting* now = first();
    if (now != nullptr && turns_.contains(first_) && now->claim.id != first_) {
        std::set<std::string> blocked;
        bool held = false;
        for (const auto& [turn, waiting] : waiting_) {
            const bool back = held_back(waiting, blocked);
            if (waiting.claim.id == first_) held = back;
        }
        EXPECT_TRUE(held || now->claim.turn < first_turn_) << now->claim.id << " came before " << first_;
    }
    first_ = now == nullptr ? "" : now->claim.id;
    first_turn_ = now == nullptr ? Turn{} : now->claim.turn;
}

bool Auditor::fits_now(const Claim& claim) const {
    for (const auto& [id, server] : servers_) {
        const auto up = up_.find(id);
        if (!server.accepts || up == up_.end() || !up->second) continue;
        const auto& free = free_.at(id);
        std::set<uint64_t> sizes;
        for (const Gpu& gpu : server.gpus) sizes.insert(gpu.memory_mib);
        for (const uint64_t smallest : sizes) {
            uint32_t count = 0;
            bool one_is_smallest = !claim.ask.fraction;
            for (const Gpu& gpu : server.gpus) {
                if (!may_use(claim, server, gpu)) continue;
                if (claim.ask.fraction && gpu.memory_mib < smallest) continue;
                const uint64_t part =
                    claim.ask.fraction ? part_on(claim, smallest) : part_on(claim, gpu.memory_mib);
                if (free.at(gpu.ordinal) < part) continue;
                ++count;
                one_is_smallest = one_is_smallest || gpu.memory_mib == smallest;
            }
            if (count >= claim.ask.gpus && one_is_smallest) return true;
        }
    }
    return false;
}

void Auditor::compare(const Pool& pool) const {
    ASSERT_EQ(pool.leases().size(), leases_.size());
    ASSERT_EQ(pool.waiting().size(), waiting_.size());
    for (const Lease* lease : pool.leases()) EXPECT_TRUE(leases_.contains(lease->id));
    auto at = waiting_.begin();
    for (const Claim* claim : pool.waiting()) EXPECT_EQ(claim->id, (at++)->second.claim.id);
    for (const auto& [id, gpus] : free_) {
        for (const Room::Device& device : pool.room(id).devices)
            EXPECT_EQ(device.free_mib, gpus.at(device.ordinal)) << id;
    }
    for (const auto& [id, client] : clients_) {
        const auto held = held_.find(id);
        EXPECT_EQ(pool.use(id).held, held == held_.end() ? Share{} : held->second) << id;
    }
}

Records Auditor::records() const {
    Records records;
    records.settings = settings_;
    for (const auto& [id, server] : servers_) records.servers.push_back(server);
    for (const auto& [id, client] : clients_) records.clients.push_back(client);
    for (const auto& [id, lease] : leases_) records.leases.push_back(lease);
    for (const auto& [turn, waiting] : waiting_) records.claims.push_back(waiting.claim);
    return records;
}

}  // namespace bitfusion::pool
