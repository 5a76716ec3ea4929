// Child: starting the daemon's child processes, and learning of their end.
//
// A child sees only the descriptors that its plan names, a minimal environment, its own process group, and
// dies with the daemon (PDEATHSIG), also when that is killed. The daemon's thread only: PDEATHSIG is the
// signal of the death of the thread that forked.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace bitfusion::daemon {

struct ChildPlan {
    std::string path;                    // absolute
    std::vector<std::string> arguments;  // argv[0] included
    std::vector<std::string> environment;
    std::vector<int> descriptors;  // [i] becomes descriptor 3 + i; -1 leaves it closed
    int output = -1;               // becomes stdout; -1: stdout goes where stderr goes
    int errors = -1;               // becomes stderr; -1: the daemon's own
    bool legacy_layout =
        false;  // ADDR_COMPAT_LAYOUT: mappings grow upwards from a third of the address space
};

// Returns once the program runs (exec succeeded). stdin is /dev/null.
Result<pid_t> start_child(const ChildPlan& plan);

// The variables of this process's environment that children need: search paths, log level, the CUDA driver's
// own settings. Never a session, a server list or anything else.
std::vector<std::string> child_environment();

// Calls back once for each watched child when it has ended and is reaped.
class Children {
  public:
    using Ended = std::function<void(int status)>;  // as of waitpid

    explicit Children(boost::asio::io_context& io);
    void watch(pid_t pid, Ended ended);
    void stop();
    size_t count() const { return watched_.size(); }

  private:
    void wait();
    void reap();

    boost::asio::signal_set signals_;
    std::unordered_map<pid_t, Ended> watched_;
    bool stopped_ = false;
};

// "exited with status 3", "ended by signal 9".
std::string status_text(int status);

}  // namespace bitfusion::daemon
