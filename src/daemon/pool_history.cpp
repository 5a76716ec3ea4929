// GET /v1/history on a server that does not schedule: what is measured of the whole pool is the scheduling
// server's to tell, here as in the lists of clients and servers; everything else is this server's own.
#include <algorithm>
#include <array>

#include "daemon/forward.h"
#include "daemon/look_routes.h"
#include "daemon/routes.h"
#include "daemon/scheduler.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

// A client's GPUs are on any server; a server that does not schedule measures those that it serves itself.
constexpr std::array kOfPool = {"pool/", "client/"};

bool is_of_pool(const std::string& name) {
    return std::any_of(kOfPool.begin(), kOfPool.end(),
                       [&](const char* head) { return name.starts_with(head); });
}

// The query taken apart by whose its series are; what is no series belongs to both.
struct Halves {
    std::string pool;
    std::string own;
    size_t of_pool = 0;
    size_t of_own = 0;
};

void add(std::string* query, const std::string& pair) { *query += (query->empty() ? "" : "&") + pair; }

Halves halves_of(const std::string& query) {
    Halves halves;
    for (size_t at = 0; at < query.size();) {
        const size_t end = std::min(query.find('&', at), query.size());
        const std::string pair = query.substr(at, end - at);
        at = end + 1;
        const auto name = query_value(pair, "series");
        const bool pool = !name || is_of_pool(*name);
        const bool own = !name || !is_of_pool(*name);
        if (pool) add(&halves.pool, pair);
        if (own) add(&halves.own, pair);
        if (!name) continue;
        ++(pool ? halves.of_pool : halves.of_own);
    }
    return halves;
}

// The same request for some of its series; twice, where there is one alone: it is to be answered as several.
Asked asked_for(const Asked& asked, const std::string& query, size_t series) {
    Asked part = asked;
    part.query = query;
    if (series == 1) {
        const size_t at = query.find("series=");
        const size_t end = std::min(query.find('&', at), query.size());
        part.query += "&" + query.substr(at, end - at);
    }
    part.request.target = asked.path + "?" + part.query;
    return part;
}

}  // namespace

Task<std::optional<Reply>> Api::pool_history(const Asked& asked) {
    if (parts_.forwarder == nullptr || parts_.scheduler.leading() || parts_.look.has_source())
        co_return std::nullopt;
    const auto server = query_value(asked.query, "server");
    if (server) {
        // Who that is, and whether it is the scheduling server itself, is known there.
        if (*server == parts_.scheduler.self().id) co_return std::nullopt;
        co_return co_await parts_.forwarder->ask_scheduler(asked);
    }
    const auto halves = halves_of(asked.query);
    if (halves.of_pool == 0 && halves.of_own == 0) {
        const bool of_pool = is_of_pool(query_value(asked.query, "prefix").value_or(""));
        if (!of_pool) co_return std::nullopt;
        co_return co_await parts_.forwarder->ask_scheduler(asked);
    }
    if (halves.of_pool == 0) co_return std::nullopt;
    if (halves.of_own == 0) co_return co_await parts_.forwarder->ask_scheduler(asked);
    const Asked there = asked_for(asked, halves.pool, halves.of_pool);
    const Asked here = asked_for(asked, halves.own, halves.of_own);
    auto own = co_await parts_.look.answer(asked.path, "", here.request);
    if (own.status != 200) co_return own;
    auto pool = co_await parts_.forwarder->ask_scheduler(there);
    if (!pool || pool->status != 200) co_return pool;
    json told = json::parse(pool->text, nullptr, false);
    if (!told.is_object() || !told["range"].is_object())
        co_return error_reply(
            503, "the server that schedules answers as none does; do all servers have one version?");
    for (auto& [name, range] : told["range"].items()) own.body["range"][name] = std::move(range);
    co_return own;
}

}  // namespace bitfusion::daemon
