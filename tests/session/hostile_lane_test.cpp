// Lanes in the hands of somebody who means harm, on either side: what is not a piece of a copy that was
// announced ends the session, and no byte lands elsewhere.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "client/memory_map.h"
#include "session/lane_peer.h"
#include "session/raw_server.h"
#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

constexpr size_t kMiB = 1u << 20;

bool send_all(link::Link& link, std::span<const uint8_t> bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    return link.send({&piece, 1}).has_value();
}

bool receive_all(link::Link& link, void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link.receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got || got->closed) return false;
        at += got->bytes;
    }
    return true;
}

class HostileLaneClient : public testing::Test {
  protected:
    void SetUp() override {
        quiet();
        ASSERT_TRUE(client_.open());
    }
    std::vector<wire::LaneKey> ask(uint32_t count) {
        Bytes body;
        EXPECT_EQ(client_.ask(msg::LanesOpen{count}, &body), CUDA_SUCCESS);
        msg::LanesOpen::Reply reply;
        wire::Reader reader(body);
        reply.decode(reader);
        EXPECT_TRUE(reader.done());
        EXPECT_EQ(reply.secrets.size() % 32, 0u);
        std::vector<wire::LaneKey> keys(reply.secrets.size() / 32);
        for (size_t i = 0; i < keys.size(); ++i)
            memcpy(keys[i].secret.data(), reply.secrets.data() + 32 * i, 32);
        return keys;
    }
    // A lane that the worker has admitted; null: it has not.
    std::unique_ptr<link::Link> lane(const wire::LaneKey& key) {
        auto made = hall_.connect(key);
        wire::ReplyHead head{};
        if (!receive_all(*made, &head, sizeof head)) return nullptr;
        EXPECT_EQ(head.id, msg::kId_LaneReady);
        EXPECT_EQ(head.bytes, 0u);
        return made;
    }
    static Bytes piece(uint64_t copy, uint64_t offset, size_t bytes, uint16_t id = msg::kId_LaneData) {
        const wire::RequestHead head{static_cast<uint32_t>(16 + bytes), id, 0, 0, 0};
        Bytes made(sizeof head + 16 + bytes, 0x3c);
        memcpy(made.data(), &head, sizeof head);
        memcpy(made.data() + 16, &copy, 8);
        memcpy(made.data() + 24, &offset, 8);
        return made;
    }
    // The worker ends the session by itself.
    std::string ended() { return client_.server().wait_for_end(); }

    LaneHall hall_;
    RawClient client_{soft_driver(), hall_.door()};
};

TEST_F(HostileLaneClient, ADecentOneIsServed) {
    const auto keys = ask(2);
    ASSERT_EQ(keys.size(), 2u);
    auto first = lane(keys[0]);
    auto second = lane(keys[1]);
    ASSERT_TRUE(first && second);
    // The pieces may come before their message, and in any order.
    ASSERT_TRUE(send_all(*second, piece(1, 30000, 35536)));
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 65536, 0, 1}));
    ASSERT_TRUE(send_all(*first, piece(1, 0, 30000)));
    Bytes data;
    EXPECT_EQ(client_.ask(msg::CopyOut{client_.memory, 65536, 0, 1}, &data), CUDA_SUCCESS);
    EXPECT_EQ(data, Bytes(65536, 0x3c));
}

