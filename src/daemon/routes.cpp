#include "daemon/routes.h"

#include <ctime>

#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/dispatcher.h"
#include "daemon/forward.h"
#include "daemon/gate.h"
#include "daemon/listen.h"
#include "daemon/look_routes.h"
#include "daemon/trail.h"
#include "wire/hello.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using identity::Role;
using nlohmann::json;

constexpr auto kFresh = std::chrono::seconds(2);
constexpr size_t kMostSightings = 16384;
constexpr uint64_t kMostAttendanceBytes = uint64_t{1} << 20;

std::vector<std::string> segments_of(const std::string& path) {
    std::vector<std::string> segments;
    for (size_t at = 0; at <= path.size();) {
        const size_t end = std::min(path.find('/', at), path.size());
        segments.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return segments;
}

// Whether its answer goes on for as long as somebody listens.
bool stays_open(const Route& route) {
    const std::string path = route.path;
    return path == "/v1/events" || path == "/v1/leases/{id}/hold";
}

}  // namespace

bool path_matches(const std::string& pattern, const std::string& path, std::string* first,
                  std::string* second) {
    constexpr const char* kRest = "{path}";
    if (pattern.ends_with(kRest)) {
        const std::string head = pattern.substr(0, pattern.size() - std::string(kRest).size());
        if (!path.starts_with(head)) return false;
        *first = path.substr(head.size());
        return true;
    }
    const auto wanted = segments_of(pattern);
    const auto given = segments_of(path);
    if (wanted.size() != given.size()) return false;
    std::string* next = first;
    for (size_t i = 0; i < wanted.size(); ++i) {
        if (!wanted[i].starts_with('{')) {
            if (wanted[i] != given[i]) return false;
            continue;
        }
        if (given[i].empty() || next == nullptr) return false;
        *next = given[i];
        next = next == first ? second : nullptr;
    }
    return true;
}

