// Traffic: what travelled over data connections, as the workers of a lease count it (worker/traffic.h) and as
// the daemon adds it up over leases that are over. Their word: for metrics only. The daemon's thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bitfusion::daemon {

// Where the three counters lie in a lease's accounting memory, as 64-bit numbers.
constexpr int64_t kTrafficOffset = 3072;

struct Traffic {
    uint64_t received_bytes = 0;
    uint64_t sent_bytes = 0;
    uint64_t round_trips = 0;

    Traffic& operator+=(const Traffic& other) {
        received_bytes += other.received_bytes;
        sent_bytes += other.sent_bytes;
        round_trips += other.round_trips;
        return *this;
    }
};

// Reads them from the descriptor of the accounting memory; zeros when it cannot be read.
Traffic read_traffic(int accounting);

// How long programs wait from their connection until a worker is theirs.
class AttachTimes {
  public:
    static constexpr std::array<double, 10> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};

    void add(double seconds) {
        for (size_t i = 0; i < kBounds.size(); ++i) within_[i] += seconds <= kBounds[i] ? 1 : 0;
        ++count_;
        sum_ += seconds;
    }
    uint64_t within(size_t bound) const { return within_[bound]; }  // at most kBounds[bound]
    uint64_t count() const { return count_; }
    double sum() const { return sum_; }

  private:
    std::array<uint64_t, kBounds.size()> within_{};
    uint64_t count_ = 0;
    double sum_ = 0;
};

}  // namespace bitfusion::daemon
