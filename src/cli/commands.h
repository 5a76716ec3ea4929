// Commands: one function each; the result is the exit code. What they cannot do they say in one line on
// stderr.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/server_view.h"

namespace bitfusion::cli {

int run_command(const RunOptions& options, const std::string& root);  // root: of the installation
int local_command(const LocalOptions& options, const std::string& root);
int list_gpus_command(const ListOptions& options);
int smi_command(const SmiOptions& options);
int version_command(const VersionOptions& options);

// The texts of the listings, for the commands and their tests. Null: the server did not answer.
struct Listed {
    Endpoint endpoint;
    std::optional<ServerView> view;
};
std::string list_gpus_text(const std::vector<Listed>& servers);
std::string smi_text(const std::vector<Listed>& servers);

}  // namespace bitfusion::cli
