// What is read off a connection before or beside the messages of a session: the opening, facts, rows,
// changes, and records of TLS. The first byte of the input says which.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "fuzz/input.h"
#include "link/tls_keys.h"
#include "link/tls_record.h"
#include "wire/changes.h"
#include "wire/facts.h"
#include "wire/hello.h"
#include "wire/rows.h"

namespace {

using namespace bitfusion;

std::vector<uint8_t> copy_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

void opening(fuzz::Input input, uint32_t magic) {
    const auto head = copy_of(input.take_bytes(wire::kPrefixBytes));
    if (head.size() != wire::kPrefixBytes) return;
    const auto prefix = wire::decode_prefix(head.data(), magic);
    if (!prefix) return;
    const auto body = copy_of(input.take_bytes(prefix->body_bytes));
    if (magic == wire::kHelloMagic) {
        const auto hello = wire::decode_hello(*prefix, body);
        if (hello && wire::encode(*hello).size() > wire::kPrefixBytes + wire::kMostBodyBytes) abort();
    } else {
        static_cast<void>(wire::decode_welcome(*prefix, body));
    }
}

void facts(fuzz::Input input, uint8_t which) {
    const auto bytes = copy_of(input.take_bytes(SIZE_MAX));
    wire::Reader reader(bytes);
    std::vector<wire::DeviceFacts> devices;
    std::vector<wire::FunctionFacts> functions;
    std::vector<wire::ProcessFact> processes;
    std::vector<wire::Row> rows;
    switch (which) {
        case 0:
            static_cast<void>(wire::decode(reader, &devices));
            break;
        case 1:
            static_cast<void>(wire::decode(reader, &functions));
            break;
        case 2:
            static_cast<void>(wire::decode(reader, &processes));
            break;
        default:
            static_cast<void>(wire::decode(reader, reader.get<uint16_t>(), &rows));
            break;
    }
}

void changes(fuzz::Input input) {
    const auto runs = copy_of(input.take_bytes(input.take<uint8_t>()));
    const auto data = copy_of(input.take_bytes(SIZE_MAX));
    size_t seen = 0;
    static_cast<void>(wire::each_change(runs, data, [&](uint64_t, std::span<const uint8_t> piece) {
        for (const uint8_t byte : piece) seen += byte;
        return true;
    }));
}

// The peer's bytes as they would come from a socket; no record of it is genuine, so nothing may come out.
void records(fuzz::Input input) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    link::TlsState state;
    state.suite = input.take<uint8_t>() % 2 == 0 ? 0x1301 : 0x1302;
    const size_t secret = state.suite == 0x1302 ? 48 : 32;
    state.read_secret.assign(secret, 7);
    state.write_secret.assign(secret, 9);
    auto peer = link::over_tls(ends[0], state);
    if (!peer) {
        close(ends[0]);
        close(ends[1]);
        return;
    }
    const auto bytes = copy_of(input.take_bytes(60000));
    static_cast<void>(!write(ends[1], bytes.data(), bytes.size()));
    close(ends[1]);
    uint8_t plain[4096];
    for (;;) {
        const auto got = (*peer)->receive(plain, sizeof plain, link::Wait::kBlock);
        if (!got || got->closed) break;
        if (got->bytes != 0) abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    switch (const uint8_t which = input.take<uint8_t>() % 8) {
        case 0:
            opening(input, wire::kHelloMagic);
            break;
        case 1:
            opening(input, wire::kWelcomeMagic);
            break;
        case 2:
            changes(input);
            break;
        case 3:
            records(input);
            break;
        default:
            facts(input, static_cast<uint8_t>(which - 4));
            break;
    }
    return 0;
}
