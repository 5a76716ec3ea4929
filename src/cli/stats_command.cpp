#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

double number_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::string count(const json& object, const char* key) {
    return std::to_string(static_cast<int64_t>(number_of(object, key)));
}

std::string decimal(double value, const char* format) {
    char text[48];
    snprintf(text, sizeof text, format, value);
    return text;
}

// "1.5 MB": powers of 1000, as networks are measured.
std::string bytes_text(double bytes) {
    const char* const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    for (; bytes >= 1000 && unit < 5; ++unit) bytes /= 1000;
    return decimal(bytes, unit == 0 ? "%.0f " : "%.1f ") + units[unit];
}

std::string gpu_line(const json& gpu) {
    const auto busy = gpu.find("utilization_percent");
    const auto name = gpu.find("name");
    return "   |- GPU " + count(gpu, "ordinal") + ": " + count(gpu, "allocated_mib") + " / " +
           count(gpu, "memory_mib") + " MiB allocated in " + count(gpu, "partitions") + " partitions, " +
           (busy != gpu.end() && busy->is_number() ? count(gpu, "utilization_percent") + "%" : "N/A") +
           " busy, " + (name != gpu.end() && name->is_string() ? one_line(name->get<std::string>()) : "?") +
           "\n";
}

}  // namespace

std::string stats_text(const json& document) {
    std::string text;
    size_t number = 0;
    for (const json& server : document.value("servers", json::array())) {
        text += " - server " + std::to_string(number++) + " [" + server.value("address", "") + "]: ";
        if (!server.contains("stats")) {
            text += "no answer\n";
            continue;
        }
        const json& stats = server["stats"];
        const double attached = number_of(stats, "attached");
        const double mean_ms = attached > 0 ? number_of(stats, "attach_seconds") * 1000 / attached : 0;
        text += decimal(number_of(stats, "gpus_allocated"), "%.2f") + " GPUs allocated, " +
                count(stats, "leases") + " leases, " + count(stats, "sessions") +
                " sessions\n   |- received " + bytes_text(number_of(stats, "received_bytes")) + ", sent " +
                bytes_text(number_of(stats, "sent_bytes")) + ", round trips " + count(stats, "round_trips") +
                ", attached " + count(stats, "attached") + " programs in " + decimal(mean_ms, "%.0f") +
                " ms each\n";
        for (const json& gpu : stats.value("gpus", json::array())) {
            if (gpu.is_object()) text += gpu_line(gpu);
        }
    }
    return text;
}

int stats_command(const StatsOptions& options) {
    const auto endpoints = find_servers(options.servers);
    if (!endpoints) {
        say_error(endpoints.error().what);
        return kFailure;
    }
    json rows = json::array();
    bool complete = true;
    for (const Endpoint& endpoint : *endpoints) {
        json row = {{"address", endpoint.text()}};
        const auto answer = ask(endpoint, Method::kGet, "/v1/stats");
        if (answer && answer->status == 200) {
            row["stats"] = answer->body;
        } else {
            const Error why = answer ? not_a_manager(endpoint, refusal_text(*answer)) : answer.error();
            say_error(why.what);
            row["error"] = why.what;
            complete = false;
        }
        rows.push_back(std::move(row));
    }
    const json document = {{"schema", kListingSchema}, {"servers", std::move(rows)}};
    const int printed =
        print(options.json ? document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                           : stats_text(document));
    return complete ? printed : kFailure;
}

}  // namespace bitfusion::cli
