#include "daemon/routes.h"

#include <ctime>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/listen.h"
#include "daemon/look_routes.h"
#include "wire/hello.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using identity::Role;
using nlohmann::json;

constexpr auto kFresh = std::chrono::seconds(2);
constexpr int kLoginsASecond = 5;

// Where the pattern has {id}, the path's segment goes to `id`.
bool matches(const std::string& pattern, const std::string& path, std::string* id) {
    const size_t brace = pattern.find("{id}");
    if (brace == std::string::npos) return pattern == path;
    const std::string tail = pattern.substr(brace + 4);
    if (path.size() <= brace + tail.size() || path.compare(0, brace, pattern, 0, brace) != 0 ||
        !path.ends_with(tail)) {
        return false;
    }
    *id = path.substr(brace, path.size() - brace - tail.size());
    return id->find('/') == std::string::npos;
}

}  // namespace

const std::vector<Route>& routes() {
    static const std::vector<Route> all = [] {
        std::vector<Route> list = {
            {verb::get, "/v1/openapi.json", Role::kNobody, &Api::openapi},
            {verb::post, "/v1/login", Role::kNobody, &Api::login},
            {verb::get, "/v1/health", Role::kClient, &Api::health},
            {verb::get, "/v1/server", Role::kClient, nullptr, &Api::server},
            {verb::post, "/v1/claim_id", Role::kClient, &Api::claim_id},
            {verb::get, "/v1/leases", Role::kClient, &Api::list_leases},
            {verb::post, "/v1/leases", Role::kClient, nullptr, &Api::create_lease},
            {verb::delete_, "/v1/leases/{id}", Role::kClient, nullptr, &Api::delete_lease},
            {verb::get, "/v1/leases/{id}/hold", Role::kClient, &Api::hold_lease},
            {verb::get, "/v1/claims", Role::kClient, &Api::list_claims},
            {verb::get, "/v1/claims/{id}", Role::kClient, &Api::get_claim},
            {verb::delete_, "/v1/claims/{id}", Role::kClient, &Api::delete_claim},
            {verb::get, "/v1/clients", Role::kViewer, &Api::list_clients},
            {verb::put, "/v1/clients/{id}", Role::kOperator, &Api::put_client},
            {verb::delete_, "/v1/clients/{id}", Role::kOperator, &Api::delete_client},
            {verb::get, "/v1/servers", Role::kClient, &Api::list_servers},
            {verb::put, "/v1/servers/{id}", Role::kOperator, &Api::put_server},
            {verb::delete_, "/v1/servers/{id}", Role::kAdmin, &Api::delete_server},
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
            {verb::post, "/v1/certificates/rotate", Role::kAdmin, &Api::rotate_certificate},
        };
        list.insert(list.end(), look_routes().begin(), look_routes().end());
        return list;
    }();
    return all;
}

uint64_t most_body_bytes(const std::string& target) {
    return target.starts_with("/v1/restore") ? kMostBackupBytes : 65536;
}

Reply json_reply(json body, unsigned status) {
    Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    return reply;
}

Reply error_reply(unsigned status, const std::string& text) {
    return json_reply(json{{"error", text}}, status);
}

Reply error_reply(const Error& error) {
    const bool status = error.code >= 400 && error.code < 600;
    return error_reply(status ? static_cast<unsigned>(error.code) : 503, error.what);
}

Result<json> object_of(const Asked& asked) {
    json body = json::parse(asked.request.body, nullptr, false);
    if (!body.is_object()) return fail("the body is not a JSON object; see /v1/openapi.json", 400);
    return body;
}

Result<identity::Caller> Api::caller_of(const ApiRequest& request, const std::string& path) {
    if (parts_.registry == nullptr) {
        identity::Caller everybody;
        everybody.role = Role::kAdmin;
        everybody.name = "local";
        everybody.client = "local";
        everybody.host = request.host.empty() ? "localhost" : request.host;
        return everybody;
    }
    if (request.bearer.empty()) {
        if (path == "/v1/openapi.json" || path == "/v1/login") return identity::Caller();
        return fail(
            "no token was shown; put the client's bundle into ~/.bitfusion (the pool's administrator makes "
            "it with: "
            "bitfusion token create)",
            401);
    }
    return parts_.registry->authenticate(request.bearer, request.machine, request.host, time(nullptr));
}

