#include "daemon/http_server.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "base/log.h"
#include "daemon/backups.h"
#include "daemon/dispatcher.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/listen.h"

namespace bitfusion::daemon {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using nlohmann::json;

using TlsStream = asio::ssl::stream<beast::tcp_stream>;

constexpr const char* kBearer = "Bearer ";
constexpr size_t kMostHeaderBytes = 8192;
constexpr uint64_t kUsualBodyBytes = 65536;
constexpr size_t kMostDropped = 1 << 20;  // of a request that is too large, read and forgotten
constexpr long kMostConnections = 1024;
constexpr long kMostLarge = 2;  // requests with large bodies at the same time: they are held in memory
constexpr auto kRequestDeadline = std::chrono::seconds(10);
constexpr auto kLongRequestDeadline = std::chrono::seconds(60);  // of those that may bring more
constexpr auto kReplyDeadline = std::chrono::seconds(60);
constexpr auto kHeartbeat = std::chrono::seconds(5);
constexpr auto kEventsHeartbeat = std::chrono::seconds(15);
constexpr auto kSlowReader = std::chrono::seconds(30);  // without room for a line
constexpr int kPeerSilenceMs = 30000;  // a hold's peer whose host vanished is noticed after this long

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// On every answer: a page of ours loads nothing from elsewhere, runs nothing that is not a file of ours, and
// stands in no other page.
constexpr std::pair<const char*, const char*> kSecurityHeaders[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};

http::response<http::string_body> response_of(const Reply& reply, bool keep_alive) {
    http::response<http::string_body> response;
    response.version(11);
    response.result(reply.status);
    response.set(http::field::server, "bitfusion");
    response.set(http::field::content_type, reply.content_type);
    response.set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : kSecurityHeaders) response.set(name, value);
    for (const auto& [name, value] : reply.headers) response.set(name, value);
    response.keep_alive(keep_alive);
    response.body() = reply.body.is_null() ? reply.text : dump(reply.body);
    response.prepare_payload();
    return response;
}

// One chunk of a chunked body, or the last one for an empty line.
std::string chunk_of(const std::string& line) {
    char size[24];
    snprintf(size, sizeof size, "%zx\r\n", line.size());
    return size + line + "\r\n";
}

constexpr const char* kHoldHeader =
    "HTTP/1.1 200 OK\r\nServer: bitfusion\r\nContent-Type: application/x-ndjson\r\n"
    "Cache-Control: no-store\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string events_header() {
    std::string header =
        "HTTP/1.1 200 OK\r\nServer: bitfusion\r\nContent-Type: text/event-stream\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n";
    for (const auto& [name, value] : kSecurityHeaders) header += std::string(name) + ": " + value + "\r\n";
    return header + "\r\n";
}

std::string heartbeat() { return chunk_of(dump({{"state", "held"}})); }

std::string last_words(const Lease& lease) {
    return chunk_of(dump({{"state", "ended"}, {"reason", lease.end_reason}})) + chunk_of("");
}

ApiRequest request_of(http::request<http::string_body>& request, const std::string& local_ip,
                      const std::string& peer_ip) {
    ApiRequest asked;
    asked.verb = request.method();
    asked.target = std::string(request.target());
    asked.content_type = std::string(request[http::field::content_type]);
    const std::string authorization(request[http::field::authorization]);
    if (authorization.starts_with(kBearer)) asked.bearer = authorization.substr(std::string(kBearer).size());
    asked.machine = std::string(request["Bitfusion-Machine"]).substr(0, 64);
    asked.host = harmless(std::string(request["Bitfusion-Host"]), 255);
    asked.version = harmless(std::string(request["Bitfusion-Version"]), 64);
    asked.forwarded = request.find(kForwardedHeader) != request.end();
    asked.body = std::move(request.body());
    asked.local_ip = local_ip;
    asked.peer_ip = peer_ip;
    asked.cookie = std::string(request[http::field::cookie]);
    asked.csrf = std::string(request["Bitfusion-CSRF"]).substr(0, 64);
    asked.origin = std::string(request[http::field::origin]);
    asked.fetch_site = std::string(request["Sec-Fetch-Site"]);
    asked.authority = std::string(request[http::field::host]);
    asked.if_match = std::string(request[http::field::if_match]);
    asked.if_none_match = std::string(request[http::field::if_none_match]);
    asked.takes_gzip = request[http::field::accept_encoding].find("gzip") != std::string_view::npos;
    return asked;
}

