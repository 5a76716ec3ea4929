// GpuLock: one manager for each GPU of a machine. Two would give the same memory away twice.
//
// A lock is a name in the kernel's abstract socket namespace: it goes with the process, however that ends,
// and needs no file and no right. Software GPUs are no hardware and are not locked.
#pragma once

#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace bitfusion::daemon {

class GpuLocks {
  public:
    // Takes the locks of these GPUs, in addition to those it has. Fails when another process has one.
    Status take(const std::vector<std::string>& uuids);

  private:
    struct Lock {
        std::string uuid;
        Descriptor socket;
    };
    std::vector<Lock> locks_;
};

}  // namespace bitfusion::daemon
