// GET /v1/history: from the store of this server, or from the Prometheus-compatible server that is
// configured.
#include <algorithm>
#include <charconv>
#include <ctime>

#include "daemon/history_source.h"
#include "daemon/look_routes.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr size_t kMostPoints = 5000;
constexpr size_t kFewPoints = 500;
constexpr size_t kMostSeriesAsked = 64;
constexpr const char* kNoSeries = "no series has this name; list them with GET /v1/history";

// A whole number, or nothing.
std::optional<int64_t> whole(const std::string& text) {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || at != end || value < 0) return std::nullopt;
    return value;
}

// The value of a whole number in the query; `fallback` when it is not given, nothing when it is not proper.
std::optional<int64_t> number_of(const std::string& query, const std::string& key, int64_t fallback) {
    if (query.find(key + "=") == std::string::npos) return fallback;
    const auto text = query_value(query, key);
    return text ? whole(*text) : std::nullopt;
}

Reply object_reply(json body) {
    Reply reply;
    reply.body = std::move(body);
    return reply;
}

// What is asked, checked.
struct Span {
    std::vector<std::string> series;
    int64_t from = 0;
    int64_t to = 0;
    size_t points = 0;
};

Result<Span> span_of(const std::string& query, std::vector<std::string> series, int64_t now) {
    const auto to = number_of(query, "to", now);
    const auto from = number_of(query, "from", to ? std::max<int64_t>(0, *to - 300) : 0);
    const auto points = number_of(query, "points", kFewPoints);
    if (!to || !from || !points || *points < 1 || *points > static_cast<int64_t>(kMostPoints) || *from > *to)
        return fail("from and to are seconds since 1970 with from <= to, points is from 1 to 5000", 400);
    if (series.size() > kMostSeriesAsked || (series.size() > 1 && *points > static_cast<int64_t>(kFewPoints)))
        return fail("at most 64 series at once, and at most 500 points of each when there are several", 400);
    return Span{std::move(series), *from, *to, static_cast<size_t>(*points)};
}

json range_json(const history::Range& range) {
    json rows = json::array();
    for (const history::Point& point : range.points) rows.push_back({point.time, point.mean, point.peak});
    return {{"step_s", range.step_s}, {"points", std::move(rows)}};
}

// One is answered by itself, several together.
Reply ranges_reply(const Span& span, const std::map<std::string, history::Range>& found) {
    if (span.series.size() == 1) {
        const auto range = found.find(span.series.front());
        if (range == found.end()) return error_reply(404, kNoSeries);
        json body = range_json(range->second);
        body["series"] = span.series.front();
        return object_reply(std::move(body));
    }
    json ranges = json::object();
    for (const auto& [name, range] : found) ranges[name] = range_json(range);
    return object_reply({{"range", std::move(ranges)}});
}

}  // namespace

Reply LookApi::kept_history(const std::string& query) const {
    const history::History* kept = observer_.history();
    if (kept == nullptr) return error_reply(409, "no history is kept: " + observer_.history_error());
    auto series = query_values(query, "series");
    if (series.empty()) {
        return object_reply({{"series", kept->names(query_value(query, "prefix").value_or(""))},
                             {"bytes", kept->bytes()},
                             {"bytes_per_gpu", history::kBytesOfAGpu}});
    }
    const int64_t now = time(nullptr);
    const auto span = span_of(query, std::move(series), now);
    if (!span) return error_reply(span.error());
    std::map<std::string, history::Range> found;
    for (const std::string& name : span->series) {
        auto range = kept->range(name, span->from, span->to, now, span->points);
        if (range)
            found[name] = std::move(*range);
        else if (range.error().code != 404)
            return error_reply(500, range.error().what);
    }
    return ranges_reply(*span, found);
}

Task<Reply> LookApi::history(std::string query) {
    if (place_.source == nullptr) co_return kept_history(query);
    auto series = query_values(query, "series");
    if (series.empty()) {
        const auto names = co_await place_.source->names(query_value(query, "prefix").value_or(""));
        if (!names) co_return error_reply(names.error());
        const history::History* kept = observer_.history();
        co_return object_reply({{"series", *names},
                                {"bytes", kept == nullptr ? 0 : kept->bytes()},
                                {"bytes_per_gpu", history::kBytesOfAGpu},
                                {"source", place_.source->url()}});
    }
    const auto span = span_of(query, std::move(series), time(nullptr));
    if (!span) co_return error_reply(span.error());
    const auto found = co_await place_.source->ranges(span->series, span->from, span->to, span->points);
    co_return found ? ranges_reply(*span, *found) : error_reply(found.error());
}

json LookApi::history_costs() const {
    const history::History* kept = observer_.history();
    return {{"error", kept == nullptr ? observer_.history_error() : ""},
            {"series", kept == nullptr ? 0 : kept->names().size()},
            {"most_series", settings_.history_series},
            {"bytes", kept == nullptr ? 0 : kept->bytes()},
            {"bytes_per_gpu", history::kBytesOfAGpu},
            {"source", place_.source == nullptr ? json() : json(place_.source->url())}};
}

}  // namespace bitfusion::daemon
