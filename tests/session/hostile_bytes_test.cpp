// Bytes that no client sends, at every message of the protocol: empty, short, too long, random, and made of
// words that mean something. The worker answers an error or ends the session; it never crashes, and what it
// charged comes back. Everything is drawn from fixed seeds, so a failure comes again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "session/raw_peer.h"
#include "wire/names.h"
#include "worker/dispatch.h"

namespace bitfusion::session_test {
namespace {

using wire::Kind;
using wire::make_name;

std::vector<uint16_t> served_messages() {
    std::vector<uint16_t> ids;
    for (uint16_t id = 0; id <= msg::kMostId; ++id) {
        if (worker::handler_of(id) != nullptr) ids.push_back(id);
    }
    return ids;
}

TEST(HostileBytes, ThereAreMessagesToTry) { EXPECT_GT(served_messages().size(), 100u); }

TEST(HostileBytes, NoiseEndsTheSession) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 100; ++i) {
        RawClient client;
        if (i % 2 == 0) {
            ASSERT_TRUE(client.open());
        }
        client.send_bytes(random_bytes(random, 1 + random() % 5000));
        client.end();
    }
}

TEST(HostileBytes, AnUnknownNumberEndsTheSession) {
    for (const uint16_t id : {uint16_t{0}, static_cast<uint16_t>(msg::kMostId + 1), uint16_t{UINT16_MAX},
                              uint16_t{msg::kId_EventReached}, uint16_t{msg::kId_CopyOutData}}) {
        RawClient client;
        ASSERT_TRUE(client.open());
        client.send(id, {});
        EXPECT_FALSE(client.receive().has_value()) << id;
    }
}

TEST(HostileBytes, ABodyOfFourGigabytesEndsTheSession) {
    for (const uint16_t id : served_messages()) {
        RawClient client;
        client.send(id, Bytes(64), UINT32_MAX);
        EXPECT_FALSE(client.receive().has_value()) << msg::name_of(id);
        EXPECT_EQ(client.end(), std::string("malformed message ") + msg::name_of(id));
    }
}

TEST(HostileBytes, ABodyThatNeverComesEndsWithTheConnection) {
    for (const uint16_t id : served_messages()) {
        for (const uint32_t claimed : {uint32_t{100000}, uint32_t{4} << 20, wire::kMostBody}) {
            RawClient client;
            ASSERT_TRUE(client.open());
            client.send(id, Bytes(64), claimed);
            client.end();
        }
    }
}

TEST(HostileBytes, AttachComesFirstOrNothingIsThere) {
    RawClient client;
    EXPECT_EQ(client.ask(msg::PrimaryRetain{0, RawClient::kContext}), CUDA_ERROR_INVALID_DEVICE);
    EXPECT_EQ(client.ask(msg::ContextCreate{0, 0, make_name(Kind::kContext, false, 2)}),
              CUDA_ERROR_INVALID_DEVICE);
}

class EachMessage : public testing::TestWithParam<int> {};

