#include "daemon/traffic.h"

#include <unistd.h>

namespace bitfusion::daemon {

Traffic read_traffic(int accounting) {
    uint64_t counters[3];
    if (pread(accounting, counters, sizeof counters, kTrafficOffset) != sizeof counters) return {};
    return {counters[0], counters[1], counters[2]};
}

}  // namespace bitfusion::daemon
