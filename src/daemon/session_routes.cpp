// Signing in and out, and one's own password.
#include <ctime>

#include "daemon/dispatcher.h"
#include "daemon/gate.h"
#include "daemon/routes.h"
#include "daemon/sign_ins.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr const char* kTwoTexts = "name and password are needed, both texts";

Result<std::pair<std::string, std::string>> texts_of(const Asked& asked, const char* first,
                                                     const char* second, const char* otherwise) {
    const auto body = object_of(asked);
    if (!body) return tl::unexpected<Error>(body.error());
    const auto one = body->find(first);
    const auto two = body->find(second);
    if (one == body->end() || two == body->end() || !one->is_string() || !two->is_string() ||
        body->size() != 2)
        return fail(otherwise, 400);
    return std::pair(one->get<std::string>(), two->get<std::string>());
}

Reply refusal(const Error& error, std::time_t retry_after) {
    Reply reply = error_reply(error);
    if (error.code == 429) {
        reply.headers.emplace_back("Retry-After", std::to_string(retry_after));
        reply.body["retry_after_s"] = retry_after;
    }
    return reply;
}

}  // namespace

Task<Reply> Api::login(Asked asked) {
    const auto texts = texts_of(asked, "name", "password", kTwoTexts);
    if (!texts) co_return error_reply(texts.error());
    std::time_t retry_after = 0;
    const auto session =
        co_await parts_.sign_ins.check(texts->first, texts->second, asked.request.peer_ip, &retry_after);
    if (!session) co_return refusal(session.error(), retry_after);
    co_return json_reply({{"session", session->session}});
}

Reply Api::signed_in(const Asked& asked, const Result<identity::SignedIn>& session,
                     std::time_t retry_after) const {
    if (!session) return refusal(session.error(), retry_after);
    const std::string& name = asked.caller.person;
    Reply reply = json_reply({{"name", name},
                              {"role", identity::text_of(session->role)},
                              {"csrf", parts_.registry->csrf_of(session->session)},
                              {"expires", identity::stamp(session->until)},
                              {"insecure", false}});
    reply.headers.emplace_back("Set-Cookie",
                               parts_.gate.cookie_of(session->session, session->until - time(nullptr)));
    return reply;
}

Task<Reply> Api::sign_in(Asked asked) {
    const auto texts = texts_of(asked, "name", "password", kTwoTexts);
    if (!texts) co_return error_reply(texts.error());
    std::time_t retry_after = 0;
    const auto session =
        co_await parts_.sign_ins.check(texts->first, texts->second, asked.request.peer_ip, &retry_after);
    asked.caller.person = texts->first;
    co_return signed_in(asked, session, retry_after);
}

Reply Api::who(const Asked& asked) {
    const identity::Caller& caller = asked.caller;
    const bool person = !caller.person.empty();
    return json_reply({{"name", person ? caller.person : caller.name},
                       {"role", identity::text_of(caller.role)},
                       {"csrf", person ? parts_.registry->csrf_of(caller.session) : ""},
                       {"expires", caller.until == 0 ? json() : json(identity::stamp(caller.until))},
                       {"insecure", parts_.registry == nullptr}});
}

Reply Api::sign_out(const Asked& asked) {
    if (asked.caller.session.empty())
        return error_reply(409, "nobody is signed in here: a token is revoked with PUT /v1/tokens/{id}");
    if (auto out = parts_.registry->sign_out(asked.caller.session, time(nullptr)); !out)
        return error_reply(out.error());
    Reply reply = json_reply({{"state", "signed out"}});
    reply.headers.emplace_back("Set-Cookie", parts_.gate.no_cookie());
    return reply;
}

Task<Reply> Api::change_own_password(Asked asked) {
    if (asked.caller.person.empty())
        co_return error_reply(409, "a token has no password; sign in as the person whose password it is");
    const auto texts = texts_of(asked, "old", "new", "old and new are needed, both texts");
    if (!texts) co_return error_reply(texts.error());
    const auto hash = identity::hash_password(texts->second);
    if (!hash) co_return error_reply(hash.error());
    std::time_t retry_after = 0;
    const auto right = co_await parts_.sign_ins.check(asked.caller.person, texts->first,
                                                      asked.request.peer_ip, &retry_after);
    // 403 and not 401: the session is good, only the old password is not.
    if (!right && right.error().code == 401) co_return error_reply(403, "the old password is wrong");
    if (!right) co_return refusal(right.error(), retry_after);
    const auto changed =
        parts_.registry->change_person(asked.caller.person, [&](identity::Person& person) -> Status {
            person.password = *hash;
            person.changed = std::max(person.changed + 1, time(nullptr));
            return {};
        });
    if (!changed) co_return error_reply(changed.error());
    co_return signed_in(asked, parts_.registry->log_in(asked.caller.person, texts->second, time(nullptr)), 1);
}

}  // namespace bitfusion::daemon
