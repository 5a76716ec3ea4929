#include "identity/registry.h"

#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "identity/roster.h"
#include "identity/secret.h"

namespace bitfusion::identity {
namespace {

constexpr const char* kKeyOfPool = "identity/key";
constexpr size_t kMostForgotten = 50;  // ended sessions that one sign-out clears away
constexpr std::time_t kSession = 12 * 3600;
constexpr int kTries = 8;

Error no_such_token(const std::string& id) {
    return {"there is no token " + id + "; see the list: bitfusion token list", 404};
}

Error no_such_person(const std::string& name) {
    return {"there is no person " + name + "; see the list: bitfusion user list", 404};
}

Error from_store(const Error& error) { return {error.what, 503}; }

}  // namespace

std::string client_of(const std::string& token, const std::string& machine) {
    return uuid_of("client " + token + " " + machine);
}

Result<Registry> Registry::open(store::Store& store) {
    for (int i = 0; i < kTries; ++i) {
        const auto found = store.read(kKeyOfPool);
        if (!found) return tl::unexpected<Error>(found.error());
        for (const store::Entry& entry : found->entries) {
            if (entry.key == kKeyOfPool) return Registry(store, entry.value);
        }
        store::Transaction first;
        first.conditions.push_back({kKeyOfPool, 0});
        first.writes.push_back({kKeyOfPool, random_text(32)});
        const auto made = store.commit(first);
        if (!made) return tl::unexpected<Error>(made.error());
    }
    return fail("the pool's key can neither be read nor made; look into the store");
}

Result<store::Entry> Registry::entry(const std::string& key, const Error& absent) {
    auto found = store_->read(key);
    if (!found) return tl::unexpected<Error>(from_store(found.error()));
    for (store::Entry& entry : found->entries) {
        if (entry.key == key) return std::move(entry);
    }
    return tl::unexpected<Error>(absent);
}

Status Registry::put(const std::string& key, const std::string& value, uint64_t revision) {
    store::Transaction transaction;
    transaction.conditions.push_back({key, revision});
    transaction.writes.push_back({key, value});
    return commit(transaction);
}

Status Registry::commit(const store::Transaction& transaction) {
    const auto written = store_->commit(transaction);
    if (!written) return tl::unexpected<Error>(from_store(written.error()));
    if (!written->done) return fail("somebody else changed it at the same time; try again", 409);
    return {};
}

Result<Caller> Registry::authenticate(const std::string& bearer, const std::string& machine,
                                      const std::string& host, std::time_t now) {
    if (bearer.starts_with("bfs-")) return authenticate_session(bearer, now);
    const auto id = token_id(bearer);
    if (!id) return tl::unexpected<Error>(id.error());
    auto found = token(*id);
    if (!found) return tl::unexpected<Error>(found.error().code == 404 ? unknown_token() : found.error());
    if (auto checked = check_token(*found, bearer, pool_key_, machine, now); !checked)
        return tl::unexpected<Error>(checked.error());
    if (found->role == Role::kClient && machine.size() != 64)
        return fail("the client does not say which machine it is on; use the CLI of this release", 400);
    if (found->role == Role::kClient && !found->shared && found->machine.empty()) {
        auto bound = change_token(*id, [&](Token& token) -> Status {
            if (auto checked = check_token(token, bearer, pool_key_, machine, now); !checked) return checked;
            token.machine = machine;
            token.host = host;
            return {};
        });
        if (!bound) return tl::unexpected<Error>(bound.error());
        BF_LOG("identity", kInfo, "token %s is enrolled on %s", id->c_str(), host.c_str());
    }
    Caller caller;
    caller.role = found->role;
    caller.name = "token " + *id;
    caller.token = *id;
    caller.host = host;
    caller.client = client_of(*id, machine);
    return caller;
}

Status Registry::still_admitted(const std::string& id, std::time_t now) {
    const auto found = token(id);
    if (!found) return tl::unexpected<Error>(found.error().code == 404 ? unknown_token() : found.error());
    return check_token(*found, text_of(*found), pool_key_, found->machine, now);
}

Result<Caller> Registry::authenticate_session(const std::string& text, std::time_t now) {
    const auto claim = session_claim(text);
    if (!claim) return tl::unexpected<Error>(claim.error());
    const auto found = entry(kPersonKeys + claim->name, {"the session is foreign; log in again", 401});
    if (!found) return tl::unexpected<Error>(found.error());
    const auto person = person_from_json(found->value);
    if (!person) return tl::unexpected<Error>(person.error());
    if (!session_matches(*person, pool_key_, text)) return fail("the session is over; log in again", 401);
    if (now >= claim->until)
        return fail("the session expired at " + stamp(claim->until) + "; log in again", 401);
    const auto ended = entry(kEndedKeys + digest(text), {"", 404});
    if (ended) return fail("the session was signed out; log in again", 401);
    if (ended.error().code != 404) return tl::unexpected<Error>(ended.error());
    Caller caller;
    caller.role = person->role;
    caller.name = "person " + person->name;
    caller.person = person->name;
    caller.session = text;
    caller.until = claim->until;
    return caller;
}

Result<Token> Registry::create_token(const std::string& description, Role role, std::time_t expires,
                                     bool shared, bool active, std::time_t now) {
    if (expires != 0 && expires <= now) return fail("a token cannot expire before it is made", 400);
    for (int i = 0; i < kTries; ++i) {
        Token token;
        token.id = random_name(7);
        token.description = description.substr(0, 200);
        token.role = role;
        token.created = now;
        token.expires = expires;
        token.shared = shared || role != Role::kClient;
        token.active = active;
        const auto made = put(kTokenKeys + token.id, to_json(token), 0);
        if (made) return token;
        if (made.error().code != 409) return tl::unexpected<Error>(made.error());
    }
    return fail("no free token id was found; try again", 503);
}

Result<std::vector<Token>> Registry::tokens() {
    const auto found = store_->read(kTokenKeys);
    if (!found) return tl::unexpected<Error>(from_store(found.error()));
    std::vector<Token> tokens;
    for (const store::Entry& entry : found->entries) {
        auto token = token_from_json(entry.value);
        if (!token) return tl::unexpected<Error>(token.error());
        tokens.push_back(std::move(*token));
    }
    return tokens;
}

Result<Token> Registry::token(const std::string& id) {
    if (!is_token_id(id)) return tl::unexpected<Error>(no_such_token(id));
    const auto found = entry(kTokenKeys + id, no_such_token(id));
    if (!found) return tl::unexpected<Error>(found.error());
    return token_from_json(found->value);
}

Result<Token> Registry::change_token(const std::string& id, const std::function<Status(Token&)>& change) {
    for (int i = 0; i < kTries; ++i) {
        const auto found = entry(kTokenKeys + id, no_such_token(id));
        if (!found) return tl::unexpected<Error>(found.error());
        auto token = token_from_json(found->value);
        if (!token) return token;
        if (auto changed = change(*token); !changed) return tl::unexpected<Error>(changed.error());
        const auto written = put(found->key, to_json(*token), found->revision);
        if (written) return token;
        if (written.error().code != 409) return tl::unexpected<Error>(written.error());
    }
    return fail("the token changes all the time; try again", 409);
}

Status Registry::delete_token(const std::string& id, const std::function<Status(const Token&)>& check) {
    const auto found = entry(kTokenKeys + id, no_such_token(id));
    if (!found) return tl::unexpected<Error>(found.error());
    store::Transaction transaction;
    if (check) {
        const auto token = token_from_json(found->value);
        if (!token) return tl::unexpected<Error>(token.error());
        if (auto allowed = check(*token); !allowed) return allowed;
        transaction.conditions.push_back({found->key, found->revision});
    }
    transaction.writes.push_back({found->key, std::nullopt});
    // So that no backup brings it back.
    transaction.writes.push_back({kGoneTokenKeys + id, "1"});
    return commit(transaction);
}

Result<Person> Registry::create_person(const std::string& name, const std::string& password, Role role,
                                       std::time_t now) {
    if (auto checked = check_name(name); !checked) return tl::unexpected<Error>(checked.error());
    if (role == Role::kClient) return fail("a person is a viewer, an operator or an admin", 400);
    const auto hash = hash_password(password);
    if (!hash) return tl::unexpected<Error>(hash.error());
    // Another than the one of this name that was deleted, also where clocks differ.
    const auto gone = entry(kGonePersonKeys + name, {"", 404});
    if (!gone && gone.error().code != 404) return tl::unexpected<Error>(gone.error());
    const std::time_t created =
        gone ? std::max<std::time_t>(now, strtoll(gone->value.c_str(), nullptr, 10) + 1) : now;
    Person person{name, role, *hash, created, now};
    const auto made = put(kPersonKeys + name, to_json(person), 0);
    if (!made && made.error().code == 409) return fail("there is a person " + name + " already", 409);
    if (!made) return tl::unexpected<Error>(made.error());
    return person;
}

Result<std::vector<Person>> Registry::people() {
    const auto found = store_->read(kPersonKeys);
    if (!found) return tl::unexpected<Error>(from_store(found.error()));
    std::vector<Person> people;
    for (const store::Entry& entry : found->entries) {
        auto person = person_from_json(entry.value);
        if (!person) return tl::unexpected<Error>(person.error());
        people.push_back(std::move(*person));
    }
    return people;
}

Status Registry::keep_an_administrator(const std::string& name, store::Transaction* transaction) {
    const auto found = store_->read(kPersonKeys);
    if (!found) return tl::unexpected<Error>(from_store(found.error()));
    for (const store::Entry& entry : found->entries) {
        const auto person = person_from_json(entry.value);
        if (!person) return tl::unexpected<Error>(person.error());
        if (person->role != Role::kAdmin || person->name == name) continue;
        // Nobody else may take this one away at the same time.
        transaction->conditions.push_back({entry.key, entry.revision});
        return {};
    }
    return fail(name + " is the last administrator: make another person one first (bitfusion user create)",
                409);
}

Result<Person> Registry::change_person(const std::string& name,
                                       const std::function<Status(Person&)>& change) {
    if (auto checked = check_name(name); !checked) return tl::unexpected<Error>(no_such_person(name));
    const auto found = entry(kPersonKeys + name, no_such_person(name));
    if (!found) return tl::unexpected<Error>(found.error());
    auto person = person_from_json(found->value);
    if (!person) return person;
    const Role before = person->role;
    if (auto changed = change(*person); !changed) return tl::unexpected<Error>(changed.error());
    store::Transaction transaction;
    transaction.conditions.push_back({found->key, found->revision});
    if (before == Role::kAdmin && person->role != Role::kAdmin) {
        if (auto kept = keep_an_administrator(name, &transaction); !kept)
            return tl::unexpected<Error>(kept.error());
    }
    transaction.writes.push_back({found->key, to_json(*person)});
    if (auto written = commit(transaction); !written) return tl::unexpected<Error>(written.error());
    return person;
}

Status Registry::delete_person(const std::string& name, const std::function<Status(const Person&)>& check) {
    if (auto checked = check_name(name); !checked) return tl::unexpected<Error>(no_such_person(name));
    const auto found = entry(kPersonKeys + name, no_such_person(name));
    if (!found) return tl::unexpected<Error>(found.error());
    const auto person = person_from_json(found->value);
    if (!person) return tl::unexpected<Error>(person.error());
    if (check) {
        if (auto allowed = check(*person); !allowed) return allowed;
    }
    store::Transaction transaction;
    transaction.conditions.push_back({found->key, found->revision});
    if (person->role == Role::kAdmin) {
        if (auto kept = keep_an_administrator(name, &transaction); !kept) return kept;
    }
    transaction.writes.push_back({found->key, std::nullopt});
    transaction.writes.push_back({kGonePersonKeys + name, std::to_string(person->created)});
    return commit(transaction);
}

Result<SignedIn> Registry::log_in(const std::string& name, const std::string& password, std::time_t now) {
    // So that the time of the answer does not tell who is known here.
    static const Result<std::string> nobody = hash_password(random_text(16));
    const Error wrong = {"the name or the password is wrong", 401};
    const auto found = check_name(name) ? entry(kPersonKeys + name, wrong)
                                        : Result<store::Entry>(tl::unexpected<Error>(wrong));
    if (!found) {
        if (found.error().code == wrong.code && nobody) password_matches(*nobody, password);
        return tl::unexpected<Error>(found.error());
    }
    const auto person = person_from_json(found->value);
    if (!person) return tl::unexpected<Error>(person.error());
    if (!password_matches(person->password, password)) return tl::unexpected<Error>(wrong);
    const std::time_t until = now + kSession;
    return SignedIn{session_text(*person, pool_key_, until, random_name(10)), person->role, until};
}

Status Registry::sign_out(const std::string& session, std::time_t now) {
    const auto claim = session_claim(session);
    if (!claim) return tl::unexpected<Error>(claim.error());
    const auto ended = store_->read(kEndedKeys);
    if (!ended) return tl::unexpected<Error>(from_store(ended.error()));
    store::Transaction transaction;
    const std::string key = kEndedKeys + digest(session);
    transaction.writes.push_back({key, std::to_string(claim->until)});
    for (const store::Entry& entry : ended->entries) {
        if (entry.key == key || transaction.writes.size() > kMostForgotten) continue;
        if (strtoll(entry.value.c_str(), nullptr, 10) <= now)
            transaction.writes.push_back({entry.key, std::nullopt});
    }
    return commit(transaction);
}

std::string Registry::csrf_of(const std::string& session) const {
    return keyed_digest(pool_key_, "csrf " + session);
}

}  // namespace bitfusion::identity
