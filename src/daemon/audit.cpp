#include "daemon/audit.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "daemon/dispatcher.h"
#include "identity/token.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "audit/";
constexpr size_t kDigits = 12;
constexpr uint64_t kBlock = 100;  // entries whose keys begin alike but for two digits
constexpr size_t kMostChangeBytes = 1024;
constexpr size_t kMostBodyBytes = 65536;
constexpr size_t kMostText = 300;
constexpr int kTries = 16;

std::string key_of(uint64_t number) {
    char text[32];
    snprintf(text, sizeof text, "%s%012llu", kPrefix, static_cast<unsigned long long>(number));
    return text;
}

// The keys of numbers block*100 to block*100+99.
std::string prefix_of_block(uint64_t block) {
    const std::string key = key_of(block * kBlock);
    return key.substr(0, key.size() - 2);
}

// 0 for a key that is none of ours.
uint64_t number_in(const std::string& key) {
    const size_t head = std::string(kPrefix).size();
    uint64_t number = 0;
    if (key.size() != head + kDigits) return 0;
    const char* const end = key.data() + key.size();
    const auto [at, error] = std::from_chars(key.data() + head, end, number);
    return error == std::errc{} && at == end ? number : 0;
}

std::string text_of(const AuditEntry& entry, uint64_t left_out) {
    json root = {{"time", identity::stamp(entry.time)},
                 {"who", harmless(entry.who, 64)},
                 {"role", entry.role},
                 {"from", harmless(entry.from, 64)},
                 {"what", entry.what},
                 {"subject", harmless(entry.subject, 128)},
                 {"change", entry.change},
                 {"status", entry.status},
                 {"outcome", harmless(entry.outcome, kMostText)}};
    if (left_out > 0) root["left_out"] = left_out;
    return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_secret(const std::string& key) {
    static const char* const kSecrets[] = {"password", "old", "new", "secret", "token", "session", "ticket"};
    return std::any_of(std::begin(kSecrets), std::end(kSecrets),
                       [&](const char* secret) { return key.find(secret) != std::string::npos; });
}

}  // namespace

json kept_of(const std::string& body) {
    if (body.size() > kMostBodyBytes) return nullptr;
    const json root = json::parse(body, nullptr, false);
    if (!root.is_object() || root.empty()) return nullptr;
    json kept = json::object();
    for (const auto& [key, value] : root.items()) {
        const std::string name = harmless(key, 32);
        if (is_secret(name))
            kept[name] = "(not kept)";
        else if (value.is_string())
            kept[name] = harmless(value.get<std::string>(), 200);
        else if (value.is_primitive())
            kept[name] = value;
        else
            kept[name] = "(not kept)";
        if (kept.dump(-1, ' ', true, json::error_handler_t::replace).size() > kMostChangeBytes) {
            kept.erase(name);
            kept["more"] = "(not kept)";
            break;
        }
    }
    return kept;
}

Result<uint64_t> Audit::newest() {
    if (!known_) {
        const auto all = store_.read(kPrefix);
        if (!all) return tl::unexpected<Error>(all.error());
        for (const store::Entry& entry : all->entries) last_ = std::max(last_, number_in(entry.key));
        known_ = true;
    }
    // What other servers have written since.
    for (;;) {
        const uint64_t before = last_;
        for (const uint64_t block : {last_ / kBlock, last_ / kBlock + 1}) {
            const auto found = store_.read(prefix_of_block(block));
            if (!found) return tl::unexpected<Error>(found.error());
            for (const store::Entry& entry : found->entries) last_ = std::max(last_, number_in(entry.key));
        }
        if (last_ / kBlock == before / kBlock) return last_;
    }
}

bool Audit::counts_as_too_many(const AuditEntry& entry) {
    if (entry.status < 400) return false;
    if (entry.time - hour_ >= 3600 || entry.time < hour_) {
        hour_ = entry.time;
        refusals_ = 0;
    }
    return ++refusals_ > kRefusalsAnHour;
}

Status Audit::add(AuditEntry entry) {
    if (counts_as_too_many(entry)) {
        ++left_out_;
        return {};
    }
    for (int i = 0; i < kTries; ++i) {
        const auto last = newest();
        if (!last) return tl::unexpected<Error>(last.error());
        const uint64_t number = *last + 1;
        store::Transaction transaction;
        transaction.conditions.push_back({key_of(number), 0});
        transaction.writes.push_back({key_of(number), text_of(entry, left_out_)});
        if (number > kMostEntries)
            transaction.writes.push_back({key_of(number - kMostEntries), std::nullopt});
        const auto done = store_.commit(transaction);
        if (!done) return tl::unexpected<Error>(done.error());
        if (!done->done) continue;
        last_ = number;
        left_out_ = 0;
        return {};
    }
    return fail("other servers write the audit trail all the time; the entry is lost", 503);
}

Result<json> Audit::page(uint64_t before, size_t limit) {
    const auto last = newest();
    if (!last) return tl::unexpected<Error>(last.error());
    const uint64_t oldest = *last > kMostEntries ? *last - kMostEntries + 1 : 1;
    uint64_t at = before == 0 || before > *last ? *last : before - 1;
    json entries = json::array();
    while (at >= oldest && entries.size() < limit) {
        const uint64_t block = at / kBlock;
        const auto found = store_.read(prefix_of_block(block));
        if (!found) return tl::unexpected<Error>(found.error());
        for (auto entry = found->entries.rbegin(); entry != found->entries.rend(); ++entry) {
            const uint64_t number = number_in(entry->key);
            if (number == 0 || number > at || entries.size() >= limit) continue;
            json row = json::parse(entry->value, nullptr, false);
            if (!row.is_object()) continue;
            row["seq"] = number;
            entries.push_back(std::move(row));
            at = number - 1;
        }
        if (entries.size() < limit) at = block == 0 ? 0 : std::min(at, block * kBlock - 1);
    }
    const bool more = at >= oldest && !entries.empty();
    return json{{"next", more ? json(entries.back()["seq"]) : json()}, {"entries", std::move(entries)}};
}

}  // namespace bitfusion::daemon
