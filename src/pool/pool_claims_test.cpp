#include "pool/pool_fixture.h"

namespace bitfusion::pool {
namespace {

class PoolClaims : public PoolFixture {};

TEST_F(PoolClaims, GetGpusOfOneServerAndTheTightestOne) {
    add_server("a", {100, 100, 100, 100});
    add_server("b", {100, 100});
    add_client("c");
    EXPECT_EQ(ask("1", "c", kWhole), "b:0");  // the server with four stays free for who needs four
    EXPECT_EQ(ask("2", "c", whole(2)), "a:0,1");
    EXPECT_EQ(ask("3", "c", part(1, 0.5)), "b:1");
    EXPECT_EQ(ask("4", "c", part(1, 0.25)), "b:1");  // beside the other, opens nothing
    EXPECT_TRUE(says("no untouched GPU is opened")) << text;
    EXPECT_EQ(ask("5", "c", mib(1, 30)), "a:2");
    EXPECT_EQ(ask("6", "c", mib(1, 25)), "b:1");  // exactly what is left there
    EXPECT_EQ(pool.room("b").devices[1].free_mib, 0u);
    EXPECT_EQ(ask("7", "c", whole(3)), "wait 1");
    EXPECT_TRUE(
        says("place 1 of 1: waits for 3 whole GPUs of one server; the most that one has free is 1 such GPU"))
        << text;
}

TEST_F(PoolClaims, WaitInOrderAndAreServedInOrder) {
    add_server("a", {100, 100});
    add_client("c");
    add_client("d");
    add_client("e");
    EXPECT_EQ(ask("1", "c", whole(2)), "a:0,1");
    EXPECT_EQ(ask("2", "c", kWhole), "wait 1");
    EXPECT_EQ(ask("3", "d", kWhole), "wait 2");
    EXPECT_EQ(ask("4", "e", whole(2)), "wait 3");
    EXPECT_EQ(ask("5", "d", kWhole), "wait 4");
    pool.take_effects();
    finish("1");
    EXPECT_EQ(where("2"), "a:0");
    EXPECT_EQ(where("3"), "a:1");
    EXPECT_EQ(where("4"), "wait 1");
    std::vector<std::string> granted;
    for (const Notice& notice : pool.take_effects().notices) {
        if (notice.kind == Notice::Kind::kGranted) granted.push_back(notice.id);
    }
    EXPECT_EQ(granted, (std::vector<std::string>{"2", "3"}));
    finish("2");
    EXPECT_EQ(where("5"), "wait 2");  // one GPU is free, but the first waits for two
    finish("3");
    EXPECT_EQ(where("4"), "a:0,1");
}

TEST_F(PoolClaims, OvertakeOnlyWhereTheFirstCannotBeDelayed) {
    add_server("a", {100, 100});
    add_server("b", {100});
    add_client("c");
    add_client("d");
    EXPECT_EQ(ask("1", "c", kWhole), "b:0");
    EXPECT_EQ(ask("2", "c", kWhole), "a:0");
    finish("1");
    EXPECT_EQ(ask("3", "c", whole(2)), "wait 1");
    EXPECT_EQ(ask("4", "d", part(1, 0.5)), "b:0");  // b can never serve two GPUs
    EXPECT_EQ(ask("5", "d", part(1, 0.6)), "wait 2");
    EXPECT_TRUE(says("the first in the queue asks for 2 whole GPUs, and room for it is kept")) << text;
    EXPECT_EQ(ask("6", "d", part(1, 0.5)), "b:0");
    finish("2");
    EXPECT_EQ(where("3"), "a:0,1");
    EXPECT_EQ(where("5"), "wait 1");
}

TEST_F(PoolClaims, OvertakeBesideThePartThatTheFirstNeeds) {
    add_server("a", {100, 100, 50});
    add_client("c");
    add_client("d");
    EXPECT_EQ(ask("1", "c", mib(1, 80)), "a:0");
    EXPECT_EQ(ask("2", "c", mib(2, 60)), "wait 1");  // one GPU has room, the other not yet
    EXPECT_EQ(ask("3", "d", mib(1, 41)), "a:2");     // too small a GPU for the first
    EXPECT_EQ(ask("4", "d", mib(1, 41)), "wait 2");  // would take from what the first needs of GPU 1
    EXPECT_EQ(ask("5", "d", mib(1, 40)), "a:1");     // leaves 60
    finish("1");
    EXPECT_EQ(where("2"), "a:0,1");
    EXPECT_EQ(where("4"), "wait 1");
}

TEST_F(PoolClaims, OfOneClientDoNotPushAsideThoseOfOthers) {
    add_server("a", {100});
    add_client("greedy");
    add_client("modest");
    add_client("other");
    EXPECT_EQ(ask("0", "greedy", kWhole), "a:0");
    for (const char* id : {"g1", "g2", "g3", "g4"}) ask(id, "greedy", kWhole);
    EXPECT_EQ(ask("m1", "modest", kWhole), "wait 2");  // before the second of greedy
    EXPECT_EQ(ask("m2", "modest", kWhole), "wait 4");
    EXPECT_EQ(ask("o1", "other", kWhole), "wait 3");
    std::string order;
    std::string running = "0";
    for (int i = 0; i < 7; ++i) {
        finish(running);
        running = pool.leases().at(0)->id;
        order += running + " ";
    }
    EXPECT_EQ(order, "g1 m1 o1 g2 m2 g3 g4 ");
}

TEST_F(PoolClaims, QuotaCountsFractionsAndHoldsBackWithoutStoppingOthers) {
    add_server("a", {1000, 1000, 1000, 1000, 1000});
    add_client("c", 3.5);
    add_client("d");
    EXPECT_EQ(ask("1", "c", whole(2)), "a:0,1");
    EXPECT_EQ(ask("2", "c", part(3, 0.5)), "a:2,3,4");
    EXPECT_EQ(text_of(pool.use("c").held), "3.5");
    EXPECT_EQ(ask("3", "c", part(1, 0.25)), "wait 1");
    EXPECT_TRUE(
        says("waits for your own programs: they hold 3.5 of your quota of 3.5 GPUs, and this asks for 0.25"))
        << text;
    EXPECT_EQ(ask("4", "c", part(1, 0.01)), "wait 2");
    EXPECT_EQ(ask("5", "d", part(1, 0.5)), "a:2");  // nobody waits for the claim that the quota holds back
    EXPECT_EQ(ask("6", "c", whole(4)), "409");
    EXPECT_TRUE(says("your quota is 3.5 GPUs, this counts as 4; ask for at most 3.5")) << text;
    finish("1");
    EXPECT_NE(where("3").find("a:"), std::string::npos);
    EXPECT_NE(where("4").find("a:"), std::string::npos);
    EXPECT_EQ(text_of(pool.use("c").held), "1.76");
}

TEST_F(PoolClaims, DoNotTakeTheQuotaThatTheFirstOfTheSameClientNeeds) {
    add_server("a", {100, 100});
    add_server("b", {100});
    add_client("c", 2);
    add_client("d");
    EXPECT_EQ(ask("1", "d", kWhole), "b:0");
    EXPECT_EQ(ask("2", "d", kWhole), "a:0");
    finish("1");
    EXPECT_EQ(ask("3", "c", whole(2)), "wait 1");
    EXPECT_EQ(ask("4", "c", kWhole), "wait 2");  // there is room on b, but then 3 would not start when 2 ends
    EXPECT_EQ(ask("5", "d", kWhole), "b:0");
    finish("2");
    EXPECT_EQ(where("3"), "a:0,1");
}

TEST_F(PoolClaims, ThatCannotEverFitAreRefusedAtOnceWithTheMost) {
    add_client("c");
    EXPECT_EQ(ask("0", "c", kWhole), "409");
    EXPECT_TRUE(says("the pool has no GPU"));
    add_server("a", {100, 100});
    add_server("b", {400});
    EXPECT_EQ(ask("1", "c", whole(3)), "409");
    EXPECT_TRUE(
        says("3 GPUs were asked of one server; the largest server of the pool has 2 GPUs; ask for at "
             "most 2 with -n"))
        << text;
    EXPECT_EQ(ask("1", "c", mib(2, 101)), "409");
    EXPECT_TRUE(
        says("2 GPUs with 101 MiB each were asked of one server; no server of the pool has more than "
             "100 MiB on each of 2 GPUs; ask for at most that with -m, or for fewer GPUs with -n"))
        << text;
    EXPECT_EQ(ask("1", "c", mib(1, 401)), "409");
    EXPECT_TRUE(
        says("a GPU with 401 MiB was asked for; no server of the pool has a GPU with more than 400 "
             "MiB; ask for at most that with -m"))
        << text;
    EXPECT_EQ(ask("1", "c", part(1, 0.0001)), "409");
    EXPECT_EQ(ask("1", "c", whole(0)), "400");
    EXPECT_EQ(ask("1", "c", part(1, 1.5)), "400");
    EXPECT_EQ(ask("1", "nobody", kWhole), "403");
    EXPECT_EQ(ask("bad id", "c", kWhole), "400");
    Claim listed = claim("2", "c", kWhole);
    listed.servers = {"b:56001", "nowhere:56001"};
    EXPECT_EQ(submit(listed), "b:0");
    listed.id = "3";
    listed.servers = {"nowhere:56001"};
    EXPECT_EQ(submit(listed), "409");
    EXPECT_TRUE(says("server 'nowhere:56001' is not one of the pool's")) << text;
    Claim filtered = claim("4", "c", kWhole);
    filtered.filters = {*parse_filter("device.phy-memory>=401")};
    EXPECT_EQ(submit(filtered), "409");
    EXPECT_TRUE(says("no GPU of the pool passes")) << text;
    filtered.filters = {*parse_filter("device.phy-memory<=100")};
    filtered.ask = mib(1, 101);
    EXPECT_EQ(submit(filtered), "409");
    EXPECT_TRUE(says("no server that --filter allows has a GPU with more than 100 MiB")) << text;
    filtered.servers = {"a:56001"};
    EXPECT_EQ(submit(filtered), "409");
    EXPECT_TRUE(says("no server that --filter and the list of servers allow has a GPU")) << text;
    filtered.ask = kWhole;
    filtered.servers.clear();
    filtered.filters = {*parse_filter("device.id=1")};
    EXPECT_EQ(submit(filtered), "a:1");
    EXPECT_TRUE(pool.waiting().empty());
}

TEST_F(PoolClaims, WithoutTimeFailAtOnceAndLeaveNothing) {
    add_server("a", {100});
    add_client("c");
    EXPECT_EQ(ask("1", "c", kWhole), "a:0");
    pool.take_effects();
    Claim now_or_never = claim("2", "c", kWhole);
    now_or_never.timeout = std::chrono::milliseconds(0);
    EXPECT_EQ(submit(now_or_never), "409");
    EXPECT_TRUE(says("no room now")) << text;
    EXPECT_TRUE(pool.take_effects().empty());
    EXPECT_TRUE(pool.waiting().empty());
    finish("1");
    EXPECT_EQ(submit(now_or_never), "a:0");
}

TEST_F(PoolClaims, TimeOutAndAreDroppedWhenTheirClientIsSilent) {
    add_server("a", {100});
    add_client("c");
    ask("1", "c", kWhole);
    Claim patient = claim("2", "c", kWhole);
    patient.timeout = std::chrono::minutes(2);
    EXPECT_EQ(submit(patient), "wait 1");
    patient.id = "3";
    EXPECT_EQ(submit(patient), "wait 2");
    pool.take_effects();
    const Time start = now;
    now = start + std::chrono::seconds(59);
    EXPECT_TRUE(pool.heard("2", now));
    pool.tick(now = start + std::chrono::seconds(60));
    EXPECT_EQ(where("3"), "gone");
    EXPECT_EQ(where("2"), "wait 1");
    now = start + std::chrono::seconds(110);
    EXPECT_TRUE(pool.heard("2", now));
    pool.tick(now = start + std::chrono::milliseconds(119'999));
    EXPECT_EQ(where("2"), "wait 1");
    pool.tick(now = start + std::chrono::seconds(120));
    EXPECT_EQ(where("2"), "gone");
    const Effects effects = pool.take_effects();
    ASSERT_EQ(effects.notices.size(), 2u);
    EXPECT_NE(effects.notices[0].text.find("silent for 1 minute"), std::string::npos)
        << effects.notices[0].text;
    EXPECT_NE(effects.notices[1].text.find("no GPUs came free in time (2 minutes)"), std::string::npos)
        << effects.notices[1].text;
    EXPECT_EQ(effects.changes.size(), 2u);
}

TEST_F(PoolClaims, AskedTwiceAreOneAndBelongToTheirClient) {
    add_server("a", {100, 100});
    add_client("c");
    add_client("d");
    EXPECT_EQ(ask("1", "c", kWhole), "a:0");
    EXPECT_EQ(ask("1", "c", kWhole), "a:0");
    EXPECT_EQ(ask("1", "d", kWhole), "409");
    EXPECT_EQ(ask("2", "c", whole(2)), "wait 1");
    EXPECT_EQ(ask("2", "c", whole(2)), "wait 1");
    EXPECT_EQ(ask("2", "d", whole(2)), "409");
    EXPECT_EQ(pool.leases().size(), 1u);
    EXPECT_EQ(pool.waiting().size(), 1u);
    expect_ok(pool.cancel("2", now));
    EXPECT_EQ(pool.cancel("2", now).error().code, 404);
    EXPECT_EQ(pool.cancel("1", now).error().code, 409);
}

TEST_F(PoolClaims, CannotFillTheQueueWithoutEnd) {
    add_server("a", {100});
    add_client("c");
    ask("0", "c", kWhole);
    for (size_t i = 1; i <= kMostWaitingOfClient; ++i) ask(std::to_string(i), "c", kWhole);
    EXPECT_EQ(pool.waiting().size(), kMostWaitingOfClient);
    EXPECT_EQ(ask("more", "c", kWhole), "429");
}

}  // namespace
}  // namespace bitfusion::pool
