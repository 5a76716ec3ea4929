// Store: the pool's memory that outlives its processes. One interface, two fillings: SQLite for one server,
// etcd for several.
//
// A map from keys to values with a revision for the whole and for each entry. Everything is written by
// transactions that happen completely or not at all, on condition that what they rest on is still so; so two
// servers that decide at the same time cannot both succeed. Keys are printable ASCII with '/' between their
// parts, at most 512 bytes; values are bytes, at most 1 MiB; a transaction has at most kMostWrites writes and
// kMostTransactionBytes.
//
// Threads: all functions of a store may be called by any thread, one waits for another where it must. They
// block for disk or network, so call them outside of an event loop or accept the pause. Errors end with what
// to do; the code says what kind it is (see Trouble).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::store {

constexpr size_t kMostWrites = 100;  // etcd takes 128 operations a transaction, conditions apart
constexpr size_t kMostTransactionBytes = (size_t{1} << 20) + (size_t{1} << 18);  // etcd takes 1.5 MiB
constexpr size_t kMostKeyBytes = 512;
constexpr size_t kMostValueBytes = size_t{1} << 20;

// Error::code of this room's errors.
enum Trouble : int {
    kMalformed = 1,    // the caller's mistake: a key or value beyond the limits
    kUnreachable = 2,  // no answer; what was sent may have happened or not: read again before anything else
    kFull = 3,         // nothing was written
    kCorrupt = 4,      // what is stored is damaged or is no store of ours
    kTooNew = 5,       // written by a later version
    kLocked = 6,       // another process has it
    kRefused = 7,      // the store does not accept us: credentials
    kCompacted = 8,    // a watch asked for changes that are forgotten: read everything again
};

struct Entry {
    std::string key;
    std::string value;
    uint64_t revision = 0;  // of the transaction that last wrote it; never 0
};

struct Snapshot {
    std::vector<Entry> entries;  // by key
    uint64_t revision = 0;       // of the store when it was taken
};

// Holds when the entry's revision is this; 0: when there is no such entry.
struct Condition {
    std::string key;
    uint64_t revision = 0;
};

struct Write {
    std::string key;
    std::optional<std::string> value;  // none: the entry goes
};

struct Transaction {
    std::vector<Condition> conditions;
    std::vector<Write> writes;  // each key once
};

struct Commit {
    bool done = false;      // false: a condition did not hold, nothing was written
    uint64_t revision = 0;  // of the store after it
};

// What changed under a prefix since a revision, in order.
class Watch {
  public:
    struct Event {
        std::string key;
        std::optional<std::string> value;  // none: the entry is gone
        uint64_t revision = 0;
    };

    virtual ~Watch() = default;
    // Waits until there is something or the time is over (then empty). Failed with kCompacted or kUnreachable
    // it is dead: take a snapshot and a new watch from there.
    virtual Result<std::vector<Event>> next(std::chrono::milliseconds wait) = 0;
};

// A role that at most one process of the pool has at a time: who schedules.
//
// It is lost when its process dies or is cut off for longer than its time to live. Since it may not know that
// yet, each of its transactions carries `fence()`: the store then refuses what a deposed leader decided.
class Leadership {
  public:
    virtual ~Leadership() = default;  // gives the role up if it still has it; not after its store
    virtual Condition fence() const = 0;
    // Keeps it for another time to live; call it three times as often. False: it is lost.
    virtual Result<bool> keep() = 0;
};

class Store {
  public:
    virtual ~Store() = default;

    virtual Result<Snapshot> read(const std::string& prefix) = 0;
    virtual Result<Commit> commit(const Transaction& transaction) = 0;
    // Events after `revision` (of a snapshot), so that none is missed between reading and watching.
    virtual Result<std::unique_ptr<Watch>> watch(const std::string& prefix, uint64_t revision) = 0;

    // The role, or nothing when someone else has it: read `role_key(role)` to see who.
    virtual Result<std::unique_ptr<Leadership>> campaign(const std::string& role, const std::string& who,
                                                         std::chrono::seconds time_to_live) = 0;
};

// Where a role's holder is written down: the value is `who`, the entry goes with the leadership.
std::string role_key(const std::string& role);

// Fails with kMalformed where a transaction breaks the limits above.
Status check(const Transaction& transaction);

}  // namespace bitfusion::store
