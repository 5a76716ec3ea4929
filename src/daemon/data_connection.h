// DataConnection: one connection of the data port before its worker has it: encrypted unless the server is
// insecure.
//
// The server's private key stays in the daemon: it makes the handshake, reads the hello and writes the
// welcome; the worker is then given the keys of this one connection. The daemon's thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "link/tls_handshake.h"
#include "link/tls_record.h"

namespace bitfusion::daemon {

class DataConnection {
  public:
    using tcp = asio::ip::tcp;

    explicit DataConnection(tcp::socket socket) : socket_(std::move(socket)) {}

    tcp::socket& socket() { return socket_; }
    // Makes the handshake.
    Task<Status> open(const link::TlsServer* server);
    Task<Status> read(uint8_t* target, size_t bytes);
    Task<Status> write(std::vector<uint8_t> bytes);
    // Something came that nobody has read: a worker could not go on from here.
    bool has_unread() const { return !plain_.empty() || !in_.empty(); }
    // For the worker's grant; empty without encryption.
    std::string keys() const;

  private:
    Task<Status> receive();

    tcp::socket socket_;
    bool encrypted_ = false;
    link::TlsOpener opener_;
    link::TlsSealer sealer_;
    std::vector<uint8_t> in_;     // sealed
    std::vector<uint8_t> plain_;  // opened
};

}  // namespace bitfusion::daemon
