// Commands: one function each; the result is the exit code. What they cannot do they say in one line on
// stderr.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/server_view.h"

namespace bitfusion::cli {

int run_command(const RunOptions& options, const std::string& root);  // root: of the installation
int request_gpus_command(const RequestOptions& options);
int client_command(const ClientOptions& options, const std::string& root);
int release_gpus_command(const ReleaseOptions& options);
int admin_command(const AdminOptions& options);
struct ConfigRow {
    std::string key;
    std::string value;
    std::string origin;
    std::string environment;
};
int config_command(const std::vector<ConfigRow>& rows, bool json);
int local_command(const LocalOptions& options, const std::string& root);
int list_gpus_command(const ListOptions& options);
int smi_command(const SmiOptions& options);
int version_command(const VersionOptions& options);

int look_command(const LookCommand& command, const std::string& root);  // one of the following
int health_command(const HealthOptions& options, const std::string& root);
int stats_command(const StatsOptions& options);
int net_perf_command(const NetPerfOptions& options);
int license_command(const LicenseOptions& options);
int crashreport_command(const CrashreportOptions& options, const std::string& root);
int backup_command(const BackupOptions& options);

// What the checks say of this node, as health/report.h writes it.
nlohmann::json node_report(const HealthOptions& options, const std::string& root);

// The texts of the listings, for the commands and their tests. Null: the server did not answer.
struct Listed {
    Endpoint endpoint;
    std::optional<ServerView> view;
};
std::string list_gpus_text(const std::vector<Listed>& servers);
std::string smi_text(const std::vector<Listed>& servers);

// The same of what --json prints.
std::string health_text(const nlohmann::json& document);
std::string stats_text(const nlohmann::json& document);
std::string net_perf_text(const std::string& client, const nlohmann::json& document);
std::string backups_text(const nlohmann::json& document);

}  // namespace bitfusion::cli
