#include <algorithm>

#include "pool/book.h"

namespace bitfusion::pool {
namespace {

std::string count_text(size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

std::string Book::why_here(const ServerEntry& entry, const Grant& grant) {
    std::string gpus;
    size_t opened = 0;
    for (const Part& part : grant.parts) {
        gpus += (gpus.empty() ? "" : " ") + std::to_string(part.ordinal);
        for (const Spot& spot : entry.spots)
            opened += spot.device.ordinal == part.ordinal && spot.untouched() ? 1 : 0;
    }
    std::string text =
        "server " + std::to_string(entry.server.number) + " [" + entry.server.address + "], GPUs [" + gpus +
        "] with " +
        (grant.partition_mib == 0 ? "all their memory" : std::to_string(grant.partition_mib) + " MiB");
    if (grant.partition_mib == 0)
        return text + ": the server with the fewest whole GPUs free that are enough";
    if (opened == 0) return text + ": fits beside others, no untouched GPU is opened";
    return text + ": opens " + count_text(opened, "untouched GPU") + ", fewer was not possible";
}

std::string Book::over_quota_text(Share share, const Client& client) const {
    const Share quota = quota_of(client);
    if (quota <= Share{})
        return "your quota is 0 GPUs; ask the administrator for one: bitfusion client quota " + client.id +
               " <gpus>";
    return "your quota is " + text_of(quota) + " GPUs, this counts as " + text_of(share) +
           "; ask for at most " + text_of(quota) + " in all with -n, -m or -p, or have the quota raised";
}

std::string Book::why_waiting(const Waiter& waiter) const {
    const Claim& claim = waiter.claim;
    const std::string asked = text_of(claim.ask);
    const auto owner = clients.find(claim.client);
    if (!waiter.active && owner != clients.end()) {
        const Share quota = quota_of(owner->second.client);
        const Share held = owner->second.held;
        if (held + waiter.share > quota) {
            return "waits for your own programs: they hold " + text_of(held) + " of your quota of " +
                   text_of(quota) + " GPUs, and this asks for " + text_of(waiter.share) + " more";
        }
        return "waits for an earlier request of yours, which your quota of " + text_of(quota) +
               " GPUs holds back while your programs hold " + text_of(held);
    }
    const Waiter* first = queue.first_active();
    if (first != &waiter && first != nullptr) {
        return "waits for " + asked + " of one server; the first in the queue asks for " +
               text_of(first->claim.ask) + ", and room for it is kept";
    }
    // What comes nearest, among the servers that may serve it.
    size_t most = 0;
    size_t up = 0;
    const Eligibility* may = waiter.shape->may.get();
    for (const auto& entry : servers) {
        const uint64_t gpus = entry && may != nullptr ? may->gpus_of(entry->server.number) : 0;
        if (gpus == 0 || !entry->usable()) continue;
        ++up;
        size_t fitting = 0;
        for (size_t i = 0; i < entry->spots.size(); ++i) {
            const Spot& spot = entry->spots[i];
            uint64_t part = spot.device.memory_mib;
            if (claim.ask.memory_mib) part = *claim.ask.memory_mib;
            if (claim.ask.fraction) part = partition_of(part, *claim.ask.fraction);
            fitting += (gpus >> i & 1) != 0 && spot.free_mib >= part ? 1 : 0;
        }
        most = std::max(most, fitting);
    }
    if (up == 0) return "waits for " + asked + ": no server that may serve it is up and accepts clients";
    return "waits for " + asked + " of one server; " +
           (most == 0 ? std::string("none has a GPU with so much free")
                      : "the most that one has free is " + count_text(most, "such GPU"));
}

Standing Book::standing_of(const Waiter& waiter) const {
    const size_t place = queue.place_of(waiter);
    return {Standing::State::kWaiting, place, queue.size(),
            "place " + std::to_string(place) + " of " + std::to_string(queue.size()) + ": " +
                why_waiting(waiter)};
}

Standing Book::standing_of(const Lease& lease) const {
    return {Standing::State::kGranted, 0, queue.size(), lease.why_here};
}

}  // namespace bitfusion::pool
