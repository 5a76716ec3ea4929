#include "store/etcd_http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <functional>

#include "store/etcd_pulse.h"

namespace bitfusion::store {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using nlohmann::json;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kMostAnswerBytes = uint64_t{64} << 20;
// An idle connection may have been closed by the other side; a fresh one costs little.
constexpr auto kMostIdle = std::chrono::seconds(10);
constexpr auto kPulse = std::chrono::milliseconds(500);  // within which a node that is alive says so

// One connection. All functions wait, at most until the deadline; after kEtcdSilence they ask, where they are
// told whom, whether that is worth it.
class Connection {
  public:
    explicit Connection(EtcdEndpoint endpoint, std::function<bool()> worth_waiting = {})
        : endpoint_(std::move(endpoint)), worth_waiting_(std::move(worth_waiting)), plain_(io_) {}
    ~Connection() {
        error_code ignored;
        lowest().socket().close(ignored);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    error_code open(asio::ssl::context& tls, std::chrono::milliseconds timeout) {
        error_code error;
        tcp::resolver resolver(io_);
        const auto addresses = resolver.resolve(endpoint_.host, endpoint_.port, error);
        if (error) return error;
        if (endpoint_.tls) secure_.emplace(io_, tls);
        error = wait(timeout, [&](auto done) {
            lowest().async_connect(addresses,
                                   [done](error_code result, const tcp::endpoint&) { done(result); });
        });
        if (error) return error;
        watch_over_socket();
        if (!secure_) return {};
        SSL_set_tlsext_host_name(secure_->native_handle(), endpoint_.host.c_str());
        secure_->set_verify_callback(asio::ssl::host_name_verification(endpoint_.host));
        return wait(timeout,
                    [&](auto done) { secure_->async_handshake(asio::ssl::stream_base::client, done); });
    }

    template <typename Message>
    error_code write(const Message& message, std::chrono::milliseconds timeout) {
        return wait(timeout, [&](auto done) {
            const auto finished = [done](error_code result, size_t) { done(result); };
            if (secure_) {
                http::async_write(*secure_, message, finished);
            } else {
                http::async_write(plain_, message, finished);
            }
        });
    }

    template <typename Parser>
    error_code read(Parser& parser, std::chrono::milliseconds timeout) {
        return wait(timeout, [&](auto done) { start_read(parser, done, false); });
    }

    template <typename Parser>
    error_code read_header(Parser& parser, std::chrono::milliseconds timeout) {
        return wait(timeout, [&](auto done) {
            const auto finished = [done](error_code result, size_t) { done(result); };
            if (secure_) {
                http::async_read_header(*secure_, buffer_, parser, finished);
            } else {
                http::async_read_header(plain_, buffer_, parser, finished);
            }
        });
    }

    // Begins to read some; poll() then waits for `done` to be called.
    template <typename Parser, typename Done>
    void start_read(Parser& parser, Done done, bool some) {
        lowest().expires_never();
        const auto finished = [done](error_code result, size_t) { done(result); };
        if (secure_ && some) {
            http::async_read_some(*secure_, buffer_, parser, finished);
        } else if (secure_) {
            http::async_read(*secure_, buffer_, parser, finished);
        } else if (some) {
            http::async_read_some(plain_, buffer_, parser, finished);
        } else {
            http::async_read(plain_, buffer_, parser, finished);
        }
    }

    void poll(std::chrono::milliseconds time) {
        io_.restart();
        io_.run_one_for(time);
    }

  private:
    beast::tcp_stream& lowest() { return secure_ ? beast::get_lowest_layer(*secure_) : plain_; }

    // Notices within half a minute that the other machine is gone, also where nothing is sent for long.
    void watch_over_socket() {
        error_code ignored;
        auto& socket = lowest().socket();
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        socket.set_option(tcp::no_delay(true), ignored);
        const int descriptor = socket.native_handle();
        for (const auto& [option, value] :
             {std::pair{TCP_KEEPIDLE, 10}, {TCP_KEEPINTVL, 5}, {TCP_KEEPCNT, 3}})
            setsockopt(descriptor, IPPROTO_TCP, option, &value, sizeof value);
    }

    template <typename Start>
    error_code wait(std::chrono::milliseconds timeout, Start start) {
        bool finished = false;
        error_code result;
        const auto done = [&](error_code error) {
            finished = true;
            result = error;
        };
        const auto until = Clock::now() + timeout;
        start(done);
        io_.restart();
        io_.run_for(worth_waiting_ ? std::min(timeout, kEtcdSilence) : timeout);
        if (!finished && Clock::now() < until && worth_waiting_()) {
            io_.restart();
            io_.run_until(until);
        }
        if (finished) return result;
        // The operation's handler refers to this frame: it must have run before it is left.
        error_code ignored;
        lowest().socket().close(ignored);
        io_.restart();
        io_.run();
        return asio::error::timed_out;
    }

    asio::io_context io_;
    EtcdEndpoint endpoint_;
    std::function<bool()> worth_waiting_;
    beast::tcp_stream plain_;
    std::optional<beast::ssl_stream<beast::tcp_stream>> secure_;
    beast::flat_buffer buffer_{1 << 20};
};

using Request = http::request<http::string_body>;

Request request_of(const EtcdEndpoint& endpoint, const std::string& path, const std::string& body,
                   const std::string& token) {
    Request request{http::verb::post, path, 11};
    request.set(http::field::host, endpoint.host + ":" + endpoint.port);
    request.set(http::field::content_type, "application/json");
    if (!token.empty()) request.set(http::field::authorization, token);
    request.body() = body;
    request.prepare_payload();
    return request;
}

// gRPC's codes, of which the gateway tells in the body.
tl::unexpected<Error> refusal(const std::string& where, unsigned status, const std::string& body) {
    const json answer = json::parse(body, nullptr, false);
    int code = 0;
    std::string text = "HTTP status " + std::to_string(status);
    if (answer.is_object()) {
        code = answer.value("code", json(0)).is_number_integer() ? answer.value("code", 0) : 0;
        const auto message = answer.find("message");
        const auto error = answer.find("error");
        if (message != answer.end() && message->is_string()) {
            text = message->get<std::string>().substr(0, 300);
        } else if (error != answer.end() && error->is_string()) {
            text = error->get<std::string>().substr(0, 300);
        }
    }
    const std::string who = "etcd at " + where;
    switch (code) {
        case 3:
            return fail(who + " does not accept a request: " + text + "; check that it is etcd 3.4 or later",
                        kMalformed);
        case 7:
        case 16:
            return fail(
                who + " refuses our credentials: " + text + "; check etcd's user, password and certificate",
                kRefused);
        case 8:
            return fail(who + " has no room: " + text +
                            "; compact and defragment it, or raise its quota; nothing was written",
                        kFull);
        case 11:
            return fail(who + " has forgotten changes: " + text + "; read it again and watch from there",
                        kCompacted);
        default:
            return fail(who + " cannot serve: " + text + "; check its health: etcdctl endpoint health",
                        kUnreachable);
    }
}

class LinesOf : public EtcdHttp::Lines {
  public:
    LinesOf(std::unique_ptr<Connection> connection, std::string where)
        : where_(std::move(where)), connection_(std::move(connection)) {
        parser_.body_limit(boost::none);
    }

