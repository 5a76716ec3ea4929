#include "cli/rest_client.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace bitfusion::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using nlohmann::json;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr auto kConnectDeadline = std::chrono::seconds(3);
// A server may take some seconds to end workers or to open its GPUs before it answers.
constexpr auto kAnswerDeadline = std::chrono::seconds(30);
constexpr uint64_t kMostAnswerBytes = 4 << 20;

http::verb verb_of(Method method) {
    switch (method) {
        case Method::kPost:
            return http::verb::post;
        case Method::kDelete:
            return http::verb::delete_;
        case Method::kGet:
            break;
    }
    return http::verb::get;
}

struct Outcome {
    error_code error;
    bool connected = false;
};

http::request<http::string_body> request_of(const Endpoint& server, Method method, const std::string& target,
                                            const std::string& type, const std::string& body) {
    http::request<http::string_body> request(verb_of(method), target, 11);
    request.set(http::field::host, server.text());
    request.set(http::field::user_agent, "bitfusion");
    request.set(http::field::accept, "application/json");
    if (!type.empty()) {
        request.set(http::field::content_type, type);
        request.body() = body;
    }
    request.prepare_payload();
    return request;
}

asio::awaitable<void> connect(beast::tcp_stream& stream, const Endpoint& server, Outcome* outcome) {
    const tcp::endpoint endpoint(asio::ip::make_address_v4(server.ip, outcome->error), server.port);
    if (outcome->error) co_return;
    stream.expires_after(kConnectDeadline);
    const auto [error] = co_await stream.async_connect(endpoint, kNoThrow);
    outcome->error = error;
    outcome->connected = !error;
}

asio::awaitable<void> exchange(beast::tcp_stream& stream, const Endpoint& server,
                               const http::request<http::string_body>& request, beast::flat_buffer& buffer,
                               http::response_parser<http::string_body>& parser, bool header_only,
                               Outcome* outcome) {
    co_await connect(stream, server, outcome);
    if (outcome->error) co_return;
    stream.expires_after(kAnswerDeadline);
    const auto [write_error, sent] = co_await http::async_write(stream, request, kNoThrow);
    outcome->error = write_error;
    if (write_error) co_return;
    if (header_only) {
        const auto [error, got] = co_await http::async_read_header(stream, buffer, parser, kNoThrow);
        outcome->error = error;
    } else {
        const auto [error, got] = co_await http::async_read(stream, buffer, parser, kNoThrow);
        outcome->error = error;
    }
}

Error error_of(const Endpoint& server, const Outcome& outcome) {
    if (!outcome.connected) {
        return unreachable(server,
                           outcome.error == beast::error::timeout ? "timed out" : outcome.error.message());
    }
    if (outcome.error == beast::error::timeout) {
        return not_a_manager(server, "no answer within 30 s");
    }
    return not_a_manager(server, outcome.error.message());
}

Result<json> object_of(const Endpoint& server, const std::string& text) {
    json body = json::parse(text, nullptr, false);
    if (!body.is_object()) return tl::unexpected(not_a_manager(server, "its answer is not a JSON object"));
    return body;
}

// So that a server whose machine vanished without a word is noticed while the program runs.
void watch_peer(int descriptor) {
    const int on = 1;
    const int seconds = 10;
    const int silence_ms = 30000;
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

}  // namespace

Error unreachable(const Endpoint& server, const std::string& why) {
    return {"cannot reach server " + server.text() + ": " + why +
                "; check the address, the firewall and that it runs there: systemctl status bitfusion",
            0};
}

Error not_a_manager(const Endpoint& server, const std::string& why) {
    return {"server " + server.text() + " does not answer like a bitfusion manager (" + why +
                "); check the address and that the port is the control port (56001)",
            0};
}

std::string refusal_text(const Answer& answer) {
    const auto text = answer.body.find("error");
    if (text != answer.body.end() && text->is_string()) return text->get<std::string>();
    return "status " + std::to_string(answer.status) + " without a reason; see the server's log";
}

std::string refusal_text(const BytesAnswer& answer) {
    Answer same{answer.status, json::parse(answer.bytes, nullptr, false)};
    if (!same.body.is_object()) same.body = json::object();
    return refusal_text(same);
}

Result<BytesAnswer> exchange_bytes(const Endpoint& server, Method method, const std::string& target,
                                   const std::string& type, const std::string& bytes, uint64_t most_bytes) {
    asio::io_context io(1);
    beast::tcp_stream stream(io);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(most_bytes);
    Outcome outcome;
    const auto request = request_of(server, method, target, type, bytes);
    asio::co_spawn(io, exchange(stream, server, request, buffer, parser, false, &outcome), asio::detached);
    io.run();
    if (outcome.error) return tl::unexpected(error_of(server, outcome));
    return BytesAnswer{parser.get().result_int(), std::move(parser.get().body())};
}

Result<Answer> ask(const Endpoint& server, Method method, const std::string& target, const json& body) {
    const bool sends = body.is_object();
    const std::string text = sends ? body.dump(-1, ' ', false, json::error_handler_t::replace) : "";
    auto answer =
        exchange_bytes(server, method, target, sends ? "application/json" : "", text, kMostAnswerBytes);
    if (!answer) return tl::unexpected(answer.error());
    auto object = object_of(server, answer->bytes);
    if (!object) return tl::unexpected(object.error());
    return Answer{answer->status, std::move(*object)};
}

struct Hold::State {
    asio::io_context io{1};
    beast::tcp_stream stream{io};
};

Hold::Hold(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hold::Hold(Hold&&) noexcept = default;
Hold& Hold::operator=(Hold&&) noexcept = default;
Hold::~Hold() = default;

Result<Hold> Hold::open(const Endpoint& server, const std::string& lease) {
    auto state = std::make_unique<State>();
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    Outcome outcome;
    // The coroutine refers to what it is given until run() returns: nothing of it may be a temporary.
    const auto request = request_of(server, Method::kGet, "/v1/leases/" + lease + "/hold", "", "");
    asio::co_spawn(state->io, exchange(state->stream, server, request, buffer, parser, true, &outcome),
                   asio::detached);
    state->io.run();
    if (outcome.error) return tl::unexpected(error_of(server, outcome));
    if (parser.get().result() != http::status::ok) {
        return fail("server " + server.text() + " does not let the lease be held (status " +
                    std::to_string(parser.get().result_int()) + "); try again");
    }
    error_code ignored;
    state->stream.socket().non_blocking(true, ignored);
    watch_peer(state->stream.socket().native_handle());
    // A program that inherited the connection would keep the lease after this process is gone.
    fcntl(state->stream.socket().native_handle(), F_SETFD, FD_CLOEXEC);
    return Hold(std::move(state));
}

int Hold::descriptor() const { return state_->stream.socket().native_handle(); }

bool Hold::still_open() {
    std::array<char, 4096> heartbeats;
    for (;;) {
        error_code error;
        const size_t got = state_->stream.socket().read_some(asio::buffer(heartbeats), error);
        if (error == asio::error::would_block || error == asio::error::try_again) return true;
        if (error == asio::error::interrupted) continue;
        if (error || got == 0) return false;
    }
}

}  // namespace bitfusion::cli