// So that a peer whose machine vanished without a word is noticed although nothing is expected from it.
void watch_peer(tcp::socket& socket) {
    const int fd = socket.native_handle();
    const int on = 1;
    const int seconds = 5;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kPeerSilenceMs, sizeof kPeerSilenceMs);
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, const Settings& settings, asio::ssl::context* tls, Api& api,
                       Leases& leases, Counters& counters)
    : io_(io),
      settings_(settings),
      tls_(tls),
      api_(api),
      leases_(leases),
      counters_(counters),
      acceptor_(io),
      slots_(std::make_shared<int>(0)),
      large_(std::make_shared<int>(0)) {}

Result<uint16_t> HttpServer::listen() {
    return open_listener(acceptor_, settings_.listen, settings_.control_port, "--control-port");
}

void HttpServer::start() { asio::co_spawn(io_, accept(), asio::detached); }

void HttpServer::stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

Task<void> HttpServer::accept() {
    while (acceptor_.is_open()) {
        auto [error, socket] = co_await acceptor_.async_accept(kNoThrow);
        if (error) {
            if (!co_await accept_again(acceptor_, error, "control")) co_return;
            continue;
        }
        ++counters_.control_connections;
        if (slots_.use_count() > kMostConnections) {
            ++counters_.control_overload;
            BF_LOG("daemon", kInfo, "control connection closed: %ld others are open", slots_.use_count() - 1);
            continue;
        }
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        asio::co_spawn(io_, serve(std::move(socket), slots_), asio::detached);
    }
}

Task<void> HttpServer::serve(tcp::socket socket, [[maybe_unused]] std::shared_ptr<void> slot) {
    const std::string peer = peer_text(socket);
    boost::system::error_code local_error;
    const auto local = socket.local_endpoint(local_error);
    if (local_error) co_return;
    const std::string local_ip = local.address().to_string();
    boost::system::error_code peer_error;
    const auto remote = socket.remote_endpoint(peer_error);
    if (peer_error) co_return;
    const Ends ends{peer, remote.address().to_string(), local_ip};
    if (tls_ == nullptr) {
        const auto plain = std::make_shared<beast::tcp_stream>(std::move(socket));
        co_await answer(plain, ends);
        co_return;
    }
    const auto stream = std::make_shared<TlsStream>(beast::tcp_stream(std::move(socket)), *tls_);
    beast::get_lowest_layer(*stream).expires_after(kRequestDeadline);
    const auto [error] = co_await stream->async_handshake(asio::ssl::stream_base::server, kNoThrow);
    if (error) {
        ++counters_.control_malformed;
        BF_LOG("daemon", kInfo, "control connection from %s closed: no TLS 1.3 (%s)", peer.c_str(),
               error.message().c_str());
        co_return;
    }
    co_await answer(stream, ends);
}

