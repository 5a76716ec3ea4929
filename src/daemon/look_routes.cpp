#include "daemon/look_routes.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/percent.h"
#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/history_source.h"
#include "daemon/interface_bytes.h"
#include "daemon/metrics.h"
#include "health/address.h"
#include "health/report.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using nlohmann::json;

constexpr auto kFreshChecks = std::chrono::seconds(2);
constexpr auto kRecentChecks = std::chrono::seconds(90);

Reply object_reply(json body, unsigned status = 200) {
    Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    return reply;
}

Reply refusal(const Error& error, unsigned otherwise) {
    const bool is_status = error.code >= 400 && error.code < 600;
    return error_reply(is_status ? static_cast<unsigned>(error.code) : otherwise, error.what);
}

std::string host_name() {
    char name[256] = "";
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::optional<json> json_body(const ApiRequest& request) {
    const std::string type = request.content_type.substr(0, request.content_type.find(';'));
    json root = json::parse(request.body, nullptr, false);
    if (type != "application/json" || !root.is_object()) return std::nullopt;
    return root;
}

constexpr const char* kNotJson =
    "the body must be a JSON object with Content-Type application/json; see /v1/openapi.json";

}  // namespace

const std::vector<Route>& look_routes() {
    using identity::Role;
    static const std::vector<Route> all = {
        {verb::get, "/metrics", Role::kViewer},          {verb::get, "/v1/stats", Role::kClient},
        {verb::put, "/v1/health/{id}", Role::kOperator}, {verb::get, "/v1/history", Role::kViewer},
        {verb::get, "/v1/interfaces", Role::kClient},    {verb::post, "/v1/probes", Role::kClient},
        {verb::get, "/v1/backups", Role::kOperator},     {verb::post, "/v1/backups", Role::kOperator},
        {verb::get, "/v1/backups/{id}", Role::kAdmin},   {verb::delete_, "/v1/backups/{id}", Role::kAdmin},
        {verb::post, "/v1/restore", Role::kAdmin},
    };
    return all;
}

