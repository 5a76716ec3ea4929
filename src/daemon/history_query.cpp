#include "daemon/history_query.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "daemon/dispatcher.h"
#include "daemon/observer.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr int64_t kFarthest = int64_t{400} * 86400;
constexpr std::array<uint32_t, 12> kSteps = {10, 20, 30, 60, 120, 300, 600, 1800, 3600, 10800, 43200, 86400};
constexpr uint32_t kLeastRate = 60;         // two scrapes, for most
constexpr uint32_t kLeastMembership = 300;  // how long a sample counts as the present
constexpr const char* kOfLabel = "bitfusion_of";
constexpr size_t kDeepest = 8;
constexpr size_t kMostSubjects = 4096;
constexpr size_t kOtherQueryBytes = 2048;  // without its subjects, at most
constexpr size_t kTimesNamed = 4;          // each subject in a query
constexpr const char* kNoAnswer =
    "answers as no Prometheus-compatible server does; check the address of --prometheus";

// A text literal of PromQL.
std::string literal(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

// What matches the subject's name before name_part() made it fit (RE2).
std::string pattern_of(const std::string& subject) {
    std::string out;
    for (const char c : subject) {
        if (c == '_') {
            out += "[_ /]";
        } else if (c == '?') {
            out += '.';
        } else if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            out += c;
        } else {
            out += std::string("\\") + c;
        }
    }
    // name_part() cuts longer ones.
    return subject.size() >= 64 ? out + ".*" : out;
}

std::string selector(const Measurement& measurement, const std::vector<std::string>& subjects) {
    std::string out = measurement.metric;
    if (subjects.empty() || measurement.label == nullptr) return out;
    std::string patterns;
    for (const std::string& subject : subjects)
        patterns += (patterns.empty() ? "" : "|") + pattern_of(subject);
    return out + "{" + measurement.label + "=~" + literal(patterns) + "}";
}

std::string window(uint32_t seconds) { return "[" + std::to_string(seconds) + "s]"; }

std::string members(const Measurement& measurement, const HistoryPlace& place, uint32_t step_s) {
    const bool all = measurement.of == Measurement::Of::kPool;
    return " and on (job, instance) last_over_time(bitfusion_build_info{" +
           std::string(all ? "pool=" : "server=") + literal(all ? place.pool : place.server) + "}" +
           window(std::max(step_s, kLeastMembership)) + ")";
}

std::string joined(const Measurement& measurement, const std::string& values) {
    // Of a client each server has its part; everything else is told once.
    const bool parts = measurement.of == Measurement::Of::kPool && measurement.label != nullptr;
    const std::string by = measurement.label == nullptr ? "" : " by (" + std::string(measurement.label) + ")";
    return (parts ? "sum" : "max") + by + " (" + values + ")";
}

std::string marked(const std::string& values, const char* of) {
    return "label_replace(" + values + ", \"" + kOfLabel + "\", \"" + of + "\", \"\", \"\")";
}

// What nests deeper than any answer of ours is not given to the parser: each level would cost memory.
bool shallow(const std::string& text) {
    size_t depth = 0;
    bool within = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (within) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                within = false;
        } else if (c == '"') {
            within = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kDeepest) return false;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return true;
}

json document_of(const std::string& body) {
    if (body.size() > kMostSourceBytes || !shallow(body)) return json(json::value_t::discarded);
    return json::parse(body, nullptr, false);
}

// The rows of "data.result"; null where the answer has another form.
const json* rows_of(const json& root, const char* type) {
    if (!root.is_object() || root.value("status", json()) != "success") return nullptr;
    const auto data = root.find("data");
    if (data == root.end() || !data->is_object() || data->value("resultType", json()) != type) return nullptr;
    const auto rows = data->find("result");
    return rows == data->end() || !rows->is_array() ? nullptr : &*rows;
}

std::optional<std::string> label_of(const json& row, const std::string& label) {
    const auto metric = row.is_object() ? row.find("metric") : row.end();
    if (!row.is_object() || metric == row.end() || !metric->is_object()) return std::nullopt;
    const auto found = metric->find(label);
    if (found == metric->end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
}

// [time, "value"]; a value that is no number (NaN, +Inf) leaves the step empty, as an absent one does.
struct Sample {
    int64_t time = 0;
    std::optional<double> value;
};
std::optional<Sample> sample_from(const json& pair) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_string())
        return std::nullopt;
    const auto time = pair[0].get<double>();
    if (!std::isfinite(time) || std::fabs(time) > 1e12) return std::nullopt;
    const auto& text = pair[1].get_ref<const std::string&>();
    double value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || at != text.data() + text.size()) return std::nullopt;
    Sample sample{std::llround(time), std::nullopt};
    if (std::isfinite(value)) sample.value = value;
    return sample;
}

}  // namespace

