#include <algorithm>

#include "pool/book.h"

namespace bitfusion::pool {
namespace {

// So few are looked at one by one rather than through the index.
constexpr size_t kFewServers = 8;

uint64_t least_partition(const Request& request, uint64_t smallest_mib) {
    if (request.memory_mib) return *request.memory_mib;
    return std::max<uint64_t>(1, partition_of(smallest_mib, *request.fraction));
}

bool is_whole(const Request& request) { return !request.memory_mib && !request.fraction; }

}  // namespace

void Failures::add(const Request& ask, const Eligibility& may) {
    // A fraction so small that it is nothing of some GPUs may fail where a larger one fits.
    if (ask.fraction && partition_of(may.smallest_mib(), *ask.fraction) == 0) return;
    failures_[kind_of(ask)].push_back({&may, ask.gpus, amount_of(ask)});
}

bool Failures::cover(const Request& ask, const Eligibility& may) const {
    const double amount = amount_of(ask);
    const auto& failures = failures_[kind_of(ask)];
    return std::any_of(failures.begin(), failures.end(), [&](const Failure& failure) {
        return failure.may == &may && failure.gpus <= ask.gpus && failure.amount <= amount;
    });
}

uint64_t Kept::part_of(uint64_t memory_mib) const {
    const Request& ask = first->claim.ask;
    if (ask.memory_mib) return *ask.memory_mib;
    return ask.fraction ? partition_of(memory_mib, *ask.fraction) : memory_mib;
}

std::shared_ptr<const Eligibility> Book::eligibility(const Claim& claim) {
    const std::string key = Eligibility::key_of(claim.filters, claim.servers);
    const auto found = eligibilities_.find(key);
    if (found != eligibilities_.end()) return found->second;
    // Those of claims that are gone are forgotten by beginning anew now and then.
    if (eligibilities_.size() > 2 * queue.shapes().size() + 16) eligibilities_.clear();
    std::vector<const Server*> known;
    for (const auto& entry : servers) known.push_back(entry ? &entry->server : nullptr);
    auto made = std::make_shared<const Eligibility>(claim.filters, claim.servers, known);
    eligibilities_.emplace(key, made);
    return made;
}

const Eligibility& Book::eligibility(const Waiter& waiter) {
    Shape& shape = *waiter.shape;
    if (!shape.may || shape.servers_version != servers_version_) {
        shape.may = eligibility(waiter.claim);
        shape.servers_version = servers_version_;
    }
    return *shape.may;
}

void Book::servers_changed() {
    eligibilities_.clear();
    ++servers_version_;
    kept_ = {};
    stale_all_ = true;
}

void Book::keep_for(const Waiter& first) {
    if (kept_.claim == first.claim.id) return;
    kept_ = {};
    kept_.claim = first.claim.id;
    kept_.first = &first;
    kept_.gpus.resize(servers.size());
    const Request& ask = first.claim.ask;
    const Eligibility& may = eligibility(first);
    for (uint32_t number = 0; number < servers.size(); ++number) {
        if (!servers[number]) continue;
        const std::vector<Spot>& spots = servers[number]->spots;
        uint64_t useful = 0;
        uint32_t count = 0;
        for (size_t i = 0; i < spots.size(); ++i) {
            const uint64_t size = spots[i].device.memory_mib;
            const uint64_t part = kept_.part_of(size);
            if ((may.gpus_of(number) >> i & 1) == 0 || part == 0 || part > size) continue;
            useful |= uint64_t{1} << i;
            ++count;
        }
        // Without enough of them it can never come here.
        if (count < ask.gpus) useful = 0;
        kept_.gpus[number] = useful;
        if (useful == 0 || count < spots.size()) kept_.elsewhere.push_back(number);
    }
    if (!is_whole(ask)) kept_.least_mib = least_partition(ask, may.smallest_mib());
}

std::optional<Book::Choice> Book::choose(const Waiter& waiter, uint32_t number, bool first) {
    const ServerEntry& entry = *servers[number];
    if (!entry.usable()) return std::nullopt;
    const Claim& claim = waiter.claim;
    const uint64_t may = eligibility(waiter).gpus_of(number);
    const uint64_t kept = first ? 0 : kept_.gpus[number];
    std::vector<Spot> spots;
    for (size_t i = 0; i < entry.spots.size(); ++i) {
        if ((may >> i & 1) == 0) continue;
        Spot spot = entry.spots[i];
        if (kept >> i & 1) spot.spare_mib -= std::min(spot.spare_mib, kept_.part_of(spot.device.memory_mib));
        spots.push_back(spot);
    }
    auto grant = fit(spots, claim.ask);
    if (!grant) return std::nullopt;
    std::vector<uint64_t> sizes;
    for (const Part& part : grant->parts) {
        for (const Spot& spot : spots) {
            if (spot.device.ordinal == part.ordinal) sizes.push_back(spot.device.memory_mib);
        }
    }
    const Share share = share_of(claim.ask, sizes);
    const ClientEntry& owner = clients.at(claim.client);
    Share most = quota_of(owner.client);
    if (!first && kept_.first->claim.client == claim.client) most -= kept_.first->share;
    if (owner.held + share > most) {
        over_quota_ = true;
        return std::nullopt;
    }
    return Choice{number, std::move(*grant), share};
}

std::optional<Book::Choice> Book::search_all(const Waiter& waiter, bool first) {
    const Request& ask = waiter.claim.ask;
    std::optional<Choice> choice;
    const auto visit = [&](uint32_t number) {
        choice = choose(waiter, number, first);
        return choice.has_value();
    };
    if (is_whole(ask)) {
        vacancy.find_whole(ask.gpus, steps_, visit);
        return choice;
    }
    uint64_t least = least_partition(ask, eligibility(waiter).smallest_mib());
    vacancy.find_partition(ask.gpus, least, steps_, visit);
    return choice;
}

std::optional<Book::Choice> Book::search(const Waiter& waiter, bool first) {
    if (only_) {
        ++steps_;
        return choose(waiter, *only_, first);
    }
    if (first) return search_all(waiter, first);
    // GPUs that the first can never use are free for all.
    if (kept_.elsewhere.size() > kFewServers) return search_all(waiter, first);
    for (const uint32_t number : kept_.elsewhere) {
        ++steps_;
        if (auto choice = choose(waiter, number, first)) return choice;
    }
    // Where it could use a GPU, its part must stay besides. It wants whole ones, or a part of a single one of
    // which there is none: then nothing can be left to others.
    const Request& ask = waiter.claim.ask;
    if (is_whole(kept_.first->claim.ask) || kept_.first->claim.ask.gpus == 1 || is_whole(ask))
        return std::nullopt;
    std::optional<Choice> choice;
    const uint64_t least = least_partition(ask, eligibility(waiter).smallest_mib()) + kept_.least_mib;
    vacancy.find_partition(ask.gpus, least, steps_, [&](uint32_t number) {
        choice = choose(waiter, number, first);
        return choice.has_value();
    });
    return choice;
}

void Book::grant(Waiter& waiter, Choice choice) {
    Claim& claim = waiter.claim;
    Lease lease;
    lease.id = claim.id;
    lease.client = claim.client;
    lease.server = servers[choice.server]->server.id;
    lease.ask = claim.ask;
    lease.grant = std::move(choice.grant);
    lease.share = choice.share;
    lease.persistent = claim.persistent;
    lease.note = std::move(claim.note);
    lease.why_here = why_here(*servers[choice.server], lease.grant);
    const bool written = waiter.written;
    queue.remove(waiter);
    change(lease);
    // After the lease, so that a store that has only the first of the two has no less than both.
    if (written) {
        change(Removal{RecordKind::kClaim, lease.id});
        notice(Notice::Kind::kGranted, lease.id, lease.why_here);
    }
    enter(std::move(lease), choice.server);
}

Book::Served Book::serve(Waiter& waiter, bool first) {
    if (!first && kept_.first->claim.client == waiter.claim.client) {
        const ClientEntry& owner = clients.at(waiter.claim.client);
        if (owner.held + waiter.share + kept_.first->share > quota_of(owner.client))
            return Served::kNotThisClient;
    }
    steps_ = 0;
    over_quota_ = false;
    auto choice = search(waiter, first);
    ++work.decisions;
    work.servers_looked_at += steps_;
    work.most_servers_looked_at = std::max(work.most_servers_looked_at, steps_);
    if (!choice) return over_quota_ ? Served::kNotThisClient : Served::kNoRoom;
    grant(waiter, std::move(*choice));
    return Served::kYes;
}

void Book::serve_others() {
    std::map<Turn, Shape*> fronts;
    for (const auto& [key, shape] : queue.shapes()) {
        if (!shape->active.empty()) fronts.emplace(shape->active.begin()->first, shape.get());
    }
    const std::optional<uint32_t> only = only_;
    Failures failed_here;
    Failures failed_everywhere;
    const auto push = [&fronts](Shape* shape, Waiters::iterator at) {
        if (at != shape->active.end()) fronts.emplace(at->first, shape);
    };
    while (!fronts.empty()) {
        const auto [turn, shape] = *fronts.begin();
        fronts.erase(fronts.begin());
        // A grant to its client may have made claims inactive meanwhile.
        const auto at = shape->active.lower_bound(turn);
        if (at == shape->active.end()) continue;
        if (at->first != turn || at->second == kept_.first) {
            push(shape, at->first != turn ? at : std::next(at));
            continue;
        }
        const bool last = shape->waiting == 1;
        // Where there is new room on one server, the others are known to have none, but not for who was not
        // tried.
        only_ = fresh_.contains(turn) ? std::nullopt : only;
        Failures& failed = only_ ? failed_here : failed_everywhere;
        const Eligibility& may = eligibility(*at->second);
        if (failed.cover(shape->ask, may)) continue;
        switch (serve(*at->second, false)) {
            case Served::kYes:
                if (!last) push(shape, shape->active.lower_bound(turn));
                break;
            case Served::kNotThisClient:
                push(shape, std::next(at));
                break;
            case Served::kNoRoom:
                failed.add(shape->ask, may);
                break;
        }
    }
    only_ = only;
}

void Book::serve_fresh() {
    for (const Turn& turn : std::set<Turn>(fresh_)) {
        const auto at = queue.active().find(turn);
        if (at != queue.active().end() && at->second != kept_.first) serve(*at->second, false);
    }
}

void Book::settle() {
    for (;;) {
        Waiter* first = queue.first_active();
        if (first == nullptr) break;
        if (kept_.claim != first->claim.id) {
            // What was kept for another is free now, and more is kept for this one.
            kept_ = {};
            stale_all_ = true;
        }
        if (!stale_all_ && stale_servers_.empty() && fresh_.empty()) return;
        only_.reset();
        if (!stale_all_ && stale_servers_.size() == 1) only_ = *stale_servers_.begin();
        if (!stale_all_ && stale_servers_.empty()) {
            // The first was tried; only some of the others were not.
            keep_for(*first);
            serve_fresh();
            fresh_.clear();
            return;
        }
        if (serve(*first, true) == Served::kYes) continue;
        keep_for(*first);
        serve_others();
        stale_all_ = false;
        stale_servers_.clear();
        fresh_.clear();
    }
    kept_ = {};
    stale_all_ = false;
    stale_servers_.clear();
    fresh_.clear();
}

void Book::settle_new(Waiter& waiter) {
    Waiter* first = queue.first_active();
    if (waiter.active && first != &waiter && first != nullptr && kept_.claim == first->claim.id &&
        !stale_all_ && stale_servers_.empty()) {
        only_.reset();
        serve(waiter, false);
        return;
    }
    settle();
}

}  // namespace bitfusion::pool
