#include "store/records.h"

#include <nlohmann/json.hpp>

namespace bitfusion::store {
namespace {

using nlohmann::json;

// Reads fields of an object; after the first one that is wrong nothing more is read and `wrong()` names it.
class Fields {
  public:
    explicit Fields(const json& object) : object_(object) {
        if (!object.is_object()) wrong_ = "is no object";
    }

    const std::string& wrong() const { return wrong_; }

    void text(const char* key, std::string& out) {
        if (const json* value = find(key, json::value_t::string)) out = value->get<std::string>();
    }
    void flag(const char* key, bool& out) {
        if (const json* value = find(key, json::value_t::boolean)) out = value->get<bool>();
    }
    template <typename Number>
    void number(const char* key, Number& out) {
        const json* value = find(key, json::value_t::number_unsigned);
        if (value == nullptr) return;
        if (value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<Number>::max())) {
            wrong_ = std::string("has a ") + key + " that is too large";
            return;
        }
        out = value->get<Number>();
    }
    template <typename Span>
    void span(const char* key, Span& out) {
        int64_t count = 0;
        number(key, count);
        out = Span(count);
    }
    void share(const char* key, pool::Share& out) { number(key, out.millionths); }
    // Calls read(fields) for each object of a list.
    template <typename Read>
    void list(const char* key, Read read) {
        const json* value = find(key, json::value_t::array);
        if (value == nullptr) return;
        for (const json& object : *value) {
            Fields fields(object);
            read(fields);
            if (!fields.wrong().empty() && wrong_.empty()) wrong_ = std::string(key) + " " + fields.wrong();
        }
    }
    void texts(const char* key, std::vector<std::string>& out) {
        const json* value = find(key, json::value_t::array);
        if (value == nullptr) return;
        for (const json& item : *value) {
            if (!item.is_string()) {
                wrong_ = std::string("has a ") + key + " with something that is no text";
                return;
            }
            out.push_back(item.get<std::string>());
        }
    }
    bool has(const char* key) const { return object_.is_object() && object_.contains(key); }
    void fail(std::string what) {
        if (wrong_.empty()) wrong_ = std::move(what);
    }
    const json* find(const char* key, json::value_t type) {
        if (!wrong_.empty()) return nullptr;
        const auto found = object_.find(key);
        if (found == object_.end() || found->type() != type) {
            wrong_ = std::string(found == object_.end() ? "has no " : "has the wrong kind of ") + key;
            return nullptr;
        }
        return &*found;
    }