const std::vector<Measurement>& measurements() {
    using Of = Measurement::Of;
    static const std::vector<Measurement> all = {
        {"gpu/", "/memory_mib", "DCGM_FI_DEV_FB_TOTAL", "UUID", Of::kServer, false},
        {"gpu/", "/allocated_mib", "bitfusion_gpu_allocated_mebibytes", "uuid", Of::kServer, false},
        {"gpu/", "/partitions", "bitfusion_gpu_partitions", "uuid", Of::kServer, false},
        {"gpu/", "/memory_used_mib", "DCGM_FI_DEV_FB_USED", "UUID", Of::kServer, false},
        {"gpu/", "/utilization_percent", "DCGM_FI_DEV_GPU_UTIL", "UUID", Of::kServer, false},
        {"gpu/", "/temperature_c", "DCGM_FI_DEV_GPU_TEMP", "UUID", Of::kServer, false},
        {"gpu/", "/power_w", "DCGM_FI_DEV_POWER_USAGE", "UUID", Of::kServer, false},
        {"gpu/", "/ecc_errors", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "UUID", Of::kServer, false},
        {"", "server/gpus", "bitfusion_gpus", nullptr, Of::kServer, false},
        {"", "server/gpus_allocated", "bitfusion_gpus_allocated", nullptr, Of::kServer, false},
        {"", "server/leases", "bitfusion_leases", nullptr, Of::kServer, false},
        {"", "server/sessions", "bitfusion_sessions", nullptr, Of::kServer, false},
        {"", "server/waiting", "bitfusion_queue_length", nullptr, Of::kServer, false},
        {"", "pool/gpus", "bitfusion_pool_gpus", nullptr, Of::kPool, false},
        {"", "pool/gpus_allocated", "bitfusion_pool_gpus_allocated", nullptr, Of::kPool, false},
        {"", "pool/waiting", "bitfusion_pool_queue_length", nullptr, Of::kPool, false},
        {"net/", "/rx_bytes_per_second", "bitfusion_interface_received_bytes_total", "interface", Of::kServer,
         true},
        {"net/", "/tx_bytes_per_second", "bitfusion_interface_sent_bytes_total", "interface", Of::kServer,
         true},
        {"client/", "/gpus_allocated", "bitfusion_client_gpus_allocated", "client", Of::kPool, false},
    };
    return all;
}

