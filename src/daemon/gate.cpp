#include "daemon/gate.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <array>

#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;

constexpr const char* kNobody =
    "no token was shown; put the client's bundle into ~/.bitfusion (the pool's administrator makes it with: "
    "bitfusion token create), or sign in";
constexpr const char* kOtherOrigin =
    "the request comes from a page of another origin; open the console of this server itself";

bool changes(const ApiRequest& request) { return request.verb != verb::get && request.verb != verb::head; }

// "10.0.0.7:56001" -> "10.0.0.7", "[::1]:56001" -> "::1"
std::string host_in(const std::string& authority) {
    if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
    return authority.substr(0, authority.find(':'));
}

}  // namespace

std::string cookie_value(const std::string& header, const std::string& name) {
    for (size_t at = 0; at < header.size();) {
        const size_t end = std::min(header.find(';', at), header.size());
        const size_t first = header.find_first_not_of(' ', at);
        at = end + 1;
        if (first == std::string::npos || first >= end) continue;
        const std::string one = header.substr(first, end - first);
        if (one.starts_with(name + "=")) return one.substr(name.size() + 1);
    }
    return "";
}

Status check_origin(const ApiRequest& request) {
    if (!request.fetch_site.empty() && request.fetch_site != "same-origin" && request.fetch_site != "none")
        return fail(kOtherOrigin, 403);
    if (request.origin.empty()) return {};
    const size_t scheme = request.origin.find("://");
    if (scheme == std::string::npos || request.authority.empty() ||
        request.origin.substr(scheme + 3) != request.authority)
        return fail(kOtherOrigin, 403);
    return {};
}

Status check_local_name(const ApiRequest& request) {
    if (request.authority.empty()) return {};
    const std::string host = host_in(request.authority);
    std::array<uint8_t, 16> address{};
    std::array<char, 256> own{};
    const bool numeric = inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
                         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    const bool known = gethostname(own.data(), own.size() - 1) == 0 && host == own.data();
    // A name without a dot is in nobody's DNS but one's own.
    if (numeric || known || host.find('.') == std::string::npos) return {};
    return fail("an insecure server is asked for by its address or as localhost, not by another name", 403);
}

Result<identity::Caller> Gate::caller_of(const ApiRequest& request, bool open) const {
    if (registry_ == nullptr) {
        if (auto ours = check_origin(request); !ours) return tl::unexpected<Error>(ours.error());
        if (auto local = check_local_name(request); !local) return tl::unexpected<Error>(local.error());
        identity::Caller everybody;
        everybody.role = identity::Role::kAdmin;
        everybody.name = "local";
        everybody.client = "local";
        everybody.host = request.host.empty() ? "localhost" : request.host;
        return everybody;
    }
    if (open) {
        if (auto ours = changes(request) ? check_origin(request) : Status(); !ours)
            return tl::unexpected<Error>(ours.error());
        return identity::Caller();
    }
    if (!request.bearer.empty())
        return registry_->authenticate(request.bearer, request.machine, request.host, time(nullptr));
    const std::string session = cookie_value(request.cookie, cookie_name_);
    if (session.empty()) return fail(kNobody, 401);
    return person(request, session);
}

Result<identity::Caller> Gate::person(const ApiRequest& request, const std::string& session) const {
    if (!session.starts_with("bfs-")) return fail("the cookie is no session; sign in again", 401);
    if (auto ours = check_origin(request); !ours) return tl::unexpected<Error>(ours.error());
    auto caller = registry_->authenticate(session, "", "", time(nullptr));
    if (!caller || !changes(request)) return caller;
    if (!identity::equal_secrets(request.csrf, registry_->csrf_of(session)))
        return fail("the request lacks the session's Bitfusion-CSRF; reload the page", 403);
    return caller;
}

bool Gate::still(const identity::Caller& caller, const ApiRequest& request) const {
    if (registry_ == nullptr) return true;
    const std::string& shown = caller.session.empty() ? request.bearer : caller.session;
    const auto now = registry_->authenticate(shown, request.machine, request.host, time(nullptr));
    return now && now->role >= caller.role;
}

std::string Gate::cookie_of(const std::string& session, std::time_t seconds) const {
    return cookie_name_ + "=" + session + "; Path=/; Max-Age=" + std::to_string(seconds) +
           "; Secure; HttpOnly; SameSite=Strict";
}

std::string Gate::no_cookie() const { return cookie_of("", 0); }

}  // namespace bitfusion::daemon