std::optional<std::string> query_value(const std::string& query, const std::string& key) {
    const auto all = query_values(query, key);
    return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<std::string> query_values(const std::string& query, const std::string& key) {
    std::vector<std::string> values;
    for (size_t at = 0; at < query.size();) {
        const size_t end = std::min(query.find('&', at), query.size());
        const std::string pair = query.substr(at, end - at);
        at = end + 1;
        if (!pair.starts_with(key + "=")) continue;
        auto value = base::query_decoded(std::string_view(pair).substr(key.size() + 1));
        if (value) values.push_back(std::move(*value));
    }
    return values;
}

LookApi::LookApi(const Settings& settings, Inventory& inventory, const Counters& counters, Observer& observer,
                 Probes& probes, std::string version)
    : settings_(settings),
      inventory_(inventory),
      counters_(counters),
      observer_(observer),
      probes_(probes),
      backups_(observer, version),
      version_(std::move(version)) {}

json LookApi::health(bool fresh) {
    return health::to_json(observer_.check(fresh ? kFreshChecks : kRecentChecks));
}

Reply LookApi::metrics() {
    const Census census = observer_.census();
    Reply reply;
    reply.text = metrics_text({version_, host_name(), inventory_.report(), census, counters_,
                               observer_.check(kRecentChecks), place_.server, place_.pool,
                               observer_.pool_use(), interface_bytes()});
    reply.content_type = kMetricsType;
    return reply;
}

Reply LookApi::stats() const {
    const Census census = observer_.census();
    json gpus = json::array();
    for (const Gpu& gpu : inventory_.report().gpus) {
        const auto use = census.gpus.find(gpu.ordinal);
        gpus.push_back({{"ordinal", gpu.ordinal},
                        {"name", gpu.name},
                        {"memory_mib", gpu.memory_mib},
                        {"allocated_mib", use->second.allocated_mib},
                        {"partitions", use->second.partitions},
                        {"utilization_percent", gpu.telemetry.value("utilization_percent", json())}});
    }
    const AttachTimes& attach = counters_.attach_times;
    return object_reply({{"gpus", std::move(gpus)},
                         {"gpus_allocated", census.gpus_allocated},
                         {"leases", census.leases},
                         {"sessions", census.sessions},
                         {"waiting", census.waiting ? json(*census.waiting) : json()},
                         {"clients", census.clients},
                         {"received_bytes", census.traffic.received_bytes},
                         {"sent_bytes", census.traffic.sent_bytes},
                         {"round_trips", census.traffic.round_trips},
                         {"attached", attach.count()},
                         {"attach_seconds", attach.sum()}});
}

Reply LookApi::toggle(const std::string& name, const ApiRequest& request) {
    const auto root = json_body(request);
    if (!root) return error_reply(400, kNotJson);
    const auto counted = root->find("counted");
    if (counted == root->end() || !counted->is_boolean())
        return error_reply(400, "counted must be true or false");
    for (const health::Checked& result : observer_.last_checks()) {
        if (name != result.check->name) continue;
        const std::string etag = etag_of({name, result.counted});
        if (!check_etag(request.if_match, etag))
            return stale_reply({{"name", name}, {"counted", result.counted}, {"etag", etag}});
    }
    if (auto set = observer_.set_counted(name, counted->get<bool>()); !set) return refusal(set.error(), 500);
    const bool now = counted->get<bool>();
    return object_reply({{"name", name}, {"counted", now}, {"etag", etag_of({name, now})}});
}

json LookApi::pool_name() const {
    if (observer_.folder().empty()) return nullptr;
    const auto name = pool_of(observer_.folder());
    return name ? json(*name) : json();
}

Reply LookApi::interfaces() const {
    const bool loopback = settings_.loopback();
    json rows = json::array();
    for (const health::Address& address :
         health::own_addresses(loopback ? health::Loopback::kToo : health::Loopback::kLeftOut)) {
        // "::" takes connections of IPv4 as well.
        const bool any = settings_.listen == "::" || (settings_.listen == "0.0.0.0" && !address.v6());
        if (any || health::same_address(settings_.listen, address.ip))
            rows.push_back({{"name", address.interface},
                            {"ip", address.ip},
                            {"prefix", address.prefix},
                            {"kind", "tcp"}});
    }
    return object_reply({{"interfaces", std::move(rows)}, {"data_port", data_port_}});
}

Reply LookApi::probe(const ApiRequest& request) {
    const auto ticket = probes_.issue();
    if (!ticket) return error_reply(503, "too many probes have been asked for; try again in half a minute");
    json granted = {{"ticket", wire::to_hex(*ticket)},
                    {"data_address", request.local_ip + ":" + std::to_string(data_port_)},
                    {"most_message_bytes", Probes::kMostMessageBytes},
                    {"most_messages", Probes::kMostMessages},
                    {"most_bytes", Probes::kMostBytes}};
    if (!pin_.empty()) granted["pin"] = pin_;
    return object_reply(std::move(granted), 201);
}

Reply LookApi::create_backup(const ApiRequest& request) {
    const auto root = json_body(request);
    if (!root) return error_reply(400, kNotJson);
    const auto name = root->find("name");
    if (name == root->end() || !name->is_string()) return error_reply(400, "name must be a text");
    const Census census = observer_.census();
    const json settings = {{"listen", settings_.listen},
                           {"backend", settings_.backend},
                           {"metrics_interval_s", settings_.metrics_interval.count()},
                           {"auto_release_timeout_s", settings_.auto_release_timeout.count()},
                           {"history_series", settings_.history_series}};
    const auto made =
        backups_.create(name->get<std::string>(),
                        {{"settings.json", settings},
                         {"report.json", health(false)},
                         {"connections.json", {{"leases", census.leases}, {"clients", census.clients}}}});
    return made ? object_reply(*made, 201) : refusal(made.error(), 500);
}

Task<Reply> LookApi::answer(std::string path, std::string id, ApiRequest request) {
    const size_t mark = request.target.find('?');
    const std::string query = mark == std::string::npos ? "" : request.target.substr(mark + 1);
    if (path == "/metrics") co_return metrics();
    if (path == "/v1/health/{id}") co_return toggle(id, request);
    if (path == "/v1/stats") co_return stats();
    if (path == "/v1/history") co_return co_await history(query);
    if (path == "/v1/interfaces") co_return interfaces();
    if (path == "/v1/probes") co_return probe(request);
    if (path == "/v1/restore") {
        const auto restored = backups_.restore(request.body, query_value(query, "pool").value_or(""));
        co_return restored ? object_reply(*restored) : refusal(restored.error(), 500);
    }
    if (path == "/v1/backups" && request.verb == verb::post) co_return create_backup(request);
    if (path == "/v1/backups") {
        const auto rows = backups_.list();
        co_return rows ? object_reply({{"backups", *rows}}) : refusal(rows.error(), 500);
    }
    if (request.verb == verb::delete_) {
        const auto removed = backups_.remove(id);
        co_return removed ? object_reply({{"name", id}, {"state", "deleted"}})
                          : refusal(removed.error(), 500);
    }
    auto bytes = backups_.read(id);
    if (!bytes) co_return refusal(bytes.error(), 500);
    Reply reply;
    reply.text = std::move(*bytes);
    reply.content_type = "application/octet-stream";
    co_return reply;
}

}  // namespace bitfusion::daemon
