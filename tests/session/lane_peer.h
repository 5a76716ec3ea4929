// Lanes for tests: what a daemon does for them, without one. The connections are socket pairs.
#pragma once

#include <memory>
#include <utility>

#include "base/descriptor.h"
#include "client/connect.h"
#include "link/lane_door.h"
#include "link/link.h"

namespace bitfusion::session_test {

// Two ends of a connection.
std::pair<std::unique_ptr<link::Link>, std::unique_ptr<link::Link>> socket_links();

class LaneHall {
  public:
    LaneHall();
    // For the worker; once.
    Descriptor door() { return std::move(door_.inside); }
    // Passes one end of a new connection to the worker, with that secret; the other is the client's.
    std::unique_ptr<link::Link> connect(const wire::LaneKey& key) const;
    client::OpenLane opener() const {
        return
            [this](const wire::LaneKey& key) -> Result<std::unique_ptr<link::Link>> { return connect(key); };
    }

  private:
    link::LaneDoor door_;
};

}  // namespace bitfusion::session_test
