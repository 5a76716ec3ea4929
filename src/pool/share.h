// Share: an amount of GPUs that may be less than one, as quotas count it: 3.5 is 2 whole GPUs and 3 halves.
//
// Kept as whole millionths of a GPU, so that adding and taking away a thousand times gives exactly zero and
// two machines always agree. A value type; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace bitfusion::pool {

struct Share {
    int64_t millionths = 0;

    static constexpr int64_t kWhole = 1'000'000;
    static constexpr Share whole(int64_t gpus) { return {gpus * kWhole}; }
    // `part` of `all`, rounded up: whoever holds a sliver of a GPU holds more than nothing of it.
    static Share of(uint64_t part, uint64_t all);
    // Rounded to the nearest millionth. Not a number, negative or above a million GPUs: 0 or the most.
    static Share from(double gpus);

    double gpus() const { return static_cast<double>(millionths) / kWhole; }

    friend constexpr auto operator<=>(const Share&, const Share&) = default;
    friend constexpr Share operator+(Share a, Share b) { return {a.millionths + b.millionths}; }
    friend constexpr Share operator-(Share a, Share b) { return {a.millionths - b.millionths}; }
    Share& operator+=(Share other) { return *this = *this + other; }
    Share& operator-=(Share other) { return *this = *this - other; }
};

// "3.5", "0.333", "64": as few digits as say it.
std::string text_of(Share share);

}  // namespace bitfusion::pool
