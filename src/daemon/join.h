// Join: a new server becomes one of a pool, by an invitation that an administrator made on one that is
// (bitfusion servers invite). It makes its own key, and the server that has the key of the pool's authority
// signs for it; neither key ever leaves its server. The invitation names the authority, so nothing is shown
// to anybody else. Runs before the manager does and blocks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/settings.h"
#include "daemon/state_folder.h"

namespace bitfusion::daemon {

struct Joined {
    std::vector<std::string> files;
    std::string etcd;  // the pool's store, as its other servers reach it
};

// `address`: the control port of any server of the pool.
Result<Joined> join_pool(const StateFolder& folder, const std::string& address, const std::string& invitation,
                         const std::vector<std::string>& names);

}  // namespace bitfusion::daemon
