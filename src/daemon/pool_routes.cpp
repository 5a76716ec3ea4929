// Clients, servers and settings of the pool.
#include <cmath>

#include "daemon/dispatcher.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using identity::Role;
using nlohmann::json;

constexpr double kMostQuota = 1e6;
constexpr int64_t kMostMinutes = 365 * 24 * 60;

Error no_such(const char* what, const std::string& id) {
    return {std::string("there is no ") + what + " " + harmless(id, 64) + "; see the list: bitfusion " +
                what + "s list",
            404};
}

json client_json(const pool::Pool& pool, const pool::Client& client) {
    const pool::Use use = pool.use(client.id);
    json out = {{"id", client.id},
                {"name", client.name},
                {"enabled", client.enabled},
                {"held", use.held.gpus()},
                {"quota", use.quota.gpus()},
                {"leases", use.leases},
                {"waiting", use.waiting},
                {"own_quota", nullptr},
                {"idle_limit_minutes", nullptr},
                {"auto_release_seconds", nullptr}};
    if (client.quota) out["own_quota"] = client.quota->gpus();
    if (client.idle_limit) out["idle_limit_minutes"] = client.idle_limit->count();
    if (client.auto_release) out["auto_release_seconds"] = client.auto_release->count();
    return out;
}

// A number from 0 to `most`; fails with 400.
Result<double> number_of(const json& value, const char* key, double most) {
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < 0 ||
        value.get<double>() > most) {
        return fail(
            std::string(key) + " must be a number from 0 to " + std::to_string(static_cast<int64_t>(most)),
            400);
    }
    return value.get<double>();
}

Status change_client(const json& body, pool::Client* client) {
    for (const auto& [key, value] : body.items()) {
        if (key == "enabled" && value.is_boolean()) {
            client->enabled = value.get<bool>();
        } else if (key == "own_quota" || key == "idle_limit_minutes" || key == "auto_release_seconds") {
            const bool none = value.is_null();
            const auto number =
                none ? Result<double>(0)
                     : number_of(value, key.c_str(), key == "own_quota" ? kMostQuota : kMostMinutes);
            if (!number) return tl::unexpected(number.error());
            if (key == "own_quota")
                client->quota = none ? std::nullopt : std::optional(pool::Share::from(*number));
            else if (key == "idle_limit_minutes")
                client->idle_limit =
                    none ? std::nullopt : std::optional(std::chrono::minutes(std::llround(*number)));
            else
                client->auto_release =
                    none ? std::nullopt : std::optional(std::chrono::seconds(std::llround(*number)));
        } else {
            return fail("'" + harmless(key, 64) + "' cannot be set so; see /v1/openapi.json", 400);
        }
    }
    return {};
}

json settings_json(const pool::Settings& settings) {
    return {{"quota", settings.quota.gpus()},
            {"idle_limit_minutes", settings.idle_limit.count()},
            {"auto_release_seconds", settings.auto_release.count()},
            {"claim_silence_seconds", settings.claim_silence.count()},
            {"server_silence_seconds", settings.server_silence.count()}};
}

}  // namespace

Reply Api::list_clients(const Asked&) {
    const auto list = parts_.scheduler.run([](pool::Pool& pool, pool::Time) -> Result<json> {
        json clients = json::array();
        for (const pool::Client* client : pool.clients()) clients.push_back(client_json(pool, *client));
        return clients;
    });
    if (!list) return error_reply(list.error());
    return json_reply({{"clients", *list}});
}

Reply Api::put_client(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const auto changed = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Result<json> {
        const pool::Client* known = pool.client(asked.id);
        if (known == nullptr) return tl::unexpected(no_such("client", asked.id));
        pool::Client client = *known;
        if (auto set = change_client(*body, &client); !set) return tl::unexpected(set.error());
        if (auto put = pool.put_client(client, now); !put) return tl::unexpected(put.error());
        return client_json(pool, *pool.client(asked.id));
    });
    if (!changed) return error_reply(changed.error());
    parts_.leases.mirror();
    return json_reply(*changed);
}

