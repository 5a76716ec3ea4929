// LaneDoor: how the daemon hands one more connection of a session to the worker that serves it already: over
// a pair of sockets between the two, one message a connection. The daemon has made the handshake and read
// the hello; it does not know the secret, it passes on what the client showed. The worker decides.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace bitfusion::link {

struct PassedLane {
    Descriptor connection;
    std::array<uint8_t, 32> secret{};  // as the client showed it
    std::string tls;                   // the connection's keys (tls_keys.h); empty: it is not encrypted
};

// The daemon's end and the worker's.
struct LaneDoor {
    Descriptor outside;
    Descriptor inside;
};
Result<LaneDoor> make_lane_door();

// Does not wait: a worker that takes nothing makes it fail. The caller keeps the connection's descriptor.
Status pass_lane(int outside, const PassedLane& lane);
// Waits for the next. Fails when nothing will come any more: the daemon is gone, or close_lane_door().
Result<PassedLane> take_lane(int inside);
// Whoever waits in take_lane() comes back. Any thread.
void close_lane_door(int inside);

}  // namespace bitfusion::link
