// InterfaceBytes: what each network interface of this machine has carried since it came up, as the kernel
// counts (/sys/class/net/*/statistics). Those with an address only: containers come and go with interfaces
// that nobody would look for.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace bitfusion::daemon {

struct InterfaceBytes {
    uint64_t received = 0;
    uint64_t sent = 0;
};

// By name, as the kernel has it.
std::map<std::string, InterfaceBytes> interface_bytes();

}  // namespace bitfusion::daemon
