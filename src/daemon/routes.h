// Routes: what the REST API answers. One request in, one reply out; the connection is http_server.h's
// business.
#pragma once

#include <boost/beast/http/verb.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/async.h"
#include "daemon/counters.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"

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
    boost::beast::http::verb verb;
    std::string target;        // path and query as received
    std::string content_type;  // of the request
    std::string body;
    std::string local_ip;  // the address under which the client reached this server
};

struct Route {
    boost::beast::http::verb verb;
    const char* path;  // {id} stands for one segment
};

// Every route, for the test that compares them with the OpenAPI document.
const std::vector<Route>& routes();

class LookApi;

class Api {
  public:
    struct Ports {
        uint16_t control = 0;
        uint16_t data = 0;
    };

    Api(Inventory& inventory, Leases& leases, Counters& counters, LookApi& look, std::string version);
    void set_ports(Ports ports) { ports_ = ports; }
    // Called after every refresh of the inventory that this room asked for.
    void take_inventory();

    Task<Reply> answer(ApiRequest request);

  private:
    Task<Reply> server(std::string query, std::string local_ip);
    Task<Reply> create_lease(ApiRequest request);
    Task<Reply> delete_lease(std::string id);
    Reply server_reply(const std::string& local_ip) const;
    Reply granted_reply(const LeasePointer& lease, const std::string& local_ip) const;
    Reply list_leases() const;
    Reply hold_lease(const std::string& id);
    Reply health(const std::string& query) const;

    Inventory& inventory_;
    Leases& leases_;
    Counters& counters_;
    LookApi& look_;
    std::string version_;
    Ports ports_;
};

// The most bytes that a request to this target may bring.
uint64_t most_body_bytes(const std::string& target);

Reply error_reply(unsigned status, const std::string& text);

// The body of POST /v1/leases, checked.
struct LeaseRequest {
    pool::Request pool;
    Client client;
    bool hold = false;
};
Result<LeaseRequest> parse_lease_request(const std::string& body);

// The document that GET /v1/openapi.json serves.
const nlohmann::json& openapi_document();

}  // namespace bitfusion::daemon
