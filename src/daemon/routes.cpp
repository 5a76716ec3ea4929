#include "daemon/routes.h"

#include <ctime>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/look_routes.h"
#include "wire/hello.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using nlohmann::json;

constexpr const char* kLeasesPath = "/v1/leases";
constexpr uint64_t kMostGpus = 64;
constexpr uint64_t kMostMemoryMib = UINT64_C(1) << 40;
constexpr auto kFresh = std::chrono::seconds(2);

std::string stamp(std::chrono::system_clock::time_point when) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

json parts_of(const Lease& lease, const Report& report, bool with_use) {
    json devices = json::array();
    for (size_t i = 0; i < lease.grant.parts.size(); ++i) {
        const pool::Part& part = lease.grant.parts[i];
        json device = {{"ordinal", part.ordinal}, {"memory_mib", part.memory_mib}};
        for (const Gpu& gpu : report.gpus) {
            if (gpu.ordinal != part.ordinal) continue;
            device["uuid"] = gpu.uuid;
            device["name"] = gpu.name;
        }
        if (with_use) device["used_mib"] = lease.used_bytes(i) >> 20;
        devices.push_back(std::move(device));
    }
    return devices;
}

Result<std::string> client_text(const json& client, const char* key) {
    const auto found = client.find(key);
    if (found == client.end() || found->is_null()) return std::string();
    if (!found->is_string()) return fail(std::string("client.") + key + " must be a text");
    return harmless(found->get_ref<const std::string&>(), 255);
}

Status parse_client(const json& object, Client* client) {
    if (!object.is_object()) return fail("client must be an object {host, pid, user, program}");
    const std::pair<const char*, std::string*> texts[] = {
        {"host", &client->host}, {"user", &client->user}, {"program", &client->program}};
    for (const auto& [key, place] : texts) {
        auto text = client_text(object, key);
        if (!text) return tl::unexpected(text.error());
        *place = std::move(*text);
    }
    const auto pid = object.find("pid");
    if (pid != object.end()) {
        if (!pid->is_number_unsigned() || pid->get<uint64_t>() > INT32_MAX)
            return fail("client.pid must be a process id");
        client->pid = pid->get<int64_t>();
    }
    return {};
}

}  // namespace

const std::vector<Route>& routes() {
    static const std::vector<Route> all = [] {
        std::vector<Route> list = {
            {verb::get, "/v1/server"},           {verb::get, "/v1/leases"},
            {verb::post, "/v1/leases"},          {verb::delete_, "/v1/leases/{id}"},
            {verb::get, "/v1/leases/{id}/hold"}, {verb::get, "/v1/openapi.json"},
            {verb::get, "/v1/health"},
        };
        list.insert(list.end(), look_routes().begin(), look_routes().end());
        return list;
    }();
    return all;
}

uint64_t most_body_bytes(const std::string& target) {
    return target.starts_with("/v1/restore") ? kMostBackupBytes : 65536;
}

Reply error_reply(unsigned status, const std::string& text) {
    Reply reply;
    reply.status = status;
    reply.body = {{"error", text}};
    return reply;
}

namespace {

// Replies are put together outside of coroutines, where g++ 12 moves braced temporaries bit by bit.
Reply ended_reply(const std::string& id) {
    Reply reply;
    reply.body = {{"id", id}, {"state", "ended"}};
    return reply;
}

Reply openapi_reply() {
    Reply reply;
    reply.body = openapi_document();
    return reply;
}

Reply refused_reply(const Leases::Refused& refused) {
    Reply reply = error_reply(static_cast<unsigned>(refused.error.code), refused.error.what);
    reply.body["may_fit_later"] = refused.may_fit_later;
    return reply;
}

}  // namespace

