// Opening a store: which one, where, with what credentials; and what makes it one of ours.
//
// A store says of which schema it is (key "schema"). An empty one is made ours; one of an earlier schema is
// brought up to date; one of a later version or with damaged contents is refused, with a text that says how
// to go on. Nothing is ever repaired by guessing.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::store {

struct SqliteOptions {
    std::string path;         // of the database; its folder must exist. Beside it: -wal, -shm, -lock
    uint64_t most_bytes = 0;  // the file never grows beyond; 0: as the disk allows
};

struct EtcdOptions {
    std::vector<std::string> endpoints;  // "http://10.0.0.7:2379", "https://[fd00::7]:2379"; tried in turn
    std::string prefix = "/bitfusion/";  // of all keys, so that an etcd can serve others besides
    std::chrono::milliseconds timeout{3000};  // for one request, whichever endpoints are tried
    // For https. etcd's HTTP gateway refuses client certificates that have a common name: use one without.
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string user;  // with etcd's own authentication
    std::string password;
};

// The schema that this version writes.
constexpr int kSchema = 1;

// One process at a time may have it open (kLocked).
Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options);
// Fails when no endpoint answers.
Result<std::unique_ptr<Store>> open_etcd(const EtcdOptions& options);

}  // namespace bitfusion::store
