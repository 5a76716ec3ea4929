// What servers of one pool say to each other, and what one says that wants to be of it. A server proves that
// it is of the pool by the secret in the pool's store, a new one by its invitation.
#include <ctime>

#include "base/log.h"
#include "daemon/attendance.h"
#include "daemon/forward.h"
#include "daemon/routes.h"
#include "identity/certificate.h"
#include "identity/invitation.h"
#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using nlohmann::json;

constexpr size_t kMostRequestBytes = 16384;
constexpr auto kSignDeadline = std::chrono::seconds(10);
constexpr const char* kNoPath = "no such path; see /v1/openapi.json";
constexpr const char* kOwnStore =
    "this server keeps the pool's records for itself, so that no other can join: servers of one pool share "
    "an "
    "etcd; start it with --etcd";

std::string joined_text(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
    return text;
}

}  // namespace

Task<Reply> Api::cluster(ApiRequest request, std::string path) {
    const Cluster& cluster = parts_.scheduler.cluster();
    if (path == kAuthorityPath && request.verb == verb::get && parts_.folder != nullptr) {
        const auto authority = parts_.folder->read("ca.crt");
        if (!authority) co_return error_reply(503, authority.error().what);
        Reply reply;
        reply.text = *authority;
        reply.content_type = "application/x-pem-file";
        co_return reply;
    }
    if (path == kJoinPath && request.verb == verb::post) co_return co_await let_join(std::move(request));
    const bool member = !cluster.secret.empty() && identity::equal_secrets(request.bearer, cluster.secret);
    if (!member) co_return error_reply(401, "only servers of this pool may ask this");
    if (path == kCertificatePath && request.verb == verb::post) co_return sign_here(request.body);
    if (path != kAttendancePath || request.verb != verb::post) co_return error_reply(404, kNoPath);
    const auto attendance = attendance_from(request.body);
    if (!attendance) co_return error_reply(attendance.error());
    const auto orders = parts_.scheduler.attend(*attendance);
    if (!orders) co_return error_reply(orders.error());
    Reply reply;
    reply.text = to_json(*orders);
    co_return reply;
}

Reply Api::create_invitation(const Asked&) {
    if (parts_.registry == nullptr || parts_.folder == nullptr)
        return error_reply(404, "this server is insecure: nobody needs an invitation to its pool");
    if (parts_.forwarder == nullptr) return error_reply(409, kOwnStore);
    const auto authority = parts_.folder->read("ca.crt");
    if (!authority) return error_reply(503, authority.error().what);
    const auto facts = identity::facts_of(*authority);
    if (!facts) return error_reply(503, facts.error().what);
    const std::time_t expires = time(nullptr) + identity::kInvitationSeconds;
    const auto text = identity::make_invitation(parts_.store, facts->fingerprint, expires);
    if (!text) return error_reply(text.error());
    return json_reply({{"invitation", *text}, {"expires", identity::stamp(expires)}}, 201);
}

Reply Api::sign_here(const std::string& body) {
    const json asked = json::parse(body, nullptr, false);
    const std::string request = asked.is_object() ? asked.value("request", json()).dump() : "";
    if (request.size() > kMostRequestBytes || !asked.is_object() ||
        !asked.value("request", json()).is_string())
        return error_reply(400, "request must be a request for a certificate");
    const auto authority = parts_.folder == nullptr ? fail("this server is insecure: it signs nothing", 404)
                                                    : parts_.folder->authority();
    if (!authority) return error_reply(409, authority.error().what);
    const auto certificate =
        identity::sign_request(*authority, asked["request"].get<std::string>(), time(nullptr));
    if (!certificate) return error_reply(400, certificate.error().what);
    return json_reply({{"certificate", *certificate}});
}

Task<Reply> Api::sign_somewhere(std::string body) {
    if (parts_.folder != nullptr && parts_.folder->authority()) co_return sign_here(body);
    const auto members = read_members(parts_.store);
    if (!members) co_return error_reply(members.error());
    for (const Member& member : *members) {
        if (!member.authority || parts_.forwarder == nullptr) continue;
        PeerRequest request;
        request.verb = verb::post;
        request.target = kCertificatePath;
        request.headers = {{"Authorization", "Bearer " + parts_.scheduler.cluster().secret}};
        request.content_type = "application/json";
        request.body = body;
        const auto answer =
            co_await parts_.forwarder->peer().ask(member.control_address, std::move(request), kSignDeadline);
        if (!answer) co_return error_reply(answer.error());
        Reply reply;
        reply.status = answer->status;
        reply.body = json::parse(answer->body, nullptr, false);
        if (!reply.body.is_object()) co_return error_reply(503, "server " + member.name + " signed nothing");
        co_return reply;
    }
    co_return error_reply(409,
                          "no server that runs has the key of the pool's authority; start the one that was "
                          "initialised first");
}

Task<Reply> Api::let_join(ApiRequest request) {
    if (parts_.folder == nullptr) co_return error_reply(404, "this server is insecure: nobody joins it");
    if (parts_.forwarder == nullptr) co_return error_reply(409, kOwnStore);
    if (auto taken = identity::take_invitation(parts_.store, request.bearer, time(nullptr)); !taken) {
        BF_LOG("daemon", kWarn, "a server that wants to join is refused: %s", taken.error().what.c_str());
        co_return error_reply(taken.error());
    }
    Reply reply = co_await sign_somewhere(request.body);
    if (reply.status != 200) co_return reply;
    const auto facts = identity::facts_of(reply.body.value("certificate", ""));
    BF_LOG("daemon", kInfo, "a server joins the pool: %s", facts ? facts->subject.c_str() : "?");
    reply.body["pool"] = parts_.scheduler.cluster().id;
    reply.body["etcd"] = joined_text(place_.etcd);
    co_return reply;
}

}  // namespace bitfusion::daemon
