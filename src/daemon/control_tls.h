// ControlTls: the control port's side of TLS 1.3.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "daemon/state_folder.h"

namespace bitfusion::daemon {

Result<std::unique_ptr<boost::asio::ssl::context>> open_control_tls(const StateFolder& folder);

// What lies in the folder now, for the connections that come from now on.
Status use_certificate(boost::asio::ssl::context& tls, const StateFolder& folder);

}  // namespace bitfusion::daemon