  private:
    const json& object_;
    std::string wrong_;
};

json json_of(const pool::Settings& settings) {
    return {{"quota_millionths", settings.quota.millionths},
            {"idle_limit_min", settings.idle_limit.count()},
            {"auto_release_s", settings.auto_release.count()},
            {"auto_release_chosen", settings.auto_release_chosen},
            {"claim_silence_s", settings.claim_silence.count()},
            {"server_silence_s", settings.server_silence.count()}};
}

void read(Fields& fields, pool::Settings& settings) {
    fields.share("quota_millionths", settings.quota);
    fields.span("idle_limit_min", settings.idle_limit);
    fields.span("auto_release_s", settings.auto_release);
    // Stores of releases before it have none.
    if (fields.has("auto_release_chosen")) fields.flag("auto_release_chosen", settings.auto_release_chosen);
    fields.span("claim_silence_s", settings.claim_silence);
    fields.span("server_silence_s", settings.server_silence);
}

json json_of(const pool::Server& server) {
    json gpus = json::array();
    for (const pool::Gpu& gpu : server.gpus) {
        gpus.push_back({{"ordinal", gpu.ordinal},
                        {"memory_mib", gpu.memory_mib},
                        {"uuid", gpu.uuid},
                        {"name", gpu.name},
                        {"capability", gpu.capability}});
    }
    return {{"id", server.id},
            {"number", server.number},
            {"address", server.address},
            {"hostname", server.hostname},
            {"cuda_version", server.cuda_version},
            {"driver_version", server.driver_version},
            {"has_rdma", server.has_rdma},
            {"accepts", server.accepts},
            {"instance", server.instance},
            {"gpus", gpus}};
}

void read(Fields& fields, pool::Server& server) {
    fields.text("id", server.id);
    fields.number("number", server.number);
    fields.text("address", server.address);
    fields.text("hostname", server.hostname);
    fields.text("cuda_version", server.cuda_version);
    fields.text("driver_version", server.driver_version);
    fields.flag("has_rdma", server.has_rdma);
    fields.flag("accepts", server.accepts);
    // Stores of releases before it have none.
    if (fields.has("instance")) fields.text("instance", server.instance);
    fields.list("gpus", [&](Fields& gpu_fields) {
        pool::Gpu gpu;
        gpu_fields.number("ordinal", gpu.ordinal);
        gpu_fields.number("memory_mib", gpu.memory_mib);
        gpu_fields.text("uuid", gpu.uuid);
        gpu_fields.text("name", gpu.name);
        gpu_fields.text("capability", gpu.capability);
        server.gpus.push_back(std::move(gpu));
    });
}

json json_of(const pool::Client& client) {
    json object = {{"id", client.id}, {"name", client.name}, {"enabled", client.enabled}};
    if (client.quota) object["quota_millionths"] = client.quota->millionths;
    if (client.idle_limit) object["idle_limit_min"] = client.idle_limit->count();
    if (client.auto_release) object["auto_release_s"] = client.auto_release->count();
    return object;
}

void read(Fields& fields, pool::Client& client) {
    fields.text("id", client.id);
    fields.text("name", client.name);
    fields.flag("enabled", client.enabled);
    if (fields.has("quota_millionths")) fields.share("quota_millionths", client.quota.emplace());
    if (fields.has("idle_limit_min")) fields.span("idle_limit_min", client.idle_limit.emplace());
    if (fields.has("auto_release_s")) fields.span("auto_release_s", client.auto_release.emplace());
}

void put(json& object, const pool::Request& ask) {
    object["gpus"] = ask.gpus;
    if (ask.memory_mib) object["memory_mib"] = *ask.memory_mib;
    if (ask.fraction) object["fraction"] = *ask.fraction;
}

void read(Fields& fields, pool::Request& ask) {
    fields.number("gpus", ask.gpus);
    if (fields.has("memory_mib")) fields.number("memory_mib", ask.memory_mib.emplace());
    if (fields.has("fraction")) {
        const json* value = fields.find("fraction", json::value_t::number_float);
        if (value != nullptr) ask.fraction = value->get<double>();
    }
}

json json_of(const pool::Claim& claim) {
    json filters = json::array();
    for (const pool::Filter& filter : claim.filters) filters.push_back(pool::text_of(filter));
    json object = {{"id", claim.id},
                   {"client", claim.client},
                   {"filters", filters},
                   {"servers", claim.servers},
                   {"timeout_ms", claim.timeout.count()},
                   {"persistent", claim.persistent},
                   {"note", claim.note},
                   {"turn_time", claim.turn.virtual_time},
                   {"turn_number", claim.turn.number}};
    put(object, claim.ask);
    return object;
}

void read(Fields& fields, pool::Claim& claim) {
    fields.text("id", claim.id);
    fields.text("client", claim.client);
    std::vector<std::string> filters;
    fields.texts("filters", filters);
    for (const std::string& text : filters) {
        auto filter = pool::parse_filter(text);
        if (filter) {
            claim.filters.push_back(std::move(*filter));
        } else {
            fields.fail(filter.error().what);
        }
    }
    fields.texts("servers", claim.servers);
    fields.span("timeout_ms", claim.timeout);
    fields.flag("persistent", claim.persistent);
    fields.text("note", claim.note);
    fields.number("turn_time", claim.turn.virtual_time);
    fields.number("turn_number", claim.turn.number);
    read(fields, claim.ask);
}

json json_of(const pool::Lease& lease) {
    json parts = json::array();
    for (const pool::Part& part : lease.grant.parts)
        parts.push_back({{"ordinal", part.ordinal}, {"memory_mib", part.memory_mib}});
    json object = {{"id", lease.id},
                   {"client", lease.client},
                   {"server", lease.server},
                   {"partition_mib", lease.grant.partition_mib},
                   {"parts", parts},
                   {"share_millionths", lease.share.millionths},
                   {"persistent", lease.persistent},
                   {"state", lease.state == pool::LeaseState::kEnding ? "ending" : "granted"},
                   {"why_here", lease.why_here},
                   {"end_reason", lease.end_reason},
                   {"note", lease.note}};
    put(object, lease.ask);
    return object;
}

void read(Fields& fields, pool::Lease& lease) {
    fields.text("id", lease.id);
    fields.text("client", lease.client);
    fields.text("server", lease.server);
    fields.number("partition_mib", lease.grant.partition_mib);
    fields.list("parts", [&](Fields& part_fields) {
        pool::Part part;
        part_fields.number("ordinal", part.ordinal);
        part_fields.number("memory_mib", part.memory_mib);
        lease.grant.parts.push_back(part);
    });
    fields.share("share_millionths", lease.share);
    fields.flag("persistent", lease.persistent);
    std::string state;
    fields.text("state", state);
    if (state == "ending") {
        lease.state = pool::LeaseState::kEnding;
    } else if (state != "granted") {
        fields.fail("has a state that there is not");
    }
    fields.text("why_here", lease.why_here);
    fields.text("end_reason", lease.end_reason);
    fields.text("note", lease.note);
    read(fields, lease.ask);
}

constexpr char kSettingsKey[] = "pool/settings";
constexpr char kServerPrefix[] = "pool/server/";
constexpr char kClientPrefix[] = "pool/client/";
constexpr char kClaimPrefix[] = "pool/claim/";
constexpr char kLeasePrefix[] = "pool/lease/";

std::string key_of(const pool::Settings&) { return kSettingsKey; }
std::string key_of(const pool::Server& server) { return kServerPrefix + server.id; }
std::string key_of(const pool::Client& client) { return kClientPrefix + client.id; }
std::string key_of(const pool::Claim& claim) { return kClaimPrefix + claim.id; }
std::string key_of(const pool::Lease& lease) { return kLeasePrefix + lease.id; }

std::string key_of(const pool::Removal& removal) {
    switch (removal.kind) {
        case pool::RecordKind::kServer:
            return kServerPrefix + removal.id;
        case pool::RecordKind::kClient:
            return kClientPrefix + removal.id;
        case pool::RecordKind::kClaim:
            return kClaimPrefix + removal.id;
        case pool::RecordKind::kLease:
            return kLeasePrefix + removal.id;
    }
    __builtin_trap();
}

Status corrupt(const std::string& key, const std::string& what) {
    return fail("the store is corrupt: the record '" + key + "' " + what +
                    "; restore the store from a backup, nothing was changed",
                kCorrupt);
}

template <typename Record>
Status add(std::vector<Record>& records, const Entry& entry, const char* prefix, Fields& fields) {
    Record record;
    read(fields, record);
    if (!fields.wrong().empty()) return corrupt(entry.key, fields.wrong());
    if (prefix + record.id != entry.key) return corrupt(entry.key, "has the id of another");
    records.push_back(std::move(record));
    return {};
}

}  // namespace

