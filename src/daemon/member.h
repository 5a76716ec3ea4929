// Member: one server of a pool as the others find it, and what the servers of a pool have in common.
//
//   cluster/id            the pool's own id, made by the first server
//   cluster/secret        what servers show each other: whoever can read the pool's store is one of them
//   cluster/member/<id>   {"name","control","data","pin","authority"}
//
// Servers learn each other's addresses from the store and never from a message. Reading and writing block for
// the store.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::daemon {

struct Member {
    std::string id;
    std::string name;
    std::string control_address;
    std::string data_address;
    std::string pin;         // of its data port's key, hexadecimal; empty: not encrypted
    bool authority = false;  // it has the key of the pool's authority and signs for those who join
};

struct Cluster {
    std::string id;
    std::string secret;
};

// Makes them where there are none yet.
Result<Cluster> open_cluster(store::Store& store);

// Nothing is written where it stands already.
Status write_member(store::Store& store, const Member& member);
Status forget_member(store::Store& store, const std::string& id);
Result<std::vector<Member>> read_members(store::Store& store);

}  // namespace bitfusion::daemon