template <typename Stream>
Task<void> HttpServer::answer(std::shared_ptr<Stream> stream, Ends ends) {
    auto& lowest = beast::get_lowest_layer(*stream);
    bool refuse = false;
    beast::flat_buffer buffer(kMostHeaderBytes + kUsualBodyBytes);
    for (;;) {
        http::request_parser<http::string_body> parser;
        parser.header_limit(kMostHeaderBytes);
        parser.body_limit(kMostBackupBytes);  // until the target is known
        lowest.expires_after(kRequestDeadline);
        auto [error, got] = co_await http::async_read_header(*stream, buffer, parser, kNoThrow);
        std::shared_ptr<void> large;
        if (!error) {
            uint64_t most = most_body_bytes(std::string(parser.get().target()));
            // Only who may restore a backup may make us hold one.
            if (most > kUsualBodyBytes &&
                !api_.may_send_much(request_of(parser.get(), ends.local_ip, ends.peer_ip)))
                most = kUsualBodyBytes;
            parser.body_limit(most);
            if (most > kUsualBodyBytes) {
                large = large_;
                lowest.expires_after(kLongRequestDeadline);
            }
            if (parser.content_length().value_or(0) > most || large_.use_count() > kMostLarge + 1)
                error = http::error::body_limit;
            else
                std::tie(error, got) = co_await http::async_read(*stream, buffer, parser, kNoThrow);
        }
        if (error) {
            const bool said_something = parser.got_some() || buffer.size() > 0;
            if (error == beast::error::timeout) {
                // An idle connection that asked before has done nothing wrong.
                if (said_something) ++counters_.control_timeouts;
            } else if (error != http::error::end_of_stream && said_something) {
                ++counters_.control_malformed;
                BF_LOG("daemon", kInfo, "control connection from %s closed: not a proper request (%s)",
                       ends.peer.c_str(), error.message().c_str());
                refuse = error == http::error::body_limit || error == http::error::header_limit;
            }
            break;
        }
        ++counters_.control_requests;
        auto request = parser.release();
        ApiRequest asked = request_of(request, ends.local_ip, ends.peer_ip);
        lowest.expires_never();
        const Reply reply = co_await api_.answer(std::move(asked));
        if (reply.hold) {
            co_await hold(stream, reply.hold);
            co_return;
        }
        if (reply.events) {
            co_await push(stream, reply.events);
            co_return;
        }
        const auto response = response_of(reply, request.keep_alive());
        lowest.expires_after(kReplyDeadline);
        http::response_serializer<http::string_body> serializer(response);
        const auto [write_error, sent] =
            request.method() == http::verb::head
                ? co_await http::async_write_header(*stream, serializer, kNoThrow)
                : co_await http::async_write(*stream, serializer, kNoThrow);
        if (write_error && !reply.unsent.empty())
            leases_.end(reply.unsent, "its client went away while it was granted");
        if (write_error || !response.keep_alive()) break;
    }
    if (refuse) {
        const auto response =
            response_of(error_reply(413, "the request is too large; see docs/rest.md"), false);
        lowest.expires_after(kRequestDeadline);
        const auto [write_error, sent] = co_await http::async_write(*stream, response, kNoThrow);
        // A connection that closes while its sender still sends loses our words: they are heard out, not
        // kept.
        std::array<char, 16384> dropped{};
        size_t left = write_error ? 0 : kMostDropped;
        while (left > 0) {
            const auto [error, got] = co_await stream->async_read_some(asio::buffer(dropped), kNoThrow);
            if (error) break;
            left -= std::min(left, got);
        }
    }
    boost::system::error_code ignored;
    lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

template <typename Stream>
Task<void> HttpServer::push(std::shared_ptr<Stream> stream, std::shared_ptr<Subscription> events) {
    auto& lowest = beast::get_lowest_layer(*stream);
    lowest.expires_never();
    watch_peer(lowest.socket());
    // The reader sends nothing: whatever comes, it is over.
    const auto byte = std::make_shared<std::array<char, 1>>();
    stream->async_read_some(asio::buffer(*byte), [stream, byte, events](const boost::system::error_code&,
                                                                        size_t) { events->end(); });
    std::string next = events_header() + chunk_of(": hello\n\n");
    while (!events->ended() && events->admitted()) {
        lowest.expires_after(kSlowReader);
        const auto [error, sent] = co_await asio::async_write(*stream, asio::buffer(next), kNoThrow);
        if (error || events->ended()) break;
        next = events->take();
        if (next.empty()) {
            events->pulse.expires_after(kEventsHeartbeat);
            co_await events->pulse.async_wait(kNoThrow);
            next = events->take();
        }
        next = chunk_of(next.empty() ? ": still here\n\n" : next);
    }
    boost::system::error_code ignored;
    lowest.socket().close(ignored);
}

template <typename Stream>
Task<void> HttpServer::hold(std::shared_ptr<Stream> stream, LeasePointer lease) {
    leases_.set_held(lease, true);
    auto& lowest = beast::get_lowest_layer(*stream);
    lowest.expires_never();
    watch_peer(lowest.socket());
    // A holder sends nothing: whatever the read brings, end, error or bytes, it is over. But a peer that only
    // fell silent may come back: its lease is left to the auto-release timeout.
    const auto byte = std::make_shared<std::array<char, 1>>();
    const auto left = std::make_shared<bool>(false);
    const auto lost = std::make_shared<bool>(false);
    stream->async_read_some(asio::buffer(*byte), [stream, byte, left, lost, lease](
                                                     const boost::system::error_code& error, size_t) {
        *left = true;
        *lost = error == asio::error::timed_out || error == asio::error::host_unreachable ||
                error == asio::error::network_unreachable;
        lease->pulse.cancel();
    });
    std::string next = kHoldHeader + heartbeat();
    while (!*left && !lease->ending) {
        const auto [error, sent] = co_await asio::async_write(*stream, asio::buffer(next), kNoThrow);
        if (error) break;
        next = heartbeat();
        if (*left || lease->ending) break;
        lease->pulse.expires_after(kHeartbeat);
        co_await lease->pulse.async_wait(kNoThrow);
    }
    leases_.set_held(lease, false);
    if (lease->ending) {
        next = last_words(*lease);
        co_await asio::async_write(*stream, asio::buffer(next), kNoThrow);
    } else if (lease->persistent) {
        BF_LOG("daemon", kInfo, "lease %s: nobody holds it any more, and it lives on", lease->id.c_str());
    } else if (*lost) {
        BF_LOG("daemon", kWarn, "lease %s: the connection that held it fell silent", lease->id.c_str());
    } else {
        leases_.end(lease->id, "its client closed the connection that held it");
    }
    boost::system::error_code ignored;
    lowest.socket().close(ignored);
}

}  // namespace bitfusion::daemon
