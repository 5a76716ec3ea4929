#include <ctime>

#include "base/log.h"
#include "daemon/look_routes.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using identity::Role;
using nlohmann::json;

constexpr const char* kNoLease = "no lease has this id; list them with GET /v1/leases";
constexpr auto kOverDeadline = std::chrono::seconds(10);
// Longer than it takes to notice that the scheduling server is gone and to elect another.
constexpr auto kHoldPatience = std::chrono::seconds(20);
constexpr const char* kNoClaim = "no claim has this id: it was refused, given up or ended";

json parts_of(const pool::Grant& grant, const Report& report, const Lease* with_use) {
    json devices = json::array();
    for (size_t i = 0; i < grant.parts.size(); ++i) {
        const pool::Part& part = grant.parts[i];
        json device = {{"ordinal", part.ordinal}, {"memory_mib", part.memory_mib}};
        for (const Gpu& gpu : report.gpus) {
            if (gpu.ordinal != part.ordinal) continue;
            device["uuid"] = gpu.uuid;
            device["name"] = gpu.name;
        }
        if (with_use != nullptr) device["used_mib"] = with_use->used_bytes(i) >> 20;
        devices.push_back(std::move(device));
    }
    return devices;
}

json waiting_json(const std::string& id, const pool::Standing& standing) {
    return {{"id", id},
            {"state", "waiting"},
            {"place", standing.place},
            {"waiting", standing.waiting},
            {"text", standing.text}};
}

}  // namespace

bool Api::may_touch(const Asked& asked, const std::string& owner) const {
    return asked.caller.role >= Role::kOperator || owner == asked.caller.client;
}

Result<json> Api::grant_of(const pool::Lease& lease, const std::string& local_ip) {
    json grant = {{"id", lease.id},
                  {"state", "granted"},
                  {"server", lease.server},
                  {"memory_mib", lease.grant.partition_mib},
                  {"why_here", lease.why_here}};
    const pool::Server* const there = parts_.scheduler.pool()->server(lease.server);
    if (there != nullptr) grant["server_address"] = there->address;
    std::string pin = place_.pin;
    if (lease.server == parts_.scheduler.self().id) {
        grant["control_address"] = own_address(local_ip, place_.control_port);
        grant["data_address"] = own_address(local_ip, place_.data_port);
        grant["devices"] = parts_of(lease.grant, parts_.inventory.report(), nullptr);
    } else {
        const auto member = parts_.scheduler.member(lease.server);
        if (!member) return tl::unexpected<Error>(member.error());
        grant["control_address"] = member->control_address;
        grant["data_address"] = member->data_address;
        grant["devices"] = parts_of(lease.grant, Report(), nullptr);
        pin = member->pin;
    }
    if (!pin.empty()) grant["pin"] = pin;
    return grant;
}

Reply Api::granted(const pool::Lease& lease, const std::string& local_ip, unsigned status) {
    auto grant = grant_of(lease, local_ip);
    return grant ? json_reply(std::move(*grant), status) : error_reply(grant.error());
}

