// Etag: notices that somebody else changed what is about to be changed (RFC 9110, 13.1.1). A tag stands for
// the editable part of a thing; it is sent back with If-Match. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace bitfusion::daemon {

// In quotes, as the header has it.
std::string etag_of(const nlohmann::json& editable);

// Whether a header If-Match or If-None-Match names the tag: a list, '*', with or without quotes, weak or not.
bool names_etag(const std::string& header, const std::string& etag);

// Fails with 412 where `if_match` is given and does not name the tag.
Status check_etag(const std::string& if_match, const std::string& etag);

}  // namespace bitfusion::daemon
