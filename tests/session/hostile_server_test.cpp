// A server that means harm, or is broken: the client's calls come back with errors, nothing hangs, nothing
// crashes, and no byte is written where the program did not ask for one.
#include <cstring>
#include <random>
#include <vector>

#include "client/memory_map.h"
#include "link/loop.h"
#include "session/raw_peer.h"
#include "session/session_test.h"
#include "wire/facts.h"
#include "wire/names.h"

namespace bitfusion::session_test {
namespace {

using wire::Kind;
using wire::make_name;

// A server on a thread of its own, whose answers the test makes.
class RawServer {
  public:
    using Serve = std::function<void(RawServer&, const wire::RequestHead&, const Bytes&)>;

    RawServer(std::unique_ptr<link::Link> end, Serve serve)
        : link_(std::move(end)), serve_(std::move(serve)) {
        thread_ = std::thread([this] { run(); });
    }
    ~RawServer() {
        link_->shut();
        thread_.join();
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    void send_bytes(std::span<const uint8_t> bytes) {
        const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
        if (!link_->send({&piece, 1})) closed_ = true;
    }
    void send(uint16_t id, uint32_t call, CUresult result, const Bytes& body,
              std::optional<uint32_t> claimed = {}) {
        const wire::ReplyHead head{claimed.value_or(static_cast<uint32_t>(body.size())), id, 0, result, call};
        Bytes bytes(sizeof head + body.size());
        memcpy(bytes.data(), &head, sizeof head);
        if (!body.empty()) memcpy(bytes.data() + sizeof head, body.data(), body.size());
        send_bytes(bytes);
    }
    template <typename Message>
    void announce(const Message& m) {
        send(Message::kId, 0, CUDA_SUCCESS, body_of(m));
    }
    void answer_attach(uint32_t call) {
        wire::DeviceFacts device;
        device.name = "a device";
        device.total_bytes = 1u << 30;
        device.attributes.assign(CU_DEVICE_ATTRIBUTE_MAX, {CUDA_SUCCESS, 1024});
        const Bytes devices = wire::encode(std::vector{device});
        const std::vector<wire::AttributeFact> peers(5);
        msg::Attach::Reply reply;
        reply.driver_version = CUDA_VERSION;
        reply.devices = devices;
        reply.peers = {reinterpret_cast<const uint8_t*>(peers.data()), peers.size() * sizeof peers[0]};
        send(msg::kId_Attach, call, CUDA_SUCCESS, body_of(reply));
    }
    void shut() { link_->shut(); }

  private:
    bool receive_exactly(void* target, size_t bytes) {
        for (size_t at = 0; at < bytes;) {
            auto got = link_->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
            if (!got || got->closed) return false;
            at += got->bytes;
        }
        return true;
    }
    void run() {
        wire::RequestHead head{};
        while (!closed_ && receive_exactly(&head, sizeof head)) {
            Bytes body(head.bytes);
            if (!receive_exactly(body.data(), body.size())) return;
            serve_(*this, head, body);
        }
    }

    std::unique_ptr<link::Link> link_;
    Serve serve_;
    bool closed_ = false;
    std::thread thread_;
};

// Answers like a server that has one device, one context and memory at kAddress; what the test overrides
// comes first.
constexpr uint64_t kAddress = 0x2b0000000000;

void be_decent(RawServer& server, const wire::RequestHead& head, const Bytes& body) {
    switch (head.id) {
        case msg::kId_Attach:
            return server.answer_attach(head.call);
        case msg::kId_PrimaryRetain:
            return server.send(head.id, head.call, CUDA_SUCCESS, words(0u));
        case msg::kId_cuMemAlloc_v2:
            return server.send(head.id, head.call, CUDA_SUCCESS, words(kAddress));
        case msg::kId_ModuleLoad:
            return server.send(head.id, head.call, CUDA_SUCCESS, body_of(msg::ModuleLoad::Reply{}));
        case msg::kId_CopyOut: {
            uint64_t bytes = 0;
            memcpy(&bytes, body.data() + 8, sizeof bytes);
            return server.send(head.id, head.call, CUDA_SUCCESS, Bytes(bytes, 0x77));
        }
        case msg::kId_StreamSynchronize:
        case msg::kId_ContextSynchronize:
        case msg::kId_EventSynchronize:
            return server.send(head.id, head.call, CUDA_SUCCESS, {});
        default:
            return;
    }
}

class HostileServer : public testing::Test {
  protected:
    void SetUp() override {
        quiet();
        client::trust_addresses();
    }
    void TearDown() override { disconnect(); }
    void disconnect() {
        if (client::session() != nullptr) {
            if (memory_ != 0) client::cuMemFree_v2(memory_);
            if (module_ != nullptr) client::cuModuleUnload(module_);
        }
        memory_ = 0;
        module_ = nullptr;
        client::use_link(nullptr);
        server_.reset();
    }
    void connect(RawServer::Serve serve) {
        disconnect();
        auto ends = link::loop_pair();
        ASSERT_TRUE(ends);
        server_ = std::make_unique<RawServer>(std::move(ends->second), std::move(serve));
        client::use_link(std::move(ends->first));
    }
    // Overrides one message; the session is open and has memory.
    void open_with(uint16_t id, RawServer::Serve serve) {
        connect([id, serve = std::move(serve)](RawServer& server, const wire::RequestHead& head,
                                               const Bytes& body) {
            head.id == id ? serve(server, head, body) : be_decent(server, head, body);
        });
        open();
    }
    void open() {
        CU_OK(client::cuInit(0));
        CU_OK(client::cuDevicePrimaryCtxRetain(&context_, 0));
        CU_OK(client::cuCtxSetCurrent(context_));
        CU_OK(client::cuMemAlloc_v2(&memory_, 65536));
        CU_OK(client::cuModuleLoadData(&module_, ".version 6.4\n.target sm_52\n.address_size 64\n"));
    }
    // The call ends, with an error.
    void fails(const char* what, const std::function<CUresult()>& call) {
        std::future<CUresult> done = std::async(std::launch::async, [&] {
            client::cuCtxSetCurrent(context_);
            return call();
        });
        if (done.wait_for(kHang) != std::future_status::ready) {
            ADD_FAILURE() << what << " hangs";
            server_->shut();
        }
        EXPECT_NE(done.get(), CUDA_SUCCESS) << what;
    }
    CUresult read(void* target, size_t bytes) { return client::cuMemcpyDtoH_v2(target, memory_, bytes); }

