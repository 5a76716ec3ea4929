#include "daemon/trail.h"

#include <utility>

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using identity::Role;

bool begins(const Route& route, const char* with) { return std::string(route.path).starts_with(with); }

}  // namespace

std::string trail_name(const Route& route) {
    const std::string path = route.path;
    if (path == "/v1/login") return "sign in";
    if (path == "/v1/session") return route.verb == verb::delete_ ? "sign out" : "sign in";
    return std::string(boost::beast::http::to_string(route.verb)) + " " + path;
}

bool is_kept(const Route& route, const Asked& asked) {
    if (route.verb == verb::get) return false;
    for (const char* path : {"/v1/claim_id", "/v1/probes"}) {
        if (begins(route, path)) return false;
    }
    if (route.verb == verb::post && begins(route, "/v1/leases")) return false;
    const bool leases = begins(route, "/v1/leases") || begins(route, "/v1/claims");
    return !leases || asked.caller.role > Role::kClient;
}

std::vector<Topic> topics_of(const Route& route) {
    static const std::vector<std::pair<const char*, std::vector<Topic>>> kAll = {
        {"/v1/clients", {Topic::kClients, Topic::kTokens}},
        {"/v1/servers/{id}/health", {Topic::kHealth}},
        {"/v1/servers", {Topic::kServers}},
        {"/v1/health", {Topic::kHealth}},
        {"/v1/settings", {Topic::kSettings, Topic::kClients, Topic::kServers}},
        {"/v1/tokens", {Topic::kTokens}},
        {"/v1/users", {Topic::kUsers}},
        {"/v1/session/password", {Topic::kUsers}},
        {"/v1/backups", {Topic::kBackups}},
        {"/v1/restore", {Topic::kHealth, Topic::kBackups}},
    };
    for (const auto& [path, topics] : kAll) {
        if (begins(route, path)) return topics;
    }
    return {};
}

std::vector<Topic> topics_for(Role role) {
    std::vector<Topic> topics;
    if (role >= Role::kViewer)
        topics = {Topic::kLeases,  Topic::kQueue,    Topic::kClients,
                  Topic::kServers, Topic::kSettings, Topic::kHealth};
    if (role >= Role::kOperator) topics.insert(topics.end(), {Topic::kBackups, Topic::kAudit, Topic::kLogs});
    if (role >= Role::kAdmin) topics.insert(topics.end(), {Topic::kTokens, Topic::kUsers});
    return topics;
}

}  // namespace bitfusion::daemon
