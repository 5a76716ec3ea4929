#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "cli/tool.h"
#include "health/node.h"
#include "health/report.h"

namespace bitfusion::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What this node saw of lost packets at the last look. A home that cannot be written is no trouble: every
// look is a first one then.
fs::path losses_file() {
    const char* home = getenv("HOME");
    return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".bitfusion" / "health.json";
}

std::map<std::string, uint64_t> read_losses() {
    std::map<std::string, uint64_t> losses;
    std::ifstream in(losses_file());
    const json root = in ? json::parse(in, nullptr, false) : json();
    if (!root.is_object()) return losses;
    for (const auto& [interface, count] : root.items()) {
        if (count.is_number_unsigned()) losses[interface] = count.get<uint64_t>();
    }
    return losses;
}

void write_losses(const std::map<std::string, uint64_t>& losses) {
    const fs::path file = losses_file();
    if (file.empty()) return;
    std::error_code ignored;
    fs::create_directory(file.parent_path(), ignored);
    std::ofstream(file, std::ios::trunc) << json(losses).dump() << "\n";
}

health::Remote remote_of(const Endpoint& server, const json& document) {
    health::Remote remote{server.text(), {}};
    const auto list = document.find("interfaces");
    if (list == document.end() || !list->is_array()) return remote;
    for (const json& object : *list) {
        if (!object.is_object() || !object.contains("ip") || !object["ip"].is_string()) continue;
        const auto prefix = object.find("prefix");
        const bool told =
            prefix != object.end() && prefix->is_number_unsigned() && prefix->get<uint64_t>() <= 128;
        health::Address address{"", object["ip"].get<std::string>(), 0};
        address.prefix = told ? prefix->get<unsigned>() : address.v6() ? 128 : 32;
        if (health::proper(address)) remote.addresses.push_back(std::move(address));
    }
    return remote;
}

bool looks_like_a_server() {
    const health::Files files;
    return files.exists("/dev/nvidiactl") || files.exists("/etc/bitfusion/bitfusion-manager.yaml");
}

// The manager of this machine, if it runs: it alone knows its store.
Result<json> own_manager(const Endpoint& endpoint) {
    auto answer = ask(endpoint, Method::kGet, "/v1/health?fresh=true");
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return fail(refusal_text(*answer));
    return answer->body;
}

}  // namespace

json node_report(const HealthOptions& options, const std::string& root) {
    const auto servers = find_servers(options.servers);
    const bool server = options.server || (!options.client && options.local && looks_like_a_server());
    health::Node node;
    node.side = server ? health::Side::kServer : health::Side::kClient;
    health::observe(&node);
    node.installation = root;
    const char* home = getenv("HOME");
    node.data_folder = server || home == nullptr || access(home, F_OK) != 0 ? "/tmp" : home;
    node.earlier_losses = read_losses();
    if (server) {
        const Endpoint own = servers && !servers->empty() ? servers->front() : Endpoint{"127.0.0.1"};
        auto report = own_manager(own);
        if (report && !health::table(*report).empty()) return *report;
        const std::string why = report ? "it does not answer like a manager" : report.error().what;
        node.controllers = {{own.text(), why}};
        node.store.error = "the manager of this server does not run: " + why;
        node.store.history_error = node.store.error;
        const auto inventory = output_of({root + "/lib/bitfusion/bitfusion-worker", "--inventory"}, 1 << 20,
                                         std::chrono::seconds(60));
        node.gpus = inventory ? health::gpus_of(json::parse(*inventory, nullptr, false)) : health::Gpus{};
        if (!inventory) node.gpus.error = inventory.error().what + "; check the installation";
    } else if (servers) {
        for (const Endpoint& endpoint : *servers) {
            const auto answer = ask(endpoint, Method::kGet, "/v1/interfaces");
            const std::string error = !answer                 ? answer.error().what
                                      : answer->status != 200 ? refusal_text(*answer)
                                                              : "";
            node.controllers.push_back({endpoint.text(), error});
            if (error.empty()) node.remotes.push_back(remote_of(endpoint, answer->body));
        }
    }
    const auto results = health::run_checks(node, {});
    write_losses(health::losses(node.files));
    return health::to_json(results);
}

namespace {

std::string status_of(const json& report) {
    const auto status = report.find("status");
    return status != report.end() && status->is_string() ? one_line(status->get<std::string>()) : "unknown";
}

}  // namespace

std::string health_text(const json& document) {
    std::string text;
    size_t number = 0;
    for (const json& server : document.value("servers", json::array())) {
        const std::string head =
            "- server " + std::to_string(number++) + " [" + server.value("address", "") + "]: ";
        text += server.contains("report")
                    ? head + status_of(server["report"]) + "\n" + health::table(server["report"])
                    : head + "no answer\n";
    }
    return text + "- this node: " + status_of(document["node"]) + "\n" + health::table(document["node"]);
}

int health_command(const HealthOptions& options, const std::string& root) {
    json document = {{"schema", kListingSchema}};
    bool well = true;
    if (!options.local) {
        const auto endpoints = find_servers(options.servers);
        if (!endpoints) {
            say_error(endpoints.error().what);
            return kFailure;
        }
        json rows = json::array();
        for (const Endpoint& endpoint : *endpoints) {
            json row = {{"address", endpoint.text()}};
            auto answer = ask(endpoint, Method::kGet, "/v1/health?fresh=true");
            const bool good = answer && answer->status == 200 && !health::table(answer->body).empty();
            if (good) {
                row["report"] = {{"status", answer->body["status"]}, {"checks", answer->body["checks"]}};
                well = well && status_of(row["report"]) != "fatal";
            } else {
                const Error why =
                    !answer ? answer.error() : not_a_manager(endpoint, "it has no health checks");
                say_error(why.what);
                row["error"] = why.what;
                well = false;
            }
            rows.push_back(std::move(row));
        }
        document["servers"] = std::move(rows);
    }
    const json report = node_report(options, root);
    document["node"] = {{"status", report["status"]}, {"checks", report["checks"]}};
    well = well && status_of(report) != "fatal";
    const int printed =
        print(options.json ? document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                           : health_text(document));
    return well ? printed : kFailure;
}

}  // namespace bitfusion::cli
