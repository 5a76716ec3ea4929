// Series: one measurement over time, in one file of kSeriesBytes (tiers.h).
//
// The file is a header and one ring a tier; a slot's place follows from its time, so nothing is ever moved
// and a write touches one slot of each tier. Slots carry their step: after a crash or a long pause, what is
// old is seen as old. A file that is not one of ours, is damaged or has another layout is refused by open().
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "history/tiers.h"

namespace bitfusion::history {

struct Point {
    int64_t time = 0;  // start of its step, seconds since 1970
    double mean = 0;
    double peak = 0;
};

struct Range {
    uint32_t step_s = 0;  // between points; a step without a measurement has no point
    std::vector<Point> points;
};

class Series {
  public:
    // Opens the file, or makes it with all its bytes reserved, so that a full disk is noticed here and not
    // later.
    static Result<Series> open(const std::filesystem::path& file, const std::string& name);
    Series(Series&&) noexcept;
    Series& operator=(Series&&) noexcept;
    ~Series();

    const std::string& name() const { return name_; }
    // When it was last recorded, to its finest step; 0 when it never was.
    int64_t latest() const { return int64_t{newest_[0].step} * kTiers[0].step_s; }

    // Adds a measurement taken at `time`. A time before the latest recorded one is refused (a clock set
    // back).
    Status record(int64_t time, double value);
    // What is known of [from, to] as seen at `now`, in the finest tier that reaches back to `from` and gives
    // at most `most_points` (at least 1); where none is coarse enough, neighbours are joined.
    Result<Range> range(int64_t from, int64_t to, int64_t now, size_t most_points) const;

  private:
    Series(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

    int descriptor_ = -1;
    std::string name_;
    std::array<Slot, kTiers.size()> newest_{};  // the slot that is being filled, of each tier
};

// Whether the bytes are a series of ours, complete and of the layout of this release; its name.
Result<std::string> series_name(const std::string& bytes);

}  // namespace bitfusion::history
