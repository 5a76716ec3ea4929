#include <ctime>

#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/listen.h"
#include "daemon/routes.h"
#include "identity/bundle.h"

namespace bitfusion::daemon {
namespace {

using identity::Role;
using identity::Token;
using nlohmann::json;

constexpr int64_t kMostSeconds = INT64_C(100) * 366 * 24 * 3600;

// What an administrator edits: not where it is used.
std::string tag_of(const Token& token) {
    return etag_of({{"description", token.description},
                    {"role", identity::text_of(token.role)},
                    {"active", token.active},
                    {"revoked", token.revoked},
                    {"generation", token.generation},
                    {"enrolled", !token.machine.empty()},
                    {"expires", token.expires}});
}

}  // namespace

json Api::token_json(const Token& token) const {
    const bool expired = token.expires != 0 && time(nullptr) >= token.expires;
    const char* state = token.revoked   ? "revoked"
                        : !token.active ? "inactive"
                        : expired       ? "expired"
                                        : "active";
    return {{"id", token.id},
            {"description", token.description},
            {"role", identity::text_of(token.role)},
            {"state", state},
            {"shared", token.shared},
            {"host", token.host},
            {"enrolled", !token.machine.empty()},
            {"created", identity::stamp(token.created)},
            {"expires", token.expires == 0 ? json() : json(identity::stamp(token.expires))},
            {"etag", tag_of(token)}};
}

Reply Api::list_tokens(const Asked&) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto tokens = parts_.registry->tokens();
    if (!tokens) return error_reply(tokens.error());
    json list = json::array();
    for (const Token& token : *tokens) list.push_back(token_json(token));
    return json_reply({{"tokens", std::move(list)}});
}

Reply Api::create_token(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const std::time_t now = time(nullptr);
    std::string description;
    Role role = Role::kClient;
    std::time_t expires = 0;
    bool shared = false;
    bool active = true;
    for (const auto& [key, value] : body->items()) {
        if (key == "description" && value.is_string()) {
            description = harmless(value.get<std::string>(), 200);
        } else if (key == "role" && value.is_string()) {
            const auto read = identity::role_from(value.get<std::string>());
            if (!read) return error_reply(read.error());
            role = *read;
        } else if (key == "expires_in_s" && value.is_number_integer() && value.get<int64_t>() >= 0 &&
                   value.get<int64_t>() <= kMostSeconds) {
            expires = value.get<int64_t>() == 0 ? 0 : now + value.get<int64_t>();
        } else if (key == "shared" && value.is_boolean()) {
            shared = value.get<bool>();
        } else if (key == "active" && value.is_boolean()) {
            active = value.get<bool>();
        } else {
            return error_reply(
                400, "'" + harmless(key, 64) + "' cannot be said so of a token; see /v1/openapi.json");
        }
    }
    const auto token = parts_.registry->create_token(description, role, expires, shared, active, now);
    if (!token) return error_reply(token.error());
    Reply reply = json_reply(token_json(*token), 201);
    reply.body["token"] = parts_.registry->text_of(*token);
    return reply;
}

Reply Api::put_token(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const std::time_t now = time(nullptr);
    json current;
    const auto token = parts_.registry->change_token(asked.id, [&](Token& token) -> Status {
        current = token_json(token);
        if (auto same = check_etag(asked.request.if_match, tag_of(token)); !same) return same;
        for (const auto& [key, value] : body->items()) {
            if (key == "description" && value.is_string()) {
                token.description = harmless(value.get<std::string>(), 200);
            } else if (key == "active" && value.is_boolean()) {
                token.active = value.get<bool>();
            } else if (key == "revoked" && value == true) {
                token.revoked = true;
            } else if (key == "enrolled" && value == false) {
                token.machine.clear();
                token.host.clear();
            } else if (key == "renewed" && value == true) {
                ++token.generation;
            } else if (key == "expires_in_s" && value.is_number_integer() && value.get<int64_t>() >= 0 &&
                       value.get<int64_t>() <= kMostSeconds) {
                token.expires = now + value.get<int64_t>();
            } else {
                return fail("'" + harmless(key, 64) + "' of a token cannot be set so; see /v1/openapi.json",
                            400);
            }
        }
        return {};
    });
    if (!token && token.error().code == 412) return stale_reply(std::move(current));
    if (!token) return error_reply(token.error());
    if (token->revoked) end_leases_of(asked.id, "its token was revoked");
    return json_reply(token_json(*token));
}