std::optional<NamedSeries> named_series(const std::string& name) {
    for (const Measurement& measurement : measurements()) {
        const std::string head = measurement.head;
        const std::string tail = measurement.tail;
        if (measurement.label == nullptr) {
            if (name == tail) return NamedSeries{&measurement, ""};
            continue;
        }
        if (name.size() <= head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
            continue;
        const std::string subject = name.substr(head.size(), name.size() - head.size() - tail.size());
        // Only what name_part() can have written: nothing else may reach a query.
        if (subject == name_part(subject)) return NamedSeries{&measurement, subject};
    }
    return std::nullopt;
}

std::string series_of(const Measurement& measurement, const std::string& subject) {
    return measurement.head + subject + measurement.tail;
}

Steps steps_between(int64_t from, int64_t to, int64_t now, size_t most) {
    to = std::min(to, now);
    from = std::max(from, now - kFarthest);
    if (from > to) return {1, 0, kSteps.front()};
    const int64_t span = to - from;
    const auto fits = [&](int64_t step) { return span / step + 2 <= static_cast<int64_t>(most); };
    int64_t step = 0;
    for (const uint32_t one : kSteps) {
        if (step == 0 && fits(one)) step = one;
    }
    // Fewer steps than two, or more than a day each: one or a few of the whole.
    if (step == 0)
        step = std::max<int64_t>(span / std::max<int64_t>(1, static_cast<int64_t>(most) - 1), 0) + 1;
    if (most == 1) return {to, to, static_cast<uint32_t>(std::max<int64_t>(span, 10))};
    return {from / step * step + step, to / step * step + step, static_cast<uint32_t>(step)};
}

std::vector<std::vector<std::string>> grouped(const std::vector<std::string>& subjects) {
    std::vector<std::vector<std::string>> groups;
    size_t bytes = 0;
    for (const std::string& subject : subjects) {
        const size_t more = kTimesNamed * (literal(pattern_of(subject)).size() + 1);
        if (groups.empty() || bytes + more > kMostQueryBytes) {
            groups.emplace_back();
            bytes = kOtherQueryBytes;
        }
        groups.back().push_back(subject);
        bytes += more;
    }
    return groups;
}

std::string range_query(const Measurement& measurement, const std::vector<std::string>& subjects,
                        const HistoryPlace& place, uint32_t step_s) {
    const std::string chosen = selector(measurement, subjects);
    const std::string of = members(measurement, place, step_s);
    if (measurement.counter) {
        const std::string rate = "(rate(" + chosen + window(std::max(step_s, kLeastRate)) + ") or rate(" +
                                 chosen + window(kLeastMembership) + "))";
        return joined(measurement, rate + of);
    }
    // Where the server scrapes more seldom than the chart steps, its latest sample stands for a step.
    const auto over = [&](const char* function) {
        return joined(measurement, "(" + std::string(function) + "(" + chosen + window(step_s) + ") or " +
                                       chosen + ")" + of);
    };
    return marked(over("avg_over_time"), "mean") + " or " + marked(over("max_over_time"), "peak");
}

std::string subjects_query(const Measurement& measurement, const HistoryPlace& place) {
    return joined(measurement, "last_over_time(" + std::string(measurement.metric) + "[1d])" +
                                   members(measurement, place, 86400));
}

Result<std::map<std::string, history::Range>> ranges_from(const std::string& body,
                                                          const Measurement& measurement,
                                                          const Steps& steps) {
    const json root = document_of(body);
    const json* const rows = rows_of(root, "matrix");
    if (rows == nullptr) return fail(kNoAnswer);
    std::map<std::string, std::map<int64_t, history::Point>> found;
    for (const json& row : *rows) {
        std::string subject;
        if (measurement.label != nullptr) {
            const auto label = label_of(row, measurement.label);
            if (!label) return fail(kNoAnswer);
            subject = name_part(*label);
        }
        const bool peak = label_of(row, kOfLabel).value_or("mean") == "peak";
        const auto values = row.find("values");
        if (values == row.end() || !values->is_array()) return fail(kNoAnswer);
        for (const json& pair : *values) {
            const auto sample = sample_from(pair);
            if (!sample || sample->time < steps.first || sample->time > steps.asked_last() ||
                (sample->time - steps.first) % steps.step_s != 0)
                return fail(kNoAnswer);
            if (!sample->value || sample->time > steps.last) continue;
            if (found.size() >= kMostSubjects && !found.contains(subject)) return fail(kNoAnswer);
            const int64_t begin = sample->time - steps.step_s;
            auto [point, fresh] =
                found[subject].try_emplace(begin, history::Point{begin, *sample->value, *sample->value});
            if (fresh) continue;
            (peak ? point->second.peak : point->second.mean) = *sample->value;
        }
    }
    std::map<std::string, history::Range> ranges;
    for (const auto& [subject, points] : found) {
        history::Range& range = ranges[subject];
        range.step_s = steps.step_s;
        for (const auto& [time, point] : points) range.points.push_back(point);
    }
    return ranges;
}

Result<std::vector<std::string>> subjects_from(const std::string& body, const Measurement& measurement) {
    const json root = document_of(body);
    const json* const rows = rows_of(root, "vector");
    if (rows == nullptr) return fail(kNoAnswer);
    std::vector<std::string> subjects;
    for (const json& row : *rows) {
        const auto label = measurement.label == nullptr ? "" : label_of(row, measurement.label);
        if (!label || subjects.size() >= kMostSubjects) return fail(kNoAnswer);
        subjects.push_back(measurement.label == nullptr ? "" : name_part(*label));
    }
    return subjects;
}

std::string refusal_in(const std::string& body) {
    const json root = document_of(body);
    const auto found = root.is_object() ? root.find("error") : root.end();
    if (!root.is_object() || found == root.end() || !found->is_string()) return "";
    return harmless(found->get<std::string>(), 200);
}

}  // namespace bitfusion::daemon
