// SocketConnect: a TCP connection to an address that is written as text; what tcp.h and tls_handshake.h have
// in common.
#pragma once

#include <string>

#include "base/result.h"

namespace bitfusion::link {

// "10.0.0.7:55001", "[fd00::7]:55001" or "name:55001" -> a connected blocking socket with Nagle's delay off,
// which the caller owns. Tries every address that the name has; gives up after `timeout_ms` for each.
Result<int> connect_socket(const std::string& address, int timeout_ms);

// "cannot reach <address>: <why>; <what to check>"
tl::unexpected<Error> unreachable(const std::string& address, const std::string& why, int code);

}  // namespace bitfusion::link
