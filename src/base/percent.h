// Percent-encoding: bytes of any text as they stand in the path or query of an address (RFC 3986, section
// 2.1), and in a form's body. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitfusion::base {

// All bytes but letters, digits and "-._~" become "%XX": what stands between two '/', '&' or '=' stays there.
std::string percent_encoded(std::string_view text);

// What stands in a query or a form: "%XX" is its byte, '+' a space. Nothing where a '%' is not followed by
// two hexadecimal digits. The result may hold any byte, also 0.
std::optional<std::string> query_decoded(std::string_view text);

}  // namespace bitfusion::base
