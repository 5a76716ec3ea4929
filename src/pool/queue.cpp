#include "pool/queue.h"

#include <algorithm>

namespace bitfusion::pool {
namespace {

std::string shape_key(const Claim& claim) {
    std::string key = text_of(claim.ask) + '\n';
    // text_of shortens fractions for people.
    if (claim.ask.fraction) {
        uint64_t bits = 0;
        static_assert(sizeof bits == sizeof *claim.ask.fraction);
        __builtin_memcpy(&bits, &*claim.ask.fraction, sizeof bits);
        key += std::to_string(bits);
    }
    return key + '\n' + Eligibility::key_of(claim.filters, claim.servers);
}

}  // namespace

Turn Queue::next_turn(const std::string& client) const {
    Turn turn{0, next_number_};
    if (const Waiter* first = first_active()) {
        turn.virtual_time = first->claim.turn.virtual_time;
    } else if (!order_.empty()) {
        turn.virtual_time = order_.begin()->first.virtual_time;
    }
    const Waiters& own = of_client(client);
    if (!own.empty()) {
        const Waiter& last = *own.rbegin()->second;
        turn.virtual_time = std::max(turn.virtual_time, last.claim.turn.virtual_time + last.share.millionths);
    }
    return turn;
}

Waiter& Queue::add(Claim claim, Share share) {
    claim.turn = next_turn(claim.client);
    // The number is new, so that the turn is free.
    return *add_with_turn(std::move(claim), share);
}

Waiter* Queue::add_with_turn(Claim claim, Share share) {
    if (order_.find(claim.turn) != order_.end() || all_.contains(claim.id)) return nullptr;
    next_number_ = std::max(next_number_, claim.turn.number + 1);
    auto owned = std::make_unique<Waiter>();
    Waiter* waiter = owned.get();
    const std::string key = shape_key(claim);
    auto& shape = shapes_[key];
    if (!shape) {
        shape = std::make_unique<Shape>();
        shape->key = key;
        shape->ask = claim.ask;
    }
    ++shape->waiting;
    waiter->shape = shape.get();
    waiter->share = share;
    waiter->claim = std::move(claim);
    order_.insert({waiter->claim.turn, waiter});
    clients_[waiter->claim.client].emplace(waiter->claim.turn, waiter);
    all_.emplace(waiter->claim.id, std::move(owned));
    return waiter;
}

void Queue::remove(Waiter& waiter) {
    set_active(waiter, false);
    const Turn turn = waiter.claim.turn;
    order_.erase(turn);
    const auto own = clients_.find(waiter.claim.client);
    own->second.erase(turn);
    if (own->second.empty()) clients_.erase(own);
    if (--waiter.shape->waiting == 0) {
        // The key is the shape's own: a copy, since erasing takes it away.
        const std::string key = waiter.shape->key;
        shapes_.erase(key);
    }
    const std::string id = waiter.claim.id;
    all_.erase(id);
}

void Queue::set_active(Waiter& waiter, bool active) {
    if (waiter.active == active) return;
    waiter.active = active;
    if (active) {
        active_.emplace(waiter.claim.turn, &waiter);
        waiter.shape->active.emplace(waiter.claim.turn, &waiter);
    } else {
        active_.erase(waiter.claim.turn);
        waiter.shape->active.erase(waiter.claim.turn);
    }
}

Waiter* Queue::find(const std::string& id) const {
    const auto found = all_.find(id);
    return found == all_.end() ? nullptr : found->second.get();
}

const Waiters& Queue::of_client(const std::string& client) const {
    static const Waiters kNone;
    const auto found = clients_.find(client);
    return found == clients_.end() ? kNone : found->second;
}

}  // namespace bitfusion::pool
