#include <functional>

#include "pool/pool_fixture.h"

namespace bitfusion::pool {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class PoolLeases : public PoolFixture {
  protected:
    std::string notices() {
        std::string all;
        for (const Notice& notice : pool.take_effects().notices) {
            const char* kinds[] = {"granted", "refused", "ending", "over"};
            all += std::string(kinds[static_cast<int>(notice.kind)]) + " " + notice.id + "; ";
        }
        return all;
    }

    Pool restored() {
        auto again = Pool::restore(pool.records(), now);
        EXPECT_TRUE(again) << again.error().what;
        return std::move(*again);
    }
};

TEST_F(PoolLeases, ReturnTheirMemoryWhenTheirWorkersAreReapedAndNotBefore) {
    add_server("a", {100});
    add_client("c");
    ask("1", "c", kWhole);
    ask("2", "c", kWhole);
    notices();
    pool.end("1", "released", now);
    pool.end("1", "a second reason", now);
    EXPECT_EQ(notices(), "ending 1; ");
    EXPECT_EQ(pool.lease("1")->end_reason, "released");
    EXPECT_EQ(where("2"), "wait 1");
    EXPECT_EQ(pool.room("a").devices[0].free_mib, 0u);
    EXPECT_EQ(pool.heartbeat("1", now).error().code, 409);
    expect_ok(pool.over("1", now));
    EXPECT_EQ(notices(), "over 1; granted 2; ");
    EXPECT_EQ(where("2"), "a:0");
    expect_ok(pool.over("1", now));
    EXPECT_EQ(pool.over("2", now).error().code, 409);
    EXPECT_EQ(pool.heartbeat("1", now).error().code, 404);
}

TEST_F(PoolLeases, OfALostClientEndWithinItsLimit) {
    add_server("a", {100, 100, 100});
    add_client("c");
    ask("lost", "c", kWhole);
    ask("alive", "c", kWhole);
    Claim session = claim("session", "c", kWhole);
    session.persistent = true;
    submit(session);
    notices();
    const Time start = now;
    expect_ok(pool.heartbeat("alive", now = start + minutes(5)));
    pool.tick(now = start + minutes(10) - Time(1));
    EXPECT_EQ(notices(), "");
    pool.tick(now = start + minutes(10));
    EXPECT_EQ(notices(), "ending lost; ");
    EXPECT_NE(pool.lease("lost")->end_reason.find("not heard of for 10 minutes"), std::string::npos);
    pool.tick(now = start + minutes(15));
    EXPECT_EQ(notices(), "ending alive; ");
    pool.tick(now = start + std::chrono::hours(1000));
    EXPECT_EQ(notices(), "");
}

TEST_F(PoolLeases, ThatAreKeptLiveWithoutSignsOfLife) {
    add_server("a", {100, 100});
    add_client("c");
    ask("kept", "c", kWhole);
    ask("lost", "c", kWhole);
    pool.take_effects();
    const Time start = now;
    expect_ok(pool.keep("kept", now));
    expect_ok(pool.keep("kept", now));
    EXPECT_EQ(pool.take_effects().changes.size(), 1u) << "it is written down once";
    EXPECT_EQ(pool.keep("unknown", now).error().code, 404);
    pool.tick(now = start + minutes(10));
    EXPECT_EQ(notices(), "ending lost; ");
    EXPECT_EQ(pool.keep("lost", now).error().code, 409);
    EXPECT_FALSE(pool.lease("lost")->persistent);
    EXPECT_TRUE(restored().lease("kept")->persistent);
    pool.tick(now = start + std::chrono::hours(1000));
    EXPECT_EQ(notices(), "");
    Settings settings;
    settings.idle_limit = minutes(30);
    expect_ok(pool.set_settings(settings, now));
    pool.tick(now);
    EXPECT_EQ(notices(), "ending kept; ");
}

TEST_F(PoolLeases, ThatAreIdleEndWhereThatIsOn) {
    add_server("a", {100, 100});
    add_client("c");
    Client hurried{"d", "", true, {}, minutes(3), {}};
    expect_ok(pool.put_client(hurried, now));
    Claim session = claim("1", "c", kWhole);
    session.persistent = true;
    submit(session);
    session.id = "2";
    session.client = "d";
    submit(session);
    notices();
    const Time start = now;
    expect_ok(pool.used("2", now = start + minutes(2)));
    pool.tick(now = start + minutes(4));
    EXPECT_EQ(notices(), "");
    pool.tick(now = start + minutes(5));
    EXPECT_EQ(notices(), "ending 2; ");
    EXPECT_NE(pool.lease("2")->end_reason.find("idle for 3 minutes"), std::string::npos);
    // The global limit, switched on later, holds for who has none of his own.
    Settings settings;
    settings.idle_limit = minutes(30);
    expect_ok(pool.set_settings(settings, now));
    pool.tick(now = start + minutes(29));
    EXPECT_EQ(notices(), "");
    pool.tick(now = start + minutes(30));
    EXPECT_EQ(notices(), "ending 1; ");
}

TEST_F(PoolLeases, StayOnADrainedServerAndKeepItFromBeingRemoved) {
    add_server("a", {100, 100});
    add_client("c");
    ask("1", "c", kWhole);
    EXPECT_EQ(pool.remove_server("a", false, now).error().code, 409);
    expect_ok(pool.set_accepts("a", false, now));
    EXPECT_EQ(ask("2", "c", kWhole), "wait 1");
    EXPECT_TRUE(says("no server that may serve it is up and accepts clients")) << text;
    EXPECT_NE(pool.remove_server("a", false, now).error().what.find("still serves 1 lease"),
              std::string::npos);
    notices();
    finish("1");
    expect_ok(pool.remove_server("a", false, now));
    EXPECT_EQ(notices(), "ending 1; over 1; refused 2; ");
    EXPECT_EQ(pool.server("a"), nullptr);
    EXPECT_EQ(pool.remove_server("a", false, now).error().code, 404);
}

TEST_F(PoolLeases, AreOverAtOnceWhenTheirServerIsRemovedByForce) {
    add_server("a", {100});
    add_server("b", {100});
    add_client("c");
    ask("1", "c", kWhole);
    ask("2", "c", kWhole);
    ask("3", "c", kWhole);
    notices();
    expect_ok(pool.remove_server("a", true, now));
    EXPECT_EQ(notices(), "over 1; ");
    EXPECT_EQ(text_of(pool.use("c").held), "1");
    EXPECT_EQ(where("3"), "wait 1");
    add_server("n", {100});
    EXPECT_EQ(pool.server("n")->number, 0u);
    EXPECT_EQ(where("3"), "n:0");
}

TEST_F(PoolLeases, AreNotGivenOnServersThatAreDown) {
    add_server("a", {100});
    add_client("c");
    expect_ok(pool.server_down("a", now));
    EXPECT_EQ(ask("1", "c", kWhole), "wait 1");
    EXPECT_EQ(pool.server_heard("a", now).error().code, 409);
    expect_ok(pool.server_up("a", {}, now));
    EXPECT_EQ(where("1"), "a:0");
    // Silence is the same as being down.
    const Time start = now;
    expect_ok(pool.server_heard("a", now = start + seconds(10)));
    pool.tick(now = start + seconds(24));
    EXPECT_TRUE(pool.room("a").up);
    pool.tick(now = start + seconds(25));
    EXPECT_FALSE(pool.room("a").up);
    EXPECT_EQ(where("1"), "a:0");
}

TEST_F(PoolLeases, AreReconciledWhenAServerComesBack) {
    add_server("a", {100, 100, 100});
    add_client("c");
    ask("1", "c", kWhole);
    ask("2", "c", kWhole);
    ask("3", "c", kWhole);
    expect_ok(pool.server_down("a", now));
    pool.end("1", "released", now);
    pool.end("2", "released", now);
    notices();
    // Workers that the pool knows nothing of use memory that it takes for free.
    const Status strangers = pool.server_up("a", {"2", "old"}, now);
    ASSERT_FALSE(strangers);
    EXPECT_NE(strangers.error().what.find("workers of leases that are over: old"), std::string::npos);
    EXPECT_FALSE(pool.room("a").up);
    expect_ok(pool.server_up("a", {"2", "3"}, now));
    EXPECT_EQ(notices(), "over 1; ending 2; ");
    EXPECT_NE(pool.lease("3"), nullptr);
}

TEST_F(PoolLeases, AndWaitingEndWithTheirClient) {
    add_server("a", {100});
    add_client("c");
    add_client("d");
    ask("1", "c", kWhole);
    ask("2", "c", kWhole);
    ask("3", "d", kWhole);
    notices();
    Client client = *pool.client("c");
    client.enabled = false;
    expect_ok(pool.put_client(client, now));
    EXPECT_EQ(notices(), "refused 2; ");
    EXPECT_EQ(ask("4", "c", kWhole), "403");
    EXPECT_TRUE(says("disabled")) << text;
    EXPECT_EQ(where("1"), "a:0");
    expect_ok(pool.remove_client("c", now));
    EXPECT_EQ(notices(), "ending 1; ");
    EXPECT_EQ(pool.remove_client("c", now).error().code, 404);
    // Enrolled again while it is still ending: what it holds still counts.
    add_client("c", 1.5);
    EXPECT_EQ(text_of(pool.use("c").held), "1");
    expect_ok(pool.over("1", now));
    EXPECT_EQ(text_of(pool.use("c").held), "0");
    EXPECT_EQ(where("3"), "a:0");
}

TEST_F(PoolLeases, KeepAServerFromLosingTheirGpus) {
    add_server("a", {100, 200});
    add_client("c");
    ask("1", "c", mib(1, 150));
    Server server = *pool.server("a");
    server.gpus[1].memory_mib = 149;
    EXPECT_EQ(pool.put_server(server, now).error().code, 409);
    server.gpus.pop_back();
    EXPECT_EQ(pool.put_server(server, now).error().code, 409);
    server = *pool.server("a");
    server.gpus[1].memory_mib = 300;
    server.accepts = false;  // not the server's to say
    expect_ok(pool.put_server(server, now));
    EXPECT_EQ(pool.room("a").devices[1].free_mib, 150u);
    EXPECT_TRUE(pool.server("a")->accepts);
    EXPECT_EQ(ask("2", "c", mib(1, 150)), "a:1");
}

TEST_F(PoolLeases, NoGpuAndNoAddressIsServedByTwo) {
    Server server;
    server.id = "a";
    server.address = "10.0.0.1:56001";
    server.gpus = {{0, 100, "GPU-1", "", ""}};
    expect_ok(pool.put_server(server, now));
    server.id = "b";
    EXPECT_NE(pool.put_server(server, now).error().what.find("has the address"), std::string::npos);
    server.address = "10.0.0.1:56002";
    const Status twice = pool.put_server(server, now);
    ASSERT_FALSE(twice);
    EXPECT_NE(twice.error().what.find("GPU GPU-1 is served by server a"), std::string::npos)
        << twice.error().what;
    server.gpus[0].uuid = "GPU-2";
    expect_ok(pool.put_server(server, now));
}

TEST_F(PoolLeases, AreTheSameAfterARestart) {
    add_server("a", {100, 100});
    add_client("c", 3);
    add_client("d");
    ask("1", "c", part(2, 0.5));
    ask("2", "d", mib(1, 30));
    ask("3", "c", whole(2));
    ask("4", "d", whole(1));
    pool.end("2", "released", now);
    Pool again = restored();
    EXPECT_EQ(again.room("a").devices[0].free_mib, pool.room("a").devices[0].free_mib);
    EXPECT_EQ(again.use("c").held, pool.use("c").held);
    EXPECT_EQ(again.waiting().size(), 2u);
    EXPECT_FALSE(again.room("a").up);
    pool = std::move(again);
    EXPECT_EQ(where("3"), "wait 1");
    // The lease that was ending has no worker any more; the clients have the whole time again.
    expect_ok(pool.server_up("a", {"1"}, now));
    EXPECT_EQ(pool.lease("2"), nullptr);
    pool.tick(now += seconds(10));
    EXPECT_NE(pool.lease("1"), nullptr);
    finish("1");
    EXPECT_EQ(where("3"), "a:0,1");
    EXPECT_EQ(where("4"), "wait 1");
}

TEST_F(PoolLeases, AreNotRestoredFromContradictions) {
    add_server("a", {100, 100});
    add_client("c");
    ask("1", "c", kWhole);
    Claim waiting = claim("2", "c", whole(2));
    submit(waiting);
    const auto why = [&](const std::function<void(Records&)>& damage) {
        Records records = pool.records();
        damage(records);
        const auto again = Pool::restore(std::move(records), now);
        EXPECT_FALSE(again);
        return again ? std::string() : again.error().what;
    };
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    EXPECT_TRUE(has(why([](Records& r) { r.leases[0].server = "b"; }), "on server 'b', which is not there"));
    EXPECT_TRUE(has(why([](Records& r) { r.leases[0].client = "x"; }), "of client 'x', which is not there"));
    EXPECT_TRUE(has(why([](Records& r) { r.leases[0].grant.parts[0].ordinal = 7; }), "which is not there"));
    EXPECT_TRUE(
        has(why([](Records& r) { r.leases[0].grant.parts[0].memory_mib = 101; }), "given away twice"));
    EXPECT_TRUE(has(why([](Records& r) { r.leases[0].grant.parts.push_back({0, 1}); }), "twice"));
    EXPECT_TRUE(has(why([](Records& r) { r.leases.push_back(r.leases[0]); }), "there twice"));
    EXPECT_TRUE(has(why([](Records& r) { r.claims.push_back(r.claims[0]); }), "there twice"));
    EXPECT_TRUE(has(why([](Records& r) { r.claims[0].turn.virtual_time = -1; }), "turn"));
    EXPECT_TRUE(has(why([](Records& r) { r.claims[0].client = "x"; }), "which is not there"));
    EXPECT_TRUE(has(why([](Records& r) { r.servers.push_back(r.servers[0]); }), "same number"));
    EXPECT_TRUE(has(why([](Records& r) { r.servers[0].number = 4'000'000'000; }), "number beyond"));
    EXPECT_TRUE(has(why([](Records& r) { r.clients.push_back(r.clients[0]); }), "there twice"));
    EXPECT_TRUE(has(why([](Records& r) { r.settings.auto_release = seconds(0); }), "auto_release_timeout"));
}

}  // namespace
}  // namespace bitfusion::pool
