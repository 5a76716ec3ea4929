// Printed: what the driver writes to standard output and standard error: the text of device printf and of
// device asserts. Its C streams are ours and keep the text in memory, so that to look costs no system call;
// the descriptors are files in memory, for what is written past the streams. So the driver never blocks on
// them and nothing is lost; the session sends what has come since the last look. The worker's own log keeps
// the real standard error. capture() once a process; take() from one thread, the driver prints from any.
#pragma once

#include <string>

#include "base/result.h"

namespace bitfusion::worker {

class Printed {
  public:
    // Puts streams and memory files in the place of the standard ones of this process, and moves the log to
    // the old standard error.
    Status capture();
    // Text since the last call; empty without capture(). `files`: the descriptors are looked at too, as they
    // always are once anything was found there.
    std::string take(int descriptor, bool files);

  private:
    struct Stream;
    Stream* out_ = nullptr;  // live as long as the process: the driver's threads may print at any time
    Stream* error_ = nullptr;
    bool always_files_ = false;
};

}  // namespace bitfusion::worker
