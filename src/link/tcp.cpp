#include "link/tcp.h"

#include "link/socket_connect.h"

namespace bitfusion::link {

Result<std::unique_ptr<Link>> connect_tcp(const std::string& address, int timeout_ms) {
    const auto descriptor = connect_socket(address, timeout_ms);
    if (!descriptor) return tl::unexpected<Error>(descriptor.error());
    return over_socket(*descriptor);
}

}  // namespace bitfusion::link
