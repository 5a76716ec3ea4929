// Tiers: how finely the past is kept. Each tier is a ring of slots of one step; a slot holds what was
// recorded during its step. Coarser tiers reach further back, so the whole of a series has one fixed size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bitfusion::history {

struct Tier {
    uint32_t step_s;
    uint32_t slots;

    constexpr uint64_t reach_s() const { return uint64_t{step_s} * slots; }
};

// 6 hours as they were measured, 2 days by the minute, 7 days by five minutes, 30 days by half hours.
constexpr std::array<Tier, 4> kTiers = {{{10, 2160}, {60, 2880}, {300, 2016}, {1800, 1440}}};

// What the disk holds of one step.
struct Slot {
    uint32_t step;   // number of the step since 1970; a slot of another step is old and counts as empty
    uint32_t count;  // measurements in it; 0 is an empty slot
    float mean;
    float peak;
};
static_assert(sizeof(Slot) == 16);

constexpr size_t kHeaderBytes = 512;
constexpr size_t kMostNameBytes = 200;

constexpr size_t slots_of_a_series() {
    size_t slots = 0;
    for (const Tier& tier : kTiers) slots += tier.slots;
    return slots;
}

// The size of a series on the disk: 136448 bytes, whatever is recorded and for however long.
constexpr size_t kSeriesBytes = kHeaderBytes + slots_of_a_series() * sizeof(Slot);
static_assert(kSeriesBytes == 136448);

}  // namespace bitfusion::history
