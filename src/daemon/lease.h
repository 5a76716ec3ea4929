// Leases: who has which partitions now, and everything that must end with a lease.
//
// A lease is granted from the pool's state, found by its ticket when data connections come, and owns the
// workers that were started for it. It ends once, whoever ends it (client gone, release, timeout, shutdown):
// no new worker, its workers get SIGTERM and after two seconds SIGKILL, and its memory returns to the pool
// when the last of them is reaped, never before. The daemon's thread only.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/child.h"
#include "daemon/counters.h"
#include "daemon/descriptor.h"
#include "pool/placement.h"
#include "wire/hello.h"

namespace bitfusion::daemon {

// Who asked, in their own words: for listings and logs only, never for decisions.
struct Client {
    std::string host;
    int64_t pid = 0;
    std::string user;
    std::string program;
};

struct Lease {
    explicit Lease(asio::io_context& io) : pulse(io) {}

    std::string id;  // UUID
    wire::Ticket ticket{};
    Client client;
    pool::Grant grant;
    Descriptor accounting;  // 4096 bytes of shared memory: used bytes per GPU of the lease, 64 atomic u64
    std::set<pid_t> workers;
    bool ending = false;
    std::string end_reason;
    bool held = false;       // a hold connection is open
    bool must_hold = false;  // ends soon when it is not held
    std::chrono::system_clock::time_point created;
    Clock::time_point unused_since;  // when it last lost its hold or its last worker
    asio::steady_timer pulse;        // what the hold connection sleeps on; cancelled when the lease ends

    // Bytes that its workers say they use on its i-th GPU. Their word: for listings only.
    uint64_t used_bytes(size_t index) const;
};

using LeasePointer = std::shared_ptr<Lease>;

class Leases {
  public:
    Leases(asio::io_context& io, Children& children, Counters& counters, std::chrono::seconds auto_release);

    // Replaces what can be leased. Refused while leases hold parts of devices that would vanish or shrink.
    Status set_devices(const std::vector<pool::Device>& devices);
    const pool::State& state() const { return state_; }

    // Grants or refuses; waits briefly for leases that are ending if the request would fit then. The error's
    // code is the HTTP status: 400 malformed, 409 no room, 503 no resources of the host.
    struct Refused {
        Error error;
        bool may_fit_later = false;
    };
    Task<tl::expected<LeasePointer, Refused>> acquire(pool::Request request, Client client, bool must_hold);

    LeasePointer by_id(const std::string& id) const;
    // Compares with every lease in constant time. Null for a lease that is ending.
    LeasePointer by_ticket(const wire::Ticket& ticket) const;
    const std::map<std::string, LeasePointer>& all() const { return leases_; }
    size_t running() const;  // leases that are not ending

    void add_worker(const LeasePointer& lease, pid_t pid);
    void set_held(const LeasePointer& lease, bool held);
    void end(const LeasePointer& lease, const std::string& reason);
    // Returns when the lease is gone: workers reaped, memory back in the pool.
    Task<void> gone(LeasePointer lease);
    // Grants nothing from now on, ends all leases and returns when they are gone.
    Task<void> end_all(std::string reason);
    void stop() { tick_.cancel(); }

  private:
    void worker_ended(const LeasePointer& lease, pid_t pid, int status);
    void finish_if_idle(const LeasePointer& lease);
    void schedule_tick();
    Result<LeasePointer> make(const pool::Grant& grant, Client client, bool must_hold);

    asio::io_context& io_;
    Children& children_;
    Counters& counters_;
    std::chrono::seconds auto_release_;
    pool::State state_;
    std::map<std::string, LeasePointer> leases_;
    Bell changed_;
    asio::steady_timer tick_;
    bool closed_ = false;
};

// Fills with random bytes of the kernel; ends the process if it has none to give.
void fill_random(void* bytes, size_t size);
std::string random_uuid();

}  // namespace bitfusion::daemon
