#include "daemon/scheduler.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "store/store_fixture.h"

namespace bitfusion::daemon {
namespace {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr auto kAutoRelease = std::chrono::seconds(600);

// The server that schedules, and what another one says to it.
class Scheduling : public testing::Test {
  protected:
    Scheduling() {
        store::SqliteOptions options;
        options.path = folder_.file("pool.db");
        store_ = store::open_sqlite(options).value();
        elect();
    }
    ~Scheduling() override { scheduler_->close(); }

    // Another server takes the role over: it knows what the store knows.
    void elect() {
        if (scheduler_) scheduler_->close();
        scheduler_.emplace(io_, *store_);
        Member self;
        self.id = "leader";
        self.name = "host";
        self.control_address = "127.0.0.1:1";
        ASSERT_TRUE(scheduler_->open(self, kAutoRelease));
        ASSERT_TRUE(scheduler_->leading());
    }
    static Attendance from(const std::string& instance, std::vector<std::string> leases = {}) {
        Attendance attendance;
        attendance.server.id = "server";
        attendance.server.address = "127.0.0.1:2";
        attendance.server.hostname = "other";
        attendance.server.instance = instance;
        attendance.server.gpus.push_back({0, 4096, "", "Soft", "8.0"});
        attendance.leases = std::move(leases);
        return attendance;
    }
    void report(const Attendance& attendance) {
        const auto orders = scheduler_->attend(attendance);
        ASSERT_TRUE(orders) << orders.error().what;
        EXPECT_EQ(orders->error, "");
    }
    void grant(const std::string& id, bool persistent = false) {
        pool::Claim claim;
        claim.id = id;
        claim.client = "client";
        claim.ask.gpus = 1;
        claim.ask.memory_mib = 512;
        claim.timeout = std::chrono::seconds(0);
        claim.persistent = persistent;
        pool::Client client;
        client.id = "client";
        const auto standing = scheduler_->submit(claim, client);
        ASSERT_TRUE(standing) << standing.error().what;
        ASSERT_EQ(standing->state, pool::Standing::State::kGranted);
    }
    // Whether it was not ended.
    bool goes_on(const std::string& id) const {
        const pool::Lease* lease = scheduler_->pool()->lease(id);
        return lease != nullptr && lease->state == pool::LeaseState::kGranted;
    }

    store::Folder folder_;
    asio::io_context io_;
    std::unique_ptr<store::Store> store_;
    std::optional<Scheduler> scheduler_;
};

TEST_F(Scheduling, AFirstReportThatIsRepeatedEndsNoLease) {
    report(from("first"));
    grant("meanwhile");
    report(from("first"));
    EXPECT_TRUE(goes_on("meanwhile")) << "the answer was lost, and the server said the same again";
}

TEST_F(Scheduling, AFirstReportThatIsRepeatedToTheNextLeaderEndsNoLease) {
    report(from("first"));
    grant("meanwhile");
    elect();
    report(from("first"));
    EXPECT_TRUE(goes_on("meanwhile"));
    elect();
    report(from("second"));
    EXPECT_FALSE(goes_on("meanwhile")) << "only the leader before could know whether the first served it";
}

TEST_F(Scheduling, AProcessThatBeginsAgainEndsTheProgramsOfTheOneBefore) {
    report(from("first"));
    grant("program");
    grant("session", true);
    report(from("first", {"program", "session"}));
    EXPECT_TRUE(goes_on("program"));
    report(from("second"));
    EXPECT_FALSE(goes_on("program"));
    EXPECT_TRUE(goes_on("session"));
}

TEST_F(Scheduling, WhatIsKeptOutlivesTheProcessAndWhatEndsAsWellDoesNot) {
    report(from("first"));
    grant("kept");
    grant("given-up");
    Attendance attendance = from("first", {"kept", "given-up"});
    attendance.kept = {"kept", "given-up", "of-nobody"};
    attendance.ends = {{"given-up", "released"}};
    report(attendance);
    EXPECT_TRUE(scheduler_->pool()->lease("kept")->persistent);
    EXPECT_FALSE(goes_on("given-up"));
    report(from("second"));
    EXPECT_TRUE(goes_on("kept"));
}

TEST_F(Scheduling, WhatWasGrantedAfterAProcessDiedIsServedByTheNext) {
    report(from("first"));
    grant("program");
    report(from("first", {"program"}));
    // Its process is gone, and nobody has noticed yet.
    grant("meanwhile");
    report(from("second"));
    EXPECT_FALSE(goes_on("program"));
    EXPECT_TRUE(goes_on("meanwhile"));
    report(from("second", {"meanwhile"}));
    report(from("third"));
    EXPECT_FALSE(goes_on("meanwhile"));
}

TEST_F(Scheduling, AServerWhoseGpusDoNotFitItsLeasesGetsNoMore) {
    report(from("first"));
    grant("program");
    report(from("first", {"program"}));
    Attendance without = from("second", {"program"});
    without.server.gpus.clear();
    const auto orders = scheduler_->attend(without);
    ASSERT_TRUE(orders) << orders.error().what;
    EXPECT_NE(orders->error.find("vanished"), std::string::npos) << orders->error;
    EXPECT_FALSE(scheduler_->pool()->room("server").up);
    EXPECT_FALSE(goes_on("program"));
    // Its worker is gone: then the server is taken as it is.
    without.leases.clear();
    without.over = {"program"};
    EXPECT_TRUE(scheduler_->attend(without));
    report(without);
    EXPECT_TRUE(scheduler_->pool()->room("server").up);
}

TEST_F(Scheduling, WhatAnAdministratorChoseOutlivesTheNextElection) {
    const auto choose = [](pool::Pool& pool, pool::Time now) {
        pool::Settings settings = pool.settings();
        settings.auto_release = std::chrono::seconds(77);
        settings.auto_release_chosen = true;
        return pool.set_settings(settings, now);
    };
    EXPECT_EQ(scheduler_->pool()->settings().auto_release, kAutoRelease);
    ASSERT_TRUE(scheduler_->run(choose));
    elect();
    EXPECT_EQ(scheduler_->pool()->settings().auto_release, std::chrono::seconds(77));
}

TEST_F(Scheduling, TheManagersOptionHoldsWhereNobodyChose) {
    Member self = scheduler_->self();
    scheduler_->close();
    scheduler_.emplace(io_, *store_);
    ASSERT_TRUE(scheduler_->open(self, std::chrono::seconds(33)));
    EXPECT_EQ(scheduler_->pool()->settings().auto_release, std::chrono::seconds(33));
}

// A store whose role another server has.
class FollowersStore : public store::MemoryStore {
  public:
    Result<std::unique_ptr<store::Leadership>> campaign(const std::string&, const std::string&,
                                                        std::chrono::seconds) override {
        return std::unique_ptr<store::Leadership>();
    }
};

// The scheduling server as another one sees it: the first connections break off, the next are answered.
class Leader {
  public:
    Leader(asio::io_context& io, int broken) : door_(io, {asio::ip::make_address("127.0.0.1"), 0}) {
        asio::co_spawn(io, serve(broken), asio::detached);
    }
    std::string address() const { return "127.0.0.1:" + std::to_string(door_.local_endpoint().port()); }
    int visits() const { return visits_; }
    void close() { door_.close(); }

