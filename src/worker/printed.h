// Printed: what the driver writes to standard output and standard error: the text of device printf and of
// device asserts. Both descriptors are files in memory, so that the driver never blocks on them and nothing
// is lost; the session sends what has come since the last look. The worker's own log keeps the real standard
// error.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace bitfusion::worker {

class Printed {
  public:
    // Puts memory files in the place of descriptors 1 and 2 of this process, and moves the log to the old 2.
    Status capture();
    // Text since the last call; empty without capture().
    std::string take(int descriptor);

  private:
    struct Stream {
        int file = -1;
        int64_t read = 0;
    };
    Stream out_;
    Stream error_;
};

}  // namespace bitfusion::worker
