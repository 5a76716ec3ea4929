#include "client/connect.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "client/copy_threads.h"
#include "link/shm_meet.h"
#include "link/tcp.h"
#include "link/tls_handshake.h"
#include "wire/hello.h"

namespace bitfusion::client {
namespace {

constexpr int kConnectTimeoutMs = 10000;
// Four connections carry 3.5 times what one carries where a core for each is free (docs/gpu-results.md);
// where cores are few, they carry less.
constexpr size_t kUsualLanes = 4;
constexpr size_t kCoresForLanes = 8;

Status read_exactly(link::Link* link, uint8_t* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link->receive(target + at, bytes - at, link::Wait::kBlock);
        if (!got) return tl::unexpected<Error>(got.error());
        if (got->closed)
            return fail("the server closed the connection before it answered; look into its log");
        at += got->bytes;
    }
    return {};
}

std::string program_name() { return program_invocation_short_name; }

// The capabilities on which both sides agree.
Result<uint64_t> greet(link::Link* link, const wire::Ticket& ticket, uint64_t capabilities,
                       const wire::LaneKey* lane = nullptr) {
    wire::Hello hello;
    hello.capabilities = capabilities;
    if (lane != nullptr) hello.lane = *lane;
    hello.process = static_cast<uint32_t>(getpid());
    hello.ticket = ticket;
    hello.program = program_name();
    const std::vector<uint8_t> bytes = wire::encode(hello);
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    Status sent = link->send({&piece, 1});
    if (!sent) return tl::unexpected<Error>(sent.error());
    std::array<uint8_t, wire::kPrefixBytes> head{};
    Status read = read_exactly(link, head.data(), head.size());
    if (!read) return tl::unexpected<Error>(read.error());
    auto prefix = wire::decode_prefix(head.data(), wire::kWelcomeMagic);
    if (!prefix) return tl::unexpected<Error>(prefix.error());
    std::vector<uint8_t> body(prefix->body_bytes);
    read = read_exactly(link, body.data(), body.size());
    if (!read) return tl::unexpected<Error>(read.error());
    auto welcome = wire::decode_welcome(*prefix, body);
    if (!welcome) return tl::unexpected<Error>(welcome.error());
    if (welcome->refusal != wire::Refusal::kNone)
        return fail("the server refuses this session: " + welcome->text);
    return welcome->capabilities & capabilities;
}

struct SessionPlace {
    std::string address;
    wire::Ticket ticket{};
    std::optional<link::Pin> pin;  // none: not encrypted
};

// <host>:<port>/<ticket>, and /<pin> of the server's key where the connection is encrypted.
Result<SessionPlace> read_session(const std::string& text) {
    const size_t slash = text.find('/');
    if (slash == std::string::npos)
        return fail(
            "BITFUSION_SESSION is not <host>:<port>/<ticket>; start the program with 'bitfusion run'");
    SessionPlace place;
    place.address = text.substr(0, slash);
    const size_t second = text.find('/', slash + 1);
    const auto ticket = wire::ticket_from_hex(text.substr(slash + 1, second - slash - 1));
    if (!ticket) return tl::unexpected<Error>(ticket.error());
    place.ticket = *ticket;
    if (second == std::string::npos) return place;
    const auto pin = link::pin_from_hex(text.substr(second + 1));
    if (!pin) return tl::unexpected<Error>(pin.error());
    place.pin = *pin;
    return place;
}

Result<link::ShmWish> read_wish(bool much) {
    const char* text = getenv("BITFUSION_LINK");
    const std::string word = text == nullptr || *text == '\0' ? "auto" : text;
    if (word == "tcp") return link::ShmWish::kNo;
    if (word == "shm") return much ? link::ShmWish::kMust : link::ShmWish::kNo;
    if (word == "auto") return much ? link::ShmWish::kIfPossible : link::ShmWish::kNo;
    return fail("BITFUSION_LINK is '" + word + "'; set it to auto, tcp or shm");
}

Result<size_t> read_number(const char* variable, size_t usual, size_t most) {
    const char* text = getenv(variable);
    if (text == nullptr || *text == '\0') return usual;
    size_t number = 0;
    const char* const end = text + strlen(text);
    const auto [at, error] = std::from_chars(text, end, number);
    if (error == std::errc() && at == end && number <= most) return number;
    return fail(std::string(variable) + " is '" + text + "'; set it to a number from 0 to " +
                std::to_string(most));
}

std::vector<std::string> shared_folders() {
    std::vector<std::string> folders = link::shm_folders();
    if (const char* own = getenv("BITFUSION_SHARED_FOLDER"); own != nullptr && *own == '/')
        folders.insert(folders.begin(), own);
    return folders;
}

Result<std::unique_ptr<link::Link>> connect_to(const SessionPlace& place) {
    return place.pin ? link::connect_tls(place.address, *place.pin, kConnectTimeoutMs)
                     : link::connect_tcp(place.address, kConnectTimeoutMs);
}

Result<std::unique_ptr<link::Link>> open_lane(const SessionPlace& place, const wire::LaneKey& key) {
    auto link = connect_to(place);
    if (!link) return link;
    const auto greeted = greet(link->get(), place.ticket, wire::kCapabilityNone, &key);
    if (!greeted) return tl::unexpected<Error>(greeted.error());
    return link;
}

}  // namespace

Result<Connection> connect_session(bool much) {
    const char* where = getenv("BITFUSION_SESSION");
    if (where == nullptr)
        return fail("this program has no GPU session; start it with 'bitfusion run -n 1 -- <program>'",
                    ENOENT);
    const auto place = read_session(where);
    if (!place) return tl::unexpected<Error>(place.error());
    const auto wish = read_wish(much);
    if (!wish) return tl::unexpected<Error>(wish.error());
    const size_t usual = usable_cores() >= kCoresForLanes ? kUsualLanes : 0;
    const auto lanes = read_number("BITFUSION_LANES", usual, kMostLanes);
    if (!lanes) return tl::unexpected<Error>(lanes.error());
    const auto threads = read_number("BITFUSION_COPY_THREADS", CopyThreads::usual(), CopyThreads::kMost);
    if (!threads) return tl::unexpected<Error>(threads.error());
    auto link = connect_to(*place);
    if (!link) return tl::unexpected<Error>(link.error());
    uint64_t wanted = wire::kCapabilityNone;
    if (*wish != link::ShmWish::kNo) wanted |= wire::kCapabilitySharedMemory;
    if (much && *lanes != 0) wanted |= wire::kCapabilityLanes;
    const auto agreed = greet(link->get(), place->ticket, wanted);
    if (!agreed) return tl::unexpected<Error>(agreed.error());
    if ((*agreed & wire::kCapabilitySharedMemory) != 0) {
        link = link::join_shm(std::move(*link), shared_folders(), *wish);
        if (!link) return tl::unexpected<Error>(link.error());
    } else if (*wish == link::ShmWish::kMust) {
        return fail("the server shares no memory; leave out BITFUSION_LINK=shm to use the network");
    }
    Connection made{std::move(*link), 0, {}, *threads};
    if ((*agreed & wire::kCapabilityLanes) != 0 && !made.link->shares_memory()) {
        made.lanes = *lanes;
        made.open_lane = [place = *place](const wire::LaneKey& key) { return open_lane(place, key); };
    }
    return made;
}

}  // namespace bitfusion::client
