#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"

namespace bitfusion::cli {

int version_command(const VersionOptions& options) {
    if (!options.json) return print("Bitfusion version: " BITFUSION_VERSION " release\n");
    const nlohmann::json document = {{"schema", kListingSchema}, {"version", BITFUSION_VERSION}};
    return print(document.dump(2) + "\n");
}

}  // namespace bitfusion::cli
