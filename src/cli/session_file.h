// SessionFile: a session of request_gpus, written down for `client`, `release_gpus` and other tools.
//
// A JSON object in a file of mode 0600 that its user owns, by default /tmp/bitfusion<number>. It holds the
// session's ticket, which is a secret. Files of other users, or that others may write, are refused.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/allocation.h"

namespace bitfusion::cli {

struct SessionFile {
    std::string path;
    Endpoint server;
    std::string lease;
    std::string session;  // value of BITFUSION_SESSION
    std::string version;
    Endpoint data;
    uint32_t gpus = 0;
    uint64_t memory_mib = 0;  // as asked: -m
    double fraction = 0;      // as asked: -p
};

// Creates it, complete and on the disk when this returns; `path` empty: a new file of /tmp. The path. What
// is there already stays and is an error.
Result<std::string> write_session_file(const std::string& path, const Allocation& wanted,
                                       const Granted& granted);
// `path` empty: BITFUSION_SESSION_FILE, else the only one in /tmp that this user owns.
Result<SessionFile> read_session_file(const std::string& path);

}  // namespace bitfusion::cli
