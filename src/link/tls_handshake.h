// TlsHandshake: one end of a TLS 1.3 handshake, made by OpenSSL on bytes that the caller moves.
//
// A data connection's client knows its server by a pin: the SHA-256 of the server's public key, which it was
// told over the authenticated control connection. So neither certificates' dates nor a clock nor a list of
// authorities are needed in other people's processes. The client proves itself afterwards, by the ticket in
// its hello. No socket and no waiting here; one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "link/link.h"
#include "link/tls_keys.h"

namespace bitfusion::link {

using Pin = std::array<uint8_t, 32>;

// The server's side of every handshake: certificate and private key, both PEM files. Shared and read only.
class TlsServer {
  public:
    static Result<TlsServer> open(const std::string& certificate_file, const std::string& key_file);
    TlsServer(TlsServer&&) noexcept;
    TlsServer& operator=(TlsServer&&) noexcept;
    ~TlsServer();
    const Pin& pin() const { return pin_; }

  private:
    friend class TlsHandshake;
    struct Context;
    explicit TlsServer(std::unique_ptr<Context> context);
    std::unique_ptr<Context> context_;
    Pin pin_{};
};

class TlsHandshake {
  public:
    static Result<TlsHandshake> of_server(const TlsServer& server);
    static Result<TlsHandshake> of_client(const Pin& pin);
    TlsHandshake(TlsHandshake&&) noexcept;
    TlsHandshake& operator=(TlsHandshake&&) noexcept;
    ~TlsHandshake();

    // Takes what the peer sent (nothing, for the client's first step) and puts what is to be sent to it into
    // `out`, also when it fails: then it holds the alert. True when the handshake is complete.
    Result<bool> step(const uint8_t* bytes, size_t count, std::vector<uint8_t>* out);
    // After completion: the connection's secrets, and what the peer sent behind its handshake.
    Result<TlsState> state() const;
    std::vector<uint8_t> early();

  private:
    struct Connection;
    explicit TlsHandshake(std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> connection_;
};

Result<Pin> pin_from_hex(const std::string& digits);

// Connects to a server's data port and makes the handshake; gives up after `timeout_ms`. The errors tell
// unreachable, "speaks no TLS" and "is another server" apart.
Result<std::unique_ptr<Link>> connect_tls(const std::string& address, const Pin& pin, int timeout_ms);
// The same over a socket that is connected already; takes it over. `address` is for the errors.
Result<std::unique_ptr<Link>> secure_socket(int socket, const std::string& address, const Pin& pin,
                                            int timeout_ms);

}  // namespace bitfusion::link
