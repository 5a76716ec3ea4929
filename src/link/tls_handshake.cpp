#include "link/tls_handshake.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace bitfusion::link {
namespace {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeConnection {
    void operator()(SSL* connection) const { SSL_free(connection); }
};
struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using ContextPointer = std::unique_ptr<SSL_CTX, FreeContext>;

// We live in other people's processes: no configuration file is read and no exit handler is left behind.
void start_library() {
    static std::once_flag once;
    std::call_once(once, [] {
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT |
                             OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                         nullptr);
    });
}

std::string openssl_text() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != nullptr ? reason : "no reason given";
}

int connection_slot() {
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return slot;
}

// Both ends' secrets of application data.
struct Secrets {
    std::vector<uint8_t> client, server;
};

// OpenSSL hands the secrets out as lines "LABEL <client random> <secret>", meant for traffic analysers.
void take_secret(const SSL* connection, const char* line) {
    auto* secrets = static_cast<Secrets*>(SSL_get_ex_data(connection, connection_slot()));
    const std::string text = line;
    const bool client = text.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
    if (secrets == nullptr || (!client && !text.starts_with("SERVER_TRAFFIC_SECRET_0 "))) return;
    std::string digits = text.substr(text.rfind(' ') + 1);
    for (char& c : digits) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    auto bytes = bytes_of_hex(digits);
    if (bytes) (client ? secrets->client : secrets->server) = std::move(*bytes);
}

Result<ContextPointer> make_context(const SSL_METHOD* method) {
    start_library();
    ContextPointer context(SSL_CTX_new(method));
    if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context.get(), tls_suite_names().c_str()) != 1) {
        return fail("OpenSSL cannot make a TLS 1.3 context: " + openssl_text());
    }
    // Nothing but application data follows the handshake, so that its record numbers are known.
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_keylog_callback(context.get(), take_secret);
    return context;
}

Result<Pin> pin_of(X509* certificate) {
    uint8_t* encoded = nullptr;
    const int length =
        certificate == nullptr ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
    if (length <= 0) return fail("the certificate has no public key");
    Pin pin{};
    SHA256(encoded, static_cast<size_t>(length), pin.data());
    OPENSSL_free(encoded);
    return pin;
}

}  // namespace

struct TlsServer::Context {
    ContextPointer ssl;
};

TlsServer::TlsServer(std::unique_ptr<Context> context) : context_(std::move(context)) {}
TlsServer::TlsServer(TlsServer&&) noexcept = default;
TlsServer& TlsServer::operator=(TlsServer&&) noexcept = default;
TlsServer::~TlsServer() = default;

Result<TlsServer> TlsServer::open(const std::string& certificate_file, const std::string& key_file) {
    auto context = make_context(TLS_server_method());
    if (!context) return tl::unexpected<Error>(context.error());
    if (SSL_CTX_use_certificate_chain_file(context->get(), certificate_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context->get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context->get()) != 1) {
        return fail("cannot use the certificate " + certificate_file + " with the key " + key_file + ": " +
                    openssl_text() + "; see: bitfusion tls-certs show");
    }
    const auto pin = pin_of(SSL_CTX_get0_certificate(context->get()));
    if (!pin) return tl::unexpected<Error>(pin.error());
    TlsServer server(std::make_unique<Context>(Context{std::move(*context)}));
    server.pin_ = *pin;
    return server;
}

struct TlsHandshake::Connection {
    ContextPointer own_context;  // the client's
    std::unique_ptr<SSL, FreeConnection> ssl;
    BIO* in = nullptr;  // both belong to ssl
    BIO* out = nullptr;
    Secrets secrets;
    Pin pin{};
    bool server = false;
    bool complete = false;