Task<Reply> Api::create_lease(Asked asked) {
    const std::string type = asked.request.content_type.substr(0, asked.request.content_type.find(';'));
    if (type != "application/json")
        co_return error_reply(415, "the body must be application/json; set Content-Type");
    if (closed_) co_return error_reply(503, "the manager is shutting down; ask again when it runs");
    auto parsed = parse_lease_request(asked.request.body);
    if (!parsed) co_return error_reply(400, parsed.error().what);
    pool::Claim& claim = parsed->claim;
    if (claim.id.empty()) claim.id = random_uuid();
    wire::Ticket ticket{};
    if (parsed->ticket)
        ticket = *parsed->ticket;
    else
        fill_random(ticket.data(), ticket.size());
    claim.client = asked.caller.client.empty() ? asked.caller.name : asked.caller.client;
    LeaseNote note;
    note.ticket_digest = digest_of(ticket);
    note.client = parsed->client;
    note.token = asked.caller.token;
    note.must_hold = parsed->hold;
    note.created = time(nullptr);
    pool::Client client;
    client.id = claim.client;
    client.name = asked.caller.host.empty() ? asked.caller.name : asked.caller.host;
    note.client_name = client.name;
    claim.note = to_json(note);
    const auto standing = parts_.scheduler.submit(claim, client);
    if (!standing) {
        ++parts_.counters.leases_refused;
        BF_LOG("daemon", kInfo, "lease refused to pid %lld on %s: %s",
               static_cast<long long>(note.client.pid), note.client.host.c_str(),
               standing.error().what.c_str());
        co_return error_reply(standing.error());
    }
    parts_.leases.mirror();
    const pool::Lease* lease = parts_.scheduler.pool()->lease(claim.id);
    if (standing->state == pool::Standing::State::kWaiting || lease == nullptr) {
        Reply waiting = json_reply(waiting_json(claim.id, *standing), 202);
        waiting.body["ticket"] = wire::to_hex(ticket);
        co_return waiting;
    }
    Reply reply = granted(*lease, asked.request.local_ip, 201);
    reply.body["ticket"] = wire::to_hex(ticket);
    reply.unsent = claim.id;
    co_return reply;
}

Reply Api::get_claim(const Asked& asked) {
    const pool::Pool* pool = parts_.scheduler.pool();
    const pool::Claim* claim = pool == nullptr ? nullptr : pool->claim(asked.id);
    const pool::Lease* lease = pool == nullptr ? nullptr : pool->lease(asked.id);
    const std::string owner = claim != nullptr ? claim->client : lease != nullptr ? lease->client : "";
    if (pool != nullptr && (owner.empty() || !may_touch(asked, owner))) return error_reply(404, kNoClaim);
    const auto standing = parts_.scheduler.heard(asked.id);
    if (!standing) return error_reply(standing.error());
    parts_.leases.mirror();
    lease = parts_.scheduler.pool()->lease(asked.id);
    if (standing->state == pool::Standing::State::kWaiting || lease == nullptr)
        return json_reply(waiting_json(asked.id, *standing));
    return granted(*lease, asked.request.local_ip, 200);
}

Reply Api::delete_claim(const Asked& asked) {
    const pool::Pool* pool = parts_.scheduler.pool();
    const pool::Claim* claim = pool == nullptr ? nullptr : pool->claim(asked.id);
    if (pool != nullptr && (claim == nullptr || !may_touch(asked, claim->client)))
        return error_reply(404, kNoClaim);
    if (auto cancelled = parts_.scheduler.cancel(asked.id); !cancelled) return error_reply(cancelled.error());
    return json_reply({{"id", asked.id}, {"state", "cancelled"}});
}

Reply Api::list_claims(const Asked& asked) {
    json list = json::array();
    const pool::Pool* pool = parts_.scheduler.pool();
    size_t place = 0;
    for (const pool::Claim* claim : pool == nullptr ? std::vector<const pool::Claim*>() : pool->waiting()) {
        ++place;
        if (asked.caller.role < Role::kViewer && claim->client != asked.caller.client) continue;
        const auto note = lease_note_from(claim->note);
        const pool::Client* client = pool->client(claim->client);
        const auto standing = pool->standing(claim->id);
        list.push_back({{"id", claim->id},
                        {"client", claim->client},
                        {"client_name", client != nullptr ? client->name : ""},
                        {"since", note ? json(identity::stamp(note->created)) : json()},
                        {"text", standing ? standing->text : ""},
                        {"place", place},
                        {"gpus", claim->ask.gpus},
                        {"asks", pool::text_of(claim->ask)}});
    }
    return json_reply({{"claims", std::move(list)}});
}

