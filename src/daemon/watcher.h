// Watcher: the process that looks at this server's GPUs for as long as the daemon lives.
//
// `bitfusion-worker --inventory --watch` keeps the driver open, so that GPUs without persistence mode are not
// woken up for every measurement, and answers each byte on its descriptor 3 with one line. When it ends, or
// does not answer within a minute, the next look starts another; one that fails again and again is started
// less and less often. Its answers are bounded and hostile until they are read. The daemon's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/child.h"

namespace bitfusion::daemon {

class Watcher {
  public:
    // `arguments` are the worker's, argv[0] included.
    Watcher(asio::io_context& io, Children& children, std::string worker, std::vector<std::string> arguments);
    ~Watcher() { stop(); }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // One line of it, without its end. One caller at a time.
    Task<Result<std::string>> look();
    // Ends the process; a look that waits for it fails.
    void stop();

    // How long after the `failures`th failure in a row no other is started.
    static std::chrono::seconds pause_after(int failures);

  private:
    struct Process;

    Status start();
    Task<Result<std::string>> ask(std::shared_ptr<Process> process);
    Error failed(Error error);

    asio::io_context& io_;
    Children& children_;
    const std::string worker_;
    const std::vector<std::string> arguments_;
    std::shared_ptr<Process> process_;  // null: none runs
    int failures_ = 0;                  // since the last answer
    Clock::time_point not_before_;      // of the next start, after a failure
    std::string last_error_;
    bool stopped_ = false;
};

}  // namespace bitfusion::daemon
