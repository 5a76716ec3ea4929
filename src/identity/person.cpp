#include "identity/person.h"

#include <argon2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "identity/secret.h"

namespace bitfusion::identity {
namespace {

using nlohmann::json;

// The second recommendation of RFC 9106 asks for 64 MiB; OWASP's smallest for argon2id is this one.
constexpr uint32_t kPasses = 2;
constexpr uint32_t kMemoryKib = 19456;
constexpr uint32_t kLanes = 1;
constexpr size_t kHashBytes = 32;
constexpr const char* kPrefix = "bfs-";
constexpr size_t kMostSessionBytes = 256;

}  // namespace

Status check_name(const std::string& name) {
    if (name.empty() || name.size() > 32 ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._") != std::string::npos) {
        return fail("'" + name + "' is no name for a person: 1 to 32 of a to z, 0 to 9, '.' and '_'", 400);
    }
    return {};
}

Result<std::string> hash_password(const std::string& password) {
    if (password.size() < 8 || password.size() > 256)
        return fail("a password has 8 to 256 bytes; choose another", 400);
    const std::string salt = random_text(16);
    std::array<char, 256> encoded{};
    const int result =
        argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(), salt.data(),
                              salt.size(), kHashBytes, encoded.data(), encoded.size());
    if (result != ARGON2_OK)
        return fail(std::string("the password cannot be hashed: ") + argon2_error_message(result) +
                    "; the server may lack 20 MiB of memory");
    return std::string(encoded.data());
}

bool is_password_hash(const std::string& encoded) {
    const std::string cost = "$argon2id$v=" + std::to_string(ARGON2_VERSION_13) +
                             "$m=" + std::to_string(kMemoryKib) + ",t=" + std::to_string(kPasses) +
                             ",p=" + std::to_string(kLanes) + "$";
    return encoded.starts_with(cost) && encoded.size() <= 256 &&
           std::all_of(encoded.begin(), encoded.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool password_matches(const std::string& encoded, const std::string& password) {
    return password.size() <= 256 &&
           argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

std::string session_text(const Person& person, const std::string& pool_key, std::time_t until,
                         const std::string& nonce) {
    const std::string head = kPrefix + person.name + "-" + std::to_string(until) + "-" +
                             std::to_string(person.changed) + "-" + nonce + "-";
    return head + keyed_digest(pool_key, "session " + head);
}

Result<SessionClaim> session_claim(const std::string& text) {
    std::array<std::string, 4> parts;  // name, until, changed, nonce; the digest may have '-' in it
    size_t at = text.starts_with(kPrefix) && text.size() <= kMostSessionBytes ? std::string(kPrefix).size()
                                                                              : std::string::npos;
    for (size_t i = 0; i < parts.size() && at != std::string::npos; ++i) {
        const size_t end = text.find('-', at);
        parts[i] = text.substr(at, end - at);
        at = end == std::string::npos ? end : end + 1;
    }
    SessionClaim claim{parts[0], 0, parts[3]};
    const char* const end = parts[1].data() + parts[1].size();
    const auto [stop, error] = std::from_chars(parts[1].data(), end, claim.until);
    if (at != std::string::npos && error == std::errc{} && stop == end && check_name(claim.name))
        return claim;
    return fail("the session is malformed; log in again", 401);
}

bool session_matches(const Person& person, const std::string& pool_key, const std::string& text) {
    const auto claim = session_claim(text);
    return claim && equal_secrets(text, session_text(person, pool_key, claim->until, claim->nonce));
}

std::string to_json(const Person& person) {
    return json{{"name", person.name},
                {"role", text_of(person.role)},
                {"password", person.password},
                {"created", person.created},
                {"changed", person.changed}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Person> person_from_json(const std::string& text) {
    Person person;
    try {
        const json root = json::parse(text);
        person.name = root.at("name").get<std::string>();
        const auto role = role_from(root.at("role").get<std::string>());
        if (!role) return tl::unexpected<Error>(role.error());
        person.role = *role;
        person.password = root.at("password").get<std::string>();
        person.created = root.at("created").get<std::time_t>();
        person.changed = root.at("changed").get<std::time_t>();
    } catch (const json::exception& error) {
        return fail(std::string("a person in the store is damaged (") + error.what() +
                    "); restore the store from a backup");
    }
    return person;
}

}  // namespace bitfusion::identity
