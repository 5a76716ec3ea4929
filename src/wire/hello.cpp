#include "wire/hello.h"

#include <cstring>

namespace bitfusion::wire {
namespace {

constexpr size_t kMostProgramBytes = 255;

template <typename T>
void put(std::vector<uint8_t>* out, T value) {
    for (size_t i = 0; i < sizeof value; ++i) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

template <typename T>
bool take(const std::vector<uint8_t>& body, size_t* at, T* value) {
    if (body.size() - *at < sizeof *value) return false;
    memcpy(value, body.data() + *at, sizeof *value);
    *at += sizeof *value;
    return true;
}

std::vector<uint8_t> with_prefix(uint32_t magic, uint16_t version, uint16_t status,
                                 const std::vector<uint8_t>& body) {
    std::vector<uint8_t> out;
    out.reserve(kPrefixBytes + body.size());
    put(&out, magic);
    put(&out, version);
    put(&out, status);
    put(&out, static_cast<uint32_t>(body.size()));
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

std::vector<uint8_t> encode(const Hello& hello) {
    std::vector<uint8_t> body;
    const std::string program = hello.program.substr(0, kMostProgramBytes);
    put(&body, hello.lane ? hello.capabilities | kCapabilityLane : hello.capabilities & ~kCapabilityLane);
    put(&body, hello.process);
    body.insert(body.end(), hello.ticket.begin(), hello.ticket.end());
    put(&body, static_cast<uint8_t>(program.size()));
    body.insert(body.end(), program.begin(), program.end());
    if (hello.lane) {
        put(&body, hello.lane->worker);
        body.insert(body.end(), hello.lane->secret.begin(), hello.lane->secret.end());
    }
    return with_prefix(kHelloMagic, hello.version, 0, body);
}

std::vector<uint8_t> encode(const Welcome& welcome) {
    std::vector<uint8_t> body;
    const std::string text = welcome.text.substr(0, kMostBodyBytes / 2);
    put(&body, welcome.capabilities);
    put(&body, static_cast<uint16_t>(text.size()));
    body.insert(body.end(), text.begin(), text.end());
    return with_prefix(kWelcomeMagic, welcome.version, static_cast<uint16_t>(welcome.refusal), body);
}

Result<Prefix> decode_prefix(const uint8_t* bytes, uint32_t magic) {
    Prefix prefix{};
    memcpy(&prefix.magic, bytes, 4);
    memcpy(&prefix.version, bytes + 4, 2);
    memcpy(&prefix.status, bytes + 6, 2);
    memcpy(&prefix.body_bytes, bytes + 8, 4);
    if (prefix.magic != magic)
        return fail("the peer does not speak bitfusion's data protocol; check the port (data is 55001)");
    if (prefix.body_bytes > kMostBodyBytes)
        return fail("the peer's opening message is too long; check both versions");
    return prefix;
}

Result<Hello> decode_hello(const Prefix& prefix, const std::vector<uint8_t>& body) {
    Hello hello;
    hello.version = prefix.version;
    size_t at = 0;
    uint8_t length = 0;
    if (!take(body, &at, &hello.capabilities) || !take(body, &at, &hello.process) ||
        !take(body, &at, &hello.ticket) || !take(body, &at, &length) || body.size() - at < length) {
        return fail("the client's hello is cut short; check both versions with 'bitfusion version'");
    }
    hello.program.assign(body.begin() + static_cast<std::ptrdiff_t>(at),
                         body.begin() + static_cast<std::ptrdiff_t>(at + length));
    at += length;
    if ((hello.capabilities & kCapabilityLane) == 0) return hello;
    LaneKey key;
    if (!take(body, &at, &key.worker) || !take(body, &at, &key.secret))
        return fail("the client's hello is cut short; check both versions with 'bitfusion version'");
    hello.lane = key;
    return hello;
}

Result<Welcome> decode_welcome(const Prefix& prefix, const std::vector<uint8_t>& body) {
    Welcome welcome;
    welcome.version = prefix.version;
    welcome.refusal = static_cast<Refusal>(prefix.status);
    size_t at = 0;
    uint16_t length = 0;
    if (!take(body, &at, &welcome.capabilities) || !take(body, &at, &length) || body.size() - at < length) {
        return fail("the server's welcome is cut short; check both versions with 'bitfusion version'");
    }
    welcome.text.assign(body.begin() + static_cast<std::ptrdiff_t>(at),
                        body.begin() + static_cast<std::ptrdiff_t>(at + length));
    return welcome;
}

std::string to_hex(const Ticket& ticket) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(ticket.size() * 2);
    for (const uint8_t byte : ticket) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

Result<Ticket> ticket_from_hex(const std::string& text) {
    Ticket ticket{};
    if (text.size() != ticket.size() * 2) return fail("a session ticket has 64 hexadecimal digits");
    for (size_t i = 0; i < ticket.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return fail("a session ticket has 64 hexadecimal digits");
        ticket[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return ticket;
}

}  // namespace bitfusion::wire
