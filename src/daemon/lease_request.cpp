// The body of POST /v1/leases: hostile until it is read.
#include "daemon/dispatcher.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr uint64_t kMostGpus = 64;
constexpr uint64_t kMostMemoryMib = UINT64_C(1) << 40;
constexpr uint64_t kMostTimeout = 30 * 24 * 3600;
constexpr size_t kMostFilters = 32;
constexpr size_t kMostServers = 1024;

Result<std::string> client_text(const json& client, const char* key) {
    const auto found = client.find(key);
    if (found == client.end() || found->is_null()) return std::string();
    if (!found->is_string()) return fail(std::string("client.") + key + " must be a text");
    return harmless(found->get_ref<const std::string&>(), 255);
}

Status parse_client(const json& object, Client* client) {
    if (!object.is_object()) return fail("client must be an object {host, pid, user, program}");
    const std::pair<const char*, std::string*> texts[] = {
        {"host", &client->host}, {"user", &client->user}, {"program", &client->program}};
    for (const auto& [key, place] : texts) {
        auto text = client_text(object, key);
        if (!text) return tl::unexpected(text.error());
        *place = std::move(*text);
    }
    const auto pid = object.find("pid");
    if (pid != object.end()) {
        if (!pid->is_number_unsigned() || pid->get<uint64_t>() > INT32_MAX)
            return fail("client.pid must be a process id");
        client->pid = pid->get<int64_t>();
    }
    return {};
}

Status parse_amount(const json& root, pool::Request* ask) {
    const auto gpus = root.find("gpus");
    if (gpus == root.end() || !gpus->is_number_unsigned() || gpus->get<uint64_t>() < 1 ||
        gpus->get<uint64_t>() > kMostGpus) {
        return fail("gpus must be a whole number from 1 to 64");
    }
    ask->gpus = gpus->get<uint32_t>();
    if (const auto memory = root.find("memory_mib"); memory != root.end() && !memory->is_null()) {
        if (!memory->is_number_unsigned() || memory->get<uint64_t>() < 1 ||
            memory->get<uint64_t>() > kMostMemoryMib) {
            return fail("memory_mib must be a whole number of MiB, at least 1");
        }
        ask->memory_mib = memory->get<uint64_t>();
    }
    if (const auto fraction = root.find("fraction"); fraction != root.end() && !fraction->is_null()) {
        if (!fraction->is_number()) return fail("fraction must be a number above 0.0 and at most 1.0");
        ask->fraction = fraction->get<double>();
    }
    return {};
}

Status parse_flag(const json& root, const char* key, bool* flag) {
    const auto found = root.find(key);
    if (found == root.end()) return {};
    if (!found->is_boolean()) return fail(std::string(key) + " must be true or false");
    *flag = found->get<bool>();
    return {};
}

Result<std::vector<std::string>> texts_of(const json& root, const char* key, size_t most) {
    std::vector<std::string> texts;
    const auto found = root.find(key);
    if (found == root.end() || found->is_null()) return texts;
    if (!found->is_array() || found->size() > most)
        return fail(std::string(key) + " must be a list of at most " + std::to_string(most) + " texts");
    for (const json& one : *found) {
        if (!one.is_string() || one.get_ref<const std::string&>().size() > 512)
            return fail(std::string(key) + " must be a list of short texts");
        texts.push_back(one.get<std::string>());
    }
    return texts;
}

bool is_uuid(const std::string& text) {
    return text.size() == 36 && text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

Status parse_claim(const json& root, LeaseRequest* request) {
    pool::Claim& claim = request->claim;
    claim.timeout = std::chrono::seconds(0);
    if (const auto timeout = root.find("timeout_s"); timeout != root.end()) {
        if (!timeout->is_number_unsigned() || timeout->get<uint64_t>() > kMostTimeout)
            return fail("timeout_s must be whole seconds, at most 30 days");
        claim.timeout = std::chrono::seconds(timeout->get<int64_t>());
    }
    if (const auto id = root.find("id"); id != root.end()) {
        if (!id->is_string() || !is_uuid(id->get<std::string>()))
            return fail("id must be a UUID in lower case");
        claim.id = id->get<std::string>();
    }
    if (const auto ticket = root.find("ticket"); ticket != root.end()) {
        const auto read = wire::ticket_from_hex(ticket->is_string() ? ticket->get<std::string>() : "");
        if (!read) return tl::unexpected(read.error());
        request->ticket = *read;
    }
    const auto filters = texts_of(root, "filters", kMostFilters);
    if (!filters) return tl::unexpected(filters.error());
    for (const std::string& text : *filters) {
        const auto filter = pool::parse_filter(text);
        if (!filter) return tl::unexpected(filter.error());
        claim.filters.push_back(*filter);
    }
    const auto servers = texts_of(root, "servers", kMostServers);
    if (!servers) return tl::unexpected(servers.error());
    claim.servers = *servers;
    return parse_flag(root, "persistent", &claim.persistent);
}

}  // namespace

Result<LeaseRequest> parse_lease_request(const std::string& body) {
    const json root = json::parse(body, nullptr, false);
    if (!root.is_object()) return fail("the body is not a JSON object; see /v1/openapi.json");
    LeaseRequest request;
    if (auto amount = parse_amount(root, &request.claim.ask); !amount) return tl::unexpected(amount.error());
    if (auto hold = parse_flag(root, "hold", &request.hold); !hold) return tl::unexpected(hold.error());
    if (auto claim = parse_claim(root, &request); !claim) return tl::unexpected(claim.error());
    if (const auto client = root.find("client"); client != root.end()) {
        if (auto parsed = parse_client(*client, &request.client); !parsed)
            return tl::unexpected(parsed.error());
    }
    return request;
}

}  // namespace bitfusion::daemon
