// Clients of the pool.
#include <cmath>
#include <ctime>

#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using identity::Role;
using nlohmann::json;

constexpr double kMostQuota = 1e6;
constexpr int64_t kMostMinutes = 365 * 24 * 60;

Error no_such_client(const std::string& id) {
    return {"there is no client " + harmless(id, 64) + "; see the list: bitfusion clients list", 404};
}

// What an administrator edits: not what the client does.
std::string tag_of(const json& client) {
    return etag_of({client["id"], client["enabled"], client["own_quota"], client["idle_limit_minutes"],
                    client["auto_release_seconds"]});
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
    out["etag"] = tag_of(out);
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

}  // namespace

Reply Api::list_clients(const Asked&) {
    const auto list = parts_.scheduler.run([](pool::Pool& pool, pool::Time) -> Result<json> {
        json clients = json::array();
        for (const pool::Client* client : pool.clients()) clients.push_back(client_json(pool, *client));
        return clients;
    });
    if (!list) return error_reply(list.error());
    json clients = *list;
    for (json& client : clients) {
        const auto seen = sightings_.find(client["id"].get<std::string>());
        const bool known = seen != sightings_.end();
        client["version"] = known && !seen->second.version.empty() ? json(seen->second.version) : json();
        client["last_seen"] = known ? json(identity::stamp(seen->second.time)) : json();
    }
    return json_reply({{"clients", std::move(clients)}});
}

Reply Api::put_client(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    json current;
    const auto changed = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Result<json> {
        const pool::Client* known = pool.client(asked.id);
        if (known == nullptr) return tl::unexpected(no_such_client(asked.id));
        current = client_json(pool, *known);
        if (auto same = check_etag(asked.request.if_match, current["etag"]); !same)
            return tl::unexpected(same.error());
        pool::Client client = *known;
        if (auto set = change_client(*body, &client); !set) return tl::unexpected(set.error());
        if (auto put = pool.put_client(client, now); !put) return tl::unexpected(put.error());
        return client_json(pool, *pool.client(asked.id));
    });
    if (!changed && changed.error().code == 412) return stale_reply(std::move(current));
    if (!changed) return error_reply(changed.error());
    parts_.leases.mirror();
    return json_reply(*changed);
}

Reply Api::delete_client(const Asked& asked) {
    json current;
    const auto gone = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        const pool::Client* known = pool.client(asked.id);
        if (known == nullptr) return tl::unexpected(no_such_client(asked.id));
        current = client_json(pool, *known);
        if (auto same = check_etag(asked.request.if_match, current["etag"]); !same) return same;
        return pool.remove_client(asked.id, now);
    });
    if (!gone && gone.error().code == 412) return stale_reply(std::move(current));
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

}  // namespace bitfusion::daemon
