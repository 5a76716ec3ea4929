// HttpServer: the control port. HTTP/1.1 over TLS 1.3 with bounded requests, deadlines and a bounded number
// of connections; without TLS where the server is insecure.
//
// Bytes that are not HTTP cost the sender its connection and us one counter. A connection carries any number
// of requests one after another, or one hold or stream of events (routes.h) until it closes.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "daemon/async.h"
#include "daemon/counters.h"
#include "daemon/lease.h"
#include "daemon/routes.h"
#include "daemon/settings.h"

namespace bitfusion::daemon {

class HttpServer {
  public:
    using tcp = asio::ip::tcp;

    // `tls` is null where connections are not encrypted.
    HttpServer(asio::io_context& io, const Settings& settings, asio::ssl::context* tls, Api& api,
               Leases& leases, Counters& counters);

    Result<uint16_t> listen();  // the port
    void start();
    void stop();

  private:
    Task<void> accept();
    Task<void> serve(tcp::socket socket, std::shared_ptr<void> slot);
    struct Ends {
        std::string peer;  // "10.0.0.7:41234"
        std::string peer_ip;
        std::string local_ip;
    };
    template <typename Stream>
    Task<void> answer(std::shared_ptr<Stream> stream, Ends ends);
    template <typename Stream>
    Task<void> push(std::shared_ptr<Stream> stream, std::shared_ptr<Subscription> events);
    template <typename Stream>
    Task<void> hold(std::shared_ptr<Stream> stream, LeasePointer lease);

    asio::io_context& io_;
    const Settings& settings_;
    asio::ssl::context* tls_;
    Api& api_;
    Leases& leases_;
    Counters& counters_;
    tcp::acceptor acceptor_;
    std::shared_ptr<void> slots_;  // each connection holds a copy
    std::shared_ptr<void> large_;  // each request that may bring a large body holds a copy
};

}  // namespace bitfusion::daemon
