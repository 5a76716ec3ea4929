#include "cli/help_text.h"

#include <algorithm>
#include <cstring>

namespace bitfusion::cli {

const std::vector<CommandGroup>& command_groups() {
    static const std::vector<CommandGroup> groups = {
        {"",
         {{"tls-certs, TC", "Manage TLS certificates used by bitfusion server.  Requires root privileges."},
          {"version, v", "Display full Bitfusion version"},
          {"localhealth, LH", "Run health check on current node only"},
          {"dealloc", "Deallocate license certificate.  Requires root priviledges."},
          {"crashreport", "Collect a crash report on this machine"},
          {"license", "Check license status"},
          {"list_gpus", "List the available GPUs in a shared pool"},
          {"init", "Begin a pool: authority, first server, administrator's token"},
          {"config", "Show the manager's settings and where they come from"},
          {"initdb", "Init database setup"},
          {"token", "Fetch and manipulate tokens"},
          {"register", "Register remote server as the plugin"},
          {"unregister", "Unregister remote plugin"},
          {"removenode", "Remove unavailable nodes"},
          {"user", "Manage bitfusion users"},
          {"clients", "Manage clients: enable, disable, delete, quota"},
          {"servers", "Manage servers: drain, accept, remove"},
          {"leases", "Show and end leases of GPUs"},
          {"settings", "Show and change what holds for the whole pool"},
          {"backup", "Make, list, download and restore backups of a server"},
          {"help, h", "Shows a list of commands or help for one command"}}},
        {"   Client Commands:",
         {{"client, c", "Run application"},
          {"health, H", "Run health check on all specified servers and current node"},
          {"request_gpus", "Request GPUs from a shared pool"},
          {"release_gpus",
           "Release GPUs back into a shared pool. Options must match a previous request_gpus command"},
          {"run", "Request GPUs from a shared pool, run a client command, then release the GPUs"},
          {"stats", "Gather stats from all servers."},
          {"smi", "Display smi-like info for all servers."},
          {"local", "Run a CUDA application locally"},
          {"net_perf", "Gather network performance data from all SRS servers."}}},
        {"   Server Commands:",
         {{"server, s", "Run dispatcher service - listens for 'bitfusion client' commands"},
          {"resource_scheduler, srs", "Run Bitfusion resource scheduler (SRS) on GPU server"},
          {"analytics", "Run Bitfusion analytics server"},
          {"manager", "Run Bitfusion manager server"}}},
    };
    return groups;
}

std::string overview_text() {
    std::string text =
        "NAME:\n"
        "    bitfusion - Run application with Bitfusion\n"
        "USAGE:\n"
        "   bitfusion <command> <options> \"application\"\n"
        "   bitfusion <command> <options> -- [application]\n"
        "   bitfusion help [command]\n"
        "COMMANDS:\n";
    for (const CommandGroup& group : command_groups()) {
        if (*group.title != '\0') text += std::string(group.title) + "\n";
        size_t width = 0;
        for (const CommandRow& row : group.rows) width = std::max(width, strlen(row.names));
        for (const CommandRow& row : group.rows) {
            text += "        " + std::string(row.names) + std::string(width + 2 - strlen(row.names), ' ') +
                    row.help + "\n";
        }
    }
    text +=
        "EXAMPLES:\n"
        "   $ bitfusion manager --backend soft\n"
        "   $ bitfusion list_gpus\n"
        "   $ bitfusion run -n 4 -- <application>\n"
        "   $ bitfusion run -n 1 -p 0.5 \"python train.py\"\n";
    return text;
}

}  // namespace bitfusion::cli
