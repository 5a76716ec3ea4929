#include "cli/rest_client.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <map>

#include "cli/credentials.h"
#include "cli/report.h"

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
        case Method::kPut:
            return http::verb::put;
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
    bool handshaken = false;
    long verified = X509_V_OK;  // why the server's certificate is not accepted
};

using TlsStream = asio::ssl::stream<beast::tcp_stream>;

// TLS where there are credentials, else none.
struct Connection {
    asio::ssl::context tls{asio::ssl::context::tls_client};
    std::unique_ptr<TlsStream> secure;
    std::unique_ptr<beast::tcp_stream> plain;

    beast::tcp_stream& lowest() { return secure ? secure->next_layer() : *plain; }
};

Status open_connection(asio::io_context& io, const Endpoint& server, Connection* connection) {
    const auto& known = credentials();
    if (!known) return tl::unexpected<Error>(known.error());
    if (!known->secure) {
        if (!server.loopback()) {
            return fail("this machine has no identity in a pool, and server " + server.text() +
                        " is not on this machine: put the client's bundle into ~/.bitfusion or "
                        "/etc/bitfusion (the pool's "
                        "administrator makes it with: bitfusion token create --bundle FILE)");
        }
        connection->plain = std::make_unique<beast::tcp_stream>(io);
        return {};
    }
    error_code error;
    connection->tls.load_verify_file(known->authority_file, error);
    if (error) {
        return fail("cannot use the pool's authority " + known->authority_file + ": " + error.message() +
                    "; get the bundle again: bitfusion token download");
    }
    SSL_CTX_set_min_proto_version(connection->tls.native_handle(), TLS1_3_VERSION);
    connection->tls.set_verify_mode(asio::ssl::verify_peer, error);
    connection->secure = std::make_unique<TlsStream>(io, connection->tls);
    return {};
}

http::request<http::string_body> request_of(const Endpoint& server, Method method, const std::string& target,
                                            const std::string& type, const std::string& body) {
    http::request<http::string_body> request(verb_of(method), target, 11);
    request.set(http::field::host, server.text());
    request.set(http::field::user_agent, "bitfusion");
    request.set(http::field::accept, "application/json");
    if (const auto& known = credentials(); known) {
        if (known->secure) request.set(http::field::authorization, "Bearer " + known->token);
        request.set("Bitfusion-Machine", known->machine);
        request.set("Bitfusion-Host", one_line(known->host));
        request.set("Bitfusion-Version", BITFUSION_VERSION);
    }
    if (!type.empty()) {
        request.set(http::field::content_type, type);
        request.body() = body;
    }
    request.prepare_payload();
    return request;
}

// Which of a server's addresses answered last: the others are not waited for again.
std::map<std::string, Endpoint>& reached() {
    static std::map<std::string, Endpoint> known;
    return known;
}

std::vector<Endpoint> addresses_of(const Endpoint& server) {
    std::vector<Endpoint> addresses = {server};
    addresses.insert(addresses.end(), server.others.begin(), server.others.end());
    if (const auto known = reached().find(server.text()); known != reached().end()) {
        const auto at = std::find(addresses.begin(), addresses.end(), known->second);
        if (at != addresses.end()) std::rotate(addresses.begin(), at, at + 1);
    }
    return addresses;
}

asio::awaitable<void> connect(Connection& connection, const Endpoint& server, Outcome* outcome) {
    for (const Endpoint& address : addresses_of(server)) {
        error_code ignored;
        connection.lowest().socket().close(ignored);
        outcome->error.clear();
        const tcp::endpoint endpoint(asio::ip::make_address(address.ip, outcome->error), address.port);
        if (outcome->error) continue;
        connection.lowest().expires_after(kConnectDeadline);
        const auto [error] = co_await connection.lowest().async_connect(endpoint, kNoThrow);
        outcome->error = error;
        outcome->connected = !error;
        if (!outcome->connected) continue;
        if (!server.others.empty()) reached()[server.text()] = address;
        break;
    }
    if (!outcome->connected || !connection.secure) co_return;
    const auto [tls_error] =
        co_await connection.secure->async_handshake(asio::ssl::stream_base::client, kNoThrow);
    outcome->error = tls_error;
    outcome->handshaken = !tls_error;
    outcome->verified = SSL_get_verify_result(connection.secure->native_handle());
}

