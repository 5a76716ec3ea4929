// Listen: what the control and the data port have in common as listeners.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "base/result.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

// Binds and listens; the result is the port, also where 0 asked for any. `flag` is named in the error.
Result<uint16_t> open_listener(asio::ip::tcp::acceptor& acceptor, const std::string& address, uint16_t port,
                               const char* flag);

// After a failed accept: false when the listener is closed; else logs, waits a little (no descriptors: a busy
// loop would help nobody) and is true.
Task<bool> accept_again(asio::ip::tcp::acceptor& acceptor, boost::system::error_code error, const char* port);

// "10.0.0.7:41234", "[fd00::7]:41234"
std::string address_text(const std::string& ip, uint16_t port);
// "10.0.0.7:41234", or "?" for a socket that is gone.
std::string peer_text(const asio::ip::tcp::socket& socket);

}  // namespace bitfusion::daemon
