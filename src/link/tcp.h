// TCP: connects to a server's data port.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "link/link.h"

namespace bitfusion::link {

// "10.0.0.7:55001" or "[fd00::7]:55001" -> a connected link with Nagle's delay off. Address or host name;
// gives up after `timeout_ms`. The error names the address, the cause and what to check.
Result<std::unique_ptr<Link>> connect_tcp(const std::string& address, int timeout_ms);

}  // namespace bitfusion::link
