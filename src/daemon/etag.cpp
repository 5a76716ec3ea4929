#include "daemon/etag.h"

#include "identity/secret.h"

namespace bitfusion::daemon {

std::string etag_of(const nlohmann::json& editable) {
    const std::string text = editable.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return "\"" + identity::digest(text).substr(0, 16) + "\"";
}

bool names_etag(const std::string& header, const std::string& etag) {
    const std::string bare = etag.size() > 2 ? etag.substr(1, etag.size() - 2) : etag;
    for (size_t at = 0; at < header.size();) {
        const size_t end = std::min(header.find(',', at), header.size());
        std::string one = header.substr(at, end - at);
        at = end + 1;
        const size_t first = one.find_first_not_of(" \t");
        if (first == std::string::npos) continue;
        one = one.substr(first, one.find_last_not_of(" \t") - first + 1);
        if (one.starts_with("W/")) one = one.substr(2);
        if (one == "*" || one == etag || one == bare) return true;
    }
    return false;
}

Status check_etag(const std::string& if_match, const std::string& etag) {
    if (if_match.empty() || names_etag(if_match, etag)) return {};
    return fail("somebody else has changed it meanwhile; look at what it is now and try again", 412);
}

}  // namespace bitfusion::daemon
