// The parts of the OpenAPI document that are merged into the whole (openapi.cpp), a file for each subject.
#pragma once

#include <nlohmann/json.hpp>

namespace bitfusion::daemon {

const nlohmann::json& session_document();
const nlohmann::json& watch_document();

}  // namespace bitfusion::daemon
