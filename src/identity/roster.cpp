#include "identity/roster.h"

#include <algorithm>
#include <charconv>

namespace bitfusion::identity {
namespace {

constexpr size_t kMostTextBytes = 1024;
constexpr size_t kDigestBytes = 64;
constexpr size_t kWritesAtOnce = 40;
constexpr int kTries = 8;

tl::unexpected<Error> damaged(const std::string& key, const std::string& what) {
    return fail("the entry " + key.substr(0, 128) + " " + what, 400);
}

bool is_plain(const std::string& text) {
    return text.size() <= kMostTextBytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= ' '; });
}

Result<std::time_t> time_from(const std::string& key, const std::string& text) {
    std::time_t time = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, time);
    if (error != std::errc() || at != end || time < 0) return damaged(key, "is no time");
    return time;
}

Status add_token(Roster& roster, const std::string& key, const std::string& value) {
    const std::string id = key.substr(sizeof kTokenKeys - 1);
    const auto token = token_from_json(value);
    if (!token) return damaged(key, "is no token: " + token.error().what);
    if (!is_token_id(id) || token->id != id) return damaged(key, "has the id of another");
    if (token->created < 0 || token->expires < 0 || !is_plain(token->description) || !is_plain(token->host) ||
        token->machine.size() > kDigestBytes || !is_plain(token->machine) ||
        (token->role != Role::kClient && !token->shared))
        return damaged(key, "has a value that no token has");
    roster.tokens[id] = *token;
    return {};
}

Status add_person(Roster& roster, const std::string& key, const std::string& value) {
    const std::string name = key.substr(sizeof kPersonKeys - 1);
    const auto person = person_from_json(value);
    if (!person) return damaged(key, "is no person: " + person.error().what);
    if (!check_name(name) || person->name != name) return damaged(key, "has the name of another");
    if (person->created < 0 || person->changed < 0 || person->role == Role::kClient ||
        !is_password_hash(person->password))
        return damaged(key, "has a value that no person has");
    roster.people[name] = *person;
    return {};
}

// What revokes comes first: where the rest is not reached, nobody has more than before.
std::vector<store::Write> changes(const std::map<std::string, std::string>& before,
                                  const std::map<std::string, std::string>& after) {
    std::vector<store::Write> gone;
    std::vector<store::Write> changed;
    std::vector<store::Write> made;
    for (const auto& [key, value] : before) {
        if (!after.contains(key)) gone.push_back({key, std::nullopt});
    }
    for (const auto& [key, value] : after) {
        const auto known = before.find(key);
        const bool revokes = key.starts_with(kGoneTokenKeys) || key.starts_with(kGonePersonKeys) ||
                             key.starts_with(kEndedKeys);
        if (known != before.end() && known->second == value) continue;
        (revokes ? gone : known != before.end() ? changed : made).push_back({key, value});
    }
    gone.insert(gone.end(), changed.begin(), changed.end());
    gone.insert(gone.end(), made.begin(), made.end());
    return gone;
}

bool has_administrator(const Roster& roster) {
    return std::any_of(roster.people.begin(), roster.people.end(),
                       [](const auto& entry) { return entry.second.role == Role::kAdmin; });
}

Token both(Token token, const Token& saved) {
    token.description = saved.description;
    token.revoked = token.revoked || saved.revoked;
    token.active = token.active && saved.active;
    token.generation = std::max(token.generation, saved.generation);
    if (saved.expires != 0)
        token.expires = std::min(token.expires == 0 ? saved.expires : token.expires, saved.expires);
    return token;
}

}  // namespace

