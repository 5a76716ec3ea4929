// Gate: who is asking? A token, a person by the cookie of his session, or everybody where the server is
// insecure; and whether a browser sends the request for a page of ours. Nothing is remembered between
// requests. The daemon's thread only.
//
// A cookie alone changes nothing: beside it a request other than GET brings Bitfusion-CSRF, which a page of
// another origin cannot know, and where the browser says who made it send the request, that must be us.
#pragma once

#include <ctime>
#include <string>

#include "daemon/routes.h"
#include "identity/registry.h"

namespace bitfusion::daemon {

class Gate {
  public:
    // `registry` null: everybody is an administrator.
    explicit Gate(identity::Registry* registry) : registry_(registry) {}
    void set_port(uint16_t port) { cookie_name_ = "__Host-bitfusion-" + std::to_string(port); }

    // `open`: what is asked for is for nobody in particular, so nobody is asked who he is.
    Result<identity::Caller> caller_of(const ApiRequest& request, bool open) const;
    // Whether who was let in would still be.
    bool still(const identity::Caller& caller, const ApiRequest& request) const;

    // Set-Cookie, for a session and for its end.
    std::string cookie_of(const std::string& session, std::time_t seconds) const;
    std::string no_cookie() const;

  private:
    Result<identity::Caller> person(const ApiRequest& request, const std::string& session) const;

    identity::Registry* registry_;
    std::string cookie_name_ = "__Host-bitfusion";
};

// The value of a cookie in a header Cookie; empty when it is not there.
std::string cookie_value(const std::string& header, const std::string& name);
// Fails with 403 where a browser sends the request for a page of another origin.
Status check_origin(const ApiRequest& request);
// Fails with 403 where the server was asked for by a name that anybody could give it in his own DNS.
Status check_local_name(const ApiRequest& request);

}  // namespace bitfusion::daemon
