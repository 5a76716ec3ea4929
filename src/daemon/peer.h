// Peer: asking another server of the pool: HTTPS whose certificate must be of the pool's authority; plain
// HTTP between insecure servers. Connections are kept for the next request. The daemon's thread only.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/http/verb.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

struct PeerRequest {
    boost::beast::http::verb verb = boost::beast::http::verb::get;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string content_type;  // empty: no body
    std::string body;
};

struct PeerAnswer {
    unsigned status = 0;
    std::string content_type;
    std::string body;
};

class Peer {
  public:
    // `authority`: PEM of the pool's authority; empty: no TLS.
    static Result<std::unique_ptr<Peer>> make(asio::io_context& io, const std::string& authority);
    Peer(asio::io_context& io, std::unique_ptr<asio::ssl::context> tls);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    // `address`: "10.0.0.7:56001", "[fd00::7]:56001" or a name with a port. A request that a kept connection
    // lost is sent a second time: ask only what may be asked twice.
    Task<Result<PeerAnswer>> ask(std::string address, PeerRequest request, std::chrono::seconds deadline);

  private:
    struct Connection;
    std::unique_ptr<Connection> kept(const std::string& address);
    Task<Status> connect(Connection& connection, const std::string& address, Clock::time_point until);
    Task<Status> exchange(Connection& connection, const PeerRequest& request, const std::string& address,
                          Clock::time_point until, PeerAnswer* answer);

    asio::io_context& io_;
    std::unique_ptr<asio::ssl::context> tls_;
    std::multimap<std::string, std::unique_ptr<Connection>> kept_;
};

}  // namespace bitfusion::daemon
