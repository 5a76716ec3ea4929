#include "daemon/http_server.h"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/log.h"
#include "daemon/backups.h"
#include "daemon/listen.h"

namespace bitfusion::daemon {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using nlohmann::json;

constexpr size_t kMostHeaderBytes = 8192;
constexpr uint64_t kUsualBodyBytes = 65536;
constexpr long kMostConnections = 1024;
constexpr long kMostLarge = 2;  // requests with large bodies at the same time: they are held in memory
constexpr auto kRequestDeadline = std::chrono::seconds(10);
constexpr auto kLongRequestDeadline = std::chrono::seconds(60);  // of those that may bring more
constexpr auto kReplyDeadline = std::chrono::seconds(60);
constexpr auto kHeartbeat = std::chrono::seconds(5);
constexpr int kPeerSilenceMs = 30000;  // a hold's peer whose host vanished is noticed after this long

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

http::response<http::string_body> response_of(const Reply& reply, bool keep_alive) {
    http::response<http::string_body> response;
    response.version(11);
    response.result(reply.status);
    response.set(http::field::server, "bitfusion");
    response.set(http::field::content_type, reply.content_type);
    response.set(http::field::cache_control, "no-store");
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

std::string heartbeat() { return chunk_of(dump({{"state", "held"}})); }

std::string last_words(const Lease& lease) {
    return chunk_of(dump({{"state", "ended"}, {"reason", lease.end_reason}})) + chunk_of("");
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

HttpServer::HttpServer(asio::io_context& io, const Settings& settings, Api& api, Leases& leases,
                       Counters& counters)
    : io_(io),
      settings_(settings),
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
        asio::co_spawn(io_, serve(beast::tcp_stream(std::move(socket)), slots_), asio::detached);
    }
}

Task<void> HttpServer::serve(beast::tcp_stream stream, [[maybe_unused]] std::shared_ptr<void> slot) {
    const std::string peer = peer_text(stream.socket());
    boost::system::error_code local_error;
    const auto local = stream.socket().local_endpoint(local_error);
    if (local_error) co_return;
    beast::flat_buffer buffer(kMostHeaderBytes + kUsualBodyBytes);
    for (;;) {
        http::request_parser<http::string_body> parser;
        parser.header_limit(kMostHeaderBytes);
        parser.body_limit(kMostBackupBytes);  // until the target is known
        stream.expires_after(kRequestDeadline);
        auto [error, got] = co_await http::async_read_header(stream, buffer, parser, kNoThrow);
        std::shared_ptr<void> large;
        if (!error) {
            const uint64_t most = most_body_bytes(std::string(parser.get().target()));
            parser.body_limit(most);
            if (most > kUsualBodyBytes) {
                large = large_;
                stream.expires_after(kLongRequestDeadline);
            }
            if (parser.content_length().value_or(0) > most || large_.use_count() > kMostLarge + 1)
                error = http::error::body_limit;
            else
                std::tie(error, got) = co_await http::async_read(stream, buffer, parser, kNoThrow);
        }
        if (error) {
            const bool said_something = parser.got_some() || buffer.size() > 0;
            if (error == beast::error::timeout) {
                // An idle connection that asked before has done nothing wrong.
                if (said_something) ++counters_.control_timeouts;
            } else if (error != http::error::end_of_stream && said_something) {
                ++counters_.control_malformed;
                BF_LOG("daemon", kInfo, "control connection from %s closed: not a proper request (%s)",
                       peer.c_str(), error.message().c_str());
            }
            break;
        }
        ++counters_.control_requests;
        auto request = parser.release();
        ApiRequest asked{request.method(), std::string(request.target()),
                         std::string(request[http::field::content_type]), std::move(request.body()),
                         local.address().to_string()};
        stream.expires_never();
        const Reply reply = co_await api_.answer(std::move(asked));
        if (reply.hold) {
            co_await hold(stream.release_socket(), reply.hold);
            co_return;
        }
        const auto response = response_of(reply, request.keep_alive());
        stream.expires_after(kReplyDeadline);
        const auto [write_error, sent] = co_await http::async_write(stream, response, kNoThrow);
        if (write_error && reply.unsent)
            leases_.end(reply.unsent, "its client went away while it was granted");
        if (write_error || !response.keep_alive()) break;
    }
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

Task<void> HttpServer::hold(tcp::socket accepted, LeasePointer lease) {
    leases_.set_held(lease, true);
    const auto socket = std::make_shared<tcp::socket>(std::move(accepted));
    watch_peer(*socket);
    // A holder sends nothing: whatever the read brings, end, error or bytes, it is over.
    const auto byte = std::make_shared<std::array<char, 1>>();
    const auto left = std::make_shared<bool>(false);
    socket->async_read_some(asio::buffer(*byte),
                            [socket, byte, left, lease](const boost::system::error_code&, size_t) {
                                *left = true;
                                lease->pulse.cancel();
                            });
    std::string next = kHoldHeader + heartbeat();
    while (!*left && !lease->ending) {
        const auto [error, sent] = co_await asio::async_write(*socket, asio::buffer(next), kNoThrow);
        if (error) break;
        next = heartbeat();
        if (*left || lease->ending) break;
        lease->pulse.expires_after(kHeartbeat);
        co_await lease->pulse.async_wait(kNoThrow);
    }
    leases_.set_held(lease, false);
    if (lease->ending) {
        next = last_words(*lease);
        co_await asio::async_write(*socket, asio::buffer(next), kNoThrow);
    } else {
        leases_.end(lease, "its client closed the connection that held it");
    }
    boost::system::error_code ignored;
    socket->close(ignored);
}

}  // namespace bitfusion::daemon
