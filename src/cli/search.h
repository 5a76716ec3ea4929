// Search: looks for GPUs at the servers of the list and waits for them. What allocation.h promises.
//
// Servers that say the same pool decide together: a request goes to one of them, and when that one dies, to
// the next, with the same id, so that it is granted once. Servers that were down are asked again while the
// request waits. A server whose grant turned out to be worth nothing is left out of a new request; all of
// them together wait as long as the first one would have.
#pragma once

#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/allocation.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {

class Search {
  public:
    Search(const Allocation& wanted, const std::string& program) : wanted_(wanted), program_(program) {}

    // The servers that answer, best first.
    bool look();
    // A signal that comes meanwhile ends the asking, and with it this process, but leaves no claim behind.
    std::optional<Granted> ask();
    void say_choice(const Granted& granted) const;

    // After a grant that cannot be used. Whether there is anybody to ask but the server that gave it.
    bool can_do_without(const Granted& granted) const;
    // Gives the grant back, and leaves its server out from now on: each server at most once.
    void leave_out(const Granted& granted);

  private:
    // A server of the list that answers.
    struct Candidate {
        Endpoint server;
        size_t index = 0;
        ServerView view;
        int64_t idle_limit_minutes = 0;
    };
    struct Absent {
        Endpoint server;
        size_t index = 0;
    };
    // Servers that decide together, and what became of the request there.
    struct Group {
        std::string pool;
        std::vector<size_t> servers;  // of candidates_
        size_t at = 0;                // whom of them to ask
        bool asked = false;
        bool waits = false;
        bool taken = false;                 // somebody of the pool has said what became of the request
        std::string claim;                  // id
        std::string ticket;                 // of this claim
        std::string said;                   // what the user was told of its waiting
        int failures = 0;                   // one after another
        std::vector<std::string> left_out;  // servers that shall not serve it, as their pool knows them
    };

    Result<Candidate> ask_candidate(const Endpoint& server, size_t index) const;
    void add(Candidate candidate);
    void say_none(const std::vector<Error>& errors) const;
    nlohmann::json request_of(const Group& group) const;
    Candidate& asked(Group& group) { return candidates_[group.servers[group.at]]; }
    // The answer of the first of the group that has one: not where servers are down or changing roles.
    Result<Answer> ask_group(Group& group, Method method, const std::string& target,
                             const nlohmann::json& body = nullptr);
    std::optional<Granted> submit(Group& group);
    std::optional<Granted> send(Group& group);
    std::optional<Granted> ask_again(Group& group);
    std::optional<Granted> submit_everywhere();
    std::optional<Granted> wait();
    std::optional<Granted> ask_absent();
    std::optional<Granted> read_grant(Group& group, const nlohmann::json& body);
    void say_waiting(Group& group, const nlohmann::json& body);
    bool waiting() const;
    bool may_serve_without(const Group& group, const Granted& granted) const;
    bool is_of(const Candidate& candidate, const Granted& granted) const;
    void cancel_others(const std::string& id);

    const Allocation& wanted_;
    const std::string& program_;
    std::vector<Candidate> candidates_;
    std::vector<Absent> absent_;
    std::vector<Group> groups_;
    std::vector<std::string> refusals_;
    std::optional<std::chrono::steady_clock::time_point> begun_;  // when it was first asked
    std::chrono::seconds left_{0};                                // how long the request may wait from now
    sigset_t ends_{};
};

}  // namespace bitfusion::cli
