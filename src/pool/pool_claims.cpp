#include "pool/book.h"
#include "pool/record_check.h"

namespace bitfusion::pool {
namespace {

tl::unexpected<Error> unknown(const std::string& id) {
    return fail("there is no request or lease '" + id + "'; it was refused, cancelled or is over: ask again",
                404);
}

tl::unexpected<Error> of_another() {
    return fail("the id of the request is in use by another client; ask again with a new id", 409);
}

Result<Standing> lease_standing(const Book& book, const Lease& lease) {
    if (lease.state == LeaseState::kEnding) return fail("the lease ended: " + lease.end_reason, 409);
    return book.standing_of(lease);
}

// Why the client cannot ask for this at all.
Status check_may_wait(Book& book, const Claim& claim) {
    const ClientEntry* owner = book.client(claim.client);
    if (owner == nullptr)
        return fail("client " + claim.client + " is not of this pool; enrol it with a token of this pool",
                    403);
    if (!owner->client.enabled)
        return fail("client " + claim.client + " is disabled; ask the administrator to enable it", 403);
    const auto may = book.eligibility(claim);
    if (const auto why = may->never(claim.ask)) return fail(*why, 409);
    const Share share = may->least_share(claim.ask);
    if (share > book.quota_of(owner->client)) return fail(book.over_quota_text(share, owner->client), 409);
    if (claim.timeout == std::chrono::milliseconds::zero()) return {};
    if (book.queue.of_client(claim.client).size() >= kMostWaitingOfClient)
        return fail("1024 requests of this client wait already; cancel some, or ask again when some have run",
                    429);
    if (book.queue.size() >= kMostWaiting)
        return fail("200000 requests wait already; ask again later, or with --timeout 0", 429);
    return {};
}

}  // namespace

Result<Standing> Pool::submit(Claim claim, Time now) {
    Book& book = *book_;
    book.advance(now);
    if (auto ok = check(claim); !ok) return tl::unexpected(ok.error());
    if (const auto lease = book.leases.find(claim.id); lease != book.leases.end()) {
        if (lease->second.lease.client != claim.client) return of_another();
        lease->second.heard = book.now;
        return lease_standing(book, lease->second.lease);
    }
    if (Waiter* waiter = book.queue.find(claim.id)) {
        if (waiter->claim.client != claim.client) return of_another();
        waiter->heard = book.now;
        return book.standing_of(*waiter);
    }
    if (auto ok = check_may_wait(book, claim); !ok) return tl::unexpected(ok.error());

    const std::string id = claim.id;
    const ClientEntry& owner = *book.client(claim.client);
    const Waiters& own = book.queue.of_client(claim.client);
    const bool behind = !own.empty() && !own.rbegin()->second->active;
    const Share share = book.eligibility(claim)->least_share(claim.ask);
    Waiter& waiter = book.queue.add(std::move(claim), share);
    waiter.heard = book.now;
    waiter.deadline = book.now + waiter.claim.timeout;
    book.queue.set_active(waiter, !behind && owner.held + share <= book.quota_of(owner.client));
    book.settle_new(waiter);

    if (const Lease* granted = lease(id)) return book.standing_of(*granted);
    if (waiter.claim.timeout == std::chrono::milliseconds::zero()) {
        const std::string why = book.why_waiting(waiter);
        book.refuse(waiter, why);
        book.settle();
        return fail("no room now: " + why + "; wait with --timeout, or ask for less with -n, -m or -p", 409);
    }
    waiter.written = true;
    book.change(waiter.claim);
    book.watch_claim(waiter);
    return book.standing_of(waiter);
}

Result<Standing> Pool::heard(const std::string& claim, Time now) {
    book_->advance(now);
    if (Waiter* waiter = book_->queue.find(claim)) waiter->heard = book_->now;
    if (const auto lease = book_->leases.find(claim); lease != book_->leases.end())
        lease->second.heard = book_->now;
    return standing(claim);
}

Result<Standing> Pool::standing(const std::string& claim) const {
    if (const Waiter* waiter = book_->queue.find(claim)) return book_->standing_of(*waiter);
    if (const Lease* granted = lease(claim)) return lease_standing(*book_, *granted);
    return unknown(claim);
}

Status Pool::cancel(const std::string& claim, Time now) {
    book_->advance(now);
    Waiter* waiter = book_->queue.find(claim);
    if (waiter == nullptr) {
        if (lease(claim) != nullptr)
            return fail("the request was granted meanwhile; release the lease instead", 409);
        return unknown(claim);
    }
    book_->refuse(*waiter, "it was cancelled");
    book_->settle();
    return {};
}

Status Pool::heartbeat(const std::string& lease, Time now) {
    book_->advance(now);
    const auto found = book_->leases.find(lease);
    if (found == book_->leases.end()) return unknown(lease);
    if (found->second.lease.state == LeaseState::kEnding)
        return fail("the lease ended: " + found->second.lease.end_reason, 409);
    found->second.heard = book_->now;
    return {};
}

Status Pool::keep(const std::string& lease, Time now) {
    book_->advance(now);
    const auto found = book_->leases.find(lease);
    if (found == book_->leases.end()) return unknown(lease);
    LeaseEntry& entry = found->second;
    if (entry.lease.state == LeaseState::kEnding)
        return fail("the lease ended: " + entry.lease.end_reason, 409);
    entry.heard = book_->now;
    if (entry.lease.persistent) return {};
    entry.lease.persistent = true;
    book_->change(entry.lease);
    return {};
}

Status Pool::used(const std::string& lease, Time now) {
    book_->advance(now);
    const auto found = book_->leases.find(lease);
    if (found == book_->leases.end()) return unknown(lease);
    found->second.used = book_->now;
    return {};
}

void Pool::end(const std::string& lease, const std::string& reason, Time now) {
    book_->advance(now);
    const auto found = book_->leases.find(lease);
    if (found != book_->leases.end()) book_->begin_end(found->second, reason);
}

Status Pool::over(const std::string& lease, Time now) {
    book_->advance(now);
    const auto found = book_->leases.find(lease);
    if (found == book_->leases.end()) return {};
    if (found->second.lease.state != LeaseState::kEnding)
        return fail("lease " + lease + " is not ending; end it first", 409);
    book_->leave(lease, std::string(found->second.lease.end_reason));
    book_->settle();
    return {};
}

}  // namespace bitfusion::pool