Result<bool> add_entry(Roster& roster, const std::string& key, const std::string& value) {
    Status added;
    if (key.starts_with(kTokenKeys)) {
        added = add_token(roster, key, value);
    } else if (key.starts_with(kPersonKeys)) {
        added = add_person(roster, key, value);
    } else if (key.starts_with(kEndedKeys)) {
        const std::string digest = key.substr(sizeof kEndedKeys - 1);
        const auto until = time_from(key, value);
        if (!until) return tl::unexpected<Error>(until.error());
        if (digest.empty() || digest.size() > kDigestBytes || !is_plain(digest))
            return damaged(key, "is of no session");
        roster.ended[digest] = *until;
    } else if (key.starts_with(kGoneTokenKeys)) {
        const std::string id = key.substr(sizeof kGoneTokenKeys - 1);
        if (!is_token_id(id)) return damaged(key, "is of no token");
        roster.gone_tokens.insert(id);
    } else if (key.starts_with(kGonePersonKeys)) {
        const std::string name = key.substr(sizeof kGonePersonKeys - 1);
        const auto created = time_from(key, value);
        if (!created) return tl::unexpected<Error>(created.error());
        if (!check_name(name)) return damaged(key, "is of nobody");
        roster.gone_people[name] = *created;
    } else {
        return false;
    }
    if (!added) return tl::unexpected<Error>(added.error());
    return true;
}

std::map<std::string, std::string> entries_of(const Roster& roster) {
    std::map<std::string, std::string> entries;
    for (const auto& [id, token] : roster.tokens) entries[kTokenKeys + id] = to_json(token);
    for (const auto& [name, person] : roster.people) entries[kPersonKeys + name] = to_json(person);
    for (const auto& [digest, until] : roster.ended) entries[kEndedKeys + digest] = std::to_string(until);
    for (const std::string& id : roster.gone_tokens) entries[kGoneTokenKeys + id] = "1";
    for (const auto& [name, created] : roster.gone_people)
        entries[kGonePersonKeys + name] = std::to_string(created);
    return entries;
}

Roster united(const Roster& now, const Roster& saved, std::time_t time) {
    Roster all = now;
    all.gone_tokens.insert(saved.gone_tokens.begin(), saved.gone_tokens.end());
    all.ended.insert(saved.ended.begin(), saved.ended.end());
    for (const auto& [name, created] : saved.gone_people)
        all.gone_people[name] = std::max(all.gone_people[name], created);

    for (const auto& [id, token] : saved.tokens) {
        const auto known = all.tokens.find(id);
        if (known == all.tokens.end())
            all.tokens[id] = token;
        else
            known->second = both(known->second, token);
    }
    std::erase_if(all.tokens, [&](const auto& entry) { return all.gone_tokens.contains(entry.first); });

    for (const auto& [name, person] : saved.people) {
        const auto known = all.people.find(name);
        if (known == all.people.end()) {
            Person back = person;
            back.changed = std::max(back.changed, time);
            all.people[name] = std::move(back);
        } else {
            known->second.role = std::min(known->second.role, person.role);
        }
    }
    std::erase_if(all.people, [&](const auto& entry) {
        const auto gone = all.gone_people.find(entry.first);
        return gone != all.gone_people.end() && entry.second.created <= gone->second;
    });
    return all;
}

Status restore_roster(store::Store& store, const Roster& saved, std::time_t time) {
    for (int i = 0; i < kTries; ++i) {
        const auto found = store.read("identity/");
        if (!found) return fail(found.error().what, 503);
        Roster now;
        std::map<std::string, uint64_t> revisions;
        for (const store::Entry& entry : found->entries) {
            revisions[entry.key] = entry.revision;
            if (auto added = add_entry(now, entry.key, entry.value); !added)
                return fail("the pool's own store is damaged: " + added.error().what +
                                "; restore the store itself first (docs/pool.md), nothing was changed",
                            503);
        }
        const Roster after = united(now, saved, time);
        if (has_administrator(now) && !has_administrator(after))
            return fail(
                "after it no person would be an administrator; nothing was changed. Make one that the "
                "backup does not have: bitfusion user create NAME --role admin",
                409);
        const auto writes = changes(entries_of(now), entries_of(after));
        bool done = true;
        for (size_t at = 0; done && at < writes.size(); at += kWritesAtOnce) {
            store::Transaction transaction;
            for (size_t n = at; n < std::min(at + kWritesAtOnce, writes.size()); ++n) {
                transaction.conditions.push_back({writes[n].key, revisions[writes[n].key]});
                transaction.writes.push_back(writes[n]);
            }
            const auto written = store.commit(transaction);
            if (!written) return fail(written.error().what + "; then restore again", 503);
            done = written->done;
        }
        if (done) return {};
    }
    return fail("the pool's tokens change all the time; restore again", 409);
}

}  // namespace bitfusion::identity
