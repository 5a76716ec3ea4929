// Token: what a client, a server or an administrator's command line shows with every request.
//
// A token's text is bf-<id>-<secret>. The secret is a keyed digest of the id and the token's generation, so
// that the pool keeps no secret of a token and can still hand the same text out again (download). A token of
// a client belongs to the first machine that shows it, unless it is shared: a copied disk is noticed. Value
// types; pure functions; times are seconds since 1970.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "base/result.h"

namespace bitfusion::identity {

// What somebody may: each role may also what those before it may.
enum class Role {
    kNobody,
    kClient,    // leases of its own
    kViewer,    // looks at everything
    kOperator,  // ends leases, drains servers, changes clients and quotas
    kAdmin,     // tokens, people, certificates
};

std::string text_of(Role role);
Result<Role> role_from(const std::string& text);

struct Token {
    std::string id;  // 7 characters, for people
    std::string description;
    Role role = Role::kClient;
    std::time_t created = 0;
    std::time_t expires = 0;  // 0: never
    bool active = true;
    bool revoked = false;  // for good
    bool shared = false;   // any number of machines may show it: containers, batch nodes
    uint32_t generation = 1;
    std::string machine;  // digest of the first machine's id; empty: not shown yet
    std::string host;     // of that machine, its own word
};

std::string token_text(const Token& token, const std::string& pool_key);
// The id in a token's text; fails where it has not the form of a token.
Result<std::string> token_id(const std::string& text);

// Why a token is not accepted. Each has its own text; the code is 401, or 403 where the token is good but may
// not be used from here.
Status check_token(const Token& token, const std::string& text, const std::string& pool_key,
                   const std::string& machine, std::time_t now);
// Seven of a to z and 2 to 7.
bool is_token_id(const std::string& text);
Error unknown_token();

std::string to_json(const Token& token);
Result<Token> token_from_json(const std::string& text);

// "2026-11-22T00:22:00Z"
std::string stamp(std::time_t when);

}  // namespace bitfusion::identity
