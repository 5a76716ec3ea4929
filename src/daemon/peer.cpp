#include "daemon/peer.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>

namespace bitfusion::daemon {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using TlsStream = asio::ssl::stream<beast::tcp_stream>;

// Less than the other side waits for the next request.
constexpr auto kKeep = std::chrono::seconds(8);
constexpr size_t kMostKept = 16;
constexpr uint64_t kMostAnswerBytes = uint64_t{64} << 20;
constexpr auto kConnectDeadline = std::chrono::seconds(3);

http::request<http::string_body> message_of(const PeerRequest& request, const std::string& address) {
    http::request<http::string_body> message(request.verb, request.target, 11);
    message.set(http::field::host, address);
    message.set(http::field::user_agent, "bitfusion-manager");
    for (const auto& [key, value] : request.headers) message.set(key, value);
    if (!request.content_type.empty()) {
        message.set(http::field::content_type, request.content_type);
        message.body() = request.body;
    }
    message.prepare_payload();
    return message;
}

template <typename Stream>
Task<boost::system::error_code> talk(Stream& stream, const http::request<http::string_body>& message,
                                     http::response_parser<http::string_body>& parser) {
    const auto [write_error, sent] = co_await http::async_write(stream, message, kNoThrow);
    if (write_error) co_return write_error;
    beast::flat_buffer buffer;
    const auto [error, got] = co_await http::async_read(stream, buffer, parser, kNoThrow);
    co_return error;
}

}  // namespace

struct Peer::Connection {
    Connection(asio::io_context& io, asio::ssl::context* tls) {
        if (tls != nullptr)
            secure = std::make_unique<TlsStream>(io, *tls);
        else
            plain = std::make_unique<beast::tcp_stream>(io);
    }
    beast::tcp_stream& lowest() { return secure ? secure->next_layer() : *plain; }

    std::unique_ptr<TlsStream> secure;
    std::unique_ptr<beast::tcp_stream> plain;
    Clock::time_point used;
};

Peer::Peer(asio::io_context& io, std::unique_ptr<asio::ssl::context> tls)
    : Peer(io, std::move(tls),
           {false, "", kMostAnswerBytes,
            "check that it runs and that its control port is open to the pool's other servers"},
           false) {}
Peer::Peer(asio::io_context& io, std::unique_ptr<asio::ssl::context> tls, PeerTerms terms, bool by_name)
    : io_(io), names_(io), tls_(std::move(tls)), terms_(std::move(terms)), by_name_(by_name) {}
Peer::~Peer() = default;

tl::unexpected<Error> Peer::trouble(const std::string& address,
                                    const boost::system::error_code& error) const {
    return trouble(address, error == beast::error::timeout ? "no answer in time" : error.message());
}
tl::unexpected<Error> Peer::trouble(const std::string& address, const std::string& what) const {
    return fail("cannot reach server " + address + ": " + what + "; " + terms_.advice, 503);
}

Result<std::unique_ptr<Peer>> Peer::make(asio::io_context& io, const std::string& authority) {
    std::unique_ptr<asio::ssl::context> tls;
    if (!authority.empty()) {
        tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
        boost::system::error_code error;
        SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_3_VERSION);
        tls->add_certificate_authority(asio::buffer(authority), error);
        if (!error) tls->set_verify_mode(asio::ssl::verify_peer, error);
        if (error)
            return fail("cannot use the pool's authority ca.crt: " + error.message() +
                        "; restore it from a backup");
    }
    return std::make_unique<Peer>(io, std::move(tls));
}

Result<std::unique_ptr<Peer>> Peer::make_outside(asio::io_context& io, PeerTerms terms) {
    std::unique_ptr<asio::ssl::context> tls;
    if (terms.tls) {
        tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
        boost::system::error_code error;
        SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
        if (terms.authority.empty())
            tls->set_default_verify_paths(error);
        else
            tls->add_certificate_authority(asio::buffer(terms.authority), error);
        if (!error) tls->set_verify_mode(asio::ssl::verify_peer, error);
        if (error) return fail("its authority cannot be used: " + error.message());
    }
    return std::make_unique<Peer>(io, std::move(tls), std::move(terms), true);
}

