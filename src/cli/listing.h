// Listing: what list_gpus and smi have in common: ask every server, print text or JSON, exit with 1 if any
// server did not answer (those that did are listed all the same).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace bitfusion::cli {

// The version of the JSON listings' layout; raised when a field changes its meaning or goes.
constexpr int kListingSchema = 1;

int listing_command(const ServerOptions& servers, bool json, bool fresh,
                    const std::function<std::string(const std::vector<Listed>&)>& text);

}  // namespace bitfusion::cli
