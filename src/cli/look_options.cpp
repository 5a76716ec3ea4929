#include "cli/look_options.h"

#include <CLI/CLI.hpp>
#include <set>

namespace bitfusion::cli {

struct LookTree::Raw {
    std::string list, file, output, name, action, pool;
    bool json = false;
    bool server = false;
    bool client = false;
};

LookTree::LookTree(CLI::App& app) : raw_(std::make_unique<Raw>()) {
    const auto add = [&](const char* name, const char* alias, const char* text, bool asks_servers) {
        CLI::App* command = app.add_subcommand(name, text);
        if (*alias != '\0') command->alias(alias);
        command->add_flag("--json", raw_->json, "print JSON");
        if (asks_servers) {
            command->add_option("-l,--server_list", raw_->list,
                                "servers to use instead: \"ip:port;ip:port\"");
            command->add_option("-s,--servers", raw_->file, "path of another servers.conf");
        }
        return command;
    };
    add("health", "H",
        "Runs the health checks on all servers of the list and on this node.\n"
        "Each is pass, marginal or fatal and says what to do. The exit code is 1 when one that counts is "
        "fatal\n"
        "or when a server does not answer.",
        true);
    CLI::App* local =
        add("localhealth", "LH",
            "Runs the health checks on this node only. A machine with NVIDIA's driver or with the\n"
            "manager's settings file is taken for a server.",
            true);
    local->add_flag("--server", raw_->server, "this node is a server");
    local->add_flag("--client", raw_->client, "this node is a client");
    add("stats", "", "Gathers statistics from all servers.", true);
    add("net_perf", "",
        "Measures latency and bandwidth from this node to every server, over every pair of interfaces that "
        "can\n"
        "reach each other.",
        true);
    add("license", "", "Checks the license status: none is needed.", false);
    add("dealloc", "", "Gives a license back: none is needed.", false);
    add("crashreport", "",
        "Collects what support needs into one file on this machine: versions, health, servers' answers and "
        "logs.\n"
        "Tokens, tickets and keys are left out. Nothing is sent.",
        true)
        ->add_option("-o,--output", raw_->output, "the file to write (.tar.gz)");
    CLI::App* backup =
        add("backup", "",
            "Makes, lists, downloads, restores and deletes backups of a server's history and settings of\n"
            "its health checks. It speaks to the first server of the list.\n"
            "bitfusion backup create NAME | list | download NAME | restore FILE | delete NAME",
            true);
    backup->add_option("action", raw_->action, "create, list, download, restore or delete");
    backup->add_option("name", raw_->name, "name of the backup; restore: the downloaded file");
    backup->add_option("-o,--output", raw_->output,
                       "download: the file to write; NAME.backup when it is not given");
    backup->add_option("--pool", raw_->pool,
                       "restore: take the place of this other pool, whose backup it is");
}

LookTree::~LookTree() = default;

bool LookTree::has(const std::string& name) const {
    static const std::set<std::string> names = {"health",  "localhealth", "stats",       "net_perf",
                                                "license", "dealloc",     "crashreport", "backup"};
    return names.contains(name);
}

Result<LookCommand> LookTree::command_of(const std::string& name) const {
    const Raw& raw = *raw_;
    const ServerOptions servers{raw.list, raw.file};
    if (raw.server && raw.client) return fail("--server and --client were both given: give one of them");
    if (name == "health") return HealthOptions{servers, raw.json, false, false, false};
    if (name == "localhealth") return HealthOptions{servers, raw.json, true, raw.server, raw.client};
    if (name == "stats") return StatsOptions{servers, raw.json};
    if (name == "net_perf") return NetPerfOptions{servers, raw.json};
    if (name == "license") return LicenseOptions{raw.json, false};
    if (name == "dealloc") return LicenseOptions{raw.json, true};
    if (name == "crashreport") return CrashreportOptions{servers, raw.output, raw.json};
    BackupOptions backup{BackupOptions::Action::kList, raw.name, raw.output, raw.pool, servers, raw.json};
    using Action = BackupOptions::Action;
    const std::pair<const char*, Action> actions[] = {{"create", Action::kCreate},
                                                      {"list", Action::kList},
                                                      {"download", Action::kDownload},
                                                      {"restore", Action::kRestore},
                                                      {"delete", Action::kDelete}};
    bool known = false;
    for (const auto& [word, action] : actions) {
        if (raw.action != word) continue;
        backup.action = action;
        known = true;
    }
    if (!known)
        return fail("'" + raw.action +
                    "' is nothing that can be done with backups: give create, list, download, "
                    "restore or delete");
    if (backup.action != Action::kList && raw.name.empty())
        return fail("backup " + raw.action + " lacks " +
                    (backup.action == Action::kRestore ? "the file" : "the name of the backup") +
                    "; see: bitfusion help backup");
    return backup;
}

}  // namespace bitfusion::cli
