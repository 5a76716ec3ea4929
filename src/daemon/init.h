// Init: the first server of a pool: the pool's authority, this server's certificate, the administrator's
// token. `bitfusion init` does it, and a manager that listens on loopback only does it by itself.
//
// A folder that is initialised already is never touched: nobody takes a pool over by starting it again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/settings.h"
#include "daemon/state_folder.h"

namespace bitfusion::store {
class Store;
}

namespace bitfusion::daemon {

struct InitOptions {
    std::string client_dir;  // gets the administrator's ca.crt, client.yaml and servers.conf; empty: none
    std::vector<std::string> names;  // more names and addresses of this server
    std::string authority_dir;       // ca.crt and ca.key of a pool that exists; empty: a new pool
    // Where both are given the server joins that pool (join.h).
    std::string join;  // control address of one of its servers
    std::string invitation;
};

struct Initialised {
    std::string token_id;  // the administrator's; empty for a server that joined
    std::vector<std::string> files;
    std::string etcd;  // of the pool that it joined
};

Result<Initialised> initialise(const Settings& settings, const InitOptions& options);

// The store that the settings name.
Result<std::unique_ptr<store::Store>> open_store(const Settings& settings, const std::string& database);

// ~/.bitfusion of whoever runs this; empty without a home.
std::string usual_client_folder();
// Of the settings, or the usual one.
StateFolder state_folder_of(const Settings& settings);
std::string server_name_of(const Settings& settings);

}  // namespace bitfusion::daemon
