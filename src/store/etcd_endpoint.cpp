#include "store/etcd_endpoint.h"

#include "store/store.h"

namespace bitfusion::store {

Result<EtcdEndpoint> parse_etcd_endpoint(const std::string& text) {
    EtcdEndpoint endpoint;
    endpoint.text = text;
    std::string rest;
    if (text.starts_with("http://")) {
        rest = text.substr(7);
    } else if (text.starts_with("https://")) {
        endpoint.tls = true;
        rest = text.substr(8);
    }
    if (rest.ends_with('/')) rest.pop_back();
    const size_t colon = rest.rfind(':');
    if (colon == std::string::npos || colon == 0 || rest.find_first_of("/@ ") != std::string::npos) {
        return fail("etcd's endpoint '" + text + "' is not http://HOST:PORT or https://HOST:PORT; correct it",
                    kMalformed);
    }
    endpoint.host = rest.substr(0, colon);
    endpoint.port = rest.substr(colon + 1);
    if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']'))
        endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    return endpoint;
}

}  // namespace bitfusion::store
