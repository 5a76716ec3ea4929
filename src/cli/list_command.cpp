#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"

namespace bitfusion::cli {

std::string list_gpus_text(const std::vector<Listed>& servers) {
    std::string text;
    for (size_t i = 0; i < servers.size(); ++i) {
        if (!servers[i].view) continue;
        const ServerView& view = *servers[i].view;
        text += " - server " + std::to_string(i) + (view.leader ? " (leader) " : "") + " [" +
                view.endpoint.text() + "]: running " + std::to_string(view.running_tasks) + " tasks\n";
        for (const GpuView& gpu : view.gpus) {
            text += "   |- GPU [" + std::to_string(gpu.ordinal) + "]: free memory (" +
                    std::to_string(gpu.free_mib) + " / " + std::to_string(gpu.memory_mib) + "MiB) " +
                    gpu.name;
            if (!gpu.capability.empty()) text += " (" + gpu.capability + ")";
            text += "\n";
        }
    }
    return text;
}

int list_gpus_command(const ListOptions& options) {
    return listing_command(options.servers, options.json, false, list_gpus_text);
}

}  // namespace bitfusion::cli