    ~Connection() {
        for (auto* secret : {&secrets.client, &secrets.server})
            OPENSSL_cleanse(secret->data(), secret->size());
    }
    Status open(SSL_CTX* context) {
        ssl.reset(SSL_new(context));
        in = BIO_new(BIO_s_mem());
        out = BIO_new(BIO_s_mem());
        if (ssl == nullptr || in == nullptr || out == nullptr) {
            BIO_free(in);
            BIO_free(out);
            return fail("no memory for a TLS connection");
        }
        SSL_set_bio(ssl.get(), in, out);
        SSL_set_ex_data(ssl.get(), connection_slot(), &secrets);
        if (server)
            SSL_set_accept_state(ssl.get());
        else
            SSL_set_connect_state(ssl.get());
        return {};
    }
};

TlsHandshake::TlsHandshake(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
TlsHandshake::TlsHandshake(TlsHandshake&&) noexcept = default;
TlsHandshake& TlsHandshake::operator=(TlsHandshake&&) noexcept = default;
TlsHandshake::~TlsHandshake() = default;

Result<TlsHandshake> TlsHandshake::of_server(const TlsServer& server) {
    auto connection = std::make_unique<Connection>();
    connection->server = true;
    Status opened = connection->open(server.context_->ssl.get());
    if (!opened) return tl::unexpected<Error>(opened.error());
    return TlsHandshake(std::move(connection));
}

Result<TlsHandshake> TlsHandshake::of_client(const Pin& pin) {
    auto context = make_context(TLS_client_method());
    if (!context) return tl::unexpected<Error>(context.error());
    auto connection = std::make_unique<Connection>();
    connection->own_context = std::move(*context);
    connection->pin = pin;
    Status opened = connection->open(connection->own_context.get());
    if (!opened) return tl::unexpected<Error>(opened.error());
    return TlsHandshake(std::move(connection));
}

Result<bool> TlsHandshake::step(const uint8_t* bytes, size_t count, std::vector<uint8_t>* out) {
    Connection& c = *connection_;
    if (count > 0 && BIO_write(c.in, bytes, static_cast<int>(count)) != static_cast<int>(count))
        return fail("no memory for a TLS handshake");
    ERR_clear_error();
    const int result = SSL_do_handshake(c.ssl.get());
    const int reason = SSL_get_error(c.ssl.get(), result);
    char* ready = nullptr;
    const long length = BIO_get_mem_data(c.out, &ready);
    out->insert(out->end(), ready, ready + std::max(length, 0L));
    (void)BIO_reset(c.out);
    if (result != 1 && reason == SSL_ERROR_WANT_READ) return false;
    if (result != 1) return fail("the TLS handshake failed: " + openssl_text());
    if (!c.server) {
        const std::unique_ptr<X509, FreeCertificate> certificate(SSL_get1_peer_certificate(c.ssl.get()));
        const auto pin = pin_of(certificate.get());
        if (!pin || *pin != c.pin)
            return fail("the server has another key than the one that granted the session", EPERM);
    }
    c.complete = true;
    return true;
}

Result<TlsState> TlsHandshake::state() const {
    const Connection& c = *connection_;
    const SSL_CIPHER* cipher = SSL_get_current_cipher(c.ssl.get());
    if (!c.complete || cipher == nullptr || c.secrets.client.empty() || c.secrets.server.empty())
        return fail("the TLS handshake left no secrets; check the OpenSSL that is installed");
    TlsState state;
    state.suite = SSL_CIPHER_get_protocol_id(cipher);
    state.read_secret = c.server ? c.secrets.client : c.secrets.server;
    state.write_secret = c.server ? c.secrets.server : c.secrets.client;
    return state;
}

std::vector<uint8_t> TlsHandshake::early() {
    char* left = nullptr;
    const long length = BIO_get_mem_data(connection_->in, &left);
    return {left, left + std::max(length, 0L)};
}

Result<Pin> pin_from_hex(const std::string& digits) {
    const auto bytes = bytes_of_hex(digits);
    Pin pin{};
    if (!bytes || bytes->size() != pin.size()) return fail("a server's pin has 64 hexadecimal digits");
    std::copy(bytes->begin(), bytes->end(), pin.begin());
    return pin;
}

}  // namespace bitfusion::link