    Result<void> begin(std::chrono::milliseconds timeout) {
        if (const error_code error = connection_->read_header(parser_, timeout)) return lost(error);
        if (parser_.get().result_int() != 200) return refusal(where_, parser_.get().result_int(), "");
        return {};
    }

    Result<std::optional<json>> next(std::chrono::milliseconds wait) override {
        const auto until = Clock::now() + wait;
        for (;;) {
            const size_t end = text_.find('\n');
            if (end != std::string::npos) {
                json line = json::parse(text_.substr(0, end), nullptr, false);
                text_.erase(0, end + 1);
                if (!line.is_object())
                    return fail("etcd at " + where_ + " answered no JSON; check the endpoint", kUnreachable);
                return line;
            }
            if (text_.size() > kMostAnswerBytes)
                return fail("etcd at " + where_ + " answered a line of more than 64 MiB; check the endpoint",
                            kUnreachable);
            if (!reading_) {
                reading_ = true;
                parser_.get().body().data = chunk_.data();
                parser_.get().body().size = chunk_.size();
                connection_->start_read(
                    parser_,
                    [this](error_code error) {
                        reading_ = false;
                        error_ = error;
                    },
                    true);
            }
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
            connection_->poll(std::max(left, std::chrono::milliseconds(0)));
            if (!reading_) {
                if (error_ == http::error::need_buffer) error_ = {};
                text_.append(chunk_.data(), chunk_.size() - parser_.get().body().size);
                if (error_) return lost(error_);
                if (parser_.is_done()) return lost(asio::error::eof);
                continue;
            }
            if (Clock::now() >= until) return std::nullopt;
        }
    }