Result<LeaseRequest> parse_lease_request(const std::string& body) {
    const json root = json::parse(body, nullptr, false);
    if (!root.is_object()) return fail("the body is not a JSON object; see /v1/openapi.json");
    LeaseRequest request;
    const auto gpus = root.find("gpus");
    if (gpus == root.end() || !gpus->is_number_unsigned() || gpus->get<uint64_t>() < 1 ||
        gpus->get<uint64_t>() > kMostGpus) {
        return fail("gpus must be a whole number from 1 to 64");
    }
    request.pool.gpus = gpus->get<uint32_t>();
    if (const auto memory = root.find("memory_mib"); memory != root.end() && !memory->is_null()) {
        if (!memory->is_number_unsigned() || memory->get<uint64_t>() < 1 ||
            memory->get<uint64_t>() > kMostMemoryMib) {
            return fail("memory_mib must be a whole number of MiB, at least 1");
        }
        request.pool.memory_mib = memory->get<uint64_t>();
    }
    if (const auto fraction = root.find("fraction"); fraction != root.end() && !fraction->is_null()) {
        if (!fraction->is_number()) return fail("fraction must be a number above 0.0 and at most 1.0");
        request.pool.fraction = fraction->get<double>();
    }
    if (const auto hold = root.find("hold"); hold != root.end()) {
        if (!hold->is_boolean()) return fail("hold must be true or false");
        request.hold = hold->get<bool>();
    }
    if (const auto client = root.find("client"); client != root.end()) {
        if (auto parsed = parse_client(*client, &request.client); !parsed)
            return tl::unexpected(parsed.error());
    }
    return request;
}

Api::Api(Inventory& inventory, Leases& leases, Counters& counters, LookApi& look, std::string version)
    : inventory_(inventory),
      leases_(leases),
      counters_(counters),
      look_(look),
      version_(std::move(version)) {}

void Api::take_inventory() {
    std::vector<pool::Device> devices;
    for (const Gpu& gpu : inventory_.report().gpus) devices.push_back({gpu.ordinal, gpu.memory_mib});
    if (auto set = leases_.set_devices(devices); !set)
        BF_LOG("daemon", kError, "%s", set.error().what.c_str());
}

Task<Reply> Api::server(std::string query, std::string local_ip) {
    const Report& report = inventory_.report();
    if (query == "fresh=true" || !report.error.empty()) {
        co_await inventory_.refresh(kFresh);
        take_inventory();
    }
    co_return server_reply(local_ip);
}

Reply Api::server_reply(const std::string& local_ip) const {
    const Report& report = inventory_.report();
    json gpus = json::array();
    for (const Gpu& gpu : report.gpus) {
        json one = gpu.telemetry;
        const uint64_t free = pool::free_mib(leases_.state(), gpu.ordinal);
        one["ordinal"] = gpu.ordinal;
        one["uuid"] = gpu.uuid;
        one["name"] = gpu.name;
        one["memory_mib"] = gpu.memory_mib;
        one["free_mib"] = free;
        one["allocated_mib"] = gpu.memory_mib - std::min(free, gpu.memory_mib);
        gpus.push_back(std::move(one));
    }
    Reply reply;
    reply.body = {{"version", version_},
                  {"protocol", wire::kProtocolVersion},
                  {"leader", true},
                  {"control_address", local_ip + ":" + std::to_string(ports_.control)},
                  {"data_address", local_ip + ":" + std::to_string(ports_.data)},
                  {"backend", report.backend},
                  {"driver_version", report.driver_version},
                  {"cuda_version", report.cuda_version},
                  {"inventory_error", report.error},
                  {"running_tasks", leases_.running()},
                  {"gpus", std::move(gpus)}};
    return reply;
}

Task<Reply> Api::create_lease(ApiRequest request) {
    const std::string type = request.content_type.substr(0, request.content_type.find(';'));
    if (type != "application/json")
        co_return error_reply(415, "the body must be application/json; set Content-Type");
    auto parsed = parse_lease_request(request.body);
    if (!parsed) co_return error_reply(400, parsed.error().what);
    auto lease = co_await leases_.acquire(parsed->pool, parsed->client, parsed->hold);
    if (!lease) co_return refused_reply(lease.error());
    co_return granted_reply(*lease, request.local_ip);
}

Reply Api::granted_reply(const LeasePointer& lease, const std::string& local_ip) const {
    Reply reply;
    reply.status = 201;
    reply.unsent = lease;
    reply.body = {{"id", lease->id},
                  {"ticket", wire::to_hex(lease->ticket)},
                  {"data_address", local_ip + ":" + std::to_string(ports_.data)},
                  {"memory_mib", lease->grant.partition_mib},
                  {"devices", parts_of(*lease, inventory_.report(), false)}};
    return reply;
}

Task<Reply> Api::delete_lease(std::string id) {
    const LeasePointer lease = leases_.by_id(id);
    if (!lease) co_return error_reply(404, "no lease has this id; list them with GET /v1/leases");
    leases_.end(lease, "released");
    co_await leases_.gone(lease);
    co_return ended_reply(id);
}

