#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

#include "pool/placement.h"

namespace bitfusion::pool {
namespace {

State any_server() {
    State state;
    const auto count = *rc::gen::inRange<uint32_t>(1, 7);
    for (uint32_t i = 0; i < count; ++i)
        state.devices.push_back({i, *rc::gen::element<uint64_t>(10, 16, 16, 24, 40)});
    return state;
}

Request any_request() {
    Request request;
    request.gpus = *rc::gen::inRange<uint32_t>(0, 8);
    switch (*rc::gen::inRange(0, 3)) {
        case 0:
            request.memory_mib = *rc::gen::inRange<uint64_t>(0, 45);
            break;
        case 1:
            request.fraction = *rc::gen::inRange(0, 110) / 100.0;
            break;
        default:
            break;
    }
    return request;
}

// Whether any set of devices could serve the request, by trying them all.
bool possible(const State& state, const Request& request) {
    const size_t count = state.devices.size();
    for (uint32_t set = 0; set < (1U << count); ++set) {
        if (static_cast<uint32_t>(__builtin_popcount(set)) != request.gpus) continue;
        uint64_t smallest = UINT64_MAX;
        for (size_t i = 0; i < count; ++i) {
            if (set >> i & 1) smallest = std::min(smallest, state.devices[i].memory_mib);
        }
        uint64_t need = 0;
        if (request.memory_mib) need = *request.memory_mib;
        if (request.fraction) need = partition_of(smallest, *request.fraction);
        const bool whole = !request.memory_mib && !request.fraction;
        if (!whole && need == 0) continue;
        bool fits = true;
        for (size_t i = 0; i < count; ++i) {
            if ((set >> i & 1) == 0) continue;
            const uint64_t free = free_mib(state, state.devices[i].ordinal);
            fits = fits && free >= (whole ? state.devices[i].memory_mib : need);
        }
        if (fits) return true;
    }
    return false;
}

void check_grant(const State& state, const Request& request, const Grant& grant) {
    RC_ASSERT(grant.parts.size() == request.gpus);
    std::set<uint32_t> seen;
    uint64_t smallest = UINT64_MAX;
    for (const Part& part : grant.parts) {
        RC_ASSERT(seen.insert(part.ordinal).second);
        RC_ASSERT(part.memory_mib <= free_mib(state, part.ordinal));
        RC_ASSERT(part.memory_mib > 0U);
        smallest = std::min(smallest, state.devices.at(part.ordinal).memory_mib);
    }
    RC_ASSERT(std::is_sorted(grant.parts.begin(), grant.parts.end(),
                             [](const Part& a, const Part& b) { return a.ordinal < b.ordinal; }));
    if (request.memory_mib) RC_ASSERT(grant.partition_mib == *request.memory_mib);
    if (request.fraction) RC_ASSERT(grant.partition_mib == partition_of(smallest, *request.fraction));
    for (const Part& part : grant.parts) {
        const bool whole = grant.partition_mib == 0;
        RC_ASSERT(part.memory_mib ==
                  (whole ? state.devices.at(part.ordinal).memory_mib : grant.partition_mib));
    }
}

TEST(PlacementProperty, NeverGivesMemoryTwiceAndGrantsWheneverSomethingFits) {
    const bool held = rc::check([] {
        State state = any_server();
        std::vector<std::string> leases;
        const auto steps = *rc::gen::inRange(0, 20);
        for (int step = 0; step < steps; ++step) {
            if (!leases.empty() && *rc::gen::inRange(0, 3) == 0) {
                const auto at = *rc::gen::inRange<size_t>(0, leases.size());
                state = without_lease(state, leases[at]);
                leases.erase(leases.begin() + static_cast<std::ptrdiff_t>(at));
                continue;
            }
            const Request request = any_request();
            const Decision decision = place(state, request);
            if (const auto* grant = std::get_if<Grant>(&decision)) {
                check_grant(state, request, *grant);
                leases.push_back("lease " + std::to_string(step));
                state = with_grant(state, leases.back(), *grant);
            } else {
                const auto& refusal = std::get<Refusal>(decision);
                RC_ASSERT(!refusal.text.empty());
                if (refusal.kind != RefusalKind::kMalformed) RC_ASSERT(!possible(state, request));
                State empty = state;
                empty.holdings.clear();
                if (refusal.kind == RefusalKind::kNever) RC_ASSERT(!possible(empty, request));
                if (refusal.kind == RefusalKind::kNotNow) RC_ASSERT(possible(empty, request));
            }
            std::map<uint32_t, uint64_t> sums;
            for (const Holding& holding : state.holdings) sums[holding.ordinal] += holding.memory_mib;
            for (const auto& [ordinal, sum] : sums) RC_ASSERT(sum <= state.devices.at(ordinal).memory_mib);
        }
        for (const std::string& lease : leases) state = without_lease(state, lease);
        RC_ASSERT(state.holdings.empty());
    });
    EXPECT_TRUE(held);
}

TEST(PlacementProperty, IsDeterministicAndIndependentOfTheOrderOfDevices) {
    const bool held = rc::check([] {
        State state = any_server();
        for (const Device& device : state.devices) {
            const auto used = *rc::gen::inRange<uint64_t>(0, device.memory_mib + 1);
            if (used > 0) state.holdings.push_back({"old", device.ordinal, used});
        }
        const Request request = any_request();
        State turned = state;
        std::reverse(turned.devices.begin(), turned.devices.end());
        std::reverse(turned.holdings.begin(), turned.holdings.end());
        const Decision one = place(state, request);
        const Decision other = place(turned, request);
        RC_ASSERT(one.index() == other.index());
        if (const auto* grant = std::get_if<Grant>(&one)) {
            const auto& again = std::get<Grant>(other);
            RC_ASSERT(grant->partition_mib == again.partition_mib);
            RC_ASSERT(grant->parts.size() == again.parts.size());
            for (size_t i = 0; i < grant->parts.size(); ++i)
                RC_ASSERT(grant->parts[i].ordinal == again.parts[i].ordinal);
        }
    });
    EXPECT_TRUE(held);
}

}  // namespace
}  // namespace bitfusion::pool
