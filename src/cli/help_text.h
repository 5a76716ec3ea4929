// Help text: the list of commands. The detail of one command comes from its options (options.h).
#pragma once

#include <string>
#include <vector>

namespace bitfusion::cli {

struct CommandRow {
    const char* names;  // "version, v"
    const char* help;
};

struct CommandGroup {
    const char* title;  // "" for the first
    std::vector<CommandRow> rows;
};

// Every command that exists, in the order of the listing.
const std::vector<CommandGroup>& command_groups();
std::string overview_text();

}  // namespace bitfusion::cli
