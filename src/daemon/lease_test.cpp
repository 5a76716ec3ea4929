#include "daemon/lease.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "store/open.h"

namespace bitfusion::daemon {
namespace {

// A store that does not answer while the test says so.
class MuteStore : public store::Store {
  public:
    explicit MuteStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}
    bool mute = false;

    Result<store::Snapshot> read(const std::string& prefix) override {
        if (mute) return silence();
        return store_->read(prefix);
    }
    Result<store::Commit> commit(const store::Transaction& transaction) override {
        if (mute) return silence();
        return store_->commit(transaction);
    }
    Result<std::unique_ptr<store::Watch>> watch(const std::string& prefix, uint64_t revision) override {
        return store_->watch(prefix, revision);
    }
    Result<std::unique_ptr<store::Leadership>> campaign(const std::string& role, const std::string& who,
                                                        std::chrono::seconds time_to_live) override {
        return store_->campaign(role, who, time_to_live);
    }

  private:
    static tl::unexpected<Error> silence() { return fail("the test cut this off", store::kUnreachable); }

    std::unique_ptr<Store> store_;
};

class LeaseTest : public testing::Test {
  protected:
    LeaseTest() {
        store::SqliteOptions options;
        options.path = folder_ + "/pool.db";
        store_ = std::make_unique<MuteStore>(store::open_sqlite(options).value());
        scheduler_.emplace(io_, *store_);
        leases_.emplace(io_, children_, counters_, *scheduler_);
        scheduler_->set_changed([this] { leases_->mirror(); });
        Member self;
        self.id = "server";
        self.name = "host";
        self.control_address = "127.0.0.1:56001";
        EXPECT_TRUE(scheduler_->open(self, std::chrono::seconds(600)));
        Report report;
        report.backend = "soft";
        for (const uint32_t ordinal : {0u, 1u}) {
            Gpu gpu;
            gpu.ordinal = ordinal;
            gpu.memory_mib = 4096;
            gpu.telemetry = nlohmann::json::object();
            report.gpus.push_back(gpu);
        }
        EXPECT_TRUE(scheduler_->put_gpus(report));
    }
    ~LeaseTest() override {
        leases_->stop();
        scheduler_->close();
        std::filesystem::remove_all(folder_);
    }

    LeasePointer acquire(const pool::Request& request, bool persistent = false) {
        pool::Claim claim;
        claim.id = random_uuid();
        claim.client = "client";
        claim.ask = request;
        claim.timeout = std::chrono::seconds(0);
        claim.persistent = persistent;
        LeaseNote note;
        fill_random(ticket_.data(), ticket_.size());
        note.ticket_digest = digest_of(ticket_);
        note.client = {"host", 1, "user", "program"};
        claim.note = to_json(note);
        pool::Client client;
        client.id = "client";
        const auto standing = scheduler_->submit(claim, client);
        if (!standing) return nullptr;
        leases_->mirror();
        return leases_->by_id(claim.id);
    }
    uint64_t free_mib(size_t device) const {
        return scheduler_->pool()->room("server").devices[device].free_mib;
    }
    void run_until_gone(const LeasePointer& lease) {
        while (leases_->by_id(lease->id)) io_.run_one();
    }
    pid_t add_worker(const LeasePointer& lease, const std::string& script) {
        ChildPlan plan;
        plan.path = "/bin/sh";
        plan.arguments = {"sh", "-c", script};
        plan.environment = {"PATH=/usr/bin:/bin"};
        const auto pid = start_child(plan);
        EXPECT_TRUE(pid);
        leases_->add_worker(lease, *pid, *lease->free_slot());
        return *pid;
    }

    char path_[32] = "/tmp/bitfusion-lease-XXXXXX";
    std::string folder_ = mkdtemp(path_);
    asio::io_context io_;
    Counters counters_;
    Children children_{io_};
    std::unique_ptr<MuteStore> store_;
    std::optional<Scheduler> scheduler_;
    std::optional<Leases> leases_;
    wire::Ticket ticket_{};
};

TEST_F(LeaseTest, IsFoundByIdAndTicketUntilItEnds) {
    const auto lease = acquire({1, 1024, {}});
    ASSERT_TRUE(lease);
    EXPECT_EQ(leases_->by_ticket(ticket_), lease);
    wire::Ticket other = ticket_;
    other[31] ^= 1;
    EXPECT_EQ(leases_->by_ticket(other), nullptr);
    EXPECT_EQ(free_mib(0), 3072u);
    leases_->end(lease->id, "test");
    EXPECT_EQ(leases_->by_id(lease->id), nullptr);
    EXPECT_EQ(leases_->by_ticket(ticket_), nullptr);
    EXPECT_EQ(free_mib(0), 4096u);
    EXPECT_EQ(counters_.leases_ended, 1u);
}

TEST_F(LeaseTest, TheStoreNeverHasTheTicket) {
    ASSERT_TRUE(acquire({1, 1024, {}}));
    const auto everything = store_->read("");
    ASSERT_TRUE(everything);
    EXPECT_FALSE(everything->entries.empty());
    for (const store::Entry& entry : everything->entries)
        EXPECT_EQ(entry.value.find(wire::to_hex(ticket_)), std::string::npos) << entry.key;
}

TEST_F(LeaseTest, MemoryReturnsOnlyWhenTheLastWorkerIsGone) {
    const LeasePointer lease = acquire({2, {}, {}});
    ASSERT_TRUE(lease);
    add_worker(lease, "exec cat /dev/zero > /dev/null");
    leases_->end(lease->id, "test");
    EXPECT_TRUE(lease->ending);
    EXPECT_EQ(leases_->by_ticket(ticket_), nullptr);
    EXPECT_EQ(free_mib(0), 0u);
    EXPECT_EQ(leases_->running(), 0u);
    run_until_gone(lease);
    EXPECT_EQ(free_mib(0), 4096u);
    EXPECT_EQ(counters_.workers_failed, 0u);
}

TEST_F(LeaseTest, AWorkerThatIgnoresTermIsKilled) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const auto lease = acquire({1, {}, {}});
    ASSERT_TRUE(lease);
    ChildPlan plan;
    plan.path = "/bin/sh";
    plan.arguments = {"sh", "-c", "trap '' TERM; echo ready >&3; exec cat /dev/zero > /dev/null"};
    plan.environment = {"PATH=/usr/bin:/bin"};
    plan.descriptors = {ends[1]};
    const auto pid = start_child(plan);
    ASSERT_TRUE(pid);
    char line[6];
    ASSERT_EQ(read(ends[0], line, sizeof line), 6);
    leases_->add_worker(lease, *pid, 0);
    const auto before = Clock::now();
    leases_->end(lease->id, "test");
    run_until_gone(lease);
    EXPECT_GE(Clock::now() - before, std::chrono::milliseconds(1900));
    EXPECT_EQ(kill(*pid, 0), -1);
    close(ends[0]);
    close(ends[1]);
}

