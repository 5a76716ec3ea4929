// Routes: what the REST API answers. One request in, one reply out; the connection is http_server.h's
// business, and who may what is decided here, before anything else, from one table.
//
// A file for each subject: lease_routes.cpp, client_routes.cpp, server_routes.cpp, settings_routes.cpp,
// token_routes.cpp, person_routes.cpp, session_routes.cpp (sign-in), watch_routes.cpp (events, logs, audit),
// running_routes.cpp (who runs what), pool_history.cpp (measurements of the whole pool). docs/rest.md says
// what holds for all. The daemon's thread only.
#pragma once

#include <boost/beast/http/verb.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/async.h"
#include "daemon/counters.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"
#include "daemon/state_folder.h"
#include "identity/registry.h"

namespace bitfusion::daemon {

class Api;
class Forwarder;
class Audit;
class ConsoleFiles;
class Events;
class Gate;
class LogBook;
class LookApi;
class PoolWatch;
class Preferences;
class SignIns;
class Subscription;

struct Reply {
    unsigned status = 200;
    nlohmann::json body;  // null: `text` is the body
    std::string text;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    LeasePointer hold;                     // the response stays open for as long as this lease is held
    std::string unsent;                    // a lease that ends when the reply cannot be delivered
    std::shared_ptr<Subscription> events;  // the response stays open and carries what is published
};

struct ApiRequest {
    boost::beast::http::verb verb = boost::beast::http::verb::get;
    std::string target;        // path and query as received
    std::string content_type;  // of the request
    std::string bearer;        // token or session
    std::string machine;       // digest of the client's machine id, as it says
    std::string host;          // name of the client's machine, as it says
    std::string version;       // of the client, as it says
    std::string body;
    std::string local_ip;  // the address under which the client reached this server
    std::string peer_ip;
    // What browsers send.
    std::string cookie;
    std::string csrf;
    std::string origin;
    std::string fetch_site;
    std::string authority;  // Host
    std::string if_match;
    std::string if_none_match;
    bool takes_gzip = false;
    bool forwarded = false;  // by another server of the pool
};

// A request whose caller is known and may make it.
struct Asked {
    ApiRequest request;
    identity::Caller caller;
    std::string path;
    std::string query;
    std::string id;      // what stands in the path for {id} or {path}
    std::string second;  // for what stands in braces after it
};

// Without serve and serve_later it is one of look_routes.h.
struct Route {
    boost::beast::http::verb verb;
    const char* path;  // {id} stands for one segment, {path} at the end for all that follow
    identity::Role least;
    Reply (Api::*serve)(const Asked&) = nullptr;
    Task<Reply> (Api::*serve_later)(Asked) = nullptr;
};

// Whether `path` is one of the pattern's; what stands for the braces goes to `first` and `second`.
bool path_matches(const std::string& pattern, const std::string& path, std::string* first,
                  std::string* second);

// The most that the body of a request for this target may have.
uint64_t most_body_bytes(const std::string& target);

// Every route, for the test that compares them with the OpenAPI document.
const std::vector<Route>& routes();

class Api {
  public:
    struct Place {
        uint16_t control_port = 0;
        uint16_t data_port = 0;
        std::string advertised;         // address or name; empty: the one by which the client came
        std::string pin;                // of the data port's key; empty: not encrypted
        std::vector<std::string> etcd;  // endpoints of the pool's store; empty: this server's own
    };
    struct Parts {
        Inventory& inventory;
        Scheduler& scheduler;
        Leases& leases;
        Counters& counters;
        LookApi& look;
        Gate& gate;
        SignIns& sign_ins;
        Audit& audit;
        Events& events;
        LogBook& log_book;
        ConsoleFiles& console;
        Preferences& preferences;
        PoolWatch& watch;
        identity::Registry* registry;  // null: everybody is an administrator
        const StateFolder* folder;     // with the registry
        store::Store& store;
        Forwarder* forwarder;  // null: this server is alone
        std::string version;
    };

    explicit Api(Parts parts) : parts_(std::move(parts)) {}
    void set_place(Place place) { place_ = std::move(place); }
    void set_pin(const std::string& pin) { place_.pin = pin; }
    // Called when another certificate lies in the state folder; fails where it cannot be used.
    void set_renewed(std::function<Status()> renewed) { renewed_ = std::move(renewed); }
    // Called after every refresh of the inventory that this room asked for.
    void take_inventory();
    // Makes the pool and the observer follow what administrators prefer.
    void take_preferences();
    // Grants nothing from now on.
    void close() { closed_ = true; }

    Task<Reply> answer(ApiRequest request);
    // Whether the sender may send more than the usual body, as far as the header tells.
    bool may_send_much(const ApiRequest& request) const;

    // The table's entries.
    Reply first_page(const Asked& asked);
    Reply console(const Asked& asked);
    Reply openapi(const Asked& asked);
    Reply health(const Asked& asked);
    Task<Reply> server(Asked asked);
    Reply claim_id(const Asked& asked);

