// EtcdEndpoint: where one of etcd's nodes answers. Private to src/store.
#pragma once

#include <string>

#include "base/result.h"

namespace bitfusion::store {

struct EtcdEndpoint {
    bool tls = false;
    std::string host;
    std::string port;
    std::string text;  // as the administrator wrote it
};

// "http://HOST:PORT" or "https://HOST:PORT"; IPv6 addresses in brackets.
Result<EtcdEndpoint> parse_etcd_endpoint(const std::string& text);

}  // namespace bitfusion::store