TEST_F(LeaseTest, AWorkerThatFailsLeavesTheLeaseButNotItsShare) {
    const LeasePointer lease = acquire({1, 4000, {}});
    ASSERT_TRUE(lease);
    lease->usage->slots[0].bytes[0] = 3000;
    lease->usage->slots[1].bytes[0] = 500;
    lease->usage->bytes[0] = 3500;
    add_worker(lease, "exit 3");
    while (!lease->workers.empty()) io_.run_one();
    EXPECT_EQ(counters_.workers_failed, 1u);
    EXPECT_EQ(leases_->by_ticket(ticket_), lease);
    EXPECT_EQ(lease->used_bytes(0), 500u);
}

TEST_F(LeaseTest, UsageMemoryCannotShrink) {
    const auto lease = acquire({1, {}, {}});
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->used_bytes(0), 0u);
    const uint64_t used = 123456789;
    EXPECT_EQ(pwrite(lease->usage.descriptor(), &used, sizeof used, 8), 8);
    EXPECT_EQ(lease->used_bytes(1), used);
    EXPECT_EQ(lease->used_bytes(512), 0u);
    EXPECT_EQ(ftruncate(lease->usage.descriptor(), 0), -1);
}

TEST_F(LeaseTest, DevicesDoNotVanishUnderALease) {
    const auto lease = acquire({2, 1024, {}});
    ASSERT_TRUE(lease);
    Report fewer;
    fewer.backend = "soft";
    EXPECT_FALSE(scheduler_->put_gpus(fewer));
    EXPECT_EQ(free_mib(0), 3072u);
}

TEST_F(LeaseTest, AnotherManagerFindsOnlyPersistentLeases) {
    ASSERT_TRUE(acquire({1, 1024, {}}));
    const auto session = acquire({1, 512, {}}, true);
    ASSERT_TRUE(session);
    scheduler_->close();
    Scheduler next(io_, *store_);
    ASSERT_TRUE(next.open(scheduler_->self(), std::chrono::seconds(600)));
    size_t granted = 0;
    for (const pool::Lease& lease : next.mine()) {
        if (lease.state != pool::LeaseState::kGranted) continue;
        ++granted;
        EXPECT_EQ(lease.id, session->id);
    }
    EXPECT_EQ(granted, 1u);
    next.close();
}

TEST_F(LeaseTest, AnEndThatCannotBeWrittenDownIsNotForgotten) {
    const auto lease = acquire({1, 1024, {}});
    ASSERT_TRUE(lease);
    store_->mute = true;
    leases_->end(lease->id, "its client is gone");
    EXPECT_FALSE(lease->ending);
    store_->mute = false;
    run_until_gone(lease);
    EXPECT_EQ(free_mib(0), 4096u);
    EXPECT_EQ(lease->end_reason, "its client is gone");
}

// Runs the loop until the coroutine has returned.
Status status_of(asio::io_context& io, Task<Status> task) {
    std::optional<Status> status;
    asio::co_spawn(io, std::move(task),
                   [&](const std::exception_ptr&, Status got) { status = std::move(got); });
    while (!status) io.run_one();
    return *status;
}

TEST_F(LeaseTest, IsKeptUntilItEnds) {
    const auto lease = acquire({1, 1024, {}});
    ASSERT_TRUE(lease);
    EXPECT_FALSE(lease->persistent);
    const Status kept = status_of(io_, leases_->keep(lease->id, std::chrono::seconds(0)));
    ASSERT_TRUE(kept) << kept.error().what;
    EXPECT_TRUE(lease->persistent);
    EXPECT_TRUE(scheduler_->pool()->lease(lease->id)->persistent);
    leases_->end(lease->id, "test");
    EXPECT_EQ(status_of(io_, leases_->keep(lease->id, std::chrono::seconds(0))).error().code, 404);
}

}  // namespace
}  // namespace bitfusion::daemon
