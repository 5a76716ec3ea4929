// Servers of the pool: those that one sees in it, and what this one knows of itself.
#include <unistd.h>

#include <ctime>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/look_routes.h"
#include "daemon/pool_watch.h"
#include "daemon/preferences.h"
#include "daemon/routes.h"
#include "health/check.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

Error no_such_server(const std::string& id) {
    return {"there is no server " + harmless(id, 64) + "; see the list: bitfusion servers list", 404};
}

json interval_json(const Preference& preference) {
    return preference.metrics_interval ? json(preference.metrics_interval->count()) : json();
}

json accepts_json(const Preference& preference) {
    return preference.accepts ? json(*preference.accepts) : json();
}

std::string tag_of(const json& server) {
    return etag_of(
        {server["id"], server["accepts"], server["own_accepts"], server["own_metrics_interval_s"]});
}

Status change(const json& body, Preference* preference) {
    for (const auto& [key, value] : body.items()) {
        if (key == "accepts" && (value.is_boolean() || value.is_null())) {
            preference->accepts = value.is_null() ? std::nullopt : std::optional(value.get<bool>());
        } else if (key == "metrics_interval_s" && value.is_null()) {
            preference->metrics_interval.reset();
        } else if (key == "metrics_interval_s" && value.is_number_integer() && value.get<int64_t>() >= 1 &&
                   value.get<int64_t>() <= Preferences::kLongestInterval.count()) {
            preference->metrics_interval = std::chrono::seconds(value.get<int64_t>());
        } else {
            return fail("'" + harmless(key, 64) +
                            "' of a server cannot be set so: accepts is true, false or null, "
                            "metrics_interval_s from 1 to 3600 or null",
                        400);
        }
    }
    return {};
}

}  // namespace

// What only this server knows of itself, for its row in the list.
json Api::server_words() const {
    const json health = parts_.look.health(false);
    return {{"version", parts_.version}, {"health", health["status"]}};
}

json Api::server_row(const pool::Pool& pool, const pool::Server& server) const {
    const pool::Room room = pool.room(server.id);
    json gpus = json::array();
    const bool self = server.id == parts_.scheduler.self().id;
    for (const pool::Gpu& gpu : server.gpus) {
        uint64_t free = 0;
        std::string uuid = gpu.uuid;
        // The pool does not know those of software GPUs; history does.
        for (const Gpu& own : parts_.inventory.report().gpus)
            uuid = self && own.ordinal == gpu.ordinal ? own.uuid : uuid;
        for (const auto& device : room.devices) free = device.ordinal == gpu.ordinal ? device.free_mib : free;
        gpus.push_back({{"ordinal", gpu.ordinal},
                        {"uuid", uuid},
                        {"name", gpu.name},
                        {"memory_mib", gpu.memory_mib},
                        {"free_mib", free},
                        {"allocated_mib", gpu.memory_mib - std::min(free, gpu.memory_mib)}});
    }
    const auto own = parts_.preferences.of(server.id);
    const auto in_force = parts_.preferences.in_force(server.id);
    json row = {{"id", server.id},
                {"address", server.address},
                {"hostname", server.hostname},
                {"up", room.up},
                {"self", self},
                {"leader", self && parts_.scheduler.leading()},
                {"accepts", server.accepts},
                {"own_accepts", own ? accepts_json(*own) : json()},
                {"own_metrics_interval_s", own ? interval_json(*own) : json()},
                {"metrics_interval_s", in_force ? interval_json(*in_force) : json()},
                {"leases", room.leases},
                {"driver_version", server.driver_version},
                {"cuda_version", server.cuda_version},
                {"health", nullptr},
                {"version", nullptr},
                {"gpus", std::move(gpus)}};
    if (self) row.update(server_words());
    row["etag"] = tag_of(row);
    return row;
}

