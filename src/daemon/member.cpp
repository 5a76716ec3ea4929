#include "daemon/member.h"

#include <nlohmann/json.hpp>

#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr const char* kId = "cluster/id";
constexpr const char* kSecret = "cluster/secret";
constexpr const char* kMembers = "cluster/member/";
constexpr size_t kSecretBytes = 32;
constexpr int kTries = 8;

json json_of(const Member& member) {
    return {{"name", member.name},
            {"control", member.control_address},
            {"data", member.data_address},
            {"pin", member.pin},
            {"authority", member.authority}};
}

Result<Member> member_from(const store::Entry& entry) {
    try {
        const json root = json::parse(entry.value);
        Member member;
        member.id = entry.key.substr(std::string(kMembers).size());
        member.name = root.at("name").get<std::string>();
        member.control_address = root.at("control").get<std::string>();
        member.data_address = root.at("data").get<std::string>();
        member.pin = root.at("pin").get<std::string>();
        member.authority = root.at("authority").get<bool>();
        return member;
    } catch (const json::exception& error) {
        return fail("the store's entry " + entry.key + " is damaged (" + error.what() +
                        "); restore the store from a backup",
                    503);
    }
}

std::string value_of(const std::vector<store::Entry>& entries, const char* key) {
    for (const store::Entry& entry : entries) {
        if (entry.key == key) return entry.value;
    }
    return "";
}

}  // namespace

Result<Cluster> open_cluster(store::Store& store) {
    for (int i = 0; i < kTries; ++i) {
        const auto found = store.read("cluster/");
        if (!found) return tl::unexpected<Error>(found.error());
        Cluster cluster{value_of(found->entries, kId), value_of(found->entries, kSecret)};
        if (!cluster.id.empty() && !cluster.secret.empty()) return cluster;
        store::Transaction first;
        first.conditions = {{kId, 0}, {kSecret, 0}};
        first.writes = {{kId, identity::random_text(16)}, {kSecret, identity::random_text(kSecretBytes)}};
        const auto made = store.commit(first);
        if (!made) return tl::unexpected<Error>(made.error());
    }
    return fail("the pool's id can neither be read nor made; restore the store from a backup");
}

Status write_member(store::Store& store, const Member& member) {
    const std::string key = kMembers + member.id;
    const std::string value = json_of(member).dump(-1, ' ', false, json::error_handler_t::replace);
    const auto found = store.read(key);
    if (!found) return tl::unexpected<Error>(found.error());
    if (value_of(found->entries, key.c_str()) == value) return {};
    store::Transaction transaction;
    transaction.writes.push_back({key, value});
    const auto written = store.commit(transaction);
    if (!written) return tl::unexpected<Error>(written.error());
    return {};
}

Status forget_member(store::Store& store, const std::string& id) {
    store::Transaction transaction;
    transaction.writes.push_back({kMembers + id, std::nullopt});
    const auto written = store.commit(transaction);
    if (!written) return tl::unexpected<Error>(Error{written.error().what, 503});
    return {};
}

Result<std::vector<Member>> read_members(store::Store& store) {
    const auto found = store.read(kMembers);
    if (!found) return tl::unexpected<Error>(Error{found.error().what, 503});
    std::vector<Member> members;
    for (const store::Entry& entry : found->entries) {
        auto member = member_from(entry);
        if (!member) return tl::unexpected<Error>(member.error());
        members.push_back(std::move(*member));
    }
    return members;
}

}  // namespace bitfusion::daemon