const std::vector<Route>& routes() {
    static const std::vector<Route> all = [] {
        std::vector<Route> list = {
            {verb::get, "/", Role::kNobody, &Api::first_page},
            {verb::get, "/console/{path}", Role::kNobody, &Api::console},
            {verb::get, "/v1/openapi.json", Role::kNobody, &Api::openapi},
            {verb::post, "/v1/login", Role::kNobody, nullptr, &Api::login},
            {verb::post, "/v1/session", Role::kNobody, nullptr, &Api::sign_in},
            {verb::get, "/v1/session", Role::kClient, &Api::who},
            {verb::delete_, "/v1/session", Role::kViewer, &Api::sign_out},
            {verb::put, "/v1/session/password", Role::kViewer, nullptr, &Api::change_own_password},
            {verb::get, "/v1/events", Role::kViewer, &Api::events},
            {verb::get, "/v1/about", Role::kViewer, &Api::about},
            {verb::get, "/v1/audit", Role::kOperator, &Api::audit},
            {verb::get, "/v1/health", Role::kClient, &Api::health},
            {verb::get, "/v1/server", Role::kClient, nullptr, &Api::server},
            {verb::post, "/v1/claim_id", Role::kClient, &Api::claim_id},
            {verb::get, "/v1/leases", Role::kClient, &Api::list_leases},
            {verb::post, "/v1/leases", Role::kClient, nullptr, &Api::create_lease},
            {verb::put, "/v1/leases/{id}", Role::kClient, nullptr, &Api::keep_lease},
            {verb::delete_, "/v1/leases/{id}", Role::kClient, nullptr, &Api::delete_lease},
            {verb::get, "/v1/leases/{id}/hold", Role::kClient, nullptr, &Api::hold_lease},
            {verb::get, "/v1/claims", Role::kClient, &Api::list_claims},
            {verb::get, "/v1/claims/{id}", Role::kClient, &Api::get_claim},
            {verb::delete_, "/v1/claims/{id}", Role::kClient, &Api::delete_claim},
            {verb::get, "/v1/sessions", Role::kViewer, &Api::list_running},
            {verb::get, "/v1/clients", Role::kViewer, &Api::list_clients},
            {verb::put, "/v1/clients/{id}", Role::kOperator, &Api::put_client},
            {verb::delete_, "/v1/clients/{id}", Role::kOperator, &Api::delete_client},
            {verb::get, "/v1/servers", Role::kClient, &Api::list_servers},
            {verb::get, "/v1/servers/{id}", Role::kViewer, nullptr, &Api::get_server},
            {verb::put, "/v1/servers/{id}", Role::kOperator, &Api::put_server},
            {verb::delete_, "/v1/servers/{id}", Role::kAdmin, &Api::delete_server},
            {verb::get, "/v1/servers/{id}/health", Role::kViewer, &Api::get_server_health},
            {verb::put, "/v1/servers/{id}/health/{check}", Role::kOperator, &Api::put_server_health},
            {verb::get, "/v1/servers/{id}/logs", Role::kOperator, nullptr, &Api::logs},
            {verb::get, "/v1/settings", Role::kViewer, &Api::get_settings},
            {verb::put, "/v1/settings", Role::kOperator, &Api::put_settings},
            {verb::get, "/v1/tokens", Role::kAdmin, &Api::list_tokens},
            {verb::post, "/v1/tokens", Role::kAdmin, &Api::create_token},
            {verb::put, "/v1/tokens/{id}", Role::kAdmin, &Api::put_token},
            {verb::delete_, "/v1/tokens/{id}", Role::kAdmin, &Api::delete_token},
            {verb::get, "/v1/tokens/{id}/bundle", Role::kAdmin, &Api::token_bundle},
            {verb::get, "/v1/users", Role::kAdmin, &Api::list_people},
            {verb::post, "/v1/users", Role::kAdmin, &Api::create_person},
            {verb::put, "/v1/users/{id}", Role::kAdmin, &Api::put_person},
            {verb::delete_, "/v1/users/{id}", Role::kAdmin, &Api::delete_person},
            {verb::get, "/v1/certificates", Role::kViewer, &Api::list_certificates},
            {verb::post, "/v1/certificates/rotate", Role::kAdmin, nullptr, &Api::rotate_certificate},
            {verb::post, "/v1/invitations", Role::kAdmin, &Api::create_invitation},
        };
        list.insert(list.end(), look_routes().begin(), look_routes().end());
        return list;
    }();
    return all;
}

uint64_t most_body_bytes(const std::string& target) {
    if (target == kAttendancePath) return kMostAttendanceBytes;
    return target.starts_with("/v1/restore") ? kMostBackupBytes : 65536;
}

Reply json_reply(json body, unsigned status) {
    Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    return reply;
}

Reply stale_reply(json current) {
    return json_reply(
        {{"error", "somebody else has changed it meanwhile; look at what it is now and try again"},
         {"current", std::move(current)}},
        412);
}

Reply insecure_reply() {
    return error_reply(404,
                       "this server is insecure: it has no tokens and no people; see: bitfusion help init");
}

Reply error_reply(unsigned status, const std::string& text) {
    return json_reply(json{{"error", text}}, status);
}

Reply error_reply(const Error& error) {
    const bool status = error.code >= 400 && error.code < 600;
    return error_reply(status ? static_cast<unsigned>(error.code) : 503, error.what);
}

Result<json> object_of(const Asked& asked) {
    const std::string type = asked.request.content_type.substr(0, asked.request.content_type.find(';'));
    if (type != "application/json") return fail("the body must be application/json; set Content-Type", 415);
    json body = json::parse(asked.request.body, nullptr, false);
    if (!body.is_object()) return fail("the body is not a JSON object; see /v1/openapi.json", 400);
    return body;
}

