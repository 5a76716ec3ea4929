// Queue: the claims that wait, and whose turn is next.
//
// A claim's turn is (virtual time, order of arrival). The virtual time of a new claim is that of the first of
// the queue, or where the client's own last waiting claim ends if that is later: each claim moves its client
// on by what it asks. So clients that ask for the same are served in turn however many claims each has
// waiting, a client with one claim is served in order of arrival, and nothing new ever comes before the
// first.
//
// A claim that its client's quota holds back is waiting but not active; so are all later ones of that client,
// which would take from it what it waits for. Active claims of the same shape (they ask for the same of the
// same servers) are held together: where one does not fit, none does. One thread.
#pragma once

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "pool/claim.h"
#include "pool/eligibility.h"
#include "pool/share.h"

namespace bitfusion::pool {

struct Shape;

struct Waiter {
    Claim claim;
    Shape* shape = nullptr;
    bool active = false;
    Share share;           // the least that it will count in its client's quota
    bool written = false;  // the store knows it, so that its end is a change
    Time deadline{};
    Time heard{};
};

using Waiters = std::map<Turn, Waiter*>;

struct Shape {
    std::string key;
    Request ask;
    // Worked out when it is first needed, and again when the servers have changed.
    std::shared_ptr<const Eligibility> may;
    uint64_t servers_version = 0;
    Waiters active;
    size_t waiting = 0;
};

class Queue {
  public:
    // Adds the claim and gives it its turn. Inactive at first.
    Waiter& add(Claim claim, Share share);
    // The same for a claim that has its turn; nothing when the turn is taken.
    Waiter* add_with_turn(Claim claim, Share share);
    void remove(Waiter& waiter);
    void set_active(Waiter& waiter, bool active);

    size_t size() const { return all_.size(); }
    Waiter* find(const std::string& id) const;
    Waiter* first_active() const { return active_.empty() ? nullptr : active_.begin()->second; }
    const Waiters& active() const { return active_; }
    // 1 is the first of all that wait.
    size_t place_of(const Waiter& waiter) const { return order_.order_of_key(waiter.claim.turn) + 1; }
    // In order of their turns; empty without any.
    const Waiters& of_client(const std::string& client) const;
    const std::map<std::string, std::unique_ptr<Shape>>& shapes() const { return shapes_; }

    template <typename Visit>
    void for_each(Visit visit) const {
        for (const auto& [turn, waiter] : order_) visit(*waiter);
    }

  private:
    using Order = __gnu_pbds::tree<Turn, Waiter*, std::less<Turn>, __gnu_pbds::rb_tree_tag,
                                   __gnu_pbds::tree_order_statistics_node_update>;

    Turn next_turn(const std::string& client) const;

    std::unordered_map<std::string, std::unique_ptr<Waiter>> all_;
    Order order_;
    Waiters active_;
    std::map<std::string, Waiters> clients_;
    std::map<std::string, std::unique_ptr<Shape>> shapes_;
    uint64_t next_number_ = 1;
};

}  // namespace bitfusion::pool