void Api::end_leases_of(const std::string& token, const std::string& reason) {
    std::vector<std::string> ids;
    if (const pool::Pool* pool = parts_.scheduler.pool(); pool != nullptr) {
        for (const pool::Lease* lease : pool->leases()) {
            const auto note = lease_note_from(lease->note);
            if (note && note->token == token) ids.push_back(lease->id);
        }
    }
    for (const std::string& id : ids) parts_.leases.end(id, reason);
}

Reply Api::delete_token(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    json current;
    const auto gone = parts_.registry->delete_token(asked.id, [&](const Token& token) {
        current = token_json(token);
        return check_etag(asked.request.if_match, tag_of(token));
    });
    if (!gone && gone.error().code == 412) return stale_reply(std::move(current));
    if (!gone) return error_reply(gone.error());
    end_leases_of(asked.id, "its token was deleted");
    return json_reply({{"id", asked.id}, {"state", "deleted"}});
}

Reply Api::token_bundle(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto token = parts_.registry->token(asked.id);
    if (!token) return error_reply(token.error());
    const auto authority = parts_.folder->read("ca.crt");
    if (!authority) return error_reply(503, authority.error().what);
    std::vector<std::string> servers;
    if (const pool::Pool* pool = parts_.scheduler.pool(); pool != nullptr) {
        for (const pool::Server* server : pool->servers()) servers.push_back(server->address);
    }
    if (servers.size() < 2) servers = {own_address(asked.request.local_ip, place_.control_port)};
    Reply reply;
    reply.text = identity::tar_of(
        identity::bundle_files(*authority, parts_.registry->text_of(*token), servers), time(nullptr));
    reply.content_type = "application/x-tar";
    return reply;
}

Reply Api::list_certificates(const Asked&) {
    if (parts_.folder == nullptr) return insecure_reply();
    json list = json::array();
    for (const char* name : {"ca.crt", "server.crt"}) {
        const auto text = parts_.folder->read(name);
        const auto facts = text ? identity::facts_of(*text)
                                : Result<identity::CertificateFacts>(tl::unexpected(text.error()));
        if (!facts) return error_reply(503, facts.error().what);
        list.push_back({{"file", parts_.folder->file(name)},
                        {"subject", facts->subject},
                        {"issuer", facts->issuer},
                        {"serial", facts->serial},
                        {"names", facts->names},
                        {"not_before", identity::stamp(facts->not_before)},
                        {"not_after", identity::stamp(facts->not_after)},
                        {"fingerprint", facts->fingerprint}});
    }
    return json_reply({{"certificates", std::move(list)}});
}

Task<Reply> Api::rotate_certificate(Asked) {
    if (parts_.folder == nullptr) co_return insecure_reply();
    const auto old = parts_.folder->read("server.crt");
    const auto facts =
        old ? identity::facts_of(*old) : Result<identity::CertificateFacts>(tl::unexpected(old.error()));
    if (!facts) co_return error_reply(503, facts.error().what);
    const auto request = identity::make_signing_request(facts->names);
    if (!request) co_return error_reply(503, request.error().what);
    std::string asked = json{{"request", request->request}}.dump();
    Reply reply = co_await sign_somewhere(std::move(asked));
    if (reply.status != 200) co_return reply;
    const std::string certificate = reply.body.value("certificate", "");
    const auto authority = parts_.folder->read("ca.crt");
    if (!authority || !identity::signed_by(certificate, *authority))
        co_return error_reply(503,
                              "the new certificate is not of this pool's authority; nothing was changed");
    Status written = parts_.folder->write("server.key", request->key);
    if (written) written = parts_.folder->write("server.crt", certificate);
    if (!written) co_return error_reply(503, written.error().what);
    if (auto used = renewed_ ? renewed_() : Status(); !used) co_return error_reply(503, used.error().what);
    co_return json_reply(
        {{"state", "rotated"}, {"in_force", "at once; for data connections when no lease has the old key"}});
}

}  // namespace bitfusion::daemon
