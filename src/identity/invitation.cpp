#include "identity/invitation.h"

#include <nlohmann/json.hpp>

#include "identity/secret.h"
#include "identity/token.h"

namespace bitfusion::identity {
namespace {

using nlohmann::json;

constexpr const char* kInvitations = "identity/invitation/";
constexpr const char* kHead = "bfj-";
constexpr size_t kIdLength = 10;
constexpr size_t kSecretLength = 32;
constexpr size_t kFingerprintLength = 64;

struct Parts {
    std::string id;
    std::string secret;
    std::string fingerprint;
};

Result<Parts> parts_of(const std::string& text) {
    const size_t head = std::string(kHead).size();
    const size_t whole = head + kIdLength + 1 + kSecretLength + 1 + kFingerprintLength;
    constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyz234567";
    if (text.size() == whole && text.starts_with(kHead)) {
        Parts parts;
        parts.id = text.substr(head, kIdLength);
        parts.secret = text.substr(head + kIdLength + 1, kSecretLength);
        parts.fingerprint = text.substr(whole - kFingerprintLength);
        if (parts.id.find_first_not_of(kLetters) == std::string::npos &&
            parts.secret.find_first_not_of(kLetters) == std::string::npos &&
            parts.fingerprint.find_first_not_of("0123456789abcdef") == std::string::npos) {
            return parts;
        }
    }
    return fail("this is no invitation; make one on a server of the pool: bitfusion servers invite", 401);
}

}  // namespace

Result<std::string> make_invitation(store::Store& store, const std::string& authority_fingerprint,
                                    std::time_t expires) {
    const std::string id = random_name(kIdLength);
    const std::string secret = random_name(kSecretLength);
    store::Transaction transaction;
    transaction.conditions.push_back({kInvitations + id, 0});
    transaction.writes.push_back(
        {kInvitations + id, json{{"digest", digest(secret)}, {"expires", expires}}.dump()});
    const auto written = store.commit(transaction);
    if (!written) return tl::unexpected<Error>(Error{written.error().what, 503});
    if (!written->done) return fail("the invitation could not be written down; try again", 503);
    return kHead + id + "-" + secret + "-" + authority_fingerprint;
}

Status take_invitation(store::Store& store, const std::string& text, std::time_t now) {
    const auto parts = parts_of(text);
    if (!parts) return tl::unexpected<Error>(parts.error());
    const std::string key = kInvitations + parts->id;
    const auto found = store.read(key);
    if (!found) return tl::unexpected<Error>(Error{found.error().what, 503});
    for (const store::Entry& entry : found->entries) {
        if (entry.key != key) continue;
        const json known = json::parse(entry.value, nullptr, false);
        if (!known.is_object() || !equal_secrets(known.value("digest", ""), digest(parts->secret))) break;
        const std::time_t expires = known.value("expires", std::time_t{0});
        if (now >= expires) {
            return fail(
                "the invitation expired at " + stamp(expires) + "; make another: bitfusion servers invite",
                401);
        }
        store::Transaction transaction;
        transaction.conditions.push_back({key, entry.revision});
        transaction.writes.push_back({key, std::nullopt});
        const auto taken = store.commit(transaction);
        if (!taken) return tl::unexpected<Error>(Error{taken.error().what, 503});
        if (taken->done) return {};
        break;
    }
    return fail("the invitation is unknown or was used already; make another: bitfusion servers invite", 401);
}

Result<std::string> fingerprint_in(const std::string& text) {
    const auto parts = parts_of(text);
    if (!parts) return tl::unexpected<Error>(parts.error());
    return parts->fingerprint;
}

}  // namespace bitfusion::identity