Reply Api::list_leases() const {
    json list = json::array();
    for (const auto& [id, lease] : leases_.all()) {
        list.push_back({{"id", id},
                        {"state", lease->ending ? "ending" : "active"},
                        {"held", lease->held},
                        {"created", stamp(lease->created)},
                        {"workers", lease->workers.size()},
                        {"memory_mib", lease->grant.partition_mib},
                        {"client",
                         {{"host", lease->client.host},
                          {"pid", lease->client.pid},
                          {"user", lease->client.user},
                          {"program", lease->client.program}}},
                        {"devices", parts_of(*lease, inventory_.report(), true)}});
    }
    Reply reply;
    reply.body = {{"leases", std::move(list)}};
    return reply;
}

Reply Api::hold_lease(const std::string& id) {
    const LeasePointer lease = leases_.by_id(id);
    if (!lease || lease->ending)
        return error_reply(404, "no lease has this id; list them with GET /v1/leases");
    if (lease->held)
        return error_reply(409, "the lease is held by another connection already; close that first");
    Reply reply;
    reply.hold = lease;
    return reply;
}

Reply Api::health(const std::string& query) const {
    Reply reply;
    json checks = look_.health(query == "fresh=true");
    reply.body = {{"status", checks["status"]},
                  {"checks", checks["checks"]},
                  {"inventory_error", inventory_.report().error},
                  {"counters",
                   {{"control_connections", counters_.control_connections},
                    {"control_requests", counters_.control_requests},
                    {"control_malformed", counters_.control_malformed},
                    {"control_timeouts", counters_.control_timeouts},
                    {"control_overload", counters_.control_overload},
                    {"data_connections", counters_.data_connections},
                    {"hello_malformed", counters_.hello_malformed},
                    {"hello_timeouts", counters_.hello_timeouts},
                    {"hello_version", counters_.hello_version},
                    {"hello_ticket", counters_.hello_ticket},
                    {"hello_busy", counters_.hello_busy},
                    {"hello_overload", counters_.hello_overload},
                    {"workers_started", counters_.workers_started},
                    {"workers_failed", counters_.workers_failed},
                    {"leases_granted", counters_.leases_granted},
                    {"leases_refused", counters_.leases_refused},
                    {"leases_ended", counters_.leases_ended}}}};
    return reply;
}

Task<Reply> Api::answer(ApiRequest request) {
    const size_t mark = request.target.find('?');
    const std::string path = request.target.substr(0, mark);
    const std::string query = mark == std::string::npos ? "" : request.target.substr(mark + 1);
    std::string id;
    std::string known = path;
    const std::string prefix = std::string(kLeasesPath) + "/";
    for (const Route& route : look_routes()) {
        const std::string pattern = route.path;
        const size_t hole = pattern.find("{id}");
        if (hole == std::string::npos || !path.starts_with(pattern.substr(0, hole))) continue;
        id = path.substr(hole);
        if (!id.empty() && id.find('/') == std::string::npos) known = pattern;
    }
    if (path.starts_with(prefix)) {
        const size_t slash = path.find('/', prefix.size());
        id = path.substr(prefix.size(), slash == std::string::npos ? slash : slash - prefix.size());
        known = prefix + "{id}" + (slash == std::string::npos ? "" : path.substr(slash));
    }
    bool path_exists = false;
    bool route_exists = false;
    for (const Route& route : routes()) {
        path_exists = path_exists || known == route.path;
        route_exists = route_exists || (known == route.path && request.verb == route.verb);
    }
    if (!path_exists) co_return error_reply(404, "no such path; see /v1/openapi.json");
    if (!route_exists) co_return error_reply(405, "this path has another method; see /v1/openapi.json");
    for (const Route& route : look_routes()) {
        if (known == route.path && request.verb == route.verb) co_return look_.answer(known, id, request);
    }
    if (known == "/v1/server") co_return co_await server(query, request.local_ip);
    if (known == "/v1/health") co_return health(query);
    if (known == "/v1/openapi.json") co_return openapi_reply();
    if (known == "/v1/leases/{id}/hold") co_return hold_lease(id);
    if (known == "/v1/leases/{id}") co_return co_await delete_lease(id);
    if (request.verb == verb::post) co_return co_await create_lease(std::move(request));
    co_return list_leases();
}

}  // namespace bitfusion::daemon