  private:
    Task<void> serve(int broken) {
        for (;;) {
            auto [error, socket] = co_await door_.async_accept(kNoThrow);
            if (error) co_return;
            if (++visits_ <= broken) continue;
            boost::beast::flat_buffer buffer;
            http::request<http::string_body> request;
            if (std::get<0>(co_await http::async_read(socket, buffer, request, kNoThrow))) continue;
            http::response<http::string_body> answer(http::status::ok, 11);
            answer.body() = to_json(Orders());
            answer.keep_alive(false);
            answer.prepare_payload();
            (void)co_await http::async_write(socket, answer, kNoThrow);
        }
    }
    tcp::acceptor door_;
    int visits_ = 0;
};

class Following : public testing::Test {
  protected:
    bool catches_up(int broken, std::chrono::milliseconds patience) {
        Leader leader(io_, broken);
        store::Transaction role;
        role.writes.push_back({store::role_key(store::kScheduler), leader.address()});
        EXPECT_TRUE(store_.commit(role));
        auto peer = Peer::make(io_, "");
        EXPECT_TRUE(peer);
        Scheduler scheduler(io_, store_);
        scheduler.set_cluster({"pool", "secret"}, peer->get());
        Member self;
        self.id = "server";
        self.control_address = "127.0.0.1:1";
        EXPECT_TRUE(scheduler.open(self, kAutoRelease));
        EXPECT_FALSE(scheduler.leading());
        Report report;
        report.backend = "soft";
        std::optional<bool> caught_up;
        asio::co_spawn(
            io_,
            [&]() -> Task<void> {
                EXPECT_TRUE(scheduler.put_gpus(report));
                caught_up = co_await scheduler.catch_up(patience);
                visits_ = leader.visits();
                scheduler.close();
                leader.close();
            },
            asio::detached);
        while (!caught_up) io_.run_one();
        io_.run();
        return *caught_up;
    }

    asio::io_context io_;
    FollowersStore store_;
    int visits_ = 0;
};

TEST_F(Following, CatchingUpGoesOnUntilTheLeaderAnswers) {
    EXPECT_TRUE(catches_up(3, std::chrono::seconds(20)));
    EXPECT_GT(visits_, 3);
}

TEST_F(Following, CatchingUpSaysThatNobodyAnswered) {
    EXPECT_FALSE(catches_up(1000, std::chrono::milliseconds(0)));
    EXPECT_GE(visits_, 1);
}

}  // namespace
}  // namespace bitfusion::daemon
