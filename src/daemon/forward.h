// Forwarder: lets a server that does not schedule answer what only the scheduling one can decide: the request
// goes on to it with its caller's own token or session, over TLS, and its reply comes back. What a browser
// sends was checked here (gate.h): a cookie and its Bitfusion-CSRF do not go on, the session in the cookie
// does. While a new server takes the role over, requests wait. The daemon's thread only.
#pragma once

#include <optional>
#include <string>

#include "daemon/peer.h"
#include "daemon/routes.h"
#include "daemon/scheduler.h"

namespace bitfusion::daemon {

// Marks what came from another server, so that nothing goes in circles.
constexpr const char* kForwardedHeader = "Bitfusion-Forwarded";
// Everything that servers of a pool say to each other.
constexpr const char* kClusterPaths = "/v1/cluster/";
constexpr const char* kAuthorityPath = "/v1/cluster/authority";
constexpr const char* kJoinPath = "/v1/cluster/join";
constexpr const char* kCertificatePath = "/v1/cluster/certificate";

// Whether only the server that schedules can answer this.
bool is_for_scheduler(boost::beast::http::verb verb, const std::string& path);

class Forwarder {
  public:
    Forwarder(asio::io_context& io, Scheduler& scheduler, Peer& peer)
        : io_(io), scheduler_(scheduler), peer_(peer) {}

    // Nothing: this server is to answer itself.
    Task<std::optional<Reply>> answer(const Asked& asked);
    // The same for what any server could answer, and the scheduling one alone fully.
    Task<std::optional<Reply>> ask_scheduler(const Asked& asked);

    Peer& peer() { return peer_; }

  private:
    asio::io_context& io_;
    Scheduler& scheduler_;
    Peer& peer_;
};

}  // namespace bitfusion::daemon
