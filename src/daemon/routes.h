// Routes: what the REST API answers. One request in, one reply out; the connection is http_server.h's
// business, and who may what is decided here, before anything else, from one table.
//
// A file for each subject: lease_routes.cpp, pool_routes.cpp (clients, servers, settings), token_routes.cpp,
// person_routes.cpp, certificate_routes.cpp. The daemon's thread only.
#pragma once

#include <boost/beast/http/verb.hpp>
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

struct Reply {
    unsigned status = 200;
    nlohmann::json body;  // null: `text` is the body
    std::string text;
    const char* content_type = "application/json";
    LeasePointer hold;    // the response stays open for as long as this lease is held
    LeasePointer unsent;  // a lease that ends when the reply cannot be delivered
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
};

// A request whose caller is known and may make it.
struct Asked {
    ApiRequest request;
    identity::Caller caller;
    std::string path;
    std::string query;
    std::string id;  // what stands in the path for {id}
};

class Api;
class LookApi;

// Without serve and serve_later it is one of look_routes.h.
struct Route {
    boost::beast::http::verb verb;
    const char* path;  // {id} stands for one segment
    identity::Role least;
    Reply (Api::*serve)(const Asked&) = nullptr;
    Task<Reply> (Api::*serve_later)(Asked) = nullptr;
};

// The most that the body of a request for this target may have.
uint64_t most_body_bytes(const std::string& target);

// Every route, for the test that compares them with the OpenAPI document.
const std::vector<Route>& routes();

class Api {
  public:
    struct Place {
        uint16_t control_port = 0;
        uint16_t data_port = 0;
        std::string advertised;  // address or name; empty: the one by which the client came
        std::string pin;         // of the data port's key; empty: not encrypted
    };
    struct Parts {
        Inventory& inventory;
        Scheduler& scheduler;
        Leases& leases;
        Counters& counters;
        LookApi& look;
        identity::Registry* registry;  // null: everybody is an administrator
        const StateFolder* folder;     // with the registry
        std::string version;
    };

    explicit Api(Parts parts) : parts_(std::move(parts)) {}
    void set_place(Place place) { place_ = std::move(place); }
    // Called after every refresh of the inventory that this room asked for.
    void take_inventory();
    // Grants nothing from now on.
    void close() { closed_ = true; }

    Task<Reply> answer(ApiRequest request);

    // The table's entries.
    Reply openapi(const Asked& asked);
    Reply health(const Asked& asked);
    Task<Reply> server(Asked asked);
    Reply claim_id(const Asked& asked);
    Reply login(const Asked& asked);

    Reply list_leases(const Asked& asked);
    Task<Reply> create_lease(Asked asked);
    Task<Reply> delete_lease(Asked asked);
    Reply hold_lease(const Asked& asked);
    Reply get_claim(const Asked& asked);
    Reply delete_claim(const Asked& asked);
    Reply list_claims(const Asked& asked);

    Reply list_clients(const Asked& asked);
    Reply put_client(const Asked& asked);
    Reply delete_client(const Asked& asked);
    Reply list_servers(const Asked& asked);
    Reply put_server(const Asked& asked);
    Reply delete_server(const Asked& asked);
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

    Reply list_certificates(const Asked& asked);
    Reply rotate_certificate(const Asked& asked);

  private:
    Result<identity::Caller> caller_of(const ApiRequest& request, const std::string& path);
    Reply server_reply(const std::string& local_ip) const;
    std::string own_address(const std::string& local_ip, uint16_t port) const;
    nlohmann::json grant_of(const pool::Lease& lease, const std::string& local_ip) const;
    bool may_touch(const Asked& asked, const std::string& owner) const;
    void end_leases_of(const std::string& token, const std::string& reason);
    nlohmann::json token_json(const identity::Token& token) const;

    Parts parts_;
    Place place_;
    Clock::time_point login_second_;
    int logins_ = 0;
    bool closed_ = false;
};

Reply error_reply(unsigned status, const std::string& text);
Reply error_reply(const Error& error);
Reply json_reply(nlohmann::json body, unsigned status = 200);

// The body as an object; fails with 400.
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