TEST_F(HostileLaneClient, ASecretAdmitsOnceAndAnotherNever) {
    const auto keys = ask(1);
    ASSERT_EQ(keys.size(), 1u);
    for (size_t bit = 0; bit < 256; bit += 51) {
        wire::LaneKey wrong = keys[0];
        wrong.secret[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
        EXPECT_EQ(lane(wrong), nullptr) << bit;
    }
    EXPECT_EQ(lane(wire::LaneKey{}), nullptr);
    const auto admitted = lane(keys[0]);
    EXPECT_NE(admitted, nullptr);
}

TEST_F(HostileLaneClient, TheNumberOfLanesIsBounded) {
    EXPECT_EQ(ask(UINT32_MAX).size(), worker::Lanes::kMost);
    EXPECT_EQ(ask(4).size(), 0u) << "once a session";
    EXPECT_EQ(ask(0).size(), 0u);
    EXPECT_EQ(client_.ask(msg::ContextSynchronize{RawClient::kContext}), CUDA_SUCCESS);
}

TEST_F(HostileLaneClient, CopiesNeedALane) {
    client_.send(msg::CopyInLanes{client_.memory, 4096, 0, 1});
    EXPECT_EQ(ended(), "malformed message CopyInLanes");
}

TEST_F(HostileLaneClient, CopiesOutNeedALane) {
    ASSERT_EQ(ask(1).size(), 1u);  // asked for, not opened
    client_.send(msg::CopyOutLanesLater{client_.memory, 4096, 0, 1});
    EXPECT_EQ(ended(), "malformed message CopyOutLanesLater");
}

TEST_F(HostileLaneClient, PiecesOnTheSessionsOwnConnectionAreRefused) {
    client_.send(msg::LaneData{1, 0, {}}, Bytes(100));
    EXPECT_EQ(ended(), "malformed message LaneData");
}

TEST_F(HostileLaneClient, PiecesBesideTheirCopyEndTheSession) {
    const struct {
        uint64_t copy, offset;
        size_t bytes;
    } wrong[] = {{1, 0, 4097}, {1, 4096, 1}, {1, 1, 4096}, {1, UINT64_MAX, 1}, {1, UINT64_MAX - 63, 64},
                 {0, 0, 16}};
    for (const auto& [copy, offset, bytes] : wrong) {
        LaneHall hall;
        RawClient client{soft_driver(), hall.door()};
        ASSERT_TRUE(client.open());
        Bytes body;
        ASSERT_EQ(client.ask(msg::LanesOpen{1}, &body), CUDA_SUCCESS);
        wire::LaneKey key;
        memcpy(key.secret.data(), body.data() + 12, 32);
        auto made = hall.connect(key);
        wire::ReplyHead ready{};
        ASSERT_TRUE(receive_all(*made, &ready, sizeof ready));
        ASSERT_TRUE(client.send(msg::CopyInLanes{client.memory, 4096, 0, 1}));
        ASSERT_TRUE(send_all(*made, piece(copy, offset, bytes)));
        EXPECT_EQ(client.server().wait_for_end(), "malformed message LaneData") << copy << " " << offset;
    }
}

TEST_F(HostileLaneClient, MoreThanWasAnnouncedEndsTheSession) {
    auto made = lane(ask(1)[0]);
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 4096, 0, 1}));
    ASSERT_TRUE(send_all(*made, piece(1, 0, 4096)));
    ASSERT_EQ(client_.ask(msg::ContextSynchronize{RawClient::kContext}), CUDA_SUCCESS);
    ASSERT_TRUE(send_all(*made, piece(1, 0, 4096)));
    // A piece has no place to go before another copy begins.
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 4096, 0, 2}));
    EXPECT_EQ(ended(), "malformed message LaneData");
}

TEST_F(HostileLaneClient, NumbersOfCopiesGrow) {
    auto made = lane(ask(1)[0]);
    ASSERT_TRUE(send_all(*made, piece(7, 0, 64)));
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 64, 0, 7}));
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 64, 0, 7}));
    EXPECT_EQ(ended(), "malformed message CopyInLanes");
}

TEST_F(HostileLaneClient, SomethingElseThanAPieceEndsTheLaneAndWithItTheSession) {
    const Bytes others[] = {piece(1, 0, 64, msg::kId_CopyIn), piece(1, 0, worker::Lanes::kMostPiece + 1),
                            piece(1, 0, 0), Bytes(32, 0xff)};
    for (const Bytes& other : others) {
        LaneHall hall;
        RawClient client{soft_driver(), hall.door()};
        ASSERT_TRUE(client.open());
        Bytes body;
        ASSERT_EQ(client.ask(msg::LanesOpen{1}, &body), CUDA_SUCCESS);
        wire::LaneKey key;
        memcpy(key.secret.data(), body.data() + 12, 32);
        auto made = hall.connect(key);
        wire::ReplyHead ready{};
        ASSERT_TRUE(receive_all(*made, &ready, sizeof ready));
        send_all(*made, other);
        EXPECT_NE(client.server().wait_for_end().find("a lane of the client is gone"), std::string::npos);
    }
}