Reply Api::delete_client(const Asked& asked) {
    const auto gone = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        if (pool.client(asked.id) == nullptr) return tl::unexpected(no_such("client", asked.id));
        return pool.remove_client(asked.id, now);
    });
    if (!gone) return error_reply(gone.error());
    // What is deleted must not come back by itself: its token goes too, unless other machines use it.
    if (parts_.registry != nullptr) {
        const auto tokens = parts_.registry->tokens();
        for (const identity::Token& token : tokens ? *tokens : std::vector<identity::Token>()) {
            if (token.shared || token.machine.empty() ||
                identity::client_of(token.id, token.machine) != asked.id) {
                continue;
            }
            if (auto deleted = parts_.registry->delete_token(token.id); !deleted)
                return error_reply(deleted.error());
        }
    }
    parts_.leases.mirror();
    return json_reply({{"id", asked.id}, {"state", "deleted"}});
}

Reply Api::list_servers(const Asked&) {
    const auto list = parts_.scheduler.run([](pool::Pool& pool, pool::Time) -> Result<json> {
        json servers = json::array();
        for (const pool::Server* server : pool.servers()) {
            const pool::Room room = pool.room(server->id);
            json gpus = json::array();
            for (const pool::Gpu& gpu : server->gpus) {
                uint64_t free = 0;
                for (const auto& device : room.devices)
                    free = device.ordinal == gpu.ordinal ? device.free_mib : free;
                gpus.push_back({{"ordinal", gpu.ordinal},
                                {"name", gpu.name},
                                {"memory_mib", gpu.memory_mib},
                                {"free_mib", free}});
            }
            servers.push_back({{"id", server->id},
                               {"address", server->address},
                               {"hostname", server->hostname},
                               {"up", room.up},
                               {"accepts", server->accepts},
                               {"leases", room.leases},
                               {"gpus", std::move(gpus)}});
        }
        return servers;
    });
    if (!list) return error_reply(list.error());
    return json_reply({{"servers", *list}});
}

Reply Api::put_server(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const auto accepts = body->find("accepts");
    if (body->size() != 1 || accepts == body->end() || !accepts->is_boolean())
        return error_reply(400, "accepts must be true or false, and nothing else can be set");
    const auto set = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        if (pool.server(asked.id) == nullptr) return tl::unexpected(no_such("server", asked.id));
        return pool.set_accepts(asked.id, accepts->get<bool>(), now);
    });
    if (!set) return error_reply(set.error());
    return json_reply({{"id", asked.id}, {"accepts", *accepts}});
}

Reply Api::delete_server(const Asked& asked) {
    const bool force = asked.query == "force=true";
    const auto gone = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        if (pool.server(asked.id) == nullptr) return tl::unexpected(no_such("server", asked.id));
        return pool.remove_server(asked.id, force, now);
    });
    if (!gone) return error_reply(gone.error());
    parts_.leases.mirror();
    return json_reply({{"id", asked.id}, {"state", "removed"}});
}

Reply Api::get_settings(const Asked&) {
    const auto settings = parts_.scheduler.run(
        [](pool::Pool& pool, pool::Time) -> Result<json> { return settings_json(pool.settings()); });
    return settings ? json_reply(*settings) : error_reply(settings.error());
}

Reply Api::put_settings(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const auto settings = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Result<json> {
        pool::Settings next = pool.settings();
        for (const auto& [key, value] : body->items()) {
            const auto number = number_of(value, key.c_str(), key == "quota" ? kMostQuota : kMostMinutes);
            if (!number) return tl::unexpected(number.error());
            const int64_t whole = std::llround(*number);
            if (key == "quota")
                next.quota = pool::Share::from(*number);
            else if (key == "idle_limit_minutes")
                next.idle_limit = std::chrono::minutes(whole);
            else if (key == "auto_release_seconds")
                next.auto_release = std::chrono::seconds(whole);
            else
                return fail("'" + harmless(key, 64) + "' is no setting of the pool; see /v1/openapi.json",
                            400);
        }
        if (auto set = pool.set_settings(next, now); !set) return tl::unexpected(set.error());
        return settings_json(pool.settings());
    });
    return settings ? json_reply(*settings) : error_reply(settings.error());
}

}  // namespace bitfusion::daemon
