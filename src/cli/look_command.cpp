#include "cli/commands.h"

namespace bitfusion::cli {
namespace {

struct Dispatch {
    const std::string& root;

    int operator()(const HealthOptions& options) const { return health_command(options, root); }
    int operator()(const StatsOptions& options) const { return stats_command(options); }
    int operator()(const NetPerfOptions& options) const { return net_perf_command(options); }
    int operator()(const LicenseOptions& options) const { return license_command(options); }
    int operator()(const CrashreportOptions& options) const { return crashreport_command(options, root); }
    int operator()(const BackupOptions& options) const { return backup_command(options); }
};

}  // namespace

int look_command(const LookCommand& command, const std::string& root) {
    return std::visit(Dispatch{root}, command);
}

}  // namespace bitfusion::cli
