// Inventory: what the daemon is told of this host's GPUs, as one line of JSON. The daemon itself opens no
// driver: a driver that hangs or crashes takes a short-lived worker with it, not the daemon.
#pragma once

#include <string>

#include "driver_table.gen.h"

namespace bitfusion::worker {

// `real` also asks NVIDIA's management library (NVML) for what the driver API does not know; fields that
// nobody knows are null.
std::string inventory(const DriverTable& driver, bool real);
std::string failed_inventory(const std::string& error);

}  // namespace bitfusion::worker
