#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"

namespace bitfusion::cli {

int license_command(const LicenseOptions& options) {
    const std::string text = options.dealloc ? "No license is needed: there is nothing to give back."
                                             : "No license is needed: every server and client may be used.";
    if (!options.json) return print(text + "\n");
    return print(
        nlohmann::json{{"schema", kListingSchema}, {"license", "not needed"}, {"text", text}}.dump(2) + "\n");
}

}  // namespace bitfusion::cli
