// EtcdPulse: which of etcd's nodes are alive. Each is asked what it answers by itself, without the others and
// without its disk. A node that is alive and does not answer a request elects or is busy, and will answer
// soon; one that is not alive hangs or is gone, and waiting for it is in vain. Private to src/store.
//
// Source: etcd 3.4, GET /version on the address for clients.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <vector>

#include "store/etcd_endpoint.h"

namespace bitfusion::store {

// Asks all at the same time and waits until each has answered or the time is over. In the order of
// `endpoints`.
std::vector<bool> etcd_nodes_alive(const std::vector<EtcdEndpoint>& endpoints, boost::asio::ssl::context& tls,
                                   std::chrono::milliseconds wait);

}  // namespace bitfusion::store
