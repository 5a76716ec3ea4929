// Inventory: what the daemon is told of this host's GPUs, as one line of JSON. The daemon itself opens no
// driver: a driver that hangs or crashes takes a worker with it, not the daemon.
//
// Driver and management library stay open from one look to the next: without persistence mode a GPU is woken
// up when the first process opens it, which takes a second or more, and falls asleep with the last. One
// thread.
#pragma once

#include <optional>
#include <string>

#include "driver_table.gen.h"
#include "worker/management.h"

namespace bitfusion::worker {

class Inventory {
  public:
    // `real` also asks NVIDIA's management library (NVML) for what the driver API does not know; fields that
    // nobody knows are null.
    Inventory(const DriverTable& driver, bool real) : driver_(driver), real_(real) {}

    std::string look();

  private:
    const DriverTable& driver_;
    const bool real_;
    std::optional<Management> management_;
};

// Where no driver could be opened.
std::string failed_inventory(const std::string& error);

}  // namespace bitfusion::worker