TEST_F(HostileLaneClient, LessThanWasAnnouncedThenGoneEndsTheSession) {
    auto made = lane(ask(1)[0]);
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 65536, 0, 1}));
    const Bytes cut = piece(1, 0, 65536);
    ASSERT_TRUE(send_all(*made, std::span(cut).first(1000)));
    made.reset();
    EXPECT_NE(ended().find("a lane of the client is gone"), std::string::npos);
}

// The session's own connection ends while a copy waits for data that will not come.
TEST_F(HostileLaneClient, TheEndIsNoticedWhileACopyWaits) {
    auto made = lane(ask(1)[0]);
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 65536, 0, 1}));
    ASSERT_TRUE(client_.send(msg::ContextSynchronize{RawClient::kContext}));
    EXPECT_EQ(client_.end(), "the client has gone");
}

// Addresses that are not the session's: the data are read, so that the lane stays in step, and go nowhere.
TEST_F(HostileLaneClient, CopiesBesideTheSessionsMemoryAreRefusedAndTheLaneGoesOn) {
    auto made = lane(ask(1)[0]);
    uint64_t number = 0;
    for (const uint64_t address : {uint64_t{0}, client_.memory - 1, client_.memory + RawClient::kBytes - 4095,
                                   reinterpret_cast<uint64_t>(this), UINT64_MAX}) {
        ASSERT_TRUE(client_.send(msg::CopyInLanes{address, 4096, 0, ++number}));
        ASSERT_TRUE(send_all(*made, piece(number, 0, 4096)));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        Bytes body;
        ASSERT_EQ(client_.ask(msg::CopyOutLanes{address, 4096, 0, 99}, &body), CUDA_SUCCESS);
        msg::CopyOutLanes::Reply reply;
        wire::Reader reader(body);
        reply.decode(reader);
        EXPECT_EQ(reply.byte_count, 0u);
        EXPECT_EQ(reply.status, CUDA_ERROR_INVALID_VALUE);
    }
    ASSERT_TRUE(client_.send(msg::CopyInLanes{client_.memory, 4096, 0, ++number}));
    ASSERT_TRUE(send_all(*made, piece(number, 0, 4096)));
    Bytes data;
    EXPECT_EQ(client_.ask(msg::CopyOut{client_.memory, 4096, 0, 1}, &data), CUDA_SUCCESS);
    EXPECT_EQ(data, Bytes(4096, 0x3c));
}

// A client that reads nothing: the worker holds a bounded number of buffers, and ends with the client.
TEST_F(HostileLaneClient, ALaneThatIsNotReadHoldsTheWorkerUpAndNothingMore) {
    auto made = lane(ask(1)[0]);
    Bytes reply;
    const uint64_t wanted = 128 * kMiB;
    ASSERT_TRUE(client_.send(msg::kId_cuMemAlloc_v2, words(wanted)));
    ASSERT_EQ(client_.result(&reply), CUDA_SUCCESS);
    uint64_t large = 0;
    memcpy(&large, reply.data(), 8);
    ASSERT_TRUE(client_.send(msg::CopyOutLanesLater{large, wanted, 0, 1}));
    wire::ReplyHead head{};
    ASSERT_TRUE(receive_all(*made, &head, sizeof head));  // the first piece is there: the copy is under way
    EXPECT_EQ(head.id, msg::kId_CopyOutData);
    EXPECT_EQ(client_.end(), "the client has gone");
}

