// History: the measurements of a server over 30 days, one file a series (series.h), in one folder.
//
// Bounded: at most `most_series`, each of kSeriesBytes; a new one takes the place of one that nothing was
// recorded of for a day (a client that went away) when there is no other. Names are "room/thing/measurement",
// for example "gpu/GPU-6e9d.../memory_used_mib": printable ASCII without blanks. Files are named by number;
// the name is in the file. A file that is damaged is renamed to *.damaged and its series begins anew;
// damaged() counts them, and the health check cass_buckets shows it. One thread, one process a folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "history/series.h"

namespace bitfusion::history {

constexpr size_t kGpuSeries = 8;  // recorded of each GPU
constexpr size_t kBytesOfAGpu = kGpuSeries * kSeriesBytes;
static_assert(kBytesOfAGpu < 1100000, "README states 1.1 MB per GPU");

class History {
  public:
    static Result<History> open(const std::filesystem::path& folder, size_t most_series);

    // Makes the series at its first measurement. Refused when there are most_series that are all in use.
    Status record(const std::string& name, int64_t time, double value);
    Result<Range> range(const std::string& name, int64_t from, int64_t to, int64_t now,
                        size_t most_points) const;
    // Sorted; those that begin with `prefix`.
    std::vector<std::string> names(const std::string& prefix = "") const;

    const std::filesystem::path& folder() const { return folder_; }
    uint64_t bytes() const { return series_.size() * kSeriesBytes; }
    size_t damaged() const { return damaged_; }

  private:
    History(std::filesystem::path folder, size_t most_series)
        : folder_(std::move(folder)), most_series_(most_series) {}

    // Deletes the series that has been silent longest, if that is a day.
    bool make_room(int64_t now);

    std::filesystem::path folder_;
    size_t most_series_;
    size_t next_file_ = 0;
    size_t damaged_ = 0;
    struct Kept {
        Series series;
        std::filesystem::path file;
    };
    std::map<std::string, Kept> series_;
};

bool proper_name(const std::string& name);

}  // namespace bitfusion::history
