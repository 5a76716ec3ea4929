// ProbeClient: one echoed data connection to a server, from one interface of this machine, and what it
// measured (daemon/probe.h is the other end).
//
// Round trips of 1 byte and of 1 MB, the median of each; a transfer takes half of its round trip, because the
// server answers a message only when it has all of it. One thread; blocks for at most some seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "link/tls_handshake.h"
#include "wire/hello.h"

namespace bitfusion::cli {

struct Measurement {
    double small_us = 0;  // LAT(1B): one way
    double large_us = 0;  // LAT(1MB)

    // BW(1MB) = 1000/(LAT(1MB) - LAT(1B)), in GB/s; 0 when the clock could not tell them apart.
    double bandwidth() const { return large_us > small_us ? 1000 / (large_us - small_us) : 0; }
};

// `pin`: of the server's key, as the control connection told it; none: the connection is not encrypted.
// `from` is an address of this machine, of the same kind as `to_ip`, or empty for the kernel's choice.
Result<Measurement> measure(const std::string& from, const std::string& to_ip, uint16_t port,
                            const wire::Ticket& ticket, const std::optional<link::Pin>& pin);

}  // namespace bitfusion::cli