    std::unique_ptr<RawServer> server_;
    CUcontext context_ = nullptr;
    CUmodule module_ = nullptr;
    CUdeviceptr memory_ = 0;
};

TEST_F(HostileServer, ADecentOneIsServed) {
    connect(be_decent);
    open();
    uint32_t word = 0;
    CU_OK(read(&word, sizeof word));
    EXPECT_EQ(word, 0x77777777u);
}

TEST_F(HostileServer, NoiseInsteadOfTheFirstAnswer) {
    std::mt19937_64 random(11);
    for (int i = 0; i < 100; ++i) {
        const size_t size = 1 + random() % 400;
        connect([&, size](RawServer& server, const wire::RequestHead&, const Bytes&) {
            server.send_bytes(random_bytes(random, size));
            server.shut();
        });
        fails("cuInit", [] { return client::cuInit(0); });
    }
}

TEST_F(HostileServer, NoiseInsteadOfALaterAnswer) {
    std::mt19937_64 random(12);
    for (int i = 0; i < 100; ++i) {
        const size_t size = 1 + random() % 400;
        open_with(msg::kId_CopyOut, [&, size](RawServer& server, const wire::RequestHead&, const Bytes&) {
            server.send_bytes(random_bytes(random, size));
            server.shut();
        });
        uint8_t target[16] = {};
        fails("a read", [&] { return read(target, sizeof target); });
        fails("the next call", [&] { return client::cuCtxSynchronize(); });
    }
}

TEST_F(HostileServer, RandomBodiesOfTheFirstAnswer) {
    std::mt19937_64 random(13);
    for (int i = 0; i < 200; ++i) {
        Bytes body = random_bytes(random, random() % 600);
        // Sizes that are almost right: the fields before them stay small.
        if (i % 2 == 0 && body.size() > 12) {
            const uint64_t small = random() % 700;
            memcpy(body.data() + 4, &small, sizeof small);
        }
        connect([body](RawServer& server, const wire::RequestHead& head, const Bytes&) {
            server.send(head.id, head.call, CUDA_SUCCESS, body);
        });
        fails("cuInit", [] { return client::cuInit(0); });
    }
}

TEST_F(HostileServer, AnAnswerOfAnotherSizeWritesNothing) {
    for (const int difference : {-4, -1, 1, 4, 100000}) {
        std::vector<uint8_t> target(64 + 200000, 0xaa);
        open_with(msg::kId_CopyOut, [=](RawServer& server, const wire::RequestHead& head, const Bytes&) {
            server.send(head.id, head.call, CUDA_SUCCESS, Bytes(static_cast<size_t>(64 + difference), 0x11));
        });
        fails("a read", [&] { return read(target.data(), 64); });
        EXPECT_EQ(target, std::vector<uint8_t>(target.size(), 0xaa)) << difference;
        EXPECT_TRUE(client::session()->lost());
    }
}

TEST_F(HostileServer, AnAnswerToNobodyEndsTheSession) {
    open_with(msg::kId_CopyOut, [](RawServer& server, const wire::RequestHead& head, const Bytes&) {
        server.send(head.id, head.call + 1000, CUDA_SUCCESS, Bytes(4));
    });
    uint32_t word = 0;
    fails("a read", [&] { return read(&word, sizeof word); });
}

TEST_F(HostileServer, AnAnswerTwiceEndsTheSession) {
    open_with(msg::kId_CopyOut, [](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        be_decent(server, head, body);
        be_decent(server, head, body);
    });
    uint32_t word = 0;
    read(&word, sizeof word);
    fails("the next read", [&] { return read(&word, sizeof word); });
    EXPECT_TRUE(client::session()->lost());
}

TEST_F(HostileServer, AnAnswerThatIsTooLongEndsTheSession) {
    open_with(msg::kId_CopyOut, [](RawServer& server, const wire::RequestHead& head, const Bytes&) {
        server.send(head.id, head.call, CUDA_SUCCESS, Bytes(64), UINT32_MAX);
    });
    uint32_t word = 0;
    fails("a read", [&] { return read(&word, sizeof word); });
}

TEST_F(HostileServer, AnErrorOfAnyNumberIsHandedOn) {
    for (const int code : {1, 999, -1, INT32_MAX, INT32_MIN}) {
        open_with(msg::kId_CopyOut, [code](RawServer& server, const wire::RequestHead& head, const Bytes&) {
            server.send(head.id, head.call, static_cast<CUresult>(code), {});
        });
        uint32_t word = 0;
        fails("a read", [&] { return read(&word, sizeof word); });
    }
}

TEST_F(HostileServer, AnAddressThatIsAlreadyInUseCausesNoHarm) {
    open_with(msg::kId_PrimaryRelease, be_decent);
    CUdeviceptr again = 0;
    // Every allocation gets the same address: the program sees whatever it sees, and nothing breaks.
    client::cuMemAlloc_v2(&again, UINT32_MAX);
    uint32_t word = 0;
    CU_OK(read(&word, sizeof word));
    client::cuMemFree_v2(again);
}

TEST_F(HostileServer, DataThatNobodyAskedForEndTheSession) {
    for (const uint64_t ticket : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
        open_with(msg::kId_CopyOut, [ticket](RawServer& server, const wire::RequestHead&, const Bytes&) {
            Bytes body(16 + 64);
            memcpy(body.data(), &ticket, 8);
            server.send(msg::kId_CopyOutData, 0, CUDA_SUCCESS, body);
        });
        uint32_t word = 0;
        fails("a read", [&] { return read(&word, sizeof word); });
    }
}

TEST_F(HostileServer, DataBesideTheirTargetAreRefused) {
    const struct {
        uint64_t offset;
        size_t bytes;
    } wrong[] = {{0, 4097}, {4096, 1}, {1, 4096}, {UINT64_MAX, 1}, {UINT64_MAX - 63, 64}, {1ull << 63, 16}};
    for (const auto& [offset, bytes] : wrong) {
        std::vector<uint8_t> pinned(8192, 0xaa);
        open_with(msg::kId_CopyOutLater, [=](RawServer& server, const wire::RequestHead&, const Bytes& body) {
            Bytes answer(16 + bytes, 0x11);
            memcpy(answer.data(), body.data() + 24, 8);  // the ticket that it was given
            memcpy(answer.data() + 8, &offset, 8);
            server.send(msg::kId_CopyOutData, 0, CUDA_SUCCESS, answer);
        });
        CU_OK(client::cuMemHostRegister_v2(pinned.data(), pinned.size(), 0));
        client::cuMemcpyDtoHAsync_v2(pinned.data(), memory_, 4096, nullptr);
        fails("a synchronisation", [&] { return client::cuCtxSynchronize(); });
        EXPECT_TRUE(client::session()->lost()) << offset;
        EXPECT_EQ(pinned[4096], 0xaa);
        client::cuMemHostUnregister(pinned.data());
    }
}

TEST_F(HostileServer, EventsThatAreCutShortOrUnknown) {
    for (uint16_t id = 0; id <= msg::kMostId + 3; ++id) {
        for (const size_t size : {size_t{0}, size_t{3}, size_t{15}, size_t{16}, size_t{200}}) {
            open_with(msg::kId_CopyOut,
                      [=](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
                          server.send(id, 0, CUDA_SUCCESS, Bytes(size, 0xff));
                          be_decent(server, head, body);
                      });
            uint32_t word = 0;
            // An event that means nothing may be passed over; the call then has its answer.
            const CUresult result = read(&word, sizeof word);
            EXPECT_TRUE(result != CUDA_SUCCESS || word == 0x77777777u) << msg::name_of(id) << " of " << size;
        }
    }
}

TEST_F(HostileServer, HostFunctionsThatWereNotAskedForDoNotRun) {
    open_with(msg::kId_CopyOut, [](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
        for (const uint64_t ticket : {uint64_t{0}, uint64_t{1}, UINT64_MAX})
            server.announce(msg::HostFunctionDue{ticket, 0});
        be_decent(server, head, body);
    });
    uint32_t word = 0;
    CU_OK(read(&word, sizeof word));
}

// Kernel layouts come from the server; the client would pack the program's arguments by them, and overrun its
// own message.
TEST_F(HostileServer, LayoutsThatLieAreRefused) {
    using P = wire::FunctionFacts::Parameter;
    const std::vector<P> layouts[] = {
        {{8, 8}, {0, 8}},                    // not in order
        {{0, 8}, {4, 8}},                    // overlapping
        {{0, UINT32_MAX}},                   // larger than any block
        {{UINT32_MAX, 1}},                   //
        {{UINT32_MAX, UINT32_MAX}, {0, 4}},  //
        {{16, 8}, {0, 4}, {4, 4}},           //
    };
    uint32_t counter = 5000;
    for (const auto& layout : layouts) {
        wire::FunctionFacts facts;
        facts.name = make_name(Kind::kFunction, true, ++counter);
        facts.symbol = "f";
        facts.parameters = layout;
        facts.attributes.assign(CU_FUNC_ATTRIBUTE_MAX, {CUDA_SUCCESS, 1024});
        const Bytes encoded = wire::encode(std::vector{facts});
        open_with(msg::kId_FunctionGet, [&](RawServer& server, const wire::RequestHead& head, const Bytes&) {
            server.send(head.id, head.call, CUDA_SUCCESS, body_of(msg::FunctionGet::Reply{encoded}));
        });
        CUfunction function = nullptr;
        fails("cuModuleGetFunction", [&] { return client::cuModuleGetFunction(&function, module_, "f"); });
    }
}

}  // namespace
}  // namespace bitfusion::session_test