Task<Reply> Api::answer(ApiRequest request) {
    Asked asked;
    const size_t mark = request.target.find('?');
    asked.path = request.target.substr(0, mark);
    if (mark != std::string::npos) asked.query = request.target.substr(mark + 1);
    // As GET, whose head the connection then sends alone; what stays open has no head of its own.
    const bool head = request.verb == verb::head;
    if (head) request.verb = verb::get;
    const Route* found = nullptr;
    bool path_exists = false;
    for (const Route& route : routes()) {
        std::string first;
        std::string second;
        if (!path_matches(route.path, asked.path, &first, &second)) continue;
        path_exists = true;
        if (route.verb != request.verb || (head && stays_open(route))) continue;
        found = &route;
        asked.id = first;
        asked.second = second;
    }
    if (asked.path.starts_with(kClusterPaths)) co_return co_await cluster(std::move(request), asked.path);
    // Who does not say who he is learns nothing, not even which paths there are.
    auto caller = parts_.gate.caller_of(request, found != nullptr && found->least == Role::kNobody);
    asked.request = std::move(request);
    if (!caller) {
        BF_LOG("daemon", kInfo, "request from %s refused: %s", asked.request.peer_ip.c_str(),
               caller.error().what.c_str());
        Reply refused = error_reply(caller.error());
        if (found != nullptr && found->verb != verb::get)
            record(trail_name(*found), asked.id, nullptr, asked.request, nullptr, refused);
        co_return refused;
    }
    if (!path_exists) co_return error_reply(404, "no such path; see /v1/openapi.json");
    if (found == nullptr) co_return error_reply(405, "this path has another method; see /v1/openapi.json");
    asked.caller = std::move(*caller);
    if (asked.caller.role == Role::kClient && !asked.caller.client.empty() &&
        (sightings_.size() < kMostSightings || sightings_.contains(asked.caller.client)))
        sightings_[asked.caller.client] = {asked.request.version, time(nullptr)};
    // What is written down of it is taken before it is served: a body is moved on.
    const bool kept = is_kept(*found, asked);
    Asked trail;
    json change;
    if (kept) {
        change = kept_of(asked.request.body);
        std::string body = std::exchange(asked.request.body, "");
        trail = asked;
        asked.request.body = std::move(body);
    }
    Reply reply;
    if (asked.caller.role < found->least) {
        reply = error_reply(403, asked.caller.name + " has the role " + identity::text_of(asked.caller.role) +
                                     ", and this needs " + identity::text_of(found->least) +
                                     "; ask an administrator of the pool");
    } else {
        reply = co_await serve(*found, std::move(asked));
    }
    if (kept) note(*found, trail, std::move(change), reply);
    co_return reply;
}

bool Api::may_send_much(const ApiRequest& request) const {
    const auto caller = parts_.gate.caller_of(request, false);
    return caller && caller->role >= Role::kAdmin;
}

Task<Reply> Api::serve(const Route& route, Asked asked) {
    const bool served_here = asked.path.starts_with("/v1/leases/") && parts_.leases.by_id(asked.id);
    if (parts_.forwarder != nullptr && !served_here) {
        auto elsewhere = co_await parts_.forwarder->answer(asked);
        if (elsewhere) co_return std::move(*elsewhere);
    }
    if (route.serve_later != nullptr) co_return co_await (this->*route.serve_later)(std::move(asked));
    if (route.serve != nullptr) co_return (this->*route.serve)(asked);
    if (std::string(route.path) == "/v1/history") {
        auto elsewhere = co_await pool_history(asked);
        if (elsewhere) co_return std::move(*elsewhere);
    }
    const auto server = query_value(asked.query, "server");
    if (auto elsewhere = server ? ask_there(*server) : std::nullopt) co_return std::move(*elsewhere);
    co_return co_await parts_.look.answer(route.path, asked.id, asked.request);
}

void Api::take_inventory() {
    if (auto set = parts_.scheduler.put_gpus(parts_.inventory.report()); !set)
        BF_LOG("daemon", kError, "%s", set.error().what.c_str());
}

Reply Api::openapi(const Asked&) { return json_reply(openapi_document()); }

std::string Api::own_address(const std::string& local_ip, uint16_t port) const {
    return address_text(place_.advertised.empty() ? local_ip : place_.advertised, port);
}

Task<Reply> Api::server(Asked asked) {
    const Report& report = parts_.inventory.report();
    if (asked.query == "fresh=true" || !report.error.empty()) {
        co_await parts_.inventory.refresh(kFresh);
        take_inventory();
    }
    co_return server_reply(asked.request.local_ip);
}