template <typename Stream>
asio::awaitable<void> talk(Stream& stream, const http::request<http::string_body>& request,
                           beast::flat_buffer& buffer, http::response_parser<http::string_body>& parser,
                           bool header_only, Outcome* outcome) {
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

asio::awaitable<void> exchange(Connection& connection, const Endpoint& server,
                               const http::request<http::string_body>& request, beast::flat_buffer& buffer,
                               http::response_parser<http::string_body>& parser, bool header_only,
                               Outcome* outcome) {
    co_await connect(connection, server, outcome);
    if (outcome->error) co_return;
    connection.lowest().expires_after(kAnswerDeadline);
    if (connection.secure)
        co_await talk(*connection.secure, request, buffer, parser, header_only, outcome);
    else
        co_await talk(*connection.plain, request, buffer, parser, header_only, outcome);
}

bool is_wrong_authority(const error_code& error) {
    return error.category() == asio::error::get_ssl_category() &&
           ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

bool is_of_another_time(long verified) {
    return verified == X509_V_ERR_CERT_NOT_YET_VALID || verified == X509_V_ERR_CERT_HAS_EXPIRED;
}

Error wrong_time(const Endpoint& server, long verified) {
    const std::time_t now = time(nullptr);
    tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    const bool early = verified == X509_V_ERR_CERT_NOT_YET_VALID;
    return not_a_manager(server, std::string("its certificate ") +
                                     (early ? "is not yet valid" : "has expired") +
                                     "; this machine's clock says " + text +
                                     ": if that is wrong, set it, else have the server's certificate rotated "
                                     "(bitfusion tls-certs rotate)");
}

// The three lines are known to users of this product (and to their scripts).
Error wrong_authority(const Endpoint& server) {
    return {"Error querying server " + server.text() + ":\nGet https://" + server.text() +
                "/query: x509: certificate signed by unknown authority\nUnable to contact any of the "
                "existing servers: " +
                server.text() +
                "\nThe server belongs to another pool than this machine's identity: get this pool's bundle, "
                "or remove the "
                "server from servers.conf",
            kWrongAuthority};
}

Error error_of(const Endpoint& server, const Outcome& outcome, bool secure) {
    if (!outcome.connected) {
        // Users of this product look for the words in front.
        if (outcome.error == asio::error::no_descriptors)
            return {"cannot reach server " + server.text() +
                        ": cannot allocate memory: too many files are open; raise the limit with 'ulimit -n "
                        "4096' or more",
                    kUnreachable};
        return unreachable(server, outcome.error == beast::error::timeout
                                       ? "dial tcp " + server.text() + ": i/o timeout"
                                       : outcome.error.message());
    }
    if (secure && !outcome.handshaken) {
        if (is_wrong_authority(outcome.error) && is_of_another_time(outcome.verified))
            return wrong_time(server, outcome.verified);
        if (is_wrong_authority(outcome.error)) return wrong_authority(server);
        return not_a_manager(server, "it does not speak TLS 1.3: " + outcome.error.message() +
                                         "; a manager with --insecure is asked with BITFUSION_INSECURE=true");
    }
    if (outcome.error == beast::error::timeout) {
        return not_a_manager(server, "no answer within 30 s");
    }
    if (!secure && outcome.error == http::error::end_of_stream)
        return not_a_manager(
            server, "it closed the connection; if it wants TLS, put the client's bundle into ~/.bitfusion");
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
            kUnreachable};
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

Error refused_identity(const Endpoint& server, const std::string& why) {
    return {"Error contacting server " + server.text() + " to verify client id: Get https://" +
                server.text() + "/claim_id: " + why,
            kRefusedIdentity};
}

std::string refusal_text(const BytesAnswer& answer) {
    Answer same{answer.status, json::parse(answer.bytes, nullptr, false), ""};
    if (!same.body.is_object()) same.body = json::object();
    return refusal_text(same);
}

Result<BytesAnswer> exchange_bytes(const Endpoint& server, Method method, const std::string& target,
                                   const std::string& type, const std::string& bytes, uint64_t most_bytes) {
    asio::io_context io(1);
    Connection connection;
    if (auto opened = open_connection(io, server, &connection); !opened)
        return tl::unexpected(opened.error());
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(most_bytes);
    Outcome outcome;
    const auto request = request_of(server, method, target, type, bytes);
    asio::co_spawn(io, exchange(connection, server, request, buffer, parser, false, &outcome),
                   asio::detached);
    io.run();
    if (outcome.error) return tl::unexpected(error_of(server, outcome, connection.secure != nullptr));
    BytesAnswer answer{parser.get().result_int(), std::move(parser.get().body()),
                       std::string(parser.get()[http::field::content_type])};
    if (answer.status == 401) return tl::unexpected(refused_identity(server, refusal_text(answer)));
    return answer;
}

Result<Answer> ask(const Endpoint& server, Method method, const std::string& target, const json& body) {
    const bool sends = body.is_object();
    const std::string text = sends ? body.dump(-1, ' ', false, json::error_handler_t::replace) : "";
    auto answer =
        exchange_bytes(server, method, target, sends ? "application/json" : "", text, kMostAnswerBytes);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->type == "application/x-tar") return Answer{answer->status, nullptr, std::move(answer->bytes)};
    auto object = object_of(server, answer->bytes);
    if (!object) return tl::unexpected(object.error());
    return Answer{answer->status, std::move(*object), ""};
}

struct Hold::State {
    asio::io_context io{1};
    Connection connection;
};

Hold::Hold(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hold::Hold(Hold&&) noexcept = default;
Hold& Hold::operator=(Hold&&) noexcept = default;
Hold::~Hold() = default;

Result<Hold> Hold::open(const Endpoint& server, const std::string& lease) {
    auto state = std::make_unique<State>();
    if (auto opened = open_connection(state->io, server, &state->connection); !opened)
        return tl::unexpected(opened.error());
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    Outcome outcome;
    // The coroutine refers to what it is given until run() returns: nothing of it may be a temporary.
    const auto request = request_of(server, Method::kGet, "/v1/leases/" + lease + "/hold", "", "");
    asio::co_spawn(state->io, exchange(state->connection, server, request, buffer, parser, true, &outcome),
                   asio::detached);
    state->io.run();
    if (outcome.error) return tl::unexpected(error_of(server, outcome, state->connection.secure != nullptr));
    if (parser.get().result() != http::status::ok) {
        const unsigned status = parser.get().result_int();
        return fail("server " + server.text() + " does not let the lease be held (status " +
                        std::to_string(status) + "); try again",
                    status == 401 || status == 403 ? kRefusedIdentity : 0);
    }
    error_code ignored;
    tcp::socket& socket = state->connection.lowest().socket();
    state->connection.lowest().expires_never();
    socket.non_blocking(true, ignored);
    watch_peer(socket.native_handle());
    // A program that inherited the connection would keep the lease after this process is gone.
    fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    return Hold(std::move(state));
}

int Hold::descriptor() const { return state_->connection.lowest().socket().native_handle(); }

bool Hold::still_open() {
    std::array<char, 4096> heartbeats;
    Connection& connection = state_->connection;
    for (;;) {
        error_code error;
        const size_t got = connection.secure
                               ? connection.secure->read_some(asio::buffer(heartbeats), error)
                               : connection.plain->socket().read_some(asio::buffer(heartbeats), error);
        if (error == asio::error::would_block || error == asio::error::try_again) return true;
        if (error == asio::error::interrupted) continue;
        if (error || got == 0) return false;
    }
}

}  // namespace bitfusion::cli
