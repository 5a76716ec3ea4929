#include "identity/token.h"

#include <nlohmann/json.hpp>

#include "identity/secret.h"

namespace bitfusion::identity {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "bf-";
constexpr size_t kIdLength = 7;
constexpr size_t kSecretLength = 43;

std::string secret_of(const Token& token, const std::string& pool_key) {
    return keyed_digest(pool_key, "token " + token.id + " " + std::to_string(token.generation));
}

}  // namespace

std::string text_of(Role role) {
    switch (role) {
        case Role::kClient:
            return "client";
        case Role::kViewer:
            return "viewer";
        case Role::kOperator:
            return "operator";
        case Role::kAdmin:
            return "admin";
        case Role::kNobody:
            break;
    }
    return "nobody";
}

Result<Role> role_from(const std::string& text) {
    for (const Role role : {Role::kClient, Role::kViewer, Role::kOperator, Role::kAdmin}) {
        if (text == text_of(role)) return role;
    }
    return fail("'" + text + "' is no role; there are client, viewer, operator and admin", 400);
}

std::string token_text(const Token& token, const std::string& pool_key) {
    return kPrefix + token.id + "-" + secret_of(token, pool_key);
}

Result<std::string> token_id(const std::string& text) {
    const size_t head = std::string(kPrefix).size();
    if (!text.starts_with(kPrefix) || text.size() != head + kIdLength + 1 + kSecretLength ||
        text[head + kIdLength] != '-') {
        return fail(
            "the token is malformed: it has the form bf-<id>-<secret>; download the client's bundle again",
            401);
    }
    return text.substr(head, kIdLength);
}

bool is_token_id(const std::string& text) {
    return text.size() == kIdLength &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos;
}

Error unknown_token() {
    return {
        "the token is foreign: this pool has not made it, or has deleted it; get a bundle of this pool from "
        "its "
        "administrator (bitfusion token create)",
        401};
}

Status check_token(const Token& token, const std::string& text, const std::string& pool_key,
                   const std::string& machine, std::time_t now) {
    if (!equal_secrets(text, token_text(token, pool_key))) return tl::unexpected<Error>(unknown_token());
    if (token.revoked)
        return fail("the token " + token.id + " was revoked; get a new one from the pool's administrator",
                    401);
    if (!token.active) {
        return fail("the token " + token.id +
                        " is not active; the pool's administrator can activate it: bitfusion token "
                        "activate " +
                        token.id,
                    401);
    }
    if (token.expires != 0 && now >= token.expires)
        return fail("Token expired at: " + stamp(token.expires) +
                        "; the pool's administrator can extend it: bitfusion token extend " + token.id,
                    401);
    if (token.role == Role::kClient && !token.shared && !token.machine.empty() && token.machine != machine) {
        return fail(
            "the token " + token.id + " belongs to another machine (" + token.host +
                "): each machine needs a token of its own, or a shared one (bitfusion token create --shared)",
            403);
    }
    return {};
}

std::string to_json(const Token& token) {
    return json{{"id", token.id},
                {"description", token.description},
                {"role", text_of(token.role)},
                {"created", token.created},
                {"expires", token.expires},
                {"active", token.active},
                {"revoked", token.revoked},
                {"shared", token.shared},
                {"generation", token.generation},
                {"machine", token.machine},
                {"host", token.host}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Token> token_from_json(const std::string& text) {
    Token token;
    try {
        const json root = json::parse(text);
        token.id = root.at("id").get<std::string>();
        token.description = root.at("description").get<std::string>();
        const auto role = role_from(root.at("role").get<std::string>());
        if (!role) return tl::unexpected<Error>(role.error());
        token.role = *role;
        token.created = root.at("created").get<std::time_t>();
        token.expires = root.at("expires").get<std::time_t>();
        token.active = root.at("active").get<bool>();
        token.revoked = root.at("revoked").get<bool>();
        token.shared = root.at("shared").get<bool>();
        token.generation = root.at("generation").get<uint32_t>();
        token.machine = root.at("machine").get<std::string>();
        token.host = root.at("host").get<std::string>();
    } catch (const json::exception& error) {
        return fail(std::string("a token in the store is damaged (") + error.what() +
                    "); restore the store from a backup");
    }
    return token;
}

std::string stamp(std::time_t when) {
    tm parts{};
    gmtime_r(&when, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

}  // namespace bitfusion::identity
