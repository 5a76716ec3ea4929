#include "daemon/lease.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

namespace bitfusion::daemon {
namespace {

class LeaseTest : public testing::Test {
  protected:
    LeaseTest() { EXPECT_TRUE(leases_.set_devices({{0, 4096}, {1, 4096}})); }

    tl::expected<LeasePointer, Leases::Refused> acquire(const pool::Request& request) {
        tl::expected<LeasePointer, Leases::Refused> result;
        bool done = false;
        asio::co_spawn(
            io_,
            [&]() -> Task<void> {
                // Named: g++ 12 moves braced temporaries of a co_await bit by bit.
                const Client client = {"host", 1, "user", "program"};
                result = co_await leases_.acquire(request, client, false);
                done = true;
            },
            asio::detached);
        while (!done) io_.run_one();
        return result;
    }

    void run_until_gone(const LeasePointer& lease) {
        while (leases_.by_id(lease->id)) io_.run_one();
    }

    LeasePointer with_worker(const pool::Request& request, const std::string& script) {
        auto lease = acquire(request);
        EXPECT_TRUE(lease);
        ChildPlan plan;
        plan.path = "/bin/sh";
        plan.arguments = {"sh", "-c", script};
        plan.environment = {"PATH=/usr/bin:/bin"};
        const auto pid = start_child(plan);
        EXPECT_TRUE(pid);
        leases_.add_worker(*lease, *pid);
        return *lease;
    }

    asio::io_context io_;
    Counters counters_;
    Children children_{io_};
    Leases leases_{io_, children_, counters_, std::chrono::seconds(600)};
};

TEST_F(LeaseTest, IsFoundByIdAndTicketUntilItEnds) {
    const auto lease = acquire({1, 1024, {}});
    ASSERT_TRUE(lease);
    EXPECT_EQ((*lease)->id.size(), 36u);
    EXPECT_EQ(leases_.by_id((*lease)->id), *lease);
    EXPECT_EQ(leases_.by_ticket((*lease)->ticket), *lease);
    wire::Ticket other = (*lease)->ticket;
    other[31] ^= 1;
    EXPECT_EQ(leases_.by_ticket(other), nullptr);
    EXPECT_EQ(pool::free_mib(leases_.state(), 0), 3072u);
    leases_.end(*lease, "test");
    EXPECT_EQ(leases_.by_id((*lease)->id), nullptr);
    EXPECT_EQ(leases_.by_ticket((*lease)->ticket), nullptr);
    EXPECT_EQ(pool::free_mib(leases_.state(), 0), 4096u);
    leases_.end(*lease, "again");
    EXPECT_EQ(counters_.leases_ended, 1u);
}

TEST_F(LeaseTest, TicketsDiffer) {
    const auto one = acquire({1, 1, {}});
    const auto other = acquire({1, 1, {}});
    ASSERT_TRUE(one && other);
    EXPECT_NE((*one)->ticket, (*other)->ticket);
    EXPECT_NE((*one)->id, (*other)->id);
}

TEST_F(LeaseTest, MemoryReturnsOnlyWhenTheLastWorkerIsGone) {
    const LeasePointer lease = with_worker({2, {}, {}}, "exec cat /dev/zero > /dev/null");
    leases_.end(lease, "test");
    EXPECT_TRUE(lease->ending);
    EXPECT_EQ(leases_.by_ticket(lease->ticket), nullptr);
    EXPECT_EQ(pool::free_mib(leases_.state(), 0), 0u);
    EXPECT_EQ(leases_.running(), 0u);
    run_until_gone(lease);
    EXPECT_EQ(pool::free_mib(leases_.state(), 0), 4096u);
    EXPECT_EQ(counters_.workers_failed, 0u);
}

TEST_F(LeaseTest, AWorkerThatIgnoresTermIsKilled) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    auto lease = acquire({1, {}, {}});
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
    leases_.add_worker(*lease, *pid);
    const auto before = Clock::now();
    leases_.end(*lease, "test");
    run_until_gone(*lease);
    EXPECT_GE(Clock::now() - before, std::chrono::milliseconds(1900));
    EXPECT_EQ(kill(*pid, 0), -1);
    close(ends[0]);
    close(ends[1]);
}

TEST_F(LeaseTest, ARequestThatFitsWhenEndingLeasesAreGoneWaitsForThem) {
    const LeasePointer lease = with_worker({2, {}, {}}, "exec cat /dev/zero > /dev/null");
    const auto refused = acquire({1, 1, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.code, 409);
    EXPECT_TRUE(refused.error().may_fit_later);
    leases_.end(lease, "test");
    const auto next = acquire({2, {}, {}});
    ASSERT_TRUE(next) << next.error().error.what;
}

TEST_F(LeaseTest, AWorkerThatFailsLeavesTheLeaseAndIsCounted) {
    const LeasePointer lease = with_worker({1, {}, {}}, "exit 3");
    while (!lease->workers.empty()) io_.run_one();
    EXPECT_EQ(counters_.workers_failed, 1u);
    EXPECT_EQ(leases_.by_ticket(lease->ticket), lease);
}

TEST_F(LeaseTest, AccountingIsSharedSealedAndReadable) {
    const auto lease = acquire({1, {}, {}});
    ASSERT_TRUE(lease);
    EXPECT_EQ((*lease)->used_bytes(0), 0u);
    const uint64_t used = 123456789;
    EXPECT_EQ(pwrite((*lease)->accounting.get(), &used, sizeof used, 8), 8);
    EXPECT_EQ((*lease)->used_bytes(1), used);
    EXPECT_EQ((*lease)->used_bytes(512), 0u);
    EXPECT_EQ(ftruncate((*lease)->accounting.get(), 0), -1);
}

TEST_F(LeaseTest, DevicesDoNotVanishUnderALease) {
    const auto lease = acquire({2, 1024, {}});
    ASSERT_TRUE(lease);
    EXPECT_FALSE(leases_.set_devices({{0, 4096}}));
    EXPECT_FALSE(leases_.set_devices({{0, 4096}, {1, 1000}}));
    EXPECT_TRUE(leases_.set_devices({{0, 4096}, {1, 4096}, {2, 4096}}));
    leases_.end(*lease, "test");
    EXPECT_TRUE(leases_.set_devices({{0, 4096}}));
}

TEST(LeaseTimeout, ALeaseThatNobodyUsesEnds) {
    asio::io_context io;
    Counters counters;
    Children children(io);
    Leases leases(io, children, counters, std::chrono::seconds(1));
    ASSERT_TRUE(leases.set_devices({{0, 10}}));
    LeasePointer lease;
    asio::co_spawn(
        io,
        [&]() -> Task<void> {
            const pool::Request request;
            const Client client;
            lease = *co_await leases.acquire(request, client, false);
        },
        asio::detached);
    while (!lease) io.run_one();
    leases.set_held(lease, true);
    const auto held_until = Clock::now() + std::chrono::milliseconds(2500);
    while (Clock::now() < held_until) io.run_one_until(held_until);
    EXPECT_EQ(leases.by_id(lease->id), lease);
    leases.set_held(lease, false);
    while (leases.by_id(lease->id)) io.run_one();
    EXPECT_EQ(lease->end_reason, "nobody held or used it for the auto-release timeout");
}

}  // namespace
}  // namespace bitfusion::daemon
