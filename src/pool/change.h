// Change: one record of the pool that was written or is gone; Notice: what someone has to be told.
//
// Every command of the pool leaves its effects here. The changes must be in the store before any answer or
// notice leaves the house. They are ordered so that a store that holds any first part of them is still a pool
// in which nothing is given twice and nothing is lost: it is then as if the rest had not happened yet. Value
// types.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "pool/claim.h"
#include "pool/client.h"
#include "pool/server.h"

namespace bitfusion::pool {

enum class RecordKind { kServer, kClient, kClaim, kLease };

// The record with this id no longer exists.
struct Removal {
    RecordKind kind = RecordKind::kServer;
    std::string id;
};

using Change = std::variant<Settings, Server, Client, Claim, Lease, Removal>;

struct Notice {
    enum class Kind {
        kGranted,  // a waiting claim became a lease
        kRefused,  // a waiting claim is over without one; text says why
        kEnding,   // end the lease's workers, then call Pool::over(); text says why
        kOver,     // its memory is back in the pool
    };
    Kind kind = Kind::kGranted;
    std::string id;  // of the claim and of the lease
    std::string text;
};

struct Effects {
    std::vector<Change> changes;
    std::vector<Notice> notices;

    bool empty() const { return changes.empty() && notices.empty(); }
};

// All records of a pool, in any order: what a store holds.
struct Records {
    Settings settings;
    std::vector<Server> servers;
    std::vector<Client> clients;
    std::vector<Claim> claims;
    std::vector<Lease> leases;
};

}  // namespace bitfusion::pool