Reply Api::list_servers(const Asked&) {
    const auto list = parts_.scheduler.run([&](pool::Pool& pool, pool::Time) -> Result<json> {
        json servers = json::array();
        for (const pool::Server* server : pool.servers()) servers.push_back(server_row(pool, *server));
        return servers;
    });
    if (!list) return error_reply(list.error());
    return json_reply({{"servers", *list}});
}

std::optional<Reply> Api::ask_there(const std::string& id) const {
    if (id == parts_.scheduler.self().id) return std::nullopt;
    const pool::Pool* pool = parts_.scheduler.pool();
    const pool::Server* server = pool == nullptr ? nullptr : pool->server(id);
    if (server == nullptr) return error_reply(no_such_server(id));
    Reply reply = error_reply(421, "only " + harmless(server->hostname, 255) + " itself knows that; ask " +
                                       harmless(server->address, 255));
    reply.body["address"] = server->address;
    return reply;
}

Task<Reply> Api::get_server(Asked asked) {
    if (auto elsewhere = ask_there(asked.id)) co_return std::move(*elsewhere);
    Reply reply = co_await server(asked);
    const pool::Pool* pool = parts_.scheduler.pool();
    if (pool != nullptr && pool->server(asked.id) != nullptr) {
        json row = server_row(*pool, *pool->server(asked.id));
        row.update(reply.body);
        reply.body = std::move(row);
    }
    co_return reply;
}

Reply Api::put_server(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    json current;
    const auto set = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Result<json> {
        const pool::Server* known = pool.server(asked.id);
        if (known == nullptr) return tl::unexpected(no_such_server(asked.id));
        current = server_row(pool, *known);
        if (auto same = check_etag(asked.request.if_match, current["etag"]); !same)
            return tl::unexpected(same.error());
        auto own = parts_.preferences.of(asked.id);
        if (!own) return tl::unexpected(own.error());
        if (auto changed = change(*body, &*own); !changed) return tl::unexpected(changed.error());
        if (auto put = parts_.preferences.put(asked.id, *own); !put) return tl::unexpected(put.error());
        const auto in_force = parts_.preferences.in_force(asked.id);
        if (!in_force) return tl::unexpected(in_force.error());
        if (body->contains("accepts")) {
            if (auto set = pool.set_accepts(asked.id, in_force->accepts.value_or(true), now); !set)
                return tl::unexpected(set.error());
        }
        return server_row(pool, *pool.server(asked.id));
    });
    if (!set && set.error().code == 412) return stale_reply(std::move(current));
    if (!set) return error_reply(set.error());
    take_preferences();
    return json_reply(*set);
}

Reply Api::delete_server(const Asked& asked) {
    const bool force = asked.query == "force=true";
    json current;
    const auto gone = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        const pool::Server* known = pool.server(asked.id);
        if (known == nullptr) return tl::unexpected(no_such_server(asked.id));
        current = server_row(pool, *known);
        if (auto same = check_etag(asked.request.if_match, current["etag"]); !same) return same;
        return pool.remove_server(asked.id, force, now);
    });
    if (!gone && gone.error().code == 412) return stale_reply(std::move(current));
    if (!gone) return error_reply(gone.error());
    if (auto forgotten = parts_.preferences.put(asked.id, {}); !forgotten)
        BF_LOG("daemon", kWarn, "%s", forgotten.error().what.c_str());
    parts_.leases.mirror();
    return json_reply({{"id", asked.id}, {"state", "removed"}});
}

Reply Api::get_server_health(const Asked& asked) {
    if (auto elsewhere = ask_there(asked.id)) return std::move(*elsewhere);
    json checks = parts_.look.health(asked.query == "fresh=true");
    for (json& check : checks["checks"]) check["etag"] = etag_of({check["name"], check["counted"]});
    return json_reply({{"status", checks["status"]}, {"checks", checks["checks"]}});
}

Reply Api::put_server_health(const Asked& asked) {
    if (auto elsewhere = ask_there(asked.id)) return std::move(*elsewhere);
    return parts_.look.toggle(asked.second, asked.request);
}

}  // namespace bitfusion::daemon