    Task<Reply> login(Asked asked);
    Task<Reply> sign_in(Asked asked);
    Reply who(const Asked& asked);
    Reply sign_out(const Asked& asked);
    Task<Reply> change_own_password(Asked asked);

    Reply events(const Asked& asked);
    Reply about(const Asked& asked);
    Reply audit(const Asked& asked);
    Task<Reply> logs(Asked asked);

    Reply list_leases(const Asked& asked);
    Task<Reply> create_lease(Asked asked);
    Task<Reply> delete_lease(Asked asked);
    Task<Reply> hold_lease(Asked asked);
    Task<Reply> keep_lease(Asked asked);
    Reply get_claim(const Asked& asked);
    Reply delete_claim(const Asked& asked);
    Reply list_claims(const Asked& asked);
    Reply list_running(const Asked& asked);

    Reply list_clients(const Asked& asked);
    Reply put_client(const Asked& asked);
    Reply delete_client(const Asked& asked);

    Reply list_servers(const Asked& asked);
    Task<Reply> get_server(Asked asked);
    Reply put_server(const Asked& asked);
    Reply delete_server(const Asked& asked);
    Reply get_server_health(const Asked& asked);
    Reply put_server_health(const Asked& asked);

    Reply get_settings(const Asked& asked);
    Reply put_settings(const Asked& asked);

    Reply list_tokens(const Asked& asked);
    Reply create_token(const Asked& asked);
    Reply put_token(const Asked& asked);
    Reply delete_token(const Asked& asked);
    Reply token_bundle(const Asked& asked);

    Reply list_people(const Asked& asked);
    Reply create_person(const Asked& asked);
    Reply put_person(const Asked& asked);
    Reply delete_person(const Asked& asked);

    // What servers of the pool say to each other; not part of the API.
    Task<Reply> cluster(ApiRequest request, std::string path);
    Reply create_invitation(const Asked& asked);

    Reply list_certificates(const Asked& asked);
    Task<Reply> rotate_certificate(Asked asked);

  private:
    Task<Reply> serve(const Route& route, Asked asked);
    // What of GET /v1/history another server knows; nothing: this one is to answer itself.
    Task<std::optional<Reply>> pool_history(const Asked& asked);
    // Writes a change and what came of it into the trail, and tells who watches.
    void note(const Route& route, const Asked& asked, nlohmann::json change, const Reply& reply);
    // `caller` null: somebody who did not get in.
    void record(const std::string& what, const std::string& subject, nlohmann::json change,
                const ApiRequest& request, const identity::Caller* caller, const Reply& reply);
    Reply signed_in(const Asked& asked, const Result<identity::SignedIn>& session,
                    std::time_t retry_after) const;
    // Nothing when the id is this server's; else a reply that says whom to ask.
    std::optional<Reply> ask_there(const std::string& server) const;
    nlohmann::json server_row(const pool::Pool& pool, const pool::Server& server) const;
    nlohmann::json server_words() const;
    Reply server_reply(const std::string& local_ip) const;
    std::string own_address(const std::string& local_ip, uint16_t port) const;
    Result<nlohmann::json> grant_of(const pool::Lease& lease, const std::string& local_ip);
    Reply granted(const pool::Lease& lease, const std::string& local_ip, unsigned status);
    Task<void> over(std::string lease);
    // The lease of the path, if this server has it and the caller may touch it.
    Task<Result<LeasePointer>> lease_here(Asked asked);
    Task<Reply> let_join(ApiRequest request);
    // A certificate for the request in this body: by this server's own authority, or by whoever has it.
    Task<Reply> sign_somewhere(std::string body);
    Reply sign_here(const std::string& body);
    bool may_touch(const Asked& asked, const std::string& owner) const;
    void end_leases_of(const std::string& token, const std::string& reason);
    nlohmann::json token_json(const identity::Token& token) const;

    Parts parts_;
    Place place_;
    struct Sighting {
        std::string version;
        std::time_t time = 0;
    };
    std::map<std::string, Sighting> sightings_;  // of clients, since the start
    Clock::time_point started_ = Clock::now();
    size_t log_waiters_ = 0;
    std::function<Status()> renewed_;
    bool closed_ = false;
};

Reply error_reply(unsigned status, const std::string& text);
Reply error_reply(const Error& error);
Reply json_reply(nlohmann::json body, unsigned status = 200);
// 412 with what it is now.
Reply stale_reply(nlohmann::json current);
// For the routes of people and tokens on a server that has none.
Reply insecure_reply();

// The body as an object; fails with 400, and with 415 where it does not say that it is JSON.
Result<nlohmann::json> object_of(const Asked& asked);

// The body of POST /v1/leases, checked.
struct LeaseRequest {
    pool::Claim claim;  // without client and note
    Client client;
    bool hold = false;
    std::optional<wire::Ticket> ticket;
};
Result<LeaseRequest> parse_lease_request(const std::string& body);

// The document that GET /v1/openapi.json serves.
const nlohmann::json& openapi_document();

}  // namespace bitfusion::daemon