Task<Reply> Api::delete_lease(Asked asked) {
    const LeasePointer lease = parts_.leases.by_id(asked.id);
    const pool::Pool* pool = parts_.scheduler.pool();
    const pool::Lease* const known = pool == nullptr ? nullptr : pool->lease(asked.id);
    const std::string owner = lease ? lease->owner : known != nullptr ? known->client : "";
    if (owner.empty() || !may_touch(asked, owner)) co_return error_reply(404, kNoLease);
    parts_.leases.end(asked.id, owner == asked.caller.client ? "released" : "ended by " + asked.caller.name);
    if (query_value(asked.query, "wait") == "false")
        co_return json_reply({{"id", asked.id}, {"state", "ending"}}, 202);
    if (lease) {
        co_await parts_.leases.gone(asked.id);
    } else {
        co_await over(asked.id);
        pool = parts_.scheduler.pool();
        if (pool == nullptr || pool->lease(asked.id) != nullptr)
            co_return json_reply({{"id", asked.id}, {"state", "ending"}}, 202);
    }
    co_return json_reply({{"id", asked.id}, {"state", "ended"}});
}

// Returns when a lease of another server is over, or cannot be for some time: its server may be down.
Task<void> Api::over(std::string id) {
    Bell& changed = parts_.leases.changed();
    const auto late = std::make_shared<bool>(false);
    asio::steady_timer deadline(co_await asio::this_coro::executor, kOverDeadline);
    deadline.async_wait([late, &changed](const boost::system::error_code& error) {
        if (error) return;
        *late = true;
        changed.ring();
    });
    for (;;) {
        const pool::Pool* pool = parts_.scheduler.pool();
        const pool::Lease* lease = pool == nullptr ? nullptr : pool->lease(id);
        if (lease == nullptr || !pool->room(lease->server).up || *late) co_return;
        co_await changed.wait();
    }
}

Reply Api::list_leases(const Asked& asked) {
    json list = json::array();
    for (const auto& [id, lease] : parts_.leases.all()) {
        if (asked.caller.role < Role::kViewer && lease->owner != asked.caller.client) continue;
        list.push_back({{"id", id},
                        {"state", lease->ending ? "ending" : "active"},
                        {"held", lease->held},
                        {"persistent", lease->persistent},
                        {"created", identity::stamp(lease->note.created)},
                        {"workers", lease->workers.size()},
                        {"memory_mib", lease->grant.partition_mib},
                        {"owner", lease->owner},
                        {"client",
                         {{"host", lease->note.client.host},
                          {"pid", lease->note.client.pid},
                          {"user", lease->note.client.user},
                          {"program", lease->note.client.program}}},
                        {"devices", parts_of(lease->grant, parts_.inventory.report(), lease.get())}});
    }
    return json_reply({{"leases", std::move(list)}});
}

Task<Result<LeasePointer>> Api::lease_here(Asked asked) {
    LeasePointer lease = parts_.leases.by_id(asked.id);
    if (!lease) {
        // Another server may have granted it a moment ago.
        const bool asked_pool = co_await parts_.leases.catch_up(kHoldPatience);
        lease = parts_.leases.by_id(asked.id);
        if (!lease && !asked_pool)
            co_return fail("no server schedules just now; try again in a few seconds", 503);
    }
    if (!lease || lease->ending || !may_touch(asked, lease->owner)) co_return fail(kNoLease, 404);
    co_return lease;
}

Task<Reply> Api::hold_lease(Asked asked) {
    auto lease = co_await lease_here(asked);
    if (!lease) co_return error_reply(lease.error());
    if ((*lease)->held)
        co_return error_reply(409, "the lease is held by another connection already; close that first");
    Reply reply;
    reply.hold = *lease;
    co_return reply;
}

Task<Reply> Api::keep_lease(Asked asked) {
    const auto change = object_of(asked);
    if (!change) co_return error_reply(change.error());
    if (change->size() != 1 || change->value("persistent", json()) != json(true))
        co_return error_reply(400, R"(the one change of a lease is {"persistent": true})");
    auto lease = co_await lease_here(asked);
    if (!lease) co_return error_reply(lease.error());
    const Status kept = co_await parts_.leases.keep(asked.id, kHoldPatience);
    if (!kept) co_return error_reply(kept.error());
    co_return json_reply({{"id", asked.id}, {"state", "active"}, {"persistent", true}});
}

}  // namespace bitfusion::daemon
