// Leases: those of the pool that are served on this machine, and everything that must end with one.
//
// The pool decides (scheduler.h); this is what its decisions mean here. A lease is found by its ticket when
// data connections come, and owns the workers that were started for it. When the pool ends it, no new worker
// starts, its workers get SIGTERM and after two seconds SIGKILL, and when the last of them is reaped the pool
// is told that its memory is free, never before. The daemon's thread only.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "daemon/async.h"
#include "daemon/child.h"
#include "daemon/counters.h"
#include "daemon/scheduler.h"
#include "wire/hello.h"
#include "wire/usage.h"

namespace bitfusion::daemon {

// Who asked, in their own words: for listings and logs only, never for decisions.
struct Client {
    std::string host;
    int64_t pid = 0;
    std::string user;
    std::string program;
};

// The shared memory of a lease (wire/usage.h).
class UsageMemory {
  public:
    static Result<UsageMemory> make();
    UsageMemory(UsageMemory&& other) noexcept;
    UsageMemory& operator=(UsageMemory&&) = delete;
    ~UsageMemory();
    wire::Usage& operator*() const { return *usage_; }
    wire::Usage* operator->() const { return usage_; }
    int descriptor() const { return file_.get(); }

  private:
    UsageMemory(Descriptor file, wire::Usage* usage) : file_(std::move(file)), usage_(usage) {}
    Descriptor file_;
    wire::Usage* usage_;
};

// What the daemon writes into a claim's note and reads back from the lease's.
struct LeaseNote {
    std::string ticket_digest;  // SHA-256 of the ticket's digits: the store never has the ticket
    Client client;
    std::string client_name;  // under which the pool lists its owner
    std::string token;        // with which it was asked for; empty for people and without TLS
    bool must_hold = false;
    int64_t created = 0;  // seconds since 1970
};
std::string to_json(const LeaseNote& note);
Result<LeaseNote> lease_note_from(const std::string& text);
std::string digest_of(const wire::Ticket& ticket);

struct Lease {
    Lease(asio::io_context& io, UsageMemory memory) : usage(std::move(memory)), pulse(io) {}

    std::string id;     // UUID
    std::string owner;  // the pool's client
    LeaseNote note;
    pool::Grant grant;
    bool persistent = false;  // it lives without a hold
    UsageMemory usage;
    std::map<pid_t, int> workers;     // and their slots in the usage memory
    std::map<int, Descriptor> doors;  // by slot: where lanes of its session are passed on (link/lane_door.h)
    bool ending = false;
    std::string end_reason;
    std::string unwritten_end;       // why it is to end, where the pool could not write that down yet
    bool held = false;               // a hold connection is open
    Clock::time_point unheld_since;  // when it last lost its hold, or began
    uint64_t activity = 0;           // as last seen in the usage memory
    asio::steady_timer pulse;        // what the hold connection sleeps on; cancelled when the lease ends

    // Bytes that its workers say they use on its i-th GPU. Their word: for listings only.
    uint64_t used_bytes(size_t index) const;
    std::optional<int> free_slot() const;
};

using LeasePointer = std::shared_ptr<Lease>;

class Leases {
  public:
    Leases(asio::io_context& io, Children& children, Counters& counters, Scheduler& scheduler);

    LeasePointer by_id(const std::string& id) const;
    // Null for a lease that is ending.
    LeasePointer by_ticket(const wire::Ticket& ticket) const;
    const std::map<std::string, LeasePointer>& all() const { return leases_; }
    size_t running() const;  // leases that are not ending

    void add_worker(const LeasePointer& lease, pid_t pid, int slot);
    void set_held(const LeasePointer& lease, bool held);
    // Lets it live on without a hold. Returns when the pool has written that down.
    Task<Status> keep(std::string id, std::chrono::milliseconds patience);
    // Asks the pool to end it; again every second, while the pool's store does not answer.
    void end(const std::string& id, const std::string& reason);
    // Returns when the lease is gone: workers reaped, memory back in the pool.
    Task<void> gone(std::string id);
    // Ends what cannot go on without this process and returns when its workers are gone.
    Task<void> end_all(std::string reason);
    // Rings when leases come, end or go.
    Bell& changed() { return changed_; }
    // Brings this room to what the pool says.
    void mirror();
    // The same after hearing what the pool has decided by now, on a server that does not schedule itself.
    Task<bool> catch_up(std::chrono::milliseconds patience);
    std::vector<std::string> ids() const;
    void stop() { tick_.cancel(); }

  private:
    void take(const pool::Lease& granted);
    void begin_end(const LeasePointer& lease, const std::string& reason);
    void worker_ended(const LeasePointer& lease, pid_t pid, int status);
    void schedule_tick();
    void look_after(const LeasePointer& lease);

    asio::io_context& io_;
    Children& children_;
    Counters& counters_;
    Scheduler& scheduler_;
    std::map<std::string, LeasePointer> leases_;
    Bell changed_;
    asio::steady_timer tick_;
    bool mirroring_ = false;
};

// Fills with random bytes of the kernel; ends the process if it has none to give.
void fill_random(void* bytes, size_t size);
std::string random_uuid();

}  // namespace bitfusion::daemon
