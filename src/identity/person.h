// Person: someone with a name and a password for the console and the REST API. Passwords are kept as argon2id
// (RFC 9106), about 20 MiB and a tenth of a second each. Value types; pure functions.
#pragma once

#include <ctime>
#include <string>

#include "base/result.h"
#include "identity/token.h"

namespace bitfusion::identity {

struct Person {
    std::string name;  // 1 to 32 of a-z, 0-9, '.', '_', '-'
    Role role = Role::kViewer;
    std::string password;  // argon2id, encoded
    std::time_t created = 0;
    std::time_t changed = 0;  // sessions that began before are over
};

// Fails with 400 for names and passwords (8 to 256 bytes) that are not allowed.
Status check_name(const std::string& name);
Result<std::string> hash_password(const std::string& password);
// Whether it is one that hash_password makes: another could cost whatever its maker wanted.
bool is_password_hash(const std::string& encoded);
bool password_matches(const std::string& encoded, const std::string& password);

// What a login gives: bfs-<name>-<until>-<changed>-<nonce>-<digest>, good until then. The nonce (letters and
// digits) keeps two sessions of one second apart, so that one can be ended alone.
std::string session_text(const Person& person, const std::string& pool_key, std::time_t until,
                         const std::string& nonce);
struct SessionClaim {
    std::string name;
    std::time_t until = 0;
    std::string nonce;
};
Result<SessionClaim> session_claim(const std::string& text);
bool session_matches(const Person& person, const std::string& pool_key, const std::string& text);

std::string to_json(const Person& person);
Result<Person> person_from_json(const std::string& text);

}  // namespace bitfusion::identity
