// Connecting: where BITFUSION_SESSION says, and the greeting that the server answers. Used by the session of
// CUDA programs (open.cpp) and by that of programs which only watch (src/nvml).
#pragma once

#include <memory>

#include "base/result.h"
#include "link/link.h"

namespace bitfusion::client {

// A connection that the server has admitted, with a worker at its other end. Blocks up to 10 s for the
// connection. The error says what is wrong and what to do; its code is ENOENT when this program has no
// session at all.
// With `much`, for a session that carries more than a few words: over memory that is shared with the worker
// where that is possible. BITFUSION_LINK says otherwise: tcp (never), shm (or nothing), auto.
// BITFUSION_SHARED_FOLDER is where to look besides shm_folders() (link/shm_meet.h).
Result<std::unique_ptr<link::Link>> connect_session(bool much);

}  // namespace bitfusion::client