  private:
    tl::unexpected<Error> lost(error_code error) const {
        return fail("the connection to etcd at " + where_ + " was lost: " + error.message() +
                        "; read again and watch from there",
                    kUnreachable);
    }

    std::string where_;
    std::string text_;
    std::array<char, 65536> chunk_;
    http::response_parser<http::buffer_body> parser_;
    bool reading_ = false;
    error_code error_;
    // The last: its end cancels the read that refers to what is above.
    std::unique_ptr<Connection> connection_;
};

class EtcdHttpOf : public EtcdHttp {
  public:
    EtcdHttpOf(EtcdOptions options, std::vector<EtcdEndpoint> endpoints)
        : options_(std::move(options)),
          endpoints_(std::move(endpoints)),
          tls_(asio::ssl::context::tls_client) {}

    Status prepare_tls() {
        error_code error;
        tls_.set_verify_mode(asio::ssl::verify_peer, error);
        if (!error && !options_.ca_file.empty()) tls_.load_verify_file(options_.ca_file, error);
        if (!error && options_.ca_file.empty()) tls_.set_default_verify_paths(error);
        if (!error && !options_.certificate_file.empty())
            tls_.use_certificate_chain_file(options_.certificate_file, error);
        if (!error && !options_.key_file.empty())
            tls_.use_private_key_file(options_.key_file, asio::ssl::context::pem, error);
        if (error) {
            return fail("the certificates for etcd cannot be used: " + error.message() +
                            "; check the files of the CA, the certificate and the key",
                        kRefused);
        }
        return {};
    }

    Result<json> post(const std::string& path, const json& body, bool once) override {
        auto answer = post_once(path, body.dump(), once);
        if (!answer && answer.error().code == kRefused && !options_.user.empty()) {
            // The token may be too old; a refused request has done nothing.
            if (auto ok = authenticate(); !ok) return tl::unexpected(ok.error());
            answer = post_once(path, body.dump(), once);
        }
        return answer;
    }

    Result<std::unique_ptr<Lines>> stream(const std::string& path, const json& body) override {
        Error last;
        for (size_t attempt = 0; attempt < endpoints_.size(); ++attempt) {
            const EtcdEndpoint& endpoint = endpoints_[current_];
            auto connection = std::make_unique<Connection>(endpoint);
            error_code error = connection->open(tls_, options_.timeout);
            if (!error)
                error = connection->write(request_of(endpoint, path, body.dump(), token_), options_.timeout);
            if (!error) {
                auto lines = std::make_unique<LinesOf>(std::move(connection), endpoint.text);
                if (auto ok = lines->begin(options_.timeout); ok)
                    return lines;
                else
                    last = ok.error();
            } else {
                last = Error{why_not(endpoint, error), kUnreachable};
            }
            current_ = (current_ + 1) % endpoints_.size();
        }
        return tl::unexpected(last);
    }

  private:
    static std::string why_not(const EtcdEndpoint& endpoint, error_code error) {
        return "etcd at " + endpoint.text + " does not answer: " + error.message() +
               "; check that it runs and that its address is right";
    }

    Status authenticate() {
        token_.clear();
        auto answer = post_once("/v3/auth/authenticate",
                                json{{"name", options_.user}, {"password", options_.password}}.dump(), false);
        if (!answer) return tl::unexpected(answer.error());
        const auto token = answer->find("token");
        if (token == answer->end() || !token->is_string())
            return fail("etcd gave no token for user " + options_.user + "; check etcd's users", kRefused);
        token_ = token->get<std::string>();
        return {};
    }

