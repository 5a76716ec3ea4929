// Peer: asking another server: HTTPS, or plain HTTP where there is no TLS. Within the pool the certificate
// must be of the pool's authority; of a server outside of it, it must also have the name that is asked for.
// Answers are bounded and have a deadline. Connections are kept for the next request. The daemon's thread
// only.
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
#include "daemon/name_lookup.h"

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
    std::string etag;
    std::string body;
};

// How a server outside of the pool is asked.
struct PeerTerms {
    bool tls = false;
    std::string authority;    // PEM; empty: those that this machine trusts
    uint64_t most_bytes = 0;  // of an answer
    std::string advice;       // what to do when it does not answer: the end of an error's text
};

class Peer {
  public:
    // `authority`: PEM of the pool's authority; empty: no TLS.
    static Result<std::unique_ptr<Peer>> make(asio::io_context& io, const std::string& authority);
    static Result<std::unique_ptr<Peer>> make_outside(asio::io_context& io, PeerTerms terms);
    // Of the pool.
    Peer(asio::io_context& io, std::unique_ptr<asio::ssl::context> tls);
    Peer(asio::io_context& io, std::unique_ptr<asio::ssl::context> tls, PeerTerms terms, bool by_name);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    // `address`: "10.0.0.7:56001", "[fd00::7]:56001" or a name with a port. The deadline holds for all of it,
    // also for finding out what a name's address is. A request that a kept connection lost is sent a second
    // time: ask only what may be asked twice.
    Task<Result<PeerAnswer>> ask(std::string address, PeerRequest request, std::chrono::seconds deadline);

  private:
    struct Connection;
    std::unique_ptr<Connection> kept(const std::string& address);
    tl::unexpected<Error> trouble(const std::string& address, const boost::system::error_code& error) const;
    tl::unexpected<Error> trouble(const std::string& address, const std::string& what) const;
    Task<Status> connect(Connection& connection, const std::string& address, Clock::time_point until);
    Task<Status> exchange(Connection& connection, const PeerRequest& request, const std::string& address,
                          Clock::time_point until, PeerAnswer* answer);

    asio::io_context& io_;
    NameLookup names_;
    std::unique_ptr<asio::ssl::context> tls_;
    PeerTerms terms_;
    bool by_name_;  // the certificate must be of the name that is asked for
    std::multimap<std::string, std::unique_ptr<Connection>> kept_;
};

}  // namespace bitfusion::daemon
