#include "pool/eligibility.h"

#include <algorithm>
#include <functional>

namespace bitfusion::pool {
namespace {

bool listed(const std::set<std::string>& list, const Server& server) {
    return list.empty() || list.contains(server.id) ||
           (!server.address.empty() && list.contains(server.address));
}

bool passes(const std::vector<Filter>& filters, const Server& server, const Gpu& gpu) {
    return std::all_of(filters.begin(), filters.end(),
                       [&](const Filter& filter) { return holds(filter, server, gpu); });
}

std::string gpus_text(uint64_t count) { return std::to_string(count) + (count == 1 ? " GPU" : " GPUs"); }

}  // namespace

Eligibility::Eligibility(const std::vector<Filter>& filters, const std::vector<std::string>& list,
                         const std::vector<const Server*>& servers)
    : masks_(servers.size()), by_filters_(!filters.empty()), by_list_(!list.empty()) {
    const std::set<std::string> wanted(list.begin(), list.end());
    std::set<std::string> known;
    for (size_t number = 0; number < servers.size(); ++number) {
        if (servers[number] == nullptr) continue;
        const Server& server = *servers[number];
        any_server_ = true;
        if (!listed(wanted, server)) continue;
        known.insert(server.id);
        known.insert(server.address);
        std::vector<uint64_t> sizes;
        for (size_t i = 0; i < server.gpus.size() && i < kMostGpus; ++i) {
            const Gpu& gpu = server.gpus[i];
            if (!passes(filters, server, gpu)) continue;
            masks_[number] |= uint64_t{1} << i;
            sizes.push_back(gpu.memory_mib);
            smallest_ = smallest_ == 0 ? gpu.memory_mib : std::min(smallest_, gpu.memory_mib);
        }
        std::sort(sizes.begin(), sizes.end(), std::greater<>());
        if (sizes.size() > most_.size()) most_.resize(sizes.size());
        for (size_t i = 0; i < sizes.size(); ++i) most_[i] = std::max(most_[i], sizes[i]);
        if (!sizes.empty()) makes_.insert(std::move(sizes));
    }
    for (const std::string& name : list) {
        if (!known.contains(name) && unknown_.empty()) unknown_ = name;
    }
}

uint64_t Eligibility::most_mib(uint32_t gpus) const {
    return gpus == 0 || gpus > most_.size() ? 0 : most_[gpus - 1];
}

Share Eligibility::least_share(const Request& request) const {
    if (!request.memory_mib) return share_of(request, {});
    std::optional<Share> least;
    for (const std::vector<uint64_t>& sizes : makes_) {
        if (sizes.size() < request.gpus || sizes[request.gpus - 1] < *request.memory_mib) continue;
        Share share;
        for (uint32_t i = 0; i < request.gpus; ++i) share += Share::of(*request.memory_mib, sizes[i]);
        least = least ? std::min(*least, share) : share;
    }
    return least.value_or(Share::whole(request.gpus));
}

Share share_of(const Request& request, const std::vector<uint64_t>& sizes) {
    if (request.memory_mib) {
        Share share;
        for (const uint64_t size : sizes) share += Share::of(*request.memory_mib, size);
        return share;
    }
    if (!request.fraction) return Share::whole(request.gpus);
    // What asks for something never counts as nothing.
    return {std::max<int64_t>(1, Share::from(*request.fraction).millionths) * request.gpus};
}

std::string Eligibility::which() const {
    if (by_filters_ && by_list_) return "that --filter and the list of servers allow";
    if (by_filters_) return "that --filter allows";
    return by_list_ ? "that the list of servers allows" : "of the pool";
}

std::optional<std::string> Eligibility::never(const Request& request) const {
    if (most_.empty()) {
        if (!unknown_.empty())
            return "server '" + unknown_ + "' is not one of the pool's; see them with: bitfusion list_gpus";
        if (any_server_ && (by_filters_ || by_list_))
            return "no GPU of the pool passes the filters and the list of servers; see what there is with: "
                   "bitfusion "
                   "list_gpus";
        return std::string("the pool has no GPU; see the servers' health with: bitfusion health");
    }
    if (request.gpus > most_.size()) {
        return std::to_string(request.gpus) + " GPUs were asked of one server; the largest server " +
               which() + " has " + gpus_text(most_.size()) + "; ask for at most " +
               std::to_string(most_.size()) + " with -n";
    }
    const uint64_t most = most_mib(request.gpus);
    if (request.memory_mib && *request.memory_mib > most) {
        const std::string asked = std::to_string(*request.memory_mib) + " MiB";
        const std::string offer = "more than " + std::to_string(most) + " MiB";
        if (request.gpus == 1) {
            return "a GPU with " + asked + " was asked for; no server " + which() + " has a GPU with " +
                   offer + "; ask for at most that with -m";
        }
        const std::string gpus = gpus_text(request.gpus);
        return gpus + " with " + asked + " each were asked of one server; no server " + which() + " has " +
               offer + " on each of " + gpus + "; ask for at most that with -m, or for fewer GPUs with -n";
    }
    if (request.fraction && partition_of(most, *request.fraction) == 0) {
        return "the fraction comes to less than 1 MiB of a GPU with " + std::to_string(most) +
               " MiB; ask for more with -p";
    }
    return std::nullopt;
}

std::string Eligibility::key_of(const std::vector<Filter>& filters, const std::vector<std::string>& list) {
    // Neither a filter nor a name has control characters, so that no two of them run together.
    std::string key;
    for (const Filter& filter : filters) key += text_of(filter) + '\n';
    key += '\t';
    for (const std::string& name : list) key += name + '\n';
    return key;
}

}  // namespace bitfusion::pool