Write write_of(const pool::Change& change) {
    return std::visit(
        [](const auto& record) -> Write {
            if constexpr (std::is_same_v<decltype(record), const pool::Removal&>) {
                return {key_of(record), std::nullopt};
            } else {
                // Notes and reasons are the callers' texts: what is no UTF-8 in them must not stop a record.
                return {key_of(record), json_of(record).dump(-1, ' ', false, json::error_handler_t::replace)};
            }
        },
        change);
}

Status add_record(pool::Records& records, const Entry& entry) {
    if (entry.key == kSequenceKey) return {};
    const json object = json::parse(entry.value, nullptr, false);
    Fields fields(object);
    if (entry.key == kSettingsKey) {
        read(fields, records.settings);
        return fields.wrong().empty() ? Status() : corrupt(entry.key, fields.wrong());
    }
    if (entry.key.starts_with(kServerPrefix)) return add(records.servers, entry, kServerPrefix, fields);
    if (entry.key.starts_with(kClientPrefix)) return add(records.clients, entry, kClientPrefix, fields);
    if (entry.key.starts_with(kClaimPrefix)) return add(records.claims, entry, kClaimPrefix, fields);
    if (entry.key.starts_with(kLeasePrefix)) return add(records.leases, entry, kLeasePrefix, fields);
    return corrupt(entry.key, "is of no kind that there is");
}

}  // namespace bitfusion::store
