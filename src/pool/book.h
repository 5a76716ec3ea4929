// Book: the state behind the pool, and the moves that its commands are made of. Private to src/pool.
//
// Invariants between two commands: a spot's free memory is its device's less what the leases on it hold; a
// client's `held` is the sum of its leases' shares; the vacancy holds exactly the servers that may be used;
// nothing active in the queue could be served now.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "pool/pool.h"
#include "pool/queue.h"
#include "pool/vacancy.h"

namespace bitfusion::pool {

struct ServerEntry {
    Server server;
    std::vector<Spot> spots;  // as server.gpus
    std::set<std::string> leases;
    bool up = false;
    Time heard{};

    bool usable() const { return up && server.accepts && leases.size() < kMostLeasesOfServer; }
};

struct ClientEntry {
    Client client;
    Share held;
    std::set<std::string> leases;
};

struct LeaseEntry {
    Lease lease;
    uint32_t server = 0;
    Time heard{};
    Time used{};
};

// What found no room in one pass over the queue, so that what asks for more need not be tried.
class Failures {
  public:
    void add(const Request& ask, const Eligibility& may);
    bool cover(const Request& ask, const Eligibility& may) const;

  private:
    struct Failure {
        const Eligibility* may;
        uint32_t gpus;
        double amount;  // MiB or fraction
    };
    static size_t kind_of(const Request& ask) { return ask.memory_mib ? 1 : ask.fraction ? 2 : 0; }
    static double amount_of(const Request& ask) {
        return ask.memory_mib ? static_cast<double>(*ask.memory_mib) : ask.fraction.value_or(1.0);
    }
    std::array<std::vector<Failure>, 3> failures_;
};

// What is kept for the first of the queue, so that nobody who overtakes it delays it.
struct Kept {
    std::string claim;  // the first; empty: not worked out
    const Waiter* first = nullptr;
    std::vector<uint64_t> gpus;       // by number of server: the GPUs that it could ever use
    std::vector<uint32_t> elsewhere;  // servers with GPUs that it can never use
    uint64_t least_mib = 0;           // the smallest part of a GPU that it could take

    // How much of a device that it could use must stay free.
    uint64_t part_of(uint64_t memory_mib) const;
};

struct Book {
    enum class Served { kYes, kNoRoom, kNotThisClient };
    enum class Owner { kClaim, kLease, kServer };
    using Alarm = std::tuple<Time, Owner, std::string>;

    Settings settings;
    Time now{};
    std::vector<std::unique_ptr<ServerEntry>> servers;  // by number
    std::map<std::string, uint32_t> numbers;            // of servers by id
    std::map<std::string, ClientEntry> clients;
    std::map<std::string, LeaseEntry> leases;
    Queue queue;
    Vacancy vacancy;
    Effects effects;
    Work work;

    // -- serving (book_serve.cpp)
    // Serves all that can be served now. Every command that may make room or changes who is first ends with
    // it.
    void settle();
    // A claim that came in when all others were settled.
    void settle_new(Waiter& waiter);
    // There may be room on this server, or anywhere, for what found none before.
    void stale(uint32_t server) { stale_servers_.insert(server); }
    void stale_all() { stale_all_ = true; }
    // This claim was not tried since it became active.
    void fresh(const Waiter& waiter) { fresh_.insert(waiter.claim.turn); }
    // What servers there are, or what they have, changed.
    void servers_changed();
    std::shared_ptr<const Eligibility> eligibility(const Claim& claim);
    const Eligibility& eligibility(const Waiter& waiter);

    // -- accounts (book_accounts.cpp)
    ServerEntry* server(const std::string& id);
    ClientEntry* client(const std::string& id);
    Share quota_of(const Client& client) const { return client.quota.value_or(settings.quota); }
    // Decides anew which claims of the client its quota holds back.
    void hold_back(const std::string& client);
    void refresh_vacancy(uint32_t number);
    // Puts the lease into all accounts; the caller has made sure that it fits.
    void enter(Lease lease, uint32_t number);
    // Takes it out of all accounts: its memory is free again.
    void leave(std::string lease, const std::string& why);
    void begin_end(LeaseEntry& entry, const std::string& reason);
    // A waiting claim goes without a lease.
    void refuse(Waiter& waiter, const std::string& why);
    // Refuses the claims that have become impossible, of this client or of all.
    void refuse_impossible(const std::string* client);

    // -- time (book_time.cpp)
    void advance(Time time) { now = std::max(now, time); }
    void watch_claim(const Waiter& waiter);
    void watch_lease(const LeaseEntry& entry);
    void watch_server(const ServerEntry& entry);
    void watch_all();
    void ring_alarms();

    // -- words (book_words.cpp)
    Standing standing_of(const Waiter& waiter) const;
    Standing standing_of(const Lease& lease) const;
    std::string why_waiting(const Waiter& waiter) const;
    std::string over_quota_text(Share share, const Client& client) const;
    static std::string why_here(const ServerEntry& entry, const Grant& grant);

    void change(Change change) { effects.changes.push_back(std::move(change)); }
    void notice(Notice::Kind kind, const std::string& id, std::string text) {
        effects.notices.push_back({kind, id, std::move(text)});
    }

  private:
    struct Choice {
        uint32_t server = 0;
        Grant grant;
        Share share;
    };

    // `first`: the first of the queue, for whom room is kept; the others may only have what it cannot use.
    Served serve(Waiter& waiter, bool first);
    void serve_others();
    void serve_fresh();
    void keep_for(const Waiter& first);
    std::optional<Choice> search(const Waiter& waiter, bool first);
    std::optional<Choice> search_all(const Waiter& waiter, bool first);
    std::optional<Choice> choose(const Waiter& waiter, uint32_t number, bool first);
    void grant(Waiter& waiter, Choice choice);
    std::optional<Time> alarm_of(const Waiter& waiter) const;
    std::optional<Time> alarm_of(const LeaseEntry& entry) const;

    std::map<std::string, std::shared_ptr<const Eligibility>> eligibilities_;
    uint64_t servers_version_ = 1;
    Kept kept_;
    bool stale_all_ = false;
    std::set<uint32_t> stale_servers_;
    std::set<Turn> fresh_;
    std::optional<uint32_t>
        only_;                 // the one server that may have room, while the others are known to have none
    bool over_quota_ = false;  // room was found, but on GPUs that count too much for the client's quota
    uint64_t steps_ = 0;       // servers that this decision looked at
    std::set<Alarm> alarms_;
};

}  // namespace bitfusion::pool
