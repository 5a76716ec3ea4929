// PoolKeep: what a backup holds of the pool's store, taken from it and put back into it.
//
// In a backup: the pool's settings, its clients with their quotas, which servers accept, what administrators
// set of servers, and who may use the pool (identity/roster.h). Not in it: the pool's key, certificates,
// leases, claims, invitations, the audit trail. A backup is checked whole before anything of it is used. The
// daemon's thread only; it waits for the store.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/scheduler.h"
#include "identity/roster.h"

namespace bitfusion::daemon {

// Of a backup, checked.
struct KeptPool {
    std::string id;  // of the pool (member.h)
    pool::Records records;
    std::map<std::string, std::string> preferences;  // entries by key (preferences.h)
    identity::Roster roster;
};

class PoolKeep {
  public:
    // Both outlive it.
    PoolKeep(store::Store& store, Scheduler& scheduler) : store_(store), scheduler_(scheduler) {}

    const std::string& id() const { return scheduler_.cluster().id; }
    Result<std::string> save() const;
    // Fails with 400 where it is damaged.
    static Result<KeptPool> read(const std::string& text);
    // Fails with 409 where another server has to do it.
    Status ready() const;
    // Brings back what is missing and what was set; ends no lease, and revives nobody.
    Status restore(const KeptPool& kept);

  private:
    Status restore_records(const KeptPool& kept);

    store::Store& store_;
    Scheduler& scheduler_;
};

}  // namespace bitfusion::daemon
