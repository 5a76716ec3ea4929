// Roster: who may use a pool, as a backup holds it: tokens, people, and whom the pool has sent away.
//
// A roster has no secret but the people's argon2id hashes: a token's text needs the pool's key, which is not
// in it. Restoring one brings back who is missing and never who was sent away: what is revoked, expired,
// deactivated, deleted or signed out in either, the pool or the backup, stays so. Whoever came since stays.
//
//   identity/token/<id>      identity/person/<name>
//   identity/ended/<digest>  a session that was signed out: when it would expire
//   identity/gone/token/<id>, identity/gone/person/<name>
//                            deleted; of a person the time at which the last of that name was made
//
// Values; the functions with a store wait for it. Errors: 400 damaged, 409 not possible, 503 the store.
#pragma once

#include <ctime>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "identity/person.h"
#include "identity/token.h"
#include "store/store.h"

namespace bitfusion::identity {

inline constexpr char kTokenKeys[] = "identity/token/";
inline constexpr char kPersonKeys[] = "identity/person/";
inline constexpr char kEndedKeys[] = "identity/ended/";
inline constexpr char kGoneTokenKeys[] = "identity/gone/token/";
inline constexpr char kGonePersonKeys[] = "identity/gone/person/";

struct Roster {
    std::map<std::string, Token> tokens;             // by id
    std::map<std::string, Person> people;            // by name
    std::map<std::string, std::time_t> ended;        // by digest
    std::set<std::string> gone_tokens;               // ids
    std::map<std::string, std::time_t> gone_people;  // by name
};

// Adds an entry of a store or a backup, every field of it checked. False: it is of nobody.
Result<bool> add_entry(Roster& roster, const std::string& key, const std::string& value);
// As entries, by key.
std::map<std::string, std::string> entries_of(const Roster& roster);

// What is so after `saved` is restored into a pool where `now` is so; `time`: sessions of those who come back
// that began before are over.
Roster united(const Roster& now, const Roster& saved, std::time_t time);

// All or, where the store fails in the middle, a part that revokes rather than admits: again is safe.
// 409: no person would be an administrator any more.
Status restore_roster(store::Store& store, const Roster& saved, std::time_t time);

}  // namespace bitfusion::identity
