// Backups: named snapshots of what this server keeps, in the folder backups/ of its state-dir.
//
// A backup holds: the pool's own part (pool.json, see pool_keep.h), which checks count (health.json), the
// history, and for reading only the options in force, the last health report and the leases of that moment. A
// restore brings back the first three; options come from their file and leases from their clients. Keys and
// certificates are never in a backup, and whoever was sent away does not come back with one. A restore is
// checked whole before anything is changed: the archive (backup/archive.h), whose pool it is, and each of its
// files. The daemon's thread only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "backup/archive.h"
#include "base/result.h"
#include "daemon/observer.h"
#include "daemon/pool_keep.h"

namespace bitfusion::daemon {

// What a client may send to be restored, and what a backup that is to be downloaded may have.
constexpr uint64_t kMostBackupBytes = 64 << 20;

class Backups {
  public:
    Backups(Observer& observer, std::string version) : observer_(observer), version_(std::move(version)) {}

    // Without one, backups hold nothing of the pool.
    void set_keep(PoolKeep* keep) { keep_ = keep; }

    // `documents` are the files for reading only, by name. Refused (409) while the store is not healthy.
    Result<nlohmann::json> create(const std::string& name,
                                  const std::map<std::string, nlohmann::json>& documents);
    // Newest first; what is no backup is left out.
    Result<nlohmann::json> list() const;
    Result<std::string> read(const std::string& name) const;
    Status remove(const std::string& name);
    // `pool` allows the backup of another pool, by its name: for a server that takes the place of a lost one.
    Result<nlohmann::json> restore(const std::string& bytes, const std::string& pool);

  private:
    Status ready() const;
    // Of an unpacked backup, checked; nothing where it has none.
    Result<std::optional<KeptPool>> kept_pool(const std::filesystem::path& contents) const;
    std::filesystem::path file_of(const std::string& name) const;

    Observer& observer_;
    PoolKeep* keep_ = nullptr;
    std::string version_;
};

// The name of this server's pool: made at the first call, kept in the state folder.
Result<std::string> pool_of(const std::filesystem::path& folder);

}  // namespace bitfusion::daemon