class HostileLaneServer : public testing::Test {
  protected:
    void SetUp() override {
        quiet();
        client::trust_addresses();
    }
    void TearDown() override {
        if (client::session() != nullptr && memory_ != 0) client::cuMemFree_v2(memory_);
        client::use_link(nullptr);
        server_.reset();
    }
    // `count` lanes are promised; `serve` overrides what the server does with other messages.
    void open(size_t secrets, RawServer::Serve serve) {
        client::use_link(nullptr);
        server_.reset();
        ends_.clear();
        auto ends = socket_links();  // a session in shared memory needs no lanes
        server_ = std::make_unique<RawServer>(
            std::move(ends.second), [secrets, serve = std::move(serve)](
                                        RawServer& server, const wire::RequestHead& head, const Bytes& body) {
                if (head.id != msg::kId_LanesOpen) return serve(server, head, body);
                const Bytes told(secrets, 0x11);
                server.send(head.id, head.call, CUDA_SUCCESS, body_of(msg::LanesOpen::Reply{0, told}));
            });
        client::use_link(std::move(ends.first), 2, [this](const wire::LaneKey&) { return open_lane(); });
        CU_OK(client::cuInit(0));
        CU_OK(client::cuDevicePrimaryCtxRetain(&context_, 0));
        CU_OK(client::cuCtxSetCurrent(context_));
        CU_OK(client::cuMemAlloc_v2(&memory_, 16 * kMiB));
    }
    Result<std::unique_ptr<link::Link>> open_lane() {
        auto ends = socket_links();
        if (greeting_.empty()) ends.second->shut();
        send_all(*ends.second, greeting_);
        const std::lock_guard<std::mutex> lock(lock_);
        ends_.push_back(std::move(ends.second));
        return std::move(ends.first);
    }
    // Over the first lane.
    void say(const Bytes& bytes) {
        const std::lock_guard<std::mutex> lock(lock_);
        send_all(*ends_.front(), bytes);
    }
    void cut() {
        const std::lock_guard<std::mutex> lock(lock_);
        for (auto& end : ends_) end->shut();
    }
    static Bytes head_of(uint16_t id, uint32_t bytes, uint32_t call = 0) {
        const wire::ReplyHead head{bytes, id, 0, 0, call};
        Bytes made(sizeof head);
        memcpy(made.data(), &head, sizeof head);
        return made;
    }
    static Bytes data(uint64_t ticket, uint64_t offset, size_t bytes) {
        Bytes made = head_of(msg::kId_CopyOutData, static_cast<uint32_t>(16 + bytes));
        made.resize(32 + bytes, 0x42);
        memcpy(made.data() + 16, &ticket, 8);
        memcpy(made.data() + 24, &offset, 8);
        return made;
    }
    // The copy ends, with an error.
    void read_fails(const char* what) {
        std::vector<uint8_t> host(4 * kMiB + 4096, 0xaa);
        std::future<CUresult> done = std::async(std::launch::async, [&] {
            client::cuCtxSetCurrent(context_);
            return client::cuMemcpyDtoH_v2(host.data(), memory_, 4 * kMiB);
        });
        if (done.wait_for(kHang) != std::future_status::ready) {
            ADD_FAILURE() << what << " hangs";
            server_->shut();
            cut();
        }
        EXPECT_NE(done.get(), CUDA_SUCCESS) << what;
        EXPECT_EQ(host[4 * kMiB], 0xaa) << what;
        EXPECT_TRUE(client::session()->lost()) << what;
    }

    Bytes greeting_ = head_of(msg::kId_LaneReady, 0);
    std::mutex lock_;
    std::vector<std::unique_ptr<link::Link>> ends_;
    std::unique_ptr<RawServer> server_;
    CUcontext context_ = nullptr;
    CUdeviceptr memory_ = 0;
};

uint64_t ticket_of(const Bytes& body) {
    uint64_t ticket = 0;
    memcpy(&ticket, body.data() + 24, 8);
    return ticket;
}

