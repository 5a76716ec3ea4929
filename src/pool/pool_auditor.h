// Auditor: follows a pool by its changes alone, as a store would, and objects to what breaks the rules. For
// tests.
//
// Written without the pool's own indexes and decisions, so that both would have to be wrong in the same way.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pool/pool.h"

namespace bitfusion::pool {

class Auditor {
  public:
    struct Waiting {
        Claim claim;
        Share share;
    };

    // Takes in what one command did. Every grant is judged by the state at its moment.
    void take_in(const Effects& effects);
    // A claim that was granted or waits since this command; the pool's answer said so.
    void submitted(const Claim& claim);
    void up(const std::string& server, bool is_up) { up_[server] = is_up; }

    // The first of the queue that no quota holds back. Nothing when there is none.
    const Waiting* first() const;
    // Whether it could have GPUs now: then the pool should have served it.
    bool fits_now(const Claim& claim) const;
    // The pool says the same as its changes said.
    void compare(const Pool& pool) const;
    // All that a store would hold now.
    Records records() const;

    const std::map<std::string, Lease>& leases() const { return leases_; }
    const std::map<Turn, Waiting>& waiting() const { return waiting_; }
    const std::map<std::string, Server>& servers() const { return servers_; }

    size_t grants = 0;
    size_t overtakings = 0;
    size_t ended = 0;
    size_t refused = 0;

  private:
    void granted(const Lease& lease);
    void check_first_stays();
    Share share_of(const Claim& claim) const;
    bool serves(const Claim& claim, const Server& server) const;
    bool may_use(const Claim& claim, const Server& server, const Gpu& gpu) const;
    // What the claim would take of such a GPU at most.
    static uint64_t part_on(const Claim& claim, uint64_t memory_mib);
    Share quota_of(const std::string& client) const;
    bool held_back(const Waiting& waiting, std::set<std::string>& blocked) const;

    Settings settings_;
    std::map<std::string, Server> servers_;
    std::map<std::string, bool> up_;
    std::map<std::string, Client> clients_;
    std::map<std::string, Lease> leases_;
    std::map<Turn, Waiting> waiting_;
    std::map<std::string, Turn> turns_;                         // of waiting claims
    std::map<std::string, Claim> asked_;                        // submitted, neither granted nor waiting yet
    std::map<std::string, std::map<uint32_t, uint64_t>> free_;  // by server and GPU
    std::map<std::string, Share> held_;                         // by client
    std::string first_;                                         // of the queue after the last command
    Turn first_turn_;
};

}  // namespace bitfusion::pool
