#include "daemon/interface_bytes.h"

#include "health/node.h"

namespace bitfusion::daemon {

std::map<std::string, InterfaceBytes> interface_bytes() {
    const health::Files files;
    health::Node addresses;
    health::observe(&addresses);
    std::map<std::string, InterfaceBytes> all;
    for (const health::Address& address : addresses.addresses) {
        const std::string folder = "/sys/class/net/" + address.interface + "/statistics/";
        const auto received = files.number(folder + "rx_bytes");
        const auto sent = files.number(folder + "tx_bytes");
        if (received && sent)
            all[address.interface] = {static_cast<uint64_t>(*received), static_cast<uint64_t>(*sent)};
    }
    return all;
}

}  // namespace bitfusion::daemon
