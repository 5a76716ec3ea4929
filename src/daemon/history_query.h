// HistoryQuery: our series as a Prometheus-compatible server knows them. What is asked for one, in PromQL,
// and what its answers mean; pure, and every answer is hostile.
//
// Sources: Prometheus 2.42, "HTTP API" (query_range, matrix results) and "Querying"; VictoriaMetrics 1.79,
// "Prometheus querying API usage" and its flags -search.latencyOffset and -search.maxQueryLen. That server
// scrapes /metrics of ours. A server of ours is told from others by the labels `server` and `pool` of its
// bitfusion_build_info, joined by `job` and `instance`, which the scraping server sets itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "history/series.h"

namespace bitfusion::daemon {

// Who asks: only what was scraped from it, or of its pool, is told.
struct HistoryPlace {
    std::string server;
    std::string pool;
};

// One measurement of each GPU, interface, client, or of the whole.
struct Measurement {
    enum class Of { kServer, kPool };
    const char* head;    // "gpu/": what stands before the subject
    const char* tail;    // "/memory_mib": what stands after it; the whole name where there is no subject
    const char* metric;  // "DCGM_FI_DEV_FB_TOTAL"
    const char* label;   // which names the subject; null: there is none
    Of of;               // whose: kPool joins all servers of the pool
    bool counter;        // grows: its rate is asked for
};
const std::vector<Measurement>& measurements();

// "gpu/GPU-1/power_w" -> its measurement and "GPU-1"; nothing for what is measured nowhere.
struct NamedSeries {
    const Measurement* measurement;
    std::string subject;
};
std::optional<NamedSeries> named_series(const std::string& name);
std::string series_of(const Measurement& measurement, const std::string& subject);

// Steps of a chart: [first, last] by step_s; each is told at its end.
struct Steps {
    int64_t first = 0;
    int64_t last = 0;
    uint32_t step_s = 0;
    // Until when is asked. VictoriaMetrics lets the newest 30 s look like the step before them, as they may
    // be incomplete, unless a query goes farther than the next step; what lies beyond `last` is dropped.
    int64_t asked_last() const { return last + 2 * int64_t{step_s}; }
};
// At most `most` steps that cover [from, to]; times after `now` and more than 400 days before it are left
// out, and `first` is after `last` where nothing remains.
Steps steps_between(int64_t from, int64_t to, int64_t now, size_t most);

// The subjects in groups of which each makes a range_query() that every server takes.
std::vector<std::vector<std::string>> grouped(const std::vector<std::string>& subjects);
// PromQL for mean and peak of each step, of these subjects (none: of all).
std::string range_query(const Measurement& measurement, const std::vector<std::string>& subjects,
                        const HistoryPlace& place, uint32_t step_s);
// PromQL for the subjects that were measured during the last day.
std::string subjects_query(const Measurement& measurement, const HistoryPlace& place);

// The answer to a range query: by subject as name_part() writes it. Fails in words about the server that
// answered, without its name.
Result<std::map<std::string, history::Range>> ranges_from(const std::string& body,
                                                          const Measurement& measurement, const Steps& steps);
// The answer to a subjects query.
Result<std::vector<std::string>> subjects_from(const std::string& body, const Measurement& measurement);
// What an answer says is wrong: the server's own words, made harmless; empty where there are none.
std::string refusal_in(const std::string& body);

constexpr size_t kMostSourceBytes = size_t{4} << 20;  // of an answer
// Of a query of grouped() subjects; VictoriaMetrics takes no more than 16 KiB.
constexpr size_t kMostQueryBytes = size_t{12} << 10;

}  // namespace bitfusion::daemon
