// Registry: the tokens and people of a pool, in its store, and the one question of every request: who is
// this?
//
// Nothing is remembered between requests: what an administrator revokes on one server holds on all of them
// with the next request. The store outlives the registry. Threads: as the store.
//
// Errors: 401 not known (any more), 403 not from here, 404 no such thing, 400 malformed, 409 taken, 503 the
// store does not answer.
#pragma once

#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "identity/person.h"
#include "identity/token.h"
#include "store/store.h"

namespace bitfusion::identity {

struct Caller {
    Role role = Role::kNobody;
    std::string name;    // for logs: "token abcdefg", "person ann"
    std::string token;   // id; empty for people
    std::string client;  // the pool's id of this token on this machine; empty for people
    std::string host;
    std::string person;     // name; empty for tokens
    std::string session;    // its text; empty for tokens
    std::time_t until = 0;  // when the session ends
};

// What a sign-in gives.
struct SignedIn {
    std::string session;  // its text, a secret
    Role role = Role::kNobody;
    std::time_t until = 0;
};

// The pool's id of the client that shows this token on this machine.
std::string client_of(const std::string& token, const std::string& machine);

class Registry {
  public:
    // Makes the pool's key where there is none yet.
    static Result<Registry> open(store::Store& store);

    // `machine` is the digest that the client sends of its machine's id, `host` its name. The first machine
    // that shows a client's token is written down.
    Result<Caller> authenticate(const std::string& bearer, const std::string& machine,
                                const std::string& host, std::time_t now);
    // Whether this token still admits data connections: for what was authenticated before.
    Status still_admitted(const std::string& token, std::time_t now);

    Result<Token> create_token(const std::string& description, Role role, std::time_t expires, bool shared,
                               bool active, std::time_t now);
    Result<std::vector<Token>> tokens();
    Result<Token> token(const std::string& id);
    Result<Token> change_token(const std::string& id, const std::function<Status(Token&)>& change);
    // `check` may refuse what is about to go.
    Status delete_token(const std::string& id, const std::function<Status(const Token&)>& check = nullptr);
    std::string text_of(const Token& token) const { return token_text(token, pool_key_); }

    Result<Person> create_person(const std::string& name, const std::string& password, Role role,
                                 std::time_t now);
    Result<std::vector<Person>> people();
    Result<Person> change_person(const std::string& name, const std::function<Status(Person&)>& change);
    // The last administrator can neither go nor become less (409).
    Status delete_person(const std::string& name,
                         const std::function<Status(const Person&)>& check = nullptr);
    // A session, good for 12 hours. Takes a tenth of a second whether there is such a person or not.
    Result<SignedIn> log_in(const std::string& name, const std::string& password, std::time_t now);
    // Ends one session on all servers of the pool.
    Status sign_out(const std::string& session, std::time_t now);
    // What requests of this session must bring beside its cookie.
    std::string csrf_of(const std::string& session) const;

  private:
    Registry(store::Store& store, std::string key) : store_(&store), pool_key_(std::move(key)) {}
    Result<store::Entry> entry(const std::string& key, const Error& absent);
    Result<Caller> authenticate_session(const std::string& text, std::time_t now);
    // Adds to `transaction` what keeps the pool from losing its last administrator; 409 when `name` is it.
    Status keep_an_administrator(const std::string& name, store::Transaction* transaction);
    Status commit(const store::Transaction& transaction);
    Status put(const std::string& key, const std::string& value, uint64_t revision);

    store::Store* store_;
    std::string pool_key_;
};

}  // namespace bitfusion::identity
