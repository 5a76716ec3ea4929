#include "pool/record_check.h"

#include <algorithm>
#include <set>

namespace bitfusion::pool {
namespace {

constexpr size_t kMostIdBytes = 128;
constexpr size_t kMostTextBytes = 255;
constexpr size_t kMostNoteBytes = size_t{16} << 10;
constexpr size_t kMostFilters = 32;
constexpr size_t kMostListed = 1024;
constexpr auto kMostSpan = std::chrono::hours(24 * 366);

bool is_text(const std::string& text) {
    return text.size() <= kMostTextBytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

template <typename Span>
bool is_span(Span span) {
    return span >= Span::zero() && span <= std::chrono::duration_cast<Span>(kMostSpan);
}

Status wrong(const std::string& what) { return fail(what, 400); }

Status check_quota(Share quota) {
    if (quota < Share{} || quota > Share::whole(1'000'000))
        return wrong("a quota must be from 0 to 1000000 GPUs; 64 is the default");
    return {};
}

}  // namespace

bool is_id(const std::string& text) {
    return !text.empty() && text.size() <= kMostIdBytes && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == ':' || c == '-';
    });
}

Status check(const Settings& settings) {
    if (auto ok = check_quota(settings.quota); !ok) return ok;
    if (!is_span(settings.idle_limit))
        return wrong("the idle limit must be from 0 minutes (off) to 366 days");
    if (settings.auto_release <= std::chrono::seconds::zero() || !is_span(settings.auto_release))
        return wrong("auto_release_timeout must be from 1 second to 366 days; 10m is the default");
    if (settings.claim_silence <= std::chrono::seconds::zero() || !is_span(settings.claim_silence))
        return wrong("the silence that a waiting client may keep must be from 1 second to 366 days");
    if (settings.server_silence <= std::chrono::seconds::zero() || !is_span(settings.server_silence))
        return wrong("the silence that a server may keep must be from 1 second to 366 days");
    return {};
}

Status check(const Server& server) {
    if (!is_id(server.id)) return wrong("a server's id must be 1 to 128 letters, digits and . _ : -");
    const std::string who = "server " + server.id;
    if (!is_text(server.address) || !is_text(server.hostname) || !is_text(server.cuda_version) ||
        !is_text(server.driver_version) || !is_text(server.instance))
        return wrong(who + " has a text that is longer than 255 characters or not printable");
    if (server.gpus.size() > kMostGpus) return wrong(who + " names more than 64 GPUs");
    std::set<uint32_t> ordinals;
    std::set<std::string> uuids;
    for (const Gpu& gpu : server.gpus) {
        const std::string which = who + ", GPU " + std::to_string(gpu.ordinal);
        if (!ordinals.insert(gpu.ordinal).second) return wrong(which + ": its number is there twice");
        if (gpu.memory_mib == 0 || gpu.memory_mib > kMostGpuMib)
            return wrong(which + ": its memory must be from 1 MiB to 16 TiB");
        if (!is_text(gpu.uuid) || !is_text(gpu.name) || !is_text(gpu.capability))
            return wrong(which + " has a text that is longer than 255 characters or not printable");
        if (!gpu.uuid.empty() && !uuids.insert(gpu.uuid).second)
            return wrong(which + ": its UUID is there twice");
    }
    return {};
}

Status check(const Client& client) {
    if (!is_id(client.id)) return wrong("a client's id must be 1 to 128 letters, digits and . _ : -");
    if (!is_text(client.name)) return wrong("a client's name must be at most 255 printable characters");
    if (client.quota) {
        if (auto ok = check_quota(*client.quota); !ok) return ok;
    }
    if (client.idle_limit && !is_span(*client.idle_limit))
        return wrong("the idle limit must be from 0 minutes (off) to 366 days");
    if (client.auto_release &&
        (*client.auto_release <= std::chrono::seconds::zero() || !is_span(*client.auto_release)))
        return wrong("auto_release_timeout must be from 1 second to 366 days; 10m is the default");
    return {};
}

Status check(const Claim& claim) {
    if (!is_id(claim.id)) return wrong("a request's id must be 1 to 128 letters, digits and . _ : -");
    if (!is_id(claim.client)) return wrong("a client's id must be 1 to 128 letters, digits and . _ : -");
    if (auto refusal = malformed(claim.ask)) return wrong(refusal->text);
    if (claim.ask.memory_mib && *claim.ask.memory_mib > kMostGpuMib)
        return wrong("a partition of more than 16 TiB was asked; ask for less with -m");
    if (claim.filters.size() > kMostFilters) return wrong("more than 32 filters were given; leave some out");
    for (const Filter& filter : claim.filters) {
        const auto again = parse_filter(text_of(filter));
        if (!again) return wrong(again.error().what);
    }
    if (claim.servers.size() > kMostListed)
        return wrong("more than 1024 servers were listed; leave some out");
    for (const std::string& name : claim.servers) {
        if (name.empty() || !is_text(name))
            return wrong("a listed server's name must be 1 to 255 printable characters");
    }
    if (!is_span(claim.timeout)) return wrong("the timeout must be from 0 to 366 days; 30m is the default");
    if (claim.note.size() > kMostNoteBytes) return wrong("a request's note must be at most 16 KiB");
    return {};
}

}  // namespace bitfusion::pool
