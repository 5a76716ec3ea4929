// Who runs what: the sessions of the pool, with what travels for those that are served here.
#include "daemon/pool_watch.h"
#include "daemon/routes.h"
#include "daemon/traffic.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

json devices_of(const pool::Lease& lease, const pool::Server* server, const Lease* here) {
    json devices = json::array();
    for (size_t i = 0; i < lease.grant.parts.size(); ++i) {
        const pool::Part& part = lease.grant.parts[i];
        json device = {{"ordinal", part.ordinal},
                       {"uuid", nullptr},
                       {"name", nullptr},
                       {"memory_mib", part.memory_mib},
                       {"used_mib", here == nullptr ? json() : json(here->used_bytes(i) >> 20)}};
        for (const pool::Gpu& gpu : server == nullptr ? std::vector<pool::Gpu>() : server->gpus) {
            if (gpu.ordinal != part.ordinal) continue;
            device["name"] = gpu.name;
            device["uuid"] = gpu.uuid;
        }
        devices.push_back(std::move(device));
    }
    return devices;
}

}  // namespace

Reply Api::list_running(const Asked&) {
    const auto rows = parts_.scheduler.run([&](pool::Pool& pool, pool::Time) -> Result<json> {
        json list = json::array();
        for (const pool::Lease* lease : pool.leases()) {
            const auto note = lease_note_from(lease->note);
            const pool::Client* client = pool.client(lease->client);
            const LeasePointer here = parts_.leases.by_id(lease->id);
            const Client who = note ? note->client : Client();
            json row = {{"id", lease->id},
                        {"state", lease->state == pool::LeaseState::kEnding ? "ending" : "active"},
                        {"client", lease->client},
                        {"client_name", client != nullptr ? client->name : who.host},
                        {"host", who.host},
                        {"user", who.user},
                        {"pid", who.pid},
                        {"program", who.program},
                        {"server", lease->server},
                        {"since", note ? json(identity::stamp(note->created)) : json()},
                        {"persistent", lease->persistent},
                        {"memory_mib", lease->grant.partition_mib},
                        {"devices", devices_of(*lease, pool.server(lease->server), here.get())},
                        {"held", nullptr},
                        {"workers", nullptr},
                        {"round_trips", nullptr},
                        {"sent_bytes", nullptr},
                        {"received_bytes", nullptr},
                        {"idle_s", nullptr}};
            if (here) {
                const Traffic traffic = read_traffic(here->usage.descriptor());
                row["held"] = here->held;
                row["workers"] = here->workers.size();
                row["round_trips"] = traffic.round_trips;
                row["sent_bytes"] = traffic.sent_bytes;
                row["received_bytes"] = traffic.received_bytes;
                row["idle_s"] = parts_.watch.idle(*here).count();
            }
            list.push_back(std::move(row));
        }
        return list;
    });
    return rows ? json_reply({{"sessions", *rows}}) : error_reply(rows.error());
}

}  // namespace bitfusion::daemon
