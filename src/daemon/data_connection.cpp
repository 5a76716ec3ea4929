#include "daemon/data_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace bitfusion::daemon {
namespace {

// Made outside of coroutines, where g++ 12 moves braced temporaries bit by bit.
Status failed(const std::string& what) { return fail(what); }

}  // namespace

Task<Status> DataConnection::open(const link::TlsServer* server) {
    if (server == nullptr) co_return Status();
    auto handshake = link::TlsHandshake::of_server(*server);
    if (!handshake) co_return failed(handshake.error().what);
    std::array<uint8_t, 4096> bytes{};
    for (;;) {
        const auto [error, got] = co_await socket_.async_read_some(asio::buffer(bytes), kNoThrow);
        if (error) co_return failed("it ended within its TLS handshake (" + error.message() + ")");
        std::vector<uint8_t> out;
        const auto done = handshake->step(bytes.data(), got, &out);
        if (!out.empty()) {
            const auto [write_error, sent] = co_await asio::async_write(socket_, asio::buffer(out), kNoThrow);
            if (write_error) co_return failed("it went away within its TLS handshake");
        }
        if (!done) co_return failed("it does not speak TLS 1.3 (" + done.error().what + ")");
        if (*done) break;
    }
    const auto state = handshake->state();
    if (!state) co_return failed(state.error().what);
    in_ = handshake->early();
    encrypted_ = true;
    if (auto opened = opener_.open(state->suite, state->read_secret, 0); !opened) co_return opened;
    co_return sealer_.open(state->suite, state->write_secret, 0);
}

Task<Status> DataConnection::receive() {
    for (;;) {
        const auto record = link::TlsOpener::record_bytes(in_.data(), in_.size());
        if (!record) co_return failed(record.error().what);
        if (*record != 0 && *record <= in_.size()) {
            std::vector<uint8_t> plain(link::TlsOpener::most_plain(*record));
            const auto opened = opener_.open_record(in_.data(), *record, plain.data());
            if (!opened) co_return failed(opened.error().what);
            in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(*record));
            if (opened->kind == link::TlsOpener::Kind::kClosed) co_return failed("it closed the connection");
            plain_.insert(plain_.end(), plain.begin(),
                          plain.begin() + static_cast<std::ptrdiff_t>(opened->bytes));
            co_return Status();
        }
        std::array<uint8_t, 4096> bytes{};
        const auto [error, got] = co_await socket_.async_read_some(asio::buffer(bytes), kNoThrow);
        if (error) co_return failed(error.message());
        in_.insert(in_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(got));
    }
}

Task<Status> DataConnection::read(uint8_t* target, size_t bytes) {
    if (!encrypted_) {
        const auto [error, got] = co_await asio::async_read(socket_, asio::buffer(target, bytes), kNoThrow);
        if (error) co_return failed(error.message());
        co_return Status();
    }
    while (plain_.size() < bytes) {
        auto received = co_await receive();
        if (!received) co_return received;
    }
    memcpy(target, plain_.data(), bytes);
    plain_.erase(plain_.begin(), plain_.begin() + static_cast<std::ptrdiff_t>(bytes));
    co_return Status();
}

Task<Status> DataConnection::write(std::vector<uint8_t> bytes) {
    if (encrypted_) {
        const iovec piece{bytes.data(), bytes.size()};
        std::vector<uint8_t> sealed;
        if (auto done = sealer_.seal({&piece, 1}, &sealed); !done) co_return done;
        bytes = std::move(sealed);
    }
    const auto [error, sent] = co_await asio::async_write(socket_, asio::buffer(bytes), kNoThrow);
    if (error) co_return failed(error.message());
    co_return Status();
}

std::string DataConnection::keys() const {
    if (!encrypted_) return "";
    link::TlsState state;
    state.suite = opener_.direction().suite();
    state.read_secret = opener_.direction().secret();
    state.read_sequence = opener_.direction().sequence();
    state.write_secret = sealer_.direction().secret();
    state.write_sequence = sealer_.direction().sequence();
    return link::to_text(state);
}

}  // namespace bitfusion::daemon
