// Connecting: where BITFUSION_SESSION says, and the greeting that the server answers. Used by the session of
// CUDA programs (open.cpp) and by that of programs which only watch (src/nvml).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/result.h"
#include "link/link.h"
#include "wire/hello.h"

namespace bitfusion::client {

// One more connection of the session, to its worker. Blocks up to 10 s. Any thread.
using OpenLane = std::function<Result<std::unique_ptr<link::Link>>(const wire::LaneKey&)>;

// What BITFUSION_LANES may say.
constexpr size_t kMostLanes = 8;

struct Connection {
    std::unique_ptr<link::Link> link;
    size_t lanes = 0;         // that the session may open (lanes.h); 0: none
    OpenLane open_lane;       // with lanes
    size_t copy_threads = 0;  // of the session (copy_threads.h)
};

// A connection that the server has admitted, with a worker at its other end. Blocks up to 10 s for the
// connection. The error says what is wrong and what to do; its code is ENOENT when this program has no
// session at all.
// With `much`, for a session that carries more than a few words: over memory that is shared with the worker
// where that is possible. BITFUSION_LINK says otherwise: tcp (never), shm (or nothing), auto.
// BITFUSION_SHARED_FOLDER is where to look besides shm_folders() (link/shm_meet.h). BITFUSION_LANES is how
// many lanes such a session may open over a network, BITFUSION_COPY_THREADS how many threads it has for large
// copies between pageable memory and the worker's.
Result<Connection> connect_session(bool much);

}  // namespace bitfusion::client