std::unique_ptr<Peer::Connection> Peer::kept(const std::string& address) {
    const auto now = Clock::now();
    std::erase_if(kept_, [now](const auto& entry) { return now - entry.second->used > kKeep; });
    const auto found = kept_.find(address);
    if (found == kept_.end()) return nullptr;
    auto connection = std::move(found->second);
    kept_.erase(found);
    return connection;
}

Task<Status> Peer::connect(Connection& connection, const std::string& address, Clock::time_point until) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos || colon == 0) co_return fail("'" + address + "' is no address", 503);
    std::string host = address.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    uint16_t port = 0;
    const char* const end = address.data() + address.size();
    const auto [stop, bad_port] = std::from_chars(address.data() + colon + 1, end, port);
    if (bad_port != std::errc{} || stop != end) co_return fail("'" + address + "' has no port", 503);
    const auto endpoints = co_await names_.endpoints(host, port, until);
    if (!endpoints) co_return trouble(address, endpoints.error().what);
    boost::system::error_code error;
    connection.lowest().expires_at(std::min(until, Clock::now() + kConnectDeadline));
    const auto [connect_error, at] = co_await connection.lowest().async_connect(*endpoints, kNoThrow);
    if (connect_error) co_return trouble(address, connect_error);
    connection.lowest().socket().set_option(tcp::no_delay(true), error);
    if (connection.secure) {
        if (by_name_) {
            connection.secure->set_verify_callback(asio::ssl::host_name_verification(host));
            SSL_set_tlsext_host_name(connection.secure->native_handle(), host.c_str());
        }
        const auto [tls_error] =
            co_await connection.secure->async_handshake(asio::ssl::stream_base::client, kNoThrow);
        if (tls_error) co_return trouble(address, tls_error);
    }
    co_return Status();
}

Task<Status> Peer::exchange(Connection& connection, const PeerRequest& request, const std::string& address,
                            Clock::time_point until, PeerAnswer* answer) {
    const auto message = message_of(request, address);
    http::response_parser<http::string_body> parser;
    parser.body_limit(terms_.most_bytes);
    connection.lowest().expires_at(until);
    boost::system::error_code error;
    if (connection.secure)
        error = co_await talk(*connection.secure, message, parser);
    else
        error = co_await talk(*connection.plain, message, parser);
    if (error) co_return trouble(address, error);
    answer->status = parser.get().result_int();
    answer->content_type = std::string(parser.get()[http::field::content_type]);
    answer->etag = std::string(parser.get()[http::field::etag]);
    answer->body = std::move(parser.get().body());
    connection.used = parser.get().keep_alive() ? Clock::now() : Clock::time_point::min();
    co_return Status();
}

Task<Result<PeerAnswer>> Peer::ask(std::string address, PeerRequest request, std::chrono::seconds deadline) {
    const auto until = Clock::now() + deadline;
    PeerAnswer answer;
    std::unique_ptr<Connection> connection = kept(address);
    if (connection) {
        const Status asked = co_await exchange(*connection, request, address, until, &answer);
        // The other side may have closed what was kept.
        if (!asked) connection.reset();
    }
    if (!connection) {
        connection = std::make_unique<Connection>(io_, tls_.get());
        Status asked = co_await connect(*connection, address, until);
        if (asked) asked = co_await exchange(*connection, request, address, until, &answer);
        if (!asked) co_return tl::unexpected<Error>(asked.error());
    }
    if (connection->used != Clock::time_point::min() && kept_.size() < kMostKept)
        kept_.emplace(std::move(address), std::move(connection));
    co_return answer;
}

}  // namespace bitfusion::daemon
