// Hello: how a data connection opens, before it carries any CUDA message (docs/wire.md, "opening").
//
// The client sends one Hello; the server answers one Welcome, which either admits the connection or says in
// words why not, and then hands the socket to the session's worker. Both are a fixed prefix and a bounded
// body, little endian, so that a peer of any age can read the prefix and the refusal.
// Encoding and decoding only: pure functions, any thread, no I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::wire {

// Raised when a message changes its meaning. A server refuses clients of another version by name.
constexpr uint16_t kProtocolVersion = 1;

constexpr uint32_t kHelloMagic = 0x4e534642;    // "BFSN"
constexpr uint32_t kWelcomeMagic = 0x4c574642;  // "BFWL"
constexpr size_t kPrefixBytes = 12;             // magic u32, version u16, status u16, body length u32
constexpr uint32_t kMostBodyBytes = 4096;       // a peer that asks for more is not ours

// Optional abilities; a bit counts when both sides set it.
enum Capability : uint64_t {
    kCapabilityNone = 0,
    kCapabilitySharedMemory = 1,  // the worker's first bytes are an offer to share memory (link/shm_meet.h)
    kCapabilityLanes = 2,         // the worker may be asked for lanes (message LanesOpen)
    kCapabilityLane = 4,  // this is no session but a lane of one: a LaneKey follows the program's name
};
// Those of this release's servers.
constexpr uint64_t kServerCapabilities = kCapabilitySharedMemory | kCapabilityLanes;

enum class Refusal : uint16_t {
    kNone = 0,
    kVersion = 1,   // another protocol version; the text names both
    kTicket = 2,    // no lease has this ticket (never had, or it ended)
    kBusy = 3,      // the server cannot start a worker now
    kMalformed = 4  // not a hello
};

using Ticket = std::array<uint8_t, 32>;

// What admits one more connection of a session: which of the lease's workers serves it, and a secret that
// this worker has told over the session's own connection. Good once.
struct LaneKey {
    using Secret = std::array<uint8_t, 32>;
    uint32_t worker = 0;  // its slot in the lease
    Secret secret{};
};

struct Hello {
    uint16_t version = kProtocolVersion;
    uint64_t capabilities = kCapabilityNone;
    uint32_t process = 0;         // the client's pid, for the server's logs only
    Ticket ticket{};              // the lease's secret
    std::string program;          // short name of the client's program, at most 255 bytes, for listings only
    std::optional<LaneKey> lane;  // there if and only if kCapabilityLane is
};

struct Welcome {
    uint16_t version = kProtocolVersion;
    Refusal refusal = Refusal::kNone;
    uint64_t capabilities = kCapabilityNone;
    std::string text;  // with a refusal: what is wrong and what to do
};

std::vector<uint8_t> encode(const Hello& hello);
std::vector<uint8_t> encode(const Welcome& welcome);

struct Prefix {
    uint32_t magic;
    uint16_t version;
    uint16_t status;
    uint32_t body_bytes;  // already checked against kMostBodyBytes
};

// `bytes` holds kPrefixBytes. Fails when the magic is not `magic` or the body is longer than allowed.
Result<Prefix> decode_prefix(const uint8_t* bytes, uint32_t magic);
Result<Hello> decode_hello(const Prefix& prefix, const std::vector<uint8_t>& body);
Result<Welcome> decode_welcome(const Prefix& prefix, const std::vector<uint8_t>& body);

// 64 lowercase hexadecimal digits, as the ticket travels in BITFUSION_SESSION and in REST answers.
std::string to_hex(const Ticket& ticket);
Result<Ticket> ticket_from_hex(const std::string& text);

}  // namespace bitfusion::wire
