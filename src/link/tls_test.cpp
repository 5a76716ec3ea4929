#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>

#include "link/link_test.h"
#include "link/tls_handshake.h"
#include "link/tls_record.h"

namespace bitfusion::link {
namespace {

Bytes from_hex(const std::string& digits) { return bytes_of_hex(digits).value(); }

// The handshake of RFC 8448, section 3: published secrets and the keys that follow from them.
TEST(TlsKeys, FollowThePublishedTrace) {
    const TlsSuite* suite = tls_suite(0x1301);
    ASSERT_NE(suite, nullptr);
    const TlsKey server =
        key_of(*suite, from_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"));
    EXPECT_EQ(server.key, from_hex("9f02283b6c9c07efc26bb9f2ac92e356"));
    EXPECT_EQ(Bytes(server.iv.begin(), server.iv.end()), from_hex("cf782b88dd83549aadf1e984"));
    const TlsKey client =
        key_of(*suite, from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"));
    EXPECT_EQ(client.key, from_hex("17422dda596ed5d9acd890e3c63f5051"));
    EXPECT_EQ(Bytes(client.iv.begin(), client.iv.end()), from_hex("5b78923dee08579033e523d9"));
}

TEST(TlsKeys, ATextIsTakenBackOnlyWhole) {
    TlsState state;
    state.suite = 0x1302;
    state.read_secret = pattern(48);
    state.write_secret = Bytes(48, 7);
    state.read_sequence = 3;
    state.write_sequence = 1;
    const std::string text = to_text(state);
    const auto back = tls_state_from_text(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(to_text(*back), text);
    for (size_t length = 0; length + 1 < text.size(); ++length)
        EXPECT_FALSE(tls_state_from_text(text.substr(0, length))) << length;
    EXPECT_FALSE(tls_state_from_text("4865:00:00:0:0"));
}

// A self-signed certificate in files of its own.
class Certificate {
  public:
    Certificate() {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        X509_sign(certificate, key, EVP_sha256());
        FILE* out = fopen(certificate_file().c_str(), "w");
        PEM_write_X509(out, certificate);
        fclose(out);
        out = fopen(key_file().c_str(), "w");
        PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
        fclose(out);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    ~Certificate() {
        unlink(certificate_file().c_str());
        unlink(key_file().c_str());
        rmdir(folder_);
    }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;
    std::string certificate_file() const { return std::string(folder_) + "/crt"; }
    std::string key_file() const { return std::string(folder_) + "/key"; }

  private:
    char path_[32] = "/tmp/bitfusion-tls-XXXXXX";
    const char* folder_ = mkdtemp(path_);
};

class Tls : public testing::Test {
  protected:
    Tls() : server_(TlsServer::open(certificate_.certificate_file(), certificate_.key_file()).value()) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_), 0);
    }

    // Moves a handshake's bytes over a socket until it is complete.
    static Result<TlsState> drive(TlsHandshake handshake, int socket, Bytes* early) {
        Bytes in;
        for (;;) {
            Bytes out;
            const auto done = handshake.step(in.data(), in.size(), &out);
            // The other end may have gone already; reading tells.
            if (!out.empty()) (void)::send(socket, out.data(), out.size(), MSG_NOSIGNAL);
            if (!done) return tl::unexpected(done.error());
            if (*done) break;
            in.resize(4096);
            const ssize_t got = read(socket, in.data(), in.size());
            if (got <= 0) return fail("the other end has gone");
            in.resize(static_cast<size_t>(got));
        }
        *early = handshake.early();
        return handshake.state();
    }
    static Result<std::unique_ptr<Link>> link_over(TlsHandshake handshake, int socket) {
        Bytes early;
        auto state = drive(std::move(handshake), socket, &early);
        if (!state) {
            close(socket);
            return tl::unexpected(state.error());
        }
        return over_tls(socket, *state, early);
    }
    Result<std::unique_ptr<Link>> serve() {
        return link_over(TlsHandshake::of_server(server_).value(), sockets_[0]);
    }

    void open() {
        auto serving = std::async(std::launch::async, [this] { return serve(); });
        auto client = link_over(TlsHandshake::of_client(server_.pin()).value(), sockets_[1]);
        auto served = serving.get();
        ASSERT_TRUE(client) << client.error().what;
        ASSERT_TRUE(served) << served.error().what;
        client_ = std::move(*client);
        served_ = std::move(*served);
    }
    static bool readable(const Link& link) {
        pollfd ready{link.wait_descriptor(), POLLIN, 0};
        return poll(&ready, 1, 0) == 1;
    }

    Certificate certificate_;
    TlsServer server_;
    int sockets_[2] = {-1, -1};
    std::unique_ptr<Link> client_, served_;
};

TEST_F(Tls, BytesArriveInOrderBothWaysInAnyPieces) {
    open();
    for (const size_t count : {1u, 5u, 16383u, 16384u, 16385u, 40000u, 3u << 20}) {
        auto sending = std::async(std::launch::async, [&] { return send(*client_, pattern(count)); });
        EXPECT_EQ(receive(*served_, count), pattern(count)) << count;
        EXPECT_TRUE(sending.get());
        auto answering = std::async(std::launch::async, [&] { return send(*served_, pattern(count)); });
        EXPECT_EQ(receive(*client_, count, 1000), pattern(count)) << count;
        EXPECT_TRUE(answering.get());
    }
    Bytes head = {1, 2, 3};
    Bytes none;
    Bytes tail = pattern(20000);
    const iovec pieces[] = {{head.data(), 3}, {none.data(), 0}, {tail.data(), tail.size()}};
    ASSERT_TRUE(client_->send(pieces));
    EXPECT_EQ(receive(*served_, 3), head);
    EXPECT_EQ(receive(*served_, 20000), tail);
}

TEST_F(Tls, WhatIsLeftInsideShowsOnTheWaitDescriptor) {
    open();
    uint8_t byte = 0;
    EXPECT_FALSE(readable(*served_));
    EXPECT_EQ(served_->receive(&byte, 1, Wait::kNo)->bytes, 0u);
    ASSERT_TRUE(send(*client_, {1, 2}));
    ASSERT_TRUE(send(*client_, {3}));
    EXPECT_TRUE(readable(*served_));
    for (const uint8_t expected : {1, 2, 3}) {
        EXPECT_TRUE(readable(*served_));
        ASSERT_EQ(served_->receive(&byte, 1, Wait::kBlock)->bytes, 1u);
        EXPECT_EQ(byte, expected);
    }
    EXPECT_FALSE(readable(*served_));
    client_.reset();
    EXPECT_TRUE(readable(*served_));
    EXPECT_TRUE(served_->receive(&byte, 1, Wait::kNo)->closed);
}

TEST_F(Tls, NothingReadableTravels) {
    auto serving = std::async(std::launch::async, [this] { return serve(); });
    Bytes early;
    auto state = drive(TlsHandshake::of_client(server_.pin()).value(), sockets_[1], &early);
    auto served = serving.get();
    ASSERT_TRUE(state && served);
    ASSERT_TRUE(send(**served, Bytes(1000, 'x')));
    Bytes sealed(4096);
    const ssize_t got = read(sockets_[1], sealed.data(), sealed.size());
    ASSERT_EQ(got, 1000 + 5 + 1 + 16);
    EXPECT_EQ(std::string(sealed.begin(), sealed.end()).find("xxx"), std::string::npos);
    close(sockets_[1]);
}

TEST_F(Tls, OneChangedBitEndsIt) {
    auto serving = std::async(std::launch::async, [this] { return serve(); });
    Bytes early;
    auto state = drive(TlsHandshake::of_client(server_.pin()).value(), sockets_[1], &early);
    auto served = serving.get();
    ASSERT_TRUE(state && served);
    TlsSealer sealer;
    ASSERT_TRUE(sealer.open(state->suite, state->write_secret, 0));
    Bytes bytes = {1, 2, 3};
    const iovec piece{bytes.data(), bytes.size()};
    Bytes record;
    ASSERT_TRUE(sealer.seal({&piece, 1}, &record));
    for (size_t bit = 0; bit < record.size() * 8; ++bit) {
        Bytes changed = record;
        changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        TlsOpener opener;
        ASSERT_TRUE(opener.open(state->suite, state->write_secret, 0));
        Bytes plain(kTlsMostRecord);
        const auto size = TlsOpener::record_bytes(changed.data(), changed.size());
        if (!size || *size != changed.size()) continue;  // no record, or not yet a whole one
        EXPECT_FALSE(opener.open_record(changed.data(), changed.size(), plain.data())) << bit;
    }
    record[10] ^= 1;
    ASSERT_EQ(write(sockets_[1], record.data(), record.size()), static_cast<ssize_t>(record.size()));
    uint8_t byte = 0;
    EXPECT_FALSE((*served)->receive(&byte, 1, Wait::kBlock));
    close(sockets_[1]);
}

TEST_F(Tls, AServerWithAnotherKeyIsRefused) {
    const Certificate other;
    const auto impostor = TlsServer::open(other.certificate_file(), other.key_file());
    ASSERT_TRUE(impostor);
    auto serving = std::async(std::launch::async, [&] {
        return link_over(TlsHandshake::of_server(*impostor).value(), sockets_[0]);
    });
    const auto client = link_over(TlsHandshake::of_client(server_.pin()).value(), sockets_[1]);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, EPERM);
    EXPECT_NE(client.error().what.find("another key"), std::string::npos);
    serving.wait();
}

TEST_F(Tls, ThePeerMayBeAnOrdinaryOpenSsl) {
    auto serving = std::async(std::launch::async, [this] { return serve(); });
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, sockets_[1]);
    signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(SSL_connect(ssl), 1);
    auto served = serving.get();
    ASSERT_TRUE(served) << served.error().what;
    for (int round = 0; round < 3; ++round) {
        // From the second round on both ends must use new keys.
        ASSERT_TRUE(round == 0 || SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        ASSERT_EQ(SSL_write(ssl, "hello", 5), 5);
        EXPECT_EQ(receive(**served, 5), (Bytes{'h', 'e', 'l', 'l', 'o'}));
        ASSERT_TRUE(send(**served, pattern(1000)));
        Bytes answer(1000);
        ASSERT_EQ(SSL_read(ssl, answer.data(), 1000), 1000);
        EXPECT_EQ(answer, pattern(1000));
    }
    SSL_shutdown(ssl);
    uint8_t byte = 0;
    const auto end = (*served)->receive(&byte, 1, Wait::kBlock);
    EXPECT_TRUE(end && end->closed);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(sockets_[1]);
}

TEST_F(Tls, AnOlderTlsIsRefused) {
    auto serving = std::async(std::launch::async, [this] { return serve(); });
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, sockets_[1]);
    EXPECT_NE(SSL_connect(ssl), 1);
    EXPECT_FALSE(serving.get());
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(sockets_[1]);
}

TEST_F(Tls, RandomBytesAreNoHandshake) {
    auto handshake = TlsHandshake::of_server(server_);
    ASSERT_TRUE(handshake);
    Bytes out;
    const Bytes noise = pattern(600);
    EXPECT_FALSE(handshake->step(noise.data(), noise.size(), &out));
}

}  // namespace
}  // namespace bitfusion::link
