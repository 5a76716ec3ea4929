// Manager: the daemon, put together. `bitfusion manager` calls run_manager and exits with what it returns.
#pragma once

#include <string>

#include "base/result.h"
#include "daemon/settings.h"

namespace bitfusion::daemon {

struct Installation {
    std::string version;  // of this release
    std::string worker;   // path of bitfusion-worker
};

// Serves until SIGTERM or SIGINT, then ends every lease and its workers. Writes one line to stdout and, where
// the settings name one, the port file when it listens. Not to be called in a process with other threads.
Status run_manager(const Settings& settings, const Installation& installation);

}  // namespace bitfusion::daemon
