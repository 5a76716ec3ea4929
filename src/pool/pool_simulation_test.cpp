// The pool at its full size under a load that is never the same and always repeatable: random requests, ends,
// deaths, cancellations, servers that go and come. After each command an auditor that knows only what was
// written down judges every grant: nothing twice, nothing lost, quotas kept, order kept.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <random>

#include "pool/pool_auditor.h"

namespace bitfusion::pool {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kServers = 64;
constexpr size_t kRequests = 6'000;
#else
constexpr size_t kServers = 512;
constexpr size_t kRequests = 100'000;
#endif
constexpr size_t kGpus = 8;
constexpr size_t kClients = 150;

// Time that this thread had a processor: other programs of the machine do not count.
std::chrono::nanoseconds busy() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class Simulation {
  public:
    Simulation(uint64_t seed, size_t servers, size_t requests)
        : random_(seed), servers_(servers), requests_(requests) {}

    void run() {
        set_up();
        while (submitted_ < requests_ && !testing::Test::HasFailure()) step();
        settle_down();
    }

    Auditor audit;
    Pool pool;
    std::chrono::nanoseconds slowest{0};
    std::chrono::nanoseconds total{0};
    size_t commands = 0;
    size_t most_waiting = 0;
    size_t deaths = 0;
    size_t restarts = 0;

  private:
    uint64_t below(uint64_t bound) { return random_() % bound; }
    bool one_in(uint64_t count) { return below(count) == 0; }
    std::string any_server() { return "s" + std::to_string(below(servers_)); }
    std::string any_client() { return "c" + std::to_string(below(kClients)); }

    // Runs a command of the pool and lets the auditor see what it did.
    template <typename Command>
    auto command(Command run) {
        const std::chrono::nanoseconds start = busy();
        auto result = run();
        const std::chrono::nanoseconds took = busy() - start;
        total += took;
        slowest = std::max(slowest, took);
        ++commands;
        take_in(pool.take_effects());
        return result;
    }

    void take_in(const Effects& effects) {
        audit.take_in(effects);
        for (const Notice& notice : effects.notices) {
            if (notice.kind == Notice::Kind::kEnding) ending_.push_back(notice.id);
            if (notice.kind == Notice::Kind::kGranted) running_.push_back(notice.id);
        }
        const Auditor::Waiting* first = audit.first();
        if (first != nullptr && !effects.changes.empty() && one_in(8)) {
            EXPECT_FALSE(audit.fits_now(first->claim))
                << first->claim.id << " waits beside GPUs that it could have";
        }
        most_waiting = std::max(most_waiting, audit.waiting().size());
    }

    void set_up() {
        Settings settings;
        settings.claim_silence = std::chrono::minutes(5);
        settings.server_silence = std::chrono::minutes(5);
        command([&] { return pool.set_settings(settings, now_); });
        for (size_t i = 0; i < servers_; ++i) {
            Server server;
            server.id = "s" + std::to_string(i);
            server.address = server.id + ":56001";
            server.has_rdma = i % 3 == 0;
            const uint64_t kind = below(10);
            for (uint32_t gpu = 0; gpu < kGpus; ++gpu) {
                const uint64_t size = kind < 7 ? 81920 : kind < 9 ? 16384 : gpu < 4 ? 40960 : 16384;
                server.gpus.push_back({gpu, size, "", size > 50'000 ? "H100" : "V100", "8.0"});
            }
            command([&] { return pool.put_server(server, now_); });
            bring_up(server.id);
        }
        for (size_t i = 0; i < kClients; ++i) {
            Client client;
            client.id = "c" + std::to_string(i);
            if (i % 5 == 0) client.quota = Share::from(2.5 + static_cast<double>(below(20)));
            command([&] { return pool.put_client(client, now_); });
        }
    }

    void bring_up(const std::string& id) {
        std::vector<std::string> working;
        for (const auto& [lease_id, lease] : audit.leases()) {
            if (lease.server == id) working.push_back(lease_id);
        }
        audit.up(id, true);
        EXPECT_TRUE(command([&] { return pool.server_up(id, working, now_); }));
    }

    Claim any_claim() {
        Claim claim;
        claim.id = "q" + std::to_string(submitted_++);
        claim.client = any_client();
        claim.ask.gpus = one_in(20) ? 8 : one_in(4) ? static_cast<uint32_t>(2 + below(4)) : 1;
        if (one_in(2)) {
            claim.ask.fraction = static_cast<double>(1 + below(20)) / 20.0;
        } else if (one_in(3)) {
            claim.ask.memory_mib = 1024 * (1 + below(40));
        }
        if (one_in(40)) claim.filters.push_back(*parse_filter("server.has-rdma=true"));
        if (one_in(40)) claim.filters.push_back(*parse_filter("device.name=H100"));
        if (one_in(100)) claim.servers = {any_server(), any_server()};
        claim.timeout = one_in(50) ? std::chrono::milliseconds(0) : std::chrono::hours(2);
        claim.persistent = one_in(10);
        return claim;
    }

    void submit() {
        const Claim claim = any_claim();
        audit.submitted(claim);
        const auto standing = command([&] { return pool.submit(claim, now_); });
        if (!standing) {
            EXPECT_TRUE(standing.error().code == 409 || standing.error().code == 403)
                << standing.error().what;
            EXPECT_FALSE(audit.leases().contains(claim.id));
            return;
        }
        EXPECT_EQ(standing->state == Standing::State::kGranted, audit.leases().contains(claim.id))
            << claim.id;
        if (standing->state == Standing::State::kGranted) running_.push_back(claim.id);
    }

    // An element of the list, which forgets it; empty where the list is.
    std::string take(std::vector<std::string>& list) {
        if (list.empty()) return {};
        const size_t at = below(list.size());
        std::swap(list[at], list.back());
        std::string id = std::move(list.back());
        list.pop_back();
        return id;
    }

    void finish_one() {
        const std::string id = take(running_);
        if (id.empty() || !audit.leases().contains(id)) return;
        // One of ten dies without a word; its silence ends it.
        if (one_in(10)) {
            ++deaths;
            return;
        }
        command([&] { return pool.end(id, "released", now_), true; });
    }

    void over_one() {
        if (ending_.empty()) return;
        const std::string id = ending_.front();
        ending_.pop_front();
        if (!audit.leases().contains(id)) return;
        EXPECT_TRUE(command([&] { return pool.over(id, now_); }));
    }

    void disturb() {
        switch (below(6)) {
            case 0: {
                const std::string id = any_server();
                audit.up(id, false);
                command([&] { return pool.server_down(id, now_); });
                down_.push_back(id);
                break;
            }
            case 1:
                if (const std::string id = take(down_); !id.empty()) bring_up(id);
                break;
            case 2: {
                const std::string id = any_server();
                command([&] { return pool.set_accepts(id, one_in(2), now_); });
                break;
            }
            case 3: {
                Client client = *pool.client(any_client());
                client.enabled = client.enabled ? !one_in(3) : true;
                command([&] { return pool.put_client(client, now_); });
                break;
            }
            case 4: {
                Client client = *pool.client(any_client());
                client.quota = Share::from(1.5 + static_cast<double>(below(80)));
                command([&] { return pool.put_client(client, now_); });
                break;
            }
            default: {
                if (audit.waiting().empty()) break;
                auto at = audit.waiting().begin();
                std::advance(at, below(std::min<size_t>(audit.waiting().size(), 20)));
                const std::string id = at->second.claim.id;
                EXPECT_TRUE(command([&] { return pool.cancel(id, now_); }));
                break;
            }
        }
    }

    // What the living do: all but the dead of finish_one(), which are in no list.
    void signs_of_life() {
        for (const std::string& id : running_) (void)pool.heartbeat(id, now_);
        for (const auto& [turn, waiting] : audit.waiting()) (void)pool.heard(waiting.claim.id, now_);
        for (const auto& [id, server] : audit.servers()) (void)pool.server_heard(id, now_);
        std::erase_if(running_, [this](const std::string& id) { return !audit.leases().contains(id); });
    }

    void step() {
        ++steps_;
        submit();
        // About as many ends as the pool can bear, with times of more and of less load.
        const bool busy = steps_ / 4000 % 2 == 0;
        if (running_.size() > servers_ * (busy ? 11 : 7)) finish_one();
        if (one_in(busy ? 3 : 1)) finish_one();
        over_one();
        if (ending_.size() > 20) over_one();
        if (one_in(25)) disturb();
        if (steps_ % 20 == 0) {
            now_ += std::chrono::seconds(5);
            if (steps_ % 600 == 0) signs_of_life();
            command([&] { return pool.tick(now_), true; });
        }
        if (steps_ % 2000 == 0) {
            audit.compare(pool);
            restart();
        }
    }

    // A new process that knows what was written down.
    void restart() {
        ++restarts;
        auto again = Pool::restore(audit.records(), now_);
        ASSERT_TRUE(again) << again.error().what;
        again->take_signs_of_life(pool);
        const Work before = pool.work();
        pool = std::move(*again);
        work_.decisions += before.decisions;
        work_.servers_looked_at += before.servers_looked_at;
        work_.most_servers_looked_at = std::max(work_.most_servers_looked_at, before.most_servers_looked_at);
        command([&] { return pool.tick(now_), true; });
        audit.compare(pool);
    }

    // Nothing new comes: whoever waits and can be served must be, and at the end all is free.
    void settle_down() {
        for (size_t i = 0; i < servers_; ++i) {
            const std::string id = "s" + std::to_string(i);
            command([&] { return pool.set_accepts(id, true, now_); });
            bring_up(id);
        }
        for (size_t rounds = 0; !audit.leases().empty() && rounds < 100'000; ++rounds) {
            while (!running_.empty()) finish_one();
            while (!ending_.empty()) over_one();
            now_ += std::chrono::seconds(5);
            signs_of_life();
            command([&] { return pool.tick(now_), true; });
            if (testing::Test::HasFailure()) return;
            // Persistent leases of the dead have nobody but the administrator.
            for (const auto& [id, lease] : audit.leases()) {
                if (lease.persistent) running_.push_back(id);
            }
        }
        EXPECT_TRUE(audit.leases().empty());
        EXPECT_TRUE(audit.waiting().empty());
        audit.compare(pool);
        EXPECT_EQ(audit.grants, audit.ended);
    }

  public:
    Work work() const {
        Work all = pool.work();
        all.decisions += work_.decisions;
        all.servers_looked_at += work_.servers_looked_at;
        all.most_servers_looked_at = std::max(all.most_servers_looked_at, work_.most_servers_looked_at);
        return all;
    }

  private:
    std::mt19937_64 random_;
    size_t servers_;
    size_t requests_;
    Time now_{std::chrono::hours(1)};
    size_t submitted_ = 0;
    size_t steps_ = 0;
    std::vector<std::string> running_;
    std::deque<std::string> ending_;
    std::vector<std::string> down_;
    Work work_;
};

void report(const Simulation& simulation) {
    const Work work = simulation.work();
    std::printf(
        "%zu grants, %zu overtakings, %zu refused, %zu deaths, %zu restarts, at most %zu waiting; %zu "
        "commands of %.1f us, "
        "the slowest %.1f ms; %llu decisions looked at %.1f servers, at most %llu, and took %.1f us\n",
        simulation.audit.grants, simulation.audit.overtakings, simulation.audit.refused, simulation.deaths,
        simulation.restarts, simulation.most_waiting, simulation.commands,
        static_cast<double>(simulation.total.count()) / 1e3 / static_cast<double>(simulation.commands),
        static_cast<double>(simulation.slowest.count()) / 1e6,
        static_cast<unsigned long long>(work.decisions),
        static_cast<double>(work.servers_looked_at) / static_cast<double>(work.decisions),
        static_cast<unsigned long long>(work.most_servers_looked_at),
        static_cast<double>(simulation.total.count()) / 1e3 / static_cast<double>(work.decisions));
}

TEST(PoolSimulation, KeepsItsRulesAtFullSize) {
    Simulation simulation(20240229, kServers, kRequests);
    simulation.run();
    report(simulation);
    EXPECT_GT(simulation.audit.overtakings, 20u);
    EXPECT_GT(simulation.most_waiting, 50u);
    EXPECT_GT(simulation.deaths, 100u);
    // What a decision costs, counted; then as time, with room for slow machines.
    const Work work = simulation.work();
    EXPECT_LT(work.servers_looked_at / work.decisions, 16u);
    EXPECT_LE(work.most_servers_looked_at, 4 * kServers);
    EXPECT_LT(simulation.total / work.decisions, std::chrono::milliseconds(1));
}

TEST(PoolSimulation, KeepsItsRulesInSmallPools) {
    for (uint64_t seed = 1; seed <= 12 && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Simulation simulation(seed, 1 + seed % 5, kRequests / 100);
        simulation.run();
    }
}

}  // namespace
}  // namespace bitfusion::pool
