// A server that means harm, or is broken: the client's calls come back with errors, nothing hangs, nothing
// crashes, and no byte is written where the program did not ask for one.
#include <cstring>
#include <random>
#include <vector>

#include "session/raw_server.h"
#include "wire/facts.h"
#include "wire/names.h"

namespace bitfusion::session_test {
namespace {

using wire::Kind;
using wire::make_name;

class HostileServer : public RawServerTest {};

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
