// Pool: who has which GPUs, who waits, and who is next. The one place that gives GPUs away.
//
// Deterministic logic without clock, thread, input or output: the caller passes the time, takes the effects
// after each command, writes the changes to the store, and only then answers and sends the notices
// (store/ledger.h does that). Equal records and equal commands give equal decisions. Not for several threads
// at once.
//
// The rules:
//  - All GPUs of a claim come from one server and are distinct (placement.h). Among servers the tightest fit
//  is
//    taken: as few untouched GPUs as possible, then the server with the least room, then the one that joined
//    first.
//  - Claims that do not fit wait in order of their turns (queue.h). The first of the queue stays the first
//  until it
//    is served or gives up. Another may overtake it only where it cannot delay it: on GPUs that the first can
//    never use, or that have room for the first's part besides.
//  - A claim that its client's quota holds back keeps its turn, but nobody waits for it except later claims
//  of the
//    same client.
//  - A claim that no server could serve even if it were empty is refused at once, with the most that it could
//  ask.
//  - A lease's memory returns to the pool with over(), after its workers were reaped, never before.
//
// Errors: 400 malformed, 403 the client may not, 404 unknown, 409 not possible now or ever, 429 too many
// waiting.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "pool/change.h"
#include "pool/share.h"

namespace bitfusion::pool {

// The most claims that wait, of one client and together.
constexpr size_t kMostWaitingOfClient = 1024;
constexpr size_t kMostWaiting = 200'000;

// Where a claim stands.
struct Standing {
    enum class State { kGranted, kWaiting };
    State state = State::kWaiting;
    size_t place = 0;    // 1 is next; 0 when granted
    size_t waiting = 0;  // claims in the queue, this one included
    std::string text;    // one sentence: why it got what it got, or what it waits for
};

// How much of a server is free.
struct Room {
    struct Device {
        uint32_t ordinal = 0;
        uint64_t memory_mib = 0;
        uint64_t free_mib = 0;
    };
    bool up = false;
    size_t leases = 0;
    std::vector<Device> devices;
};

struct Use {
    Share held;   // by leases, those that are ending included
    Share quota;  // in force
    size_t leases = 0;
    size_t waiting = 0;
};

// Counts of work, since the pool was made: what a decision costs, on any machine.
struct Work {
    uint64_t decisions = 0;               // claims that were tried
    uint64_t servers_looked_at = 0;       // candidates that were looked at for them
    uint64_t most_servers_looked_at = 0;  // for one decision
};

struct Book;

class Pool {
  public:
    explicit Pool(const Settings& settings = {});
    ~Pool();
    Pool(Pool&&) noexcept;
    Pool& operator=(Pool&&) noexcept;

    // The pool that these records tell of. All servers are down, and all signs of life count from `now`.
    // Fails when they contradict each other (memory given twice, a lease on an unknown server, ...): the
    // store is corrupt.
    static Result<Pool> restore(Records records, Time now);
    Records records() const;
    // Which servers are up and when who was last heard of, from an earlier state of the same pool: where both
    // know it.
    void take_signs_of_life(const Pool& before);

    // What the commands since the last call did.
    Effects take_effects();

    // -- settings
    const Settings& settings() const;
    Status set_settings(const Settings& settings, Time now);

    // -- servers
    // A new server, or new facts of one that is known: its number and `accepts` stay as they are. Refused
    // while leases hold GPUs that would vanish or shrink, and while another server has one of the GPUs.
    Status put_server(Server server, Time now);
    // The server's daemon runs and has workers of these leases only: every lease that was ending without a
    // worker is over. Call it when contact is made, and again after it was lost.
    Status server_up(const std::string& id, const std::vector<std::string>& leases_with_workers, Time now);
    Status server_heard(const std::string& id, Time now);
    // Serves nobody from now on; its leases stay, their clients notice by themselves.
    Status server_down(const std::string& id, Time now);
    Status set_accepts(const std::string& id, bool accepts, Time now);
    // Refused while it accepts or has leases, unless forced: then its leases are over at once.
    Status remove_server(const std::string& id, bool force, Time now);

    // -- clients
    // A new client, or new settings of one that is known. Disabling ends its waiting, not its leases.
    Status put_client(const Client& client, Time now);
    // Ends all that it has.
    Status remove_client(const std::string& id, Time now);

    // -- claims
    // Granted, waiting, or an error that says why not and what to do. With the id of a claim or lease that
    // exists: where that one stands, provided it is the same client's.
    Result<Standing> submit(Claim claim, Time now);
    // Where it stands; counts as a sign of life.
    Result<Standing> heard(const std::string& claim, Time now);
    Status cancel(const std::string& claim, Time now);

    // -- leases
    Status heartbeat(const std::string& lease, Time now);
    // It lives without signs of life from now on, until it is released or idle.
    Status keep(const std::string& lease, Time now);
    // Its GPUs did something: the idle limit counts from now.
    Status used(const std::string& lease, Time now);
    // Whoever ends it, it ends once: the first reason stays. A lease that is gone already is no error.
    void end(const std::string& lease, const std::string& reason, Time now);
    // Its workers are reaped. Only for leases that are ending.
    Status over(const std::string& lease, Time now);

    // -- time
    // Ends what ran out: waiting, signs of life, idle limits. Call it every second or so.
    void tick(Time now);

    // -- looking; pointers and references hold until the next command
    const Server* server(const std::string& id) const;
    const Client* client(const std::string& id) const;
    const Claim* claim(const std::string& id) const;
    const Lease* lease(const std::string& id) const;
    std::vector<const Server*> servers() const;  // by number
    std::vector<const Client*> clients() const;  // by id
    std::vector<const Claim*> waiting() const;   // in order of their turns
    std::vector<const Lease*> leases() const;    // by id
    std::vector<const Lease*> leases_of(const std::string& client) const;
    Room room(const std::string& server) const;
    Use use(const std::string& client) const;
    // Where it stands, without being a sign of life.
    Result<Standing> standing(const std::string& claim) const;
    const Work& work() const;

  private:
    explicit Pool(std::unique_ptr<Book> book);
    std::unique_ptr<Book> book_;
};

}  // namespace bitfusion::pool
