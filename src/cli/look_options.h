// Look options: the commands that look at servers and keep them: health, localhealth, stats, net_perf,
// license, crashreport, backup. The part of the command line of options.h that is theirs.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "cli/servers.h"

namespace CLI {
class App;
}

namespace bitfusion::cli {

struct HealthOptions {
    ServerOptions servers;
    bool json = false;
    bool local = false;   // this node only
    bool server = false;  // localhealth: this node is a server, whatever it looks like
    bool client = false;  // or a client
};

struct StatsOptions {
    ServerOptions servers;
    bool json = false;
};

struct NetPerfOptions {
    ServerOptions servers;
    bool json = false;
};

struct LicenseOptions {
    bool json = false;
    bool dealloc = false;
};

struct CrashreportOptions {
    ServerOptions servers;
    std::string file;  // empty: a name with the time in the current folder
    bool json = false;
};

struct BackupOptions {
    enum class Action { kCreate, kList, kDownload, kRestore, kDelete };
    Action action = Action::kList;
    std::string name;  // of the backup; of the file for kRestore
    std::string file;  // kDownload: where to
    std::string pool;  // kRestore: the other pool whose place the server takes
    ServerOptions servers;
    bool json = false;
};

using LookCommand = std::variant<HealthOptions, StatsOptions, NetPerfOptions, LicenseOptions,
                                 CrashreportOptions, BackupOptions>;

class LookTree {
  public:
    // Adds the commands to the tree; `app` outlives this.
    explicit LookTree(CLI::App& app);
    ~LookTree();
    LookTree(const LookTree&) = delete;
    LookTree& operator=(const LookTree&) = delete;

    bool has(const std::string& name) const;
    // After the tree was parsed.
    Result<LookCommand> command_of(const std::string& name) const;

  private:
    struct Raw;
    std::unique_ptr<Raw> raw_;
};

}  // namespace bitfusion::cli
