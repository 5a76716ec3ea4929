#include "daemon/pool_watch.h"

#include <functional>

namespace bitfusion::daemon {
namespace {

constexpr auto kEvery = std::chrono::seconds(1);

class Sign {
  public:
    template <typename T>
    Sign& operator<<(const T& value) {
        sum_ ^= std::hash<T>{}(value) + 0x9e3779b97f4a7c15 + (sum_ << 6) + (sum_ >> 2);
        return *this;
    }
    size_t sum() const { return sum_; }

  private:
    size_t sum_ = 0;
};

size_t sign_of_leases(const pool::Pool& pool, const Leases& here) {
    Sign sign;
    for (const pool::Lease* lease : pool.leases()) sign << lease->id << static_cast<int>(lease->state);
    for (const auto& [id, lease] : here.all()) sign << lease->workers.size() << lease->held;
    return sign.sum();
}

size_t sign_of_servers(const pool::Pool& pool) {
    Sign sign;
    for (const pool::Server* server : pool.servers()) {
        const pool::Room room = pool.room(server->id);
        sign << server->id << server->address << server->hostname << server->accepts << room.up;
        for (const pool::Room::Device& device : room.devices) sign << device.ordinal << device.free_mib;
    }
    return sign.sum();
}

size_t sign_of_clients(const pool::Pool& pool) {
    Sign sign;
    for (const pool::Client* client : pool.clients()) {
        const pool::Use use = pool.use(client->id);
        sign << client->id << client->name << client->enabled << use.held.millionths << use.quota.millionths
             << use.waiting;
    }
    return sign.sum();
}

}  // namespace

PoolWatch::PoolWatch(asio::io_context& io, Scheduler& scheduler, Leases& leases, Observer& observer,
                     Events& events)
    : io_(io), scheduler_(scheduler), leases_(leases), observer_(observer), events_(events), pause_(io) {}

void PoolWatch::start() { asio::co_spawn(io_, watch(), asio::detached); }

Task<void> PoolWatch::watch() {
    for (;;) {
        look();
        pause_.expires_after(kEvery);
        const auto [error] = co_await pause_.async_wait(kNoThrow);
        if (error) co_return;
    }
}

size_t PoolWatch::sign_of(Topic topic) const {
    const pool::Pool* const pool = scheduler_.pool();
    Sign sign;
    if (topic == Topic::kHealth) {
        for (const health::Checked& result : observer_.last_checks())
            sign << static_cast<int>(result.finding.verdict) << result.counted << result.finding.details;
        return sign.sum();
    }
    if (pool == nullptr) return 0;
    if (topic == Topic::kLeases) return sign_of_leases(*pool, leases_);
    if (topic == Topic::kServers) return sign_of_servers(*pool);
    if (topic == Topic::kClients) return sign_of_clients(*pool);
    for (const pool::Claim* claim : pool->waiting()) sign << claim->id;
    return sign.sum();
}

void PoolWatch::note_activity() {
    for (auto at = activity_.begin(); at != activity_.end();)
        at = leases_.all().contains(at->first) ? std::next(at) : activity_.erase(at);
    for (const auto& [id, lease] : leases_.all()) {
        const uint64_t now = lease->usage->activity.load(std::memory_order_relaxed);
        const auto [place, first] = activity_.try_emplace(id);
        if (first || place->second.seen != now) place->second = {now, Clock::now()};
    }
}

void PoolWatch::look() {
    note_activity();
    if (events_.streams() == 0) {
        signs_.clear();
        return;
    }
    for (const Topic topic :
         {Topic::kLeases, Topic::kQueue, Topic::kServers, Topic::kClients, Topic::kHealth}) {
        const size_t sign = sign_of(topic);
        const auto [place, first] = signs_.try_emplace(topic, sign);
        if (!first && place->second == sign) continue;
        place->second = sign;
        // With the first reader nobody knows what was before: he is told of all.
        events_.publish(topic);
    }
}

std::chrono::seconds PoolWatch::idle(const Lease& lease) const {
    const auto found = activity_.find(lease.id);
    const uint64_t now = lease.usage->activity.load(std::memory_order_relaxed);
    if (found == activity_.end() || found->second.seen != now) return std::chrono::seconds(0);
    return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - found->second.since);
}

}  // namespace bitfusion::daemon
