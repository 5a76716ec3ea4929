#include "pool/placement.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace bitfusion::pool {
namespace {

// One way to serve the request, with what makes it better or worse than another.
struct Option {
    uint64_t partition_mib = 0;
    std::vector<Spot> chosen;

    auto cost() const {
        size_t opened = 0;
        uint64_t left = 0;
        uint64_t largest = 0;
        std::vector<uint32_t> ordinals;
        for (const Spot& spot : chosen) {
            opened += spot.untouched() ? 1 : 0;
            left += spot.free_mib - partition_mib;
            largest = std::max(largest, spot.device.memory_mib);
            ordinals.push_back(spot.device.ordinal);
        }
        std::sort(ordinals.begin(), ordinals.end());
        return std::make_tuple(opened, left, largest, ordinals);
    }
};

std::string plural(uint64_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

bool tighter(const Spot& a, const Spot& b) {
    return std::make_tuple(a.untouched(), a.free_mib, a.device.ordinal) <
           std::make_tuple(b.untouched(), b.free_mib, b.device.ordinal);
}

std::vector<Spot> spots_of(const State& state) {
    std::vector<Spot> spots;
    for (const Device& device : state.devices) {
        const uint64_t free = free_mib(state, device.ordinal);
        spots.push_back({device, free, free});
    }
    return spots;
}

// The tightest `gpus` spots with room for the partition whose smallest GPU has exactly `smallest` MiB (0: any
// size). `sorted` is sorted by tightness.
std::optional<Option> tightest(const std::vector<Spot>& sorted, uint32_t gpus, uint64_t partition_mib,
                               uint64_t smallest) {
    Option option{partition_mib, {}};
    const Spot* anchor = nullptr;
    for (const Spot& spot : sorted) {
        if (spot.spare_mib < partition_mib || spot.device.memory_mib < smallest) continue;
        if (anchor == nullptr && (smallest == 0 || spot.device.memory_mib == smallest)) {
            anchor = &spot;
        } else if (option.chosen.size() + 1 < gpus) {
            option.chosen.push_back(spot);
        }
        if (anchor != nullptr && option.chosen.size() + 1 == gpus) break;
    }
    if (anchor == nullptr || option.chosen.size() + 1 < gpus) return std::nullopt;
    option.chosen.push_back(*anchor);
    return option;
}

std::string free_text(const State& state) {
    std::string text;
    for (const Device& device : state.devices) {
        if (!text.empty()) text += ", ";
        text += "GPU " + std::to_string(device.ordinal) + " " +
                std::to_string(free_mib(state, device.ordinal)) + " of " + std::to_string(device.memory_mib) +
                " MiB";
    }
    return text;
}

Refusal refuse(RefusalKind kind, std::string text) { return Refusal{kind, std::move(text)}; }

// What this server could not grant even if nothing were leased.
std::optional<Refusal> impossible(const State& state, const Request& request) {
    const uint64_t count = state.devices.size();
    if (count == 0) {
        return refuse(RefusalKind::kNever,
                      "the server has no GPU; see its health with: curl http://<server>/v1/health");
    }
    if (request.gpus > count) {
        return refuse(RefusalKind::kNever,
                      "the server has " + plural(count, "GPU") + ", " + std::to_string(request.gpus) +
                          " were asked of one server; ask for at most " + std::to_string(count) + " with -n");
    }
    if (request.memory_mib) {
        uint64_t largest = 0;
        uint64_t fitting = 0;
        for (const Device& device : state.devices) {
            largest = std::max(largest, device.memory_mib);
            fitting += device.memory_mib >= *request.memory_mib ? 1 : 0;
        }
        const std::string asked = "a partition of " + std::to_string(*request.memory_mib) + " MiB";
        if (fitting == 0) {
            return refuse(RefusalKind::kNever,
                          asked + " is larger than every GPU of the server (the largest has " +
                              std::to_string(largest) + " MiB); ask for at most that with -m");
        }
        if (fitting < request.gpus) {
            return refuse(RefusalKind::kNever, "only " + plural(fitting, "GPU") + " of the server can hold " +
                                                   asked + ", " + std::to_string(request.gpus) +
                                                   " were asked; ask for fewer with -n or for less with -m");
        }
    }
    if (request.fraction) {
        // The smallest GPU of any choice of n is at most the n-th largest.
        std::vector<uint64_t> sizes;
        for (const Device& device : state.devices) sizes.push_back(device.memory_mib);
        std::sort(sizes.rbegin(), sizes.rend());
        const uint64_t size = sizes[request.gpus - 1];
        if (partition_of(size, *request.fraction) == 0) {
            return refuse(RefusalKind::kNever, "the fraction comes to less than 1 MiB of a GPU with " +
                                                   std::to_string(size) + " MiB; ask for more with -p");
        }
    }
    return std::nullopt;
}

std::optional<Grant> whole(const std::vector<Spot>& sorted, uint32_t gpus) {
    Grant grant;
    for (const Spot& spot : sorted) {
        if (grant.parts.size() == gpus) break;
        if (spot.untouched() && spot.spare_mib == spot.free_mib)
            grant.parts.push_back({spot.device.ordinal, spot.device.memory_mib});
    }
    if (grant.parts.size() < gpus) return std::nullopt;
    return grant;
}

std::optional<Grant> partitioned(const std::vector<Spot>& sorted, const Request& request) {
    std::optional<Option> best;
    const auto consider = [&best](std::optional<Option> option) {
        if (option && (!best || option->cost() < best->cost())) best = std::move(option);
    };
    if (request.memory_mib) {
        consider(tightest(sorted, request.gpus, *request.memory_mib, 0));
    } else {
        // Which GPU is the smallest of the request decides the partition, so every size is tried as the
        // smallest.
        std::vector<uint64_t> sizes;
        for (const Spot& spot : sorted) {
            if (std::find(sizes.begin(), sizes.end(), spot.device.memory_mib) == sizes.end())
                sizes.push_back(spot.device.memory_mib);
        }
        for (const uint64_t size : sizes) {
            const uint64_t partition = partition_of(size, *request.fraction);
            if (partition > 0) consider(tightest(sorted, request.gpus, partition, size));
        }
    }
    if (!best) return std::nullopt;
    Grant grant;
    grant.partition_mib = best->partition_mib;
    for (const Spot& spot : best->chosen) grant.parts.push_back({spot.device.ordinal, best->partition_mib});
    return grant;
}

}  // namespace

std::optional<Refusal> malformed(const Request& request) {
    if (request.gpus == 0) return refuse(RefusalKind::kMalformed, "0 GPUs were asked; ask for at least 1");
    if (request.memory_mib && request.fraction) {
        return refuse(RefusalKind::kMalformed,
                      "a partition in MiB and a fraction were both asked; give one of them");
    }
    if (request.memory_mib && *request.memory_mib == 0)
        return refuse(RefusalKind::kMalformed, "a partition of 0 MiB was asked; ask for at least 1 MiB");
    if (request.fraction && !(*request.fraction > 0.0 && *request.fraction <= 1.0)) {
        return refuse(RefusalKind::kMalformed,
                      "a fraction outside (0.0, 1.0] was asked; ask for more than 0.0 and at most 1.0");
    }
    return std::nullopt;
}

std::string text_of(const Request& request) {
    const std::string gpus = plural(request.gpus, "GPU");
    if (request.memory_mib) return gpus + " with " + std::to_string(*request.memory_mib) + " MiB";
    if (request.fraction) {
        char text[32];
        snprintf(text, sizeof text, "%g", *request.fraction);
        return gpus + " with a fraction of " + text;
    }
    return request.gpus == 1 ? "1 whole GPU" : std::to_string(request.gpus) + " whole GPUs";
}

std::optional<Grant> fit(const std::vector<Spot>& spots, const Request& request) {
    std::vector<Spot> sorted;
    sorted.reserve(spots.size());
    for (const Spot& spot : spots) {
        if (spot.spare_mib > 0) sorted.push_back(spot);
    }
    if (sorted.size() < request.gpus) return std::nullopt;
    std::sort(sorted.begin(), sorted.end(), tighter);
    auto grant =
        request.memory_mib || request.fraction ? partitioned(sorted, request) : whole(sorted, request.gpus);
    if (!grant) return std::nullopt;
    std::sort(grant->parts.begin(), grant->parts.end(),
              [](const Part& a, const Part& b) { return a.ordinal < b.ordinal; });
    return grant;
}

uint64_t partition_of(uint64_t memory_mib, double fraction) {
    const double exact = static_cast<double>(memory_mib) * fraction;
    return std::min(memory_mib, static_cast<uint64_t>(std::floor(exact + 1e-6)));
}

uint64_t free_mib(const State& state, uint32_t ordinal) {
    uint64_t free = 0;
    for (const Device& device : state.devices) {
        if (device.ordinal == ordinal) free = device.memory_mib;
    }
    for (const Holding& holding : state.holdings) {
        if (holding.ordinal == ordinal) free -= std::min(free, holding.memory_mib);
    }
    return free;
}

Decision place(const State& state, const Request& request) {
    if (auto refusal = malformed(request)) return *refusal;
    if (auto refusal = impossible(state, request)) return *refusal;
    if (auto grant = fit(spots_of(state), request)) return *grant;
    return refuse(RefusalKind::kNotNow, "no room now for " + text_of(request) + ": free are " +
                                            free_text(state) +
                                            "; wait with --timeout, or ask for less with -n, -m or -p");
}

State with_grant(State state, const std::string& lease, const Grant& grant) {
    for (const Part& part : grant.parts) state.holdings.push_back({lease, part.ordinal, part.memory_mib});
    return state;
}

State without_lease(State state, const std::string& lease) {
    std::erase_if(state.holdings, [&lease](const Holding& holding) { return holding.lease == lease; });
    return state;
}

}  // namespace bitfusion::pool
