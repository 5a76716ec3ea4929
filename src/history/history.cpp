#include "history/history.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "base/log.h"

namespace bitfusion::history {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".series";

// The number in "17.series".
bool number_of(const fs::path& file, size_t* number) {
    const std::string stem = file.stem().string();
    const char* end = stem.data() + stem.size();
    const auto [at, error] = std::from_chars(stem.data(), end, *number);
    return file.extension() == kEnding && error == std::errc{} && at == end && *number < 1000000000;
}

Result<std::string> name_in(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string bytes(kSeriesBytes + 1, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<size_t>(in.gcount()));
    auto name = series_name(bytes);
    if (name && !proper_name(*name)) return fail("its name is not one");
    return name;
}

}  // namespace

bool proper_name(const std::string& name) {
    return !name.empty() && name.size() <= kMostNameBytes &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Result<History> History::open(const fs::path& folder, size_t most_series) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail("cannot keep history in " + folder.string() + ": " + error.message() +
                    "; choose another --state-dir");
    History history(folder, most_series);
    fs::directory_iterator entries(folder, error);
    if (error) return fail("cannot read " + folder.string() + ": " + error.message() + "; check its owner");
    for (const fs::directory_entry& entry : entries) {
        size_t number = 0;
        if (!number_of(entry.path(), &number)) continue;
        history.next_file_ = std::max(history.next_file_, number + 1);
        const auto name = name_in(entry.path());
        auto series = name ? Series::open(entry.path(), *name) : tl::unexpected(name.error());
        if (series && !history.series_.contains(*name)) {
            history.series_.emplace(*name, Kept{std::move(*series), entry.path()});
            continue;
        }
        BF_LOG("history", kWarn, "%s is set aside: %s", entry.path().c_str(),
               series ? "its series is there twice" : series.error().what.c_str());
        fs::rename(entry.path(), entry.path().string() + ".damaged", error);
        ++history.damaged_;
    }
    return history;
}

bool History::make_room(int64_t now) {
    constexpr int64_t kDay = 86400;
    const auto silent = std::min_element(series_.begin(), series_.end(), [](const auto& a, const auto& b) {
        return a.second.series.latest() < b.second.series.latest();
    });
    if (silent == series_.end() || now - silent->second.series.latest() < kDay) return false;
    std::error_code ignored;
    fs::remove(silent->second.file, ignored);
    series_.erase(silent);
    return true;
}

Status History::record(const std::string& name, int64_t time, double value) {
    auto found = series_.find(name);
    if (found == series_.end()) {
        if (!proper_name(name)) return fail("'" + name + "' cannot be the name of a series");
        if (series_.size() >= most_series_ && !make_room(time))
            return fail("the history is full with " + std::to_string(most_series_) +
                        " series; raise --history-series");
        const fs::path file = folder_ / (std::to_string(next_file_) + kEnding);
        auto series = Series::open(file, name);
        if (!series) return tl::unexpected(series.error());
        ++next_file_;
        found = series_.emplace(name, Kept{std::move(*series), file}).first;
    }
    return found->second.series.record(time, value);
}

Result<Range> History::range(const std::string& name, int64_t from, int64_t to, int64_t now,
                             size_t most_points) const {
    const auto found = series_.find(name);
    if (found == series_.end()) return fail("no series has this name; list them with GET /v1/history", 404);
    return found->second.series.range(from, to, now, most_points);
}

std::vector<std::string> History::names(const std::string& prefix) const {
    std::vector<std::string> names;
    for (auto at = series_.lower_bound(prefix); at != series_.end() && at->first.starts_with(prefix); ++at)
        names.push_back(at->first);
    return names;
}

}  // namespace bitfusion::history
