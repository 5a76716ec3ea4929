#include <algorithm>

#include "pool/book.h"
#include "pool/record_check.h"

namespace bitfusion::pool {
namespace {

// Far beyond what any queue reaches, far from where sums overflow.
constexpr int64_t kMostVirtualTime = int64_t{1} << 60;

Status corrupt(const std::string& what) {
    return fail("the pool's records contradict each other: " + what +
                    "; restore the store from a backup, nothing was changed",
                500);
}

Status restore_server(Book& book, Server server) {
    const std::string who = "server " + server.id;
    if (auto ok = check(server); !ok) return corrupt(ok.error().what);
    if (server.number >= kMostServers) return corrupt(who + " has a number beyond all that are given");
    if (server.number >= book.servers.size()) book.servers.resize(server.number + 1);
    auto& entry = book.servers[server.number];
    if (entry) return corrupt(who + " and server " + entry->server.id + " have the same number");
    if (!book.numbers.emplace(server.id, server.number).second) return corrupt(who + " is there twice");
    entry = std::make_unique<ServerEntry>();
    for (const Gpu& gpu : server.gpus)
        entry->spots.push_back({{gpu.ordinal, gpu.memory_mib}, gpu.memory_mib, gpu.memory_mib});
    entry->server = std::move(server);
    return {};
}

Status restore_lease(Book& book, Lease lease) {
    const std::string which = "lease " + lease.id;
    if (!is_id(lease.id)) return corrupt("a lease has no id");
    if (book.leases.contains(lease.id)) return corrupt(which + " is there twice");
    const ServerEntry* entry = book.server(lease.server);
    if (entry == nullptr) return corrupt(which + " is on server '" + lease.server + "', which is not there");
    if (lease.state == LeaseState::kGranted && book.client(lease.client) == nullptr)
        return corrupt(which + " is of client '" + lease.client + "', which is not there");
    if (lease.grant.parts.empty()) return corrupt(which + " has no GPU");
    if (lease.share <= Share{} || lease.share > Share::whole(kMostGpus))
        return corrupt(which + " has no share");
    std::set<uint32_t> ordinals;
    for (const Part& part : lease.grant.parts) {
        const std::string gpu = "GPU " + std::to_string(part.ordinal) + " of server " + lease.server;
        if (!ordinals.insert(part.ordinal).second) return corrupt(which + " has " + gpu + " twice");
        const auto spot = std::find_if(entry->spots.begin(), entry->spots.end(), [&](const Spot& candidate) {
            return candidate.device.ordinal == part.ordinal;
        });
        if (spot == entry->spots.end()) return corrupt(which + " has " + gpu + ", which is not there");
        if (part.memory_mib == 0) return corrupt(which + " has nothing of " + gpu);
        if (part.memory_mib > spot->free_mib)
            return corrupt(gpu + " is given away twice, the second to " + which);
    }
    const uint32_t number = entry->server.number;
    book.enter(std::move(lease), number);
    return {};
}

Status restore_claim(Book& book, Claim claim) {
    const std::string which = "request " + claim.id;
    if (auto ok = check(claim); !ok) return corrupt(which + ": " + ok.error().what);
    if (book.client(claim.client) == nullptr)
        return corrupt(which + " is of client '" + claim.client + "', which is not there");
    if (claim.turn.virtual_time < 0 || claim.turn.virtual_time > kMostVirtualTime ||
        claim.turn.number == UINT64_MAX)
        return corrupt(which + " has a turn beyond all that are given");
    // The grant was written, the end of the claim not any more.
    if (book.leases.contains(claim.id)) {
        book.change(Removal{RecordKind::kClaim, claim.id});
        return {};
    }
    const auto may = book.eligibility(claim);
    const Share share = may->least_share(claim.ask);
    Waiter* waiter = book.queue.add_with_turn(std::move(claim), share);
    if (waiter == nullptr) return corrupt(which + " is there twice, or its turn is");
    waiter->written = true;
    waiter->heard = book.now;
    waiter->deadline = book.now + waiter->claim.timeout;
    return {};
}

}  // namespace

Result<Pool> Pool::restore(Records records, Time now) {
    auto made = std::make_unique<Book>();
    Book& book = *made;
    book.now = now;
    if (auto ok = check(records.settings); !ok) return tl::unexpected(corrupt(ok.error().what).error());
    book.settings = records.settings;
    for (Server& server : records.servers) {
        if (auto ok = restore_server(book, std::move(server)); !ok) return tl::unexpected(ok.error());
    }
    for (const Client& client : records.clients) {
        if (auto ok = check(client); !ok) return tl::unexpected(corrupt(ok.error().what).error());
        if (!book.clients.emplace(client.id, ClientEntry{client, {}, {}}).second)
            return tl::unexpected(corrupt("client " + client.id + " is there twice").error());
    }
    for (Lease& lease : records.leases) {
        if (auto ok = restore_lease(book, std::move(lease)); !ok) return tl::unexpected(ok.error());
    }
    for (Claim& claim : records.claims) {
        if (auto ok = restore_claim(book, std::move(claim)); !ok) return tl::unexpected(ok.error());
    }
    book.refuse_impossible(nullptr);
    for (const auto& [id, entry] : book.clients) book.hold_back(id);
    book.watch_all();
    book.settle();
    return Pool(std::move(made));
}

void Pool::take_signs_of_life(const Pool& before) {
    Book& book = *book_;
    // Since the last command nobody could be heard, whoever spoke: that time is nobody's silence.
    const Time deaf = std::max(book.now - before.book_->now, Time::zero());
    book.advance(before.book_->now);
    for (const auto& entry : before.book_->servers) {
        ServerEntry* same = entry && entry->up ? book.server(entry->server.id) : nullptr;
        if (same == nullptr) continue;
        same->up = true;
        same->heard = entry->heard + deaf;
        book.refresh_vacancy(same->server.number);
    }
    book.queue.for_each([&](Waiter& waiter) {
        const Waiter* earlier = before.book_->queue.find(waiter.claim.id);
        if (earlier == nullptr) return;
        waiter.heard = earlier->heard + deaf;
        waiter.deadline = earlier->deadline;
    });
    for (auto& [id, entry] : book.leases) {
        const auto earlier = before.book_->leases.find(id);
        if (earlier == before.book_->leases.end()) continue;
        entry.heard = earlier->second.heard + deaf;
        entry.used = earlier->second.used + deaf;
    }
    book.watch_all();
    // Nobody is served here: what is read from a store is written down already, what follows comes with a
    // command.
    book.stale_all();
}

Records Pool::records() const {
    Records records;
    records.settings = book_->settings;
    for (const Server* server : servers()) records.servers.push_back(*server);
    for (const Client* client : clients()) records.clients.push_back(*client);
    for (const Claim* claim : waiting()) records.claims.push_back(*claim);
    for (const Lease* lease : leases()) records.leases.push_back(*lease);
    return records;
}

}  // namespace bitfusion::pool