Reply Api::server_reply(const std::string& local_ip) const {
    const Report& report = parts_.inventory.report();
    const std::string& self = parts_.scheduler.self().id;
    std::map<uint32_t, uint64_t> taken;
    for (const pool::Lease& lease : parts_.scheduler.mine()) {
        for (const pool::Part& part : lease.grant.parts) taken[part.ordinal] += part.memory_mib;
    }
    json gpus = json::array();
    for (const Gpu& gpu : report.gpus) {
        json one = gpu.telemetry;
        const uint64_t allocated = std::min(taken[gpu.ordinal], gpu.memory_mib);
        one["ordinal"] = gpu.ordinal;
        one["uuid"] = gpu.uuid;
        one["name"] = gpu.name;
        one["memory_mib"] = gpu.memory_mib;
        one["free_mib"] = gpu.memory_mib - allocated;
        one["allocated_mib"] = allocated;
        gpus.push_back(std::move(one));
    }
    return json_reply({{"version", parts_.version},
                       {"protocol", wire::kProtocolVersion},
                       {"id", self},
                       {"hostname", parts_.scheduler.self().name},
                       {"leader", parts_.scheduler.leading()},
                       {"accepts", parts_.scheduler.accepts()},
                       {"pool", parts_.scheduler.cluster().id},
                       {"up", true},
                       {"self", true},
                       {"secure", parts_.registry != nullptr},
                       {"control_address", own_address(local_ip, place_.control_port)},
                       {"data_address", own_address(local_ip, place_.data_port)},
                       {"backend", report.backend},
                       {"driver_version", report.driver_version},
                       {"cuda_version", report.cuda_version},
                       {"inventory_error", report.error},
                       {"running_tasks", parts_.leases.running()},
                       {"waiting", parts_.scheduler.waiting()},
                       {"gpus", std::move(gpus)}});
}

Reply Api::claim_id(const Asked& asked) {
    json body = {{"client", asked.caller.client},
                 {"name", asked.caller.host},
                 {"role", identity::text_of(asked.caller.role)},
                 {"expires", nullptr}};
    if (parts_.registry != nullptr && !asked.caller.token.empty()) {
        const auto token = parts_.registry->token(asked.caller.token);
        if (token && token->expires != 0) body["expires"] = identity::stamp(token->expires);
    }
    const pool::Pool* pool = parts_.scheduler.pool();
    const pool::Client* client = pool == nullptr ? nullptr : pool->client(asked.caller.client);
    const auto idle = client != nullptr && client->idle_limit ? *client->idle_limit
                      : pool != nullptr                       ? pool->settings().idle_limit
                                                              : std::chrono::minutes(0);
    body["idle_limit_minutes"] = idle.count();
    return json_reply(std::move(body));
}

Reply Api::health(const Asked& asked) {
    const json checks = parts_.look.health(asked.query == "fresh=true");
    const Counters& counters = parts_.counters;
    return json_reply({{"status", checks["status"]},
                       {"checks", checks["checks"]},
                       {"inventory_error", parts_.inventory.report().error},
                       {"counters",
                        {{"control_connections", counters.control_connections},
                         {"control_requests", counters.control_requests},
                         {"control_malformed", counters.control_malformed},
                         {"control_timeouts", counters.control_timeouts},
                         {"control_overload", counters.control_overload},
                         {"data_connections", counters.data_connections},
                         {"hello_malformed", counters.hello_malformed},
                         {"hello_timeouts", counters.hello_timeouts},
                         {"hello_version", counters.hello_version},
                         {"hello_ticket", counters.hello_ticket},
                         {"hello_busy", counters.hello_busy},
                         {"hello_overload", counters.hello_overload},
                         {"workers_started", counters.workers_started},
                         {"workers_failed", counters.workers_failed},
                         {"leases_granted", counters.leases_granted},
                         {"leases_refused", counters.leases_refused},
                         {"leases_ended", counters.leases_ended}}}});
}

}  // namespace bitfusion::daemon
