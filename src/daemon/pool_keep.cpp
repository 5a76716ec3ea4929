#include "daemon/pool_keep.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "daemon/preferences.h"
#include "pool/record_check.h"
#include "store/records.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kMostPreferenceBytes = 1024;
// In the pool's records: no leases, no claims.
constexpr const char* kRecords[] = {"pool/settings", "pool/client/", "pool/server/"};

bool is_record(const std::string& key) {
    for (const char* prefix : kRecords) {
        if (key.starts_with(prefix)) return true;
    }
    return false;
}

bool is_preference(const std::string& key) {
    const std::string one = Preferences::kServer;
    return key == Preferences::kServers || (key.starts_with(one) && pool::is_id(key.substr(one.size())));
}

tl::unexpected<Error> unusable(const std::string& what) {
    return fail("the backup's pool cannot be used: " + what + "; nothing was changed, take another backup",
                400);
}

Status add(KeptPool& kept, const std::string& key, const std::string& value) {
    if (is_record(key)) return store::add_record(kept.records, {key, value, 1});
    if (is_preference(key)) {
        if (value.size() > kMostPreferenceBytes || !json::parse(value, nullptr, false).is_object())
            return fail("the entry " + key + " is damaged");
        kept.preferences[key] = value;
        return {};
    }
    const auto added = identity::add_entry(kept.roster, key, value);
    if (!added) return tl::unexpected<Error>(added.error());
    return *added ? Status() : fail("it has an entry of no kind that there is: " + key.substr(0, 64));
}

Status check(const KeptPool& kept) {
    if (auto good = pool::check(kept.records.settings); !good) return good;
    for (const pool::Client& client : kept.records.clients) {
        if (auto good = pool::check(client); !good) return good;
    }
    for (const pool::Server& server : kept.records.servers) {
        if (auto good = pool::check(server); !good) return good;
    }
    return {};
}

}  // namespace

Result<std::string> PoolKeep::save() const {
    json entries = json::array();
    const auto put = [&entries](const std::string& key, const std::string& value) {
        entries.push_back({{"key", key}, {"value", value}});
    };
    for (const char* prefix :
         {kRecords[0], kRecords[1], kRecords[2], Preferences::kServers, Preferences::kServer}) {
        const auto found = store_.read(prefix);
        if (!found) return fail(found.error().what, 503);
        for (const store::Entry& entry : found->entries) {
            if (is_record(entry.key) || is_preference(entry.key)) put(entry.key, entry.value);
        }
    }
    const auto found = store_.read("identity/");
    if (!found) return fail(found.error().what, 503);
    identity::Roster roster;
    for (const store::Entry& entry : found->entries) {
        if (auto added = identity::add_entry(roster, entry.key, entry.value); !added)
            return fail("no backup of a damaged store: " + added.error().what, 409);
    }
    for (const auto& [key, value] : identity::entries_of(roster)) put(key, value);
    return json{{"format", kFormat}, {"id", id()}, {"entries", std::move(entries)}}.dump(
        1, ' ', false, json::error_handler_t::replace);
}

Result<KeptPool> PoolKeep::read(const std::string& text) {
    KeptPool kept;
    try {
        const json root = json::parse(text);
        if (root.at("format").get<int>() != kFormat)
            return unusable("it was written by another release; install that one");
        kept.id = root.at("id").get<std::string>();
        if (!root.at("entries").is_array()) return unusable("it has no list of entries");
        for (const json& entry : root.at("entries")) {
            if (auto added =
                    add(kept, entry.at("key").get<std::string>(), entry.at("value").get<std::string>());
                !added)
                return unusable(added.error().what);
        }
    } catch (const json::exception& error) {
        return unusable(error.what());
    }
    if (auto good = check(kept); !good) return unusable(good.error().what);
    return kept;
}

Status PoolKeep::ready() const {
    if (scheduler_.leading()) return {};
    return fail(
        "another server schedules the pool: restore the backup there; nothing was changed. "
        "bitfusion servers list shows which it is",
        409);
}

Status PoolKeep::restore(const KeptPool& kept) {
    // Whoever is not to come back must not be admitted by what comes after.
    if (auto restored = identity::restore_roster(store_, kept.roster, time(nullptr)); !restored)
        return restored;
    for (const auto& [key, value] : kept.preferences) {
        store::Transaction transaction;
        transaction.writes.push_back({key, value});
        const auto written = store_.commit(transaction);
        if (!written) return fail(written.error().what + "; then restore again", 503);
    }
    return restore_records(kept);
}

Status PoolKeep::restore_records(const KeptPool& kept) {
    return scheduler_.run([&](pool::Pool& pool, pool::Time now) -> Status {
        if (auto set = pool.set_settings(kept.records.settings, now); !set) return set;
        for (const pool::Client& client : kept.records.clients) {
            if (auto put = pool.put_client(client, now); !put) return put;
        }
        for (const pool::Server& server : kept.records.servers) {
            if (pool.server(server.id) == nullptr) continue;
            if (auto set = pool.set_accepts(server.id, server.accepts, now); !set) return set;
        }
        return {};
    });
}

}  // namespace bitfusion::daemon
