#include "daemon/forward.h"

#include <algorithm>
#include <array>

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;

// Longer than it takes to notice that the scheduling server is gone and to elect another.
constexpr auto kPatience = std::chrono::seconds(20);
constexpr auto kAgainAfter = std::chrono::milliseconds(500);
constexpr auto kAnswerDeadline = std::chrono::seconds(25);

const char* content_type_of(const PeerAnswer& answer) {
    for (const char* known : {"application/x-tar", "text/plain"}) {
        if (answer.content_type.starts_with(known)) return known;
    }
    return "application/json";
}

PeerRequest request_for(const Asked& asked) {
    const ApiRequest& request = asked.request;
    PeerRequest next;
    next.verb = request.verb;
    next.target = request.target;
    next.headers = {{kForwardedHeader, "1"},
                    {"Bitfusion-Machine", request.machine},
                    {"Bitfusion-Host", request.host},
                    {"Bitfusion-Version", request.version}};
    if (!request.if_match.empty()) next.headers.emplace_back("If-Match", request.if_match);
    const std::string& shown = request.bearer.empty() ? asked.caller.session : request.bearer;
    if (!shown.empty()) next.headers.emplace_back("Authorization", "Bearer " + shown);
    next.content_type = request.content_type;
    next.body = request.body;
    return next;
}

// The lease that was granted by it, which nobody would hold if the reply did not arrive.
std::string lease_of(const ApiRequest& request, const PeerAnswer& answer) {
    if (request.verb != verb::post || request.target != "/v1/leases" || answer.status != 201) return "";
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    const auto id = body.is_object() ? body.find("id") : body.end();
    return id != body.end() && id->is_string() ? id->get<std::string>() : "";
}

}  // namespace

bool is_for_scheduler(verb method, const std::string& path) {
    const auto under = [&path](const std::string& root) {
        return path == root || path.starts_with(root + "/");
    };
    if (under("/v1/leases")) return method == verb::post || method == verb::delete_;
    if (under("/v1/tokens"))
        return method == verb::put || method == verb::delete_ || path.ends_with("/bundle");
    static constexpr std::array kAll = {"/v1/claims", "/v1/clients", "/v1/servers", "/v1/settings",
                                        "/v1/claim_id"};
    return std::any_of(kAll.begin(), kAll.end(), under);
}

Task<std::optional<Reply>> Forwarder::answer(const Asked& asked) {
    if (!is_for_scheduler(asked.request.verb, asked.path)) co_return std::nullopt;
    co_return co_await ask_scheduler(asked);
}

Task<std::optional<Reply>> Forwarder::ask_scheduler(const Asked& asked) {
    const ApiRequest& request = asked.request;
    if (scheduler_.leading()) co_return std::nullopt;
    const auto until = Clock::now() + kPatience;
    std::string trouble = "no server schedules just now; try again in a few seconds";
    while (!request.forwarded && Clock::now() < until) {
        const std::string leader = scheduler_.leader();
        if (scheduler_.leading()) co_return std::nullopt;
        if (!leader.empty()) {
            const auto answer = co_await peer_.ask(leader, request_for(asked), kAnswerDeadline);
            // 421: it does not schedule any more, or not yet.
            if (answer && answer->status != 421) {
                Reply reply;
                reply.status = answer->status;
                reply.text = answer->body;
                reply.content_type = content_type_of(*answer);
                reply.unsent = lease_of(request, *answer);
                if (!answer->etag.empty()) reply.headers.emplace_back("ETag", answer->etag);
                co_return reply;
            }
            if (!answer) trouble = answer.error().what;
        }
        asio::steady_timer again(io_, kAgainAfter);
        co_await again.async_wait(kNoThrow);
        if (scheduler_.leading()) co_return std::nullopt;
    }
    co_return error_reply(request.forwarded ? 421 : 503, trouble);
}

}  // namespace bitfusion::daemon