Task<Reply> Api::answer(ApiRequest request) {
    Asked asked;
    const size_t mark = request.target.find('?');
    asked.path = request.target.substr(0, mark);
    if (mark != std::string::npos) asked.query = request.target.substr(mark + 1);
    const Route* found = nullptr;
    bool path_exists = false;
    for (const Route& route : routes()) {
        std::string id;
        if (!matches(route.path, asked.path, &id)) continue;
        path_exists = true;
        if (route.verb != request.verb) continue;
        found = &route;
        asked.id = id;
    }
    // Who does not say who he is learns nothing, not even which paths there are.
    auto caller = caller_of(request, asked.path);
    if (!caller) {
        BF_LOG("daemon", kInfo, "request from %s refused: %s", request.host.c_str(),
               caller.error().what.c_str());
        co_return error_reply(caller.error());
    }
    if (!path_exists) co_return error_reply(404, "no such path; see /v1/openapi.json");
    if (found == nullptr) co_return error_reply(405, "this path has another method; see /v1/openapi.json");
    if (caller->role < found->least) {
        co_return error_reply(403, caller->name + " has the role " + identity::text_of(caller->role) +
                                       ", and this needs " + identity::text_of(found->least) +
                                       "; ask an administrator of the pool");
    }
    asked.caller = std::move(*caller);
    if (found->serve_later == nullptr && found->serve == nullptr)
        co_return parts_.look.answer(found->path, asked.id, request);
    asked.request = std::move(request);
    if (found->serve_later != nullptr) co_return co_await (this->*found->serve_later)(std::move(asked));
    co_return (this->*found->serve)(asked);
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
    const pool::Pool* pool = parts_.scheduler.pool();
    const std::string& self = parts_.scheduler.self().id;
    const bool known = pool != nullptr && pool->server(self) != nullptr;
    const pool::Room room = known ? pool->room(self) : pool::Room();
    json gpus = json::array();
    for (const Gpu& gpu : report.gpus) {
        json one = gpu.telemetry;
        uint64_t free = known ? 0 : gpu.memory_mib;
        for (const pool::Room::Device& device : room.devices) {
            if (device.ordinal == gpu.ordinal) free = device.free_mib;
        }
        one["ordinal"] = gpu.ordinal;
        one["uuid"] = gpu.uuid;
        one["name"] = gpu.name;
        one["memory_mib"] = gpu.memory_mib;
        one["free_mib"] = free;
        one["allocated_mib"] = gpu.memory_mib - std::min(free, gpu.memory_mib);
        gpus.push_back(std::move(one));
    }
    return json_reply({{"version", parts_.version},
                       {"protocol", wire::kProtocolVersion},
                       {"id", self},
                       {"hostname", parts_.scheduler.self().name},
                       {"leader", parts_.scheduler.leading()},
                       {"accepts", !known || pool->server(self)->accepts},
                       {"secure", parts_.registry != nullptr},
                       {"control_address", own_address(local_ip, place_.control_port)},
                       {"data_address", own_address(local_ip, place_.data_port)},
                       {"backend", report.backend},
                       {"driver_version", report.driver_version},
                       {"cuda_version", report.cuda_version},
                       {"inventory_error", report.error},
                       {"running_tasks", parts_.leases.running()},
                       {"waiting", pool != nullptr ? pool->waiting().size() : 0},
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

Reply Api::login(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    if (parts_.registry == nullptr) return error_reply(404, "this server is insecure: it knows no people");
    const auto name = body->find("name");
    const auto password = body->find("password");
    if (name == body->end() || password == body->end() || !name->is_string() || !password->is_string())
        return error_reply(400, "name and password are needed, both texts");
    // Each try costs us a tenth of a second, so that guessing costs the guesser's time and not ours.
    const auto now = Clock::now();
    if (now - login_second_ > std::chrono::seconds(1)) {
        login_second_ = now;
        logins_ = 0;
    }
    if (++logins_ > kLoginsASecond)
        return error_reply(429, "too many logins at a time; try again in a second");
    const auto session =
        parts_.registry->log_in(name->get<std::string>(), password->get<std::string>(), time(nullptr));
    if (!session) {
        BF_LOG("daemon", kWarn, "login as %s refused", harmless(name->get<std::string>(), 32).c_str());
        return error_reply(session.error());
    }
    return json_reply({{"session", *session}});
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
