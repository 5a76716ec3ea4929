#include "session/lane_peer.h"

#include <sys/socket.h>

#include <cstdlib>

namespace bitfusion::session_test {

std::pair<std::unique_ptr<link::Link>, std::unique_ptr<link::Link>> socket_links() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    return {link::over_socket(ends[0]), link::over_socket(ends[1])};
}

LaneHall::LaneHall() {
    auto made = link::make_lane_door();
    if (!made) abort();
    door_ = std::move(*made);
}

std::unique_ptr<link::Link> LaneHall::connect(const wire::LaneKey& key) const {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    auto ours = link::over_socket(ends[0]);
    link::PassedLane lane;
    lane.connection = Descriptor(ends[1]);
    lane.secret = key.secret;
    if (!link::pass_lane(door_.outside.get(), lane)) abort();
    return ours;
}

}  // namespace bitfusion::session_test