    Result<json> post_once(const std::string& path, const std::string& body, bool once) {
        Error last;
        alive_.clear();
        until_ = Clock::now() + options_.timeout;
        for (size_t attempt = 0; attempt < endpoints_.size(); ++attempt) {
            const EtcdEndpoint& endpoint = endpoints_[current_];
            bool sent = false;
            auto answer = exchange(endpoint, path, body, once, sent);
            if (answer) return answer;
            last = answer.error();
            // An answer that is an answer is not tried elsewhere.
            if (last.code != kUnreachable) break;
            connection_.reset();
            if (!go_on() || (once && sent)) break;  // what may have happened already is not tried either
        }
        return tl::unexpected(last);
    }

    // To the next node that is not known to be dead; false: there is none, or no time left.
    bool go_on() {
        for (size_t i = 0; i < endpoints_.size(); ++i) {
            current_ = (current_ + 1) % endpoints_.size();
            if (alive_.empty() || alive_[current_]) return Clock::now() < until_;
        }
        return false;
    }

    bool is_current_alive() {
        if (alive_.empty()) alive_ = etcd_nodes_alive(endpoints_, tls_, kPulse);
        return alive_[current_];
    }

    // What is left of the time for a request, whichever node is asked.
    std::chrono::milliseconds left() const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - Clock::now());
        return std::max(left, std::chrono::milliseconds(1));
    }

    Result<json> exchange(const EtcdEndpoint& endpoint, const std::string& path, const std::string& body,
                          bool once, bool& sent) {
        if (connection_ && Clock::now() - used_ > kMostIdle) connection_.reset();
        for (bool fresh = connection_ == nullptr;; fresh = true) {
            if (!connection_) {
                connection_ = std::make_unique<Connection>(endpoint, [this] { return is_current_alive(); });
                if (const error_code error = connection_->open(tls_, left())) {
                    connection_.reset();
                    return fail(why_not(endpoint, error), kUnreachable);
                }
            }
            sent = true;
            error_code error = connection_->write(request_of(endpoint, path, body, token_), left());
            http::response_parser<http::string_body> parser;
            parser.body_limit(kMostAnswerBytes);
            if (!error) error = connection_->read(parser, left());
            used_ = Clock::now();
            if (error) {
                connection_.reset();
                if (!fresh && !once && error != asio::error::timed_out) continue;
                return fail(why_not(endpoint, error), kUnreachable);
            }
            const auto& response = parser.get();
            if (!response.keep_alive()) connection_.reset();
            if (response.result_int() != 200)
                return refusal(endpoint.text, response.result_int(), response.body());
            json answer = json::parse(response.body(), nullptr, false);
            if (!answer.is_object()) {
                return fail(
                    "etcd at " + endpoint.text + " answered no JSON; check that the endpoint is etcd's",
                    kUnreachable);
            }
            return answer;
        }
    }

    EtcdOptions options_;
    std::vector<EtcdEndpoint> endpoints_;
    asio::ssl::context tls_;
    size_t current_ = 0;
    std::vector<bool> alive_;  // of endpoints_, as found while this request was waited for; empty: not asked
    Clock::time_point until_{};  // for this request
    std::string token_;
    std::unique_ptr<Connection> connection_;
    Clock::time_point used_{};
};

}  // namespace

Result<std::unique_ptr<EtcdHttp>> EtcdHttp::make(const EtcdOptions& options) {
    std::vector<EtcdEndpoint> endpoints;
    for (const std::string& text : options.endpoints) {
        auto endpoint = parse_etcd_endpoint(text);
        if (!endpoint) return tl::unexpected(endpoint.error());
        endpoints.push_back(std::move(*endpoint));
    }
    if (endpoints.empty())
        return fail("no endpoint of etcd is given; name at least one, such as http://127.0.0.1:2379",
                    kMalformed);
    auto made = std::make_unique<EtcdHttpOf>(options, std::move(endpoints));
    if (auto ok = made->prepare_tls(); !ok) return tl::unexpected(ok.error());
    return made;
}

std::string to_base64(const std::string& bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<size_t>(size));
    return text;
}

std::optional<std::string> from_base64(const std::string& text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string bytes(3 * (text.size() / 4), '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    // OpenSSL counts the padding's zeros as bytes.
    const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    bytes.resize(static_cast<size_t>(size) - padding);
    return bytes;
}

}  // namespace bitfusion::store