TEST_P(EachMessage, WithABodyOfAnotherShape) {
    std::mt19937_64 random(static_cast<uint64_t>(GetParam()));
    for (const uint16_t id : served_messages()) {
        const size_t size = GetParam() == 0   ? 0
                            : GetParam() == 1 ? 1
                            : GetParam() == 2 ? 1 + random() % 100
                            : GetParam() == 3 ? 4096
                                              : 300000;
        RawClient client;
        ASSERT_TRUE(client.open());
        client.send(id, GetParam() == 3 ? Bytes(size, 0xff) : random_bytes(random, size));
        client.send(msg::ContextSynchronize{RawClient::kContext});
        client.end();
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EachMessage, testing::Range(0, 5));

// Bodies of the right length are the ones that get past the decoder. Lengths are tried in turn; what stands
// in them is drawn from words with a meaning: live names, dead names, addresses, small numbers, huge ones.
class Words {
  public:
    Words(uint64_t seed, uint64_t memory) : random(seed), memory_(memory) {}

    Bytes body(size_t size) {
        Bytes bytes(size);
        for (size_t at = 0; at < size;) {
            const uint64_t word = pick();
            const size_t width = std::min<size_t>(random() % 3 == 0 ? 4 : 8, size - at);
            memcpy(bytes.data() + at, &word, width);
            at += width;
        }
        return bytes;
    }
    uint64_t pick() {
        const uint64_t words[] = {
            0,
            1,
            2,
            4,
            16,
            64,
            0x20,
            UINT32_MAX,
            UINT64_MAX,
            1ull << 32,
            1ull << 63,
            memory_,
            memory_ + 4096,
            memory_ + RawClient::kBytes,
            RawClient::kContext,
            kStream,
            kEvent,
            make_name(Kind::kStream, false, 4000 + static_cast<uint32_t>(random() % 8)),
            make_name(Kind::kEvent, false, 4000 + static_cast<uint32_t>(random() % 8)),
            make_name(static_cast<Kind>(random() % 15), true, static_cast<uint32_t>(random() % 8)),
            make_name(static_cast<Kind>(random() % 15), false, static_cast<uint32_t>(random() % 8)),
            random() % 256,
            random()};
        return words[random() % std::size(words)];
    }

    static constexpr uint64_t kStream = make_name(Kind::kStream, false, 1);
    static constexpr uint64_t kEvent = make_name(Kind::kEvent, false, 1);
    std::mt19937_64 random;

  private:
    uint64_t memory_;
};

// Messages that may lawfully wait for what the test does not do, or take away what it stands on.
bool ends_the_conversation(uint16_t id) {
    switch (id) {
        case msg::kId_HostFunction:  // waits for the client by definition
        case msg::kId_PrimaryRelease:
        case msg::kId_PrimaryReset:
        case msg::kId_ContextDestroy:
            return true;
        default:
            return false;
    }
}

std::unique_ptr<RawClient> open_with_objects() {
    auto client = std::make_unique<RawClient>();
    if (!client->open()) return nullptr;
    client->send(msg::kId_cuStreamCreateWithPriority, words(1u, 0, Words::kStream));
    client->send(msg::kId_cuEventCreate, words(0u, Words::kEvent));
    return client->deferred() == CUDA_SUCCESS ? std::move(client) : nullptr;
}

class MeaningfulWords : public testing::TestWithParam<int> {};

TEST_P(MeaningfulWords, CrashNothing) {
    const auto part = static_cast<size_t>(GetParam());
    const std::vector<uint16_t> ids = served_messages();
    uint64_t answered = 0;
    for (size_t i = part; i < ids.size(); i += 8) {
        std::unique_ptr<RawClient> client = open_with_objects();
        ASSERT_NE(client, nullptr);
        Words words(ids[i], client->memory);
        for (size_t size = 0; size <= 120; size += 4) {
            for (int attempt = 0; attempt < 3; ++attempt) {
                client->send(ids[i], words.body(size));
                if (!ends_the_conversation(ids[i]) && client->ask(msg::EventSynchronize{make_name(
                                                          Kind::kEvent, false, 99)}) != CUDA_ERROR_UNKNOWN) {
                    ++answered;
                    continue;
                }
                client->end();
                client = open_with_objects();
                ASSERT_NE(client, nullptr) << "after " << msg::name_of(ids[i]) << " of " << size << " bytes";
            }
        }
        client->end();
    }
    EXPECT_GT(answered, 20u) << "nothing gets past the decoder: the words are no test";
}

INSTANTIATE_TEST_SUITE_P(Parts, MeaningfulWords, testing::Range(0, 8));

TEST(HostileBytes, AnImageOfGarbageIsNoImage) {
    std::mt19937_64 random(5);
    for (int i = 0; i < 60; ++i) {
        RawClient client;
        ASSERT_TRUE(client.open());
        // Sizes that promise more than there is, or nothing; data with the marks of real containers.
        std::vector<uint64_t> sizes(1 + random() % 3);
        for (uint64_t& size : sizes) size = random() % 4 == 0 ? random() : random() % 600;
        Bytes image = random_bytes(random, random() % 700);
        const uint32_t marks[] = {0xba55ed50, 0x464c457f, 0x466243b1,
                                  0x7265762e};  // fat binary, ELF, wrapper, ".ver"
        if (image.size() >= 4) memcpy(image.data(), &marks[random() % 4], 4);
        msg::ModuleLoad m;
        m.name = make_name(i % 2 == 0 ? Kind::kModule : Kind::kLibrary, false, 6000);
        m.as_library = i % 2 == 0 ? 0 : 1;
        m.wrapper_version = static_cast<uint32_t>(random() % 4);
        m.sizes = {reinterpret_cast<const uint8_t*>(sizes.data()), sizes.size() * 8};
        client.send(m, image);
        Bytes reply;
        const CUresult result = client.result(&reply);
        if (result == CUDA_SUCCESS) {
            int32_t status = 0;
            ASSERT_GE(reply.size(), sizeof status);
            memcpy(&status, reply.data(), sizeof status);
            EXPECT_NE(status, CUDA_SUCCESS);
        }
    }
}

}  // namespace
}  // namespace bitfusion::session_test