TEST_F(HostileLaneServer, DataThatNobodyAskedForEndTheSession) {
    constexpr size_t kAll = 4 * kMiB;
    const struct {
        const char* what;
        uint64_t ticket, offset;
        size_t bytes;
    } wrong[] = {{"another ticket", 1, 0, 64},
                 {"behind the end", 0, kAll, 1},
                 {"over the end", 0, kAll - 1, 2},
                 {"far away", 0, UINT64_MAX - 63, 64},
                 {"a ticket of a graph", 1ull << 63, 0, 64}};
    for (const auto& [what, ticket, offset, bytes] : wrong) {
        open(64, [=, this, t = ticket, o = offset, b = bytes](
                     RawServer& server, const wire::RequestHead& head, const Bytes& body) {
            if (head.id != msg::kId_CopyOutLanes) return be_decent(server, head, body);
            say(data(ticket_of(body) + t, o, b));
        });
        read_fails(what);
    }
}

// Its bytes would be all there while another lane still writes some of them.
TEST_F(HostileLaneServer, APieceThatComesTwiceEndsTheSession) {
    open(64, [this](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        if (head.id != msg::kId_CopyOutLanes) return be_decent(server, head, body);
        for (int i = 0; i < 2; ++i) say(data(ticket_of(body), 0, 3 * kMiB));
    });
    read_fails("a piece twice");
}

TEST_F(HostileLaneServer, SomethingElseThanDataEndsTheSession) {
    for (const Bytes& other :
         {head_of(msg::kId_EventReached, 64), head_of(msg::kId_CopyOutData, 16),
          head_of(msg::kId_CopyOutData, 64, 5), head_of(msg::kId_CopyOutData, UINT32_MAX)}) {
        open(64, [&](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
            if (head.id != msg::kId_CopyOutLanes) return be_decent(server, head, body);
            Bytes bytes = other;
            bytes.resize(200, 0);
            say(bytes);
        });
        read_fails("something else");
    }
}

TEST_F(HostileLaneServer, ALaneThatEndsInTheMiddleOfAPieceEndsTheCall) {
    open(64, [this](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        if (head.id != msg::kId_CopyOutLanes) return be_decent(server, head, body);
        Bytes cut_short = data(ticket_of(body), 0, 2 * kMiB);
        cut_short.resize(70000);
        say(cut_short);
        cut();
    });
    read_fails("half a piece");
}

// The answer counts bytes that never come, and then the server goes.
TEST_F(HostileLaneServer, AnAnswerThatCountsTooMuchEndsWithTheServer) {
    open(64, [](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        if (head.id != msg::kId_CopyOutLanes) return be_decent(server, head, body);
        server.send(head.id, head.call, CUDA_SUCCESS, body_of(msg::CopyOutLanes::Reply{UINT64_MAX, 0}));
        server.shut();
    });
    read_fails("a count that does not come");
}

TEST_F(HostileLaneServer, AGreetingThatIsNoneIsDoneWithout) {
    for (const Bytes& greeting :
         {head_of(msg::kId_EventReached, 0), head_of(msg::kId_LaneReady, 5), Bytes()}) {
        greeting_ = greeting;
        open(64, be_decent);
        std::vector<uint8_t> host(4 * kMiB);
        EXPECT_EQ(client::cuMemcpyDtoH_v2(host.data(), memory_, host.size()), CUDA_SUCCESS);
        EXPECT_EQ(host.back(), 0x77) << "over the session's own connection";
    }
}

// More secrets than were asked for, or a part of one.
TEST_F(HostileLaneServer, SecretsAreCounted) {
    for (const size_t bytes : {size_t{0}, size_t{31}, size_t{33}, size_t{32 * 1000}}) {
        open(bytes, be_decent);
        EXPECT_EQ(client::session()->lanes().carry(4 * kMiB), bytes >= 32);
        const std::lock_guard<std::mutex> lock(lock_);
        EXPECT_EQ(ends_.size(), std::min<size_t>(bytes / 32, 2));
    }
}

}  // namespace
}  // namespace bitfusion::session_test
