// Report: what the checks found, as JSON (REST, --json) and as the table that people read.
//
// The JSON: {"status": "marginal", "checks": [{"status", "type", "name", "details", "counted"}]}. The table
// has the guide's columns: status, type, name, details. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "health/check.h"

namespace bitfusion::health {

nlohmann::json to_json(const std::vector<Checked>& results);

// From a report in JSON, ours or a server's: texts are made one line each; "" when it is not a report.
std::string table(const nlohmann::json& report);

}  // namespace bitfusion::health
