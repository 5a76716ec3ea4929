// PoolWatch: looks at the pool every second and tells the events what has changed, and since when each lease
// served here has been idle. Changes of the pool come from many sides (clients, time, other servers); what is
// compared is what the lists show, so that nothing is told that nobody would see. The daemon's thread only.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <string>

#include "daemon/events.h"
#include "daemon/lease.h"
#include "daemon/observer.h"
#include "daemon/scheduler.h"

namespace bitfusion::daemon {

class PoolWatch {
  public:
    PoolWatch(asio::io_context& io, Scheduler& scheduler, Leases& leases, Observer& observer, Events& events);

    void start();
    void stop() { pause_.cancel(); }
    // One look; `start` does it every second.
    void look();

    // Since its workers last did something, to the second.
    std::chrono::seconds idle(const Lease& lease) const;

  private:
    Task<void> watch();
    void note_activity();
    // What the lists of the topic show, as one number.
    size_t sign_of(Topic topic) const;

    asio::io_context& io_;
    Scheduler& scheduler_;
    Leases& leases_;
    Observer& observer_;
    Events& events_;
    asio::steady_timer pause_;
    struct Activity {
        uint64_t seen = 0;
        Clock::time_point since;
    };
    std::map<std::string, Activity> activity_;
    std::map<Topic, size_t> signs_;
};

}  // namespace bitfusion::daemon
