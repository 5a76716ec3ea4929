#include "wire/hello.h"

#include <gtest/gtest.h>

#include <random>

namespace bitfusion::wire {
namespace {

Hello some_hello() {
    Hello hello;
    hello.capabilities = 0x8000000000000001;
    hello.process = 4711;
    for (size_t i = 0; i < hello.ticket.size(); ++i) hello.ticket[i] = static_cast<uint8_t>(i * 9);
    hello.program = "train";
    return hello;
}

// As a receiver does it: the prefix, then a body of the length that it names.
Result<Hello> receive_hello(const std::vector<uint8_t>& bytes) {
    if (bytes.size() < kPrefixBytes) return fail("short");
    auto prefix = decode_prefix(bytes.data(), kHelloMagic);
    if (!prefix) return tl::unexpected<Error>(prefix.error());
    return decode_hello(*prefix, {bytes.begin() + kPrefixBytes, bytes.end()});
}

TEST(Hello, ComesBackAsItWasSent) {
    const Hello sent = some_hello();
    auto got = receive_hello(encode(sent));
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(got->version, kProtocolVersion);
    EXPECT_EQ(got->capabilities, sent.capabilities);
    EXPECT_EQ(got->process, sent.process);
    EXPECT_EQ(got->ticket, sent.ticket);
    EXPECT_EQ(got->program, sent.program);
}

// The key of a lane stands behind everything else, and only there where the capability says so.
TEST(Hello, ALaneShowsItsKey) {
    Hello hello = some_hello();
    const size_t without = encode(hello).size();
    hello.lane.emplace();
    hello.lane->worker = 255;
    hello.lane->secret.fill(0xa7);
    const std::vector<uint8_t> whole = encode(hello);
    EXPECT_EQ(whole.size(), without + 4 + 32);
    const auto got = receive_hello(whole);
    ASSERT_TRUE(got) << got.error().what;
    ASSERT_TRUE(got->lane);
    EXPECT_EQ(got->lane->worker, 255u);
    EXPECT_EQ(got->lane->secret, hello.lane->secret);
    EXPECT_EQ(got->capabilities, some_hello().capabilities | kCapabilityLane);
    for (size_t length = kPrefixBytes; length < whole.size(); ++length) {
        EXPECT_FALSE(receive_hello({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}));
    }
    hello.lane.reset();
    hello.capabilities |= kCapabilityLane;
    EXPECT_FALSE(receive_hello(encode(hello))->lane) << "a lane without a key cannot be said";
}

TEST(Hello, TheBodyIsAsLongAsThePrefixSays) {
    for (const std::string& program : {std::string(), std::string("x"), std::string(255, 'p')}) {
        Hello hello = some_hello();
        hello.program = program;
        const std::vector<uint8_t> bytes = encode(hello);
        EXPECT_EQ(decode_prefix(bytes.data(), kHelloMagic)->body_bytes, bytes.size() - kPrefixBytes);
    }
}

TEST(Hello, CutAnywhereIsRefused) {
    const std::vector<uint8_t> whole = encode(some_hello());
    for (size_t length = kPrefixBytes; length < whole.size(); ++length) {
        const auto got = receive_hello({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
        ASSERT_FALSE(got) << length;
        EXPECT_NE(got.error().what.find("cut short"), std::string::npos);
    }
}

TEST(Hello, ALongProgramNameIsCut) {
    Hello hello = some_hello();
    hello.program = std::string(1000, 'n');
    auto got = receive_hello(encode(hello));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->program, std::string(255, 'n'));
}

TEST(Hello, AnotherProtocolIsNamedAsSuch) {
    const std::string http = "GET / HTTP/1.1\r\n";
    const auto got = decode_prefix(reinterpret_cast<const uint8_t*>(http.data()), kHelloMagic);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().what.find("55001"), std::string::npos) << "says which port is meant";
    EXPECT_FALSE(decode_prefix(encode(some_hello()).data(), kWelcomeMagic)) << "a hello is no welcome";
}

TEST(Hello, ABodyThatIsTooLongIsRefusedByItsPrefix) {
    std::vector<uint8_t> bytes = encode(some_hello());
    const auto claim = [&](uint32_t length) {
        for (size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<uint8_t>(length >> (8 * i));
        return decode_prefix(bytes.data(), kHelloMagic);
    };
    EXPECT_TRUE(claim(kMostBodyBytes));
    EXPECT_FALSE(claim(kMostBodyBytes + 1));
    EXPECT_FALSE(claim(UINT32_MAX));
}

TEST(Hello, AVersionOfAnotherAgeIsReadable) {
    Hello hello = some_hello();
    hello.version = 77;
    auto got = receive_hello(encode(hello));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->version, 77);
}

TEST(Hello, BytesOfAnyKindDoNotConfuse) {
    std::mt19937_64 random(7);
    const Prefix prefix{kHelloMagic, kProtocolVersion, 0, 0};
    for (int i = 0; i < 5000; ++i) {
        std::vector<uint8_t> body(random() % 400);
        for (uint8_t& byte : body) byte = static_cast<uint8_t>(random());
        const auto hello = decode_hello(prefix, body);
        const size_t key = !body.empty() && (body[0] & kCapabilityLane) != 0 ? 4 + 32 : 0;
        EXPECT_EQ(hello.has_value(), body.size() >= 45 && body.size() >= 45u + body[44] + key) << body.size();
        const auto welcome = decode_welcome(prefix, body);
        if (welcome) {
            EXPECT_LE(welcome->text.size(), body.size());
        }
    }
}

TEST(Welcome, ComesBackAsItWasSent) {
    Welcome sent;
    sent.refusal = Refusal::kTicket;
    sent.capabilities = 6;
    sent.text = "no lease has this ticket; ask for one with 'bitfusion run'";
    const std::vector<uint8_t> bytes = encode(sent);
    auto prefix = decode_prefix(bytes.data(), kWelcomeMagic);
    ASSERT_TRUE(prefix);
    ASSERT_EQ(prefix->body_bytes, bytes.size() - kPrefixBytes);
    auto got = decode_welcome(*prefix, {bytes.begin() + kPrefixBytes, bytes.end()});
    ASSERT_TRUE(got);
    EXPECT_EQ(got->refusal, sent.refusal);
    EXPECT_EQ(got->capabilities, sent.capabilities);
    EXPECT_EQ(got->text, sent.text);
    for (size_t length = kPrefixBytes; length < bytes.size(); ++length) {
        EXPECT_FALSE(decode_welcome(
            *prefix, {bytes.begin() + kPrefixBytes, bytes.begin() + static_cast<std::ptrdiff_t>(length)}));
    }
}

TEST(Welcome, AnyTextFitsTheBody) {
    Welcome sent;
    sent.text = std::string(1 << 20, 't');
    const std::vector<uint8_t> bytes = encode(sent);
    EXPECT_TRUE(decode_prefix(bytes.data(), kWelcomeMagic));
}

TEST(Ticket, AsTextAndBack) {
    const Ticket ticket = some_hello().ticket;
    const std::string text = to_hex(ticket);
    EXPECT_EQ(text.size(), 64u);
    EXPECT_EQ(*ticket_from_hex(text), ticket);
    EXPECT_FALSE(ticket_from_hex(""));
    EXPECT_FALSE(ticket_from_hex(text.substr(1)));
    EXPECT_FALSE(ticket_from_hex(text + "0"));
    EXPECT_FALSE(ticket_from_hex("g" + text.substr(1)));
    EXPECT_FALSE(ticket_from_hex("A" + text.substr(1))) << "one spelling only";
}

}  // namespace
}  // namespace bitfusion::wire
