#include "link/tls_record.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

namespace bitfusion::link {
namespace {

constexpr size_t kTagBytes = 16;
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kData = 23;
constexpr uint8_t kCloseNotify = 0;
constexpr uint8_t kNewSessionTicket = 4;
constexpr uint8_t kKeyUpdate = 24;

tl::unexpected<Error> broken(const char* what) {
    return fail(std::string("the encrypted connection is broken: ") + what +
                "; somebody changes its bytes, or the two ends are of different releases");
}

}  // namespace

TlsDirection::~TlsDirection() {
    OPENSSL_cleanse(secret_.data(), secret_.size());
    OPENSSL_cleanse(key_.key.data(), key_.key.size());
}

Status TlsDirection::open(uint16_t suite, const std::vector<uint8_t>& secret, uint64_t sequence,
                          bool sealing) {
    suite_ = tls_suite(suite);
    if (suite_ == nullptr || secret.size() != suite_->secret_bytes)
        return fail(
            "the connection's keys do not fit a known cipher suite; install the same release on both ends");
    cipher_.reset(EVP_CIPHER_CTX_new());
    if (cipher_ == nullptr) return fail("no memory for a cipher");
    sealing_ = sealing;
    secret_ = secret;
    Status used = use_secret();
    sequence_ = sequence;
    return used;
}

Status TlsDirection::use_secret() {
    key_ = key_of(*suite_, secret_);
    sequence_ = 0;
    if (EVP_CipherInit_ex(cipher_.get(), suite_->cipher(), nullptr, key_.key.data(), nullptr,
                          sealing_ ? 1 : 0) != 1)
        return fail("OpenSSL refuses the cipher; check its installation");
    return {};
}

Status TlsDirection::next_key() {
    std::vector<uint8_t> next = next_secret(*suite_, secret_);
    OPENSSL_cleanse(secret_.data(), secret_.size());
    secret_ = std::move(next);
    return use_secret();
}

EVP_CIPHER_CTX* TlsDirection::begin_record(const uint8_t* head) {
    std::array<uint8_t, 12> nonce = key_.iv;
    for (int i = 0; i < 8; ++i)
        nonce[static_cast<size_t>(11 - i)] ^= static_cast<uint8_t>(sequence_ >> (8 * i));
    ++sequence_;
    int length = 0;
    if (EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) != 1 ||
        EVP_CipherUpdate(cipher_.get(), nullptr, &length, head, kTlsHeadBytes) != 1) {
        return nullptr;
    }
    return cipher_.get();
}

Status TlsSealer::record(uint8_t type, std::span<const iovec> pieces, size_t bytes,
                         std::vector<uint8_t>* out) {
    const size_t body = bytes + 1 + kTagBytes;
    const size_t start = out->size();
    out->resize(start + kTlsHeadBytes + body);
    uint8_t* at = out->data() + start;
    const uint8_t head[kTlsHeadBytes] = {kData, 3, 3, static_cast<uint8_t>(body >> 8),
                                         static_cast<uint8_t>(body)};
    memcpy(at, head, sizeof head);
    at += sizeof head;
    EVP_CIPHER_CTX* cipher = direction_.begin_record(head);
    bool fine = cipher != nullptr;
    int length = 0;
    for (const iovec& piece : pieces) {
        fine = fine && EVP_CipherUpdate(cipher, at, &length, static_cast<const uint8_t*>(piece.iov_base),
                                        static_cast<int>(piece.iov_len)) == 1;
        at += piece.iov_len;
    }
    fine = fine && EVP_CipherUpdate(cipher, at, &length, &type, 1) == 1;
    ++at;
    fine = fine && EVP_CipherFinal_ex(cipher, at, &length) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTagBytes, at) == 1;
    if (!fine) return fail("OpenSSL cannot encrypt; check its installation");
    return {};
}

Status TlsSealer::seal(std::span<const iovec> pieces, std::vector<uint8_t>* out) {
    std::vector<iovec> of_record;
    size_t index = 0;
    size_t offset = 0;
    for (;;) {
        of_record.clear();
        size_t bytes = 0;
        while (index < pieces.size() && bytes < kTlsMostPlain) {
            const size_t take = std::min(pieces[index].iov_len - offset, kTlsMostPlain - bytes);
            if (take != 0)
                of_record.push_back({static_cast<uint8_t*>(pieces[index].iov_base) + offset, take});
            bytes += take;
            offset += take;
            if (offset == pieces[index].iov_len) {
                ++index;
                offset = 0;
            }
        }
        if (bytes == 0) return {};
        if (direction_.worn() || new_key_.exchange(false, std::memory_order_relaxed)) {
            uint8_t update[] = {kKeyUpdate, 0, 0, 1, 0};
            const iovec piece{update, sizeof update};
            Status told = record(kHandshake, {&piece, 1}, sizeof update, out);
            if (told) told = direction_.next_key();
            if (!told) return told;
        }
        Status sealed = record(kData, of_record, bytes, out);
        if (!sealed) return sealed;
    }
}

Result<size_t> TlsOpener::record_bytes(const uint8_t* front, size_t have) {
    if (have < kTlsHeadBytes) return 0;
    const size_t body = static_cast<size_t>(front[3]) << 8 | front[4];
    if (front[0] != kData || front[1] != 3 || body <= kTagBytes || kTlsHeadBytes + body > kTlsMostRecord)
        return broken("a record has no proper head");
    return kTlsHeadBytes + body;
}

size_t TlsOpener::most_plain(size_t record_bytes) { return record_bytes - kTlsHeadBytes - kTagBytes - 1; }

Result<TlsOpener::Opened> TlsOpener::open_record(const uint8_t* record, size_t bytes, uint8_t* plain) {
    const size_t room = most_plain(bytes);
    const uint8_t* body = record + kTlsHeadBytes;
    uint8_t type = 0;
    int length = 0;
    EVP_CIPHER_CTX* cipher = direction_.begin_record(record);
    // The tag is only compared with, but OpenSSL's interface has no const there.
    uint8_t tag[kTagBytes];
    memcpy(tag, body + room + 1, sizeof tag);
    const bool fine =
        cipher != nullptr &&
        (room == 0 || EVP_CipherUpdate(cipher, plain, &length, body, static_cast<int>(room)) == 1) &&
        EVP_CipherUpdate(cipher, &type, &length, body + room, 1) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
        EVP_CipherFinal_ex(cipher, tag, &length) == 1;
    if (!fine) return broken("a record was changed on the way");
    size_t count = room;
    while (type == 0 && count > 0) type = plain[--count];  // padding
    if (count > kTlsMostPlain) return broken("a record is too long");
    if (type == kData) return Opened{Kind::kData, count};
    if (type == kHandshake) return serve_handshake(plain, count);
    if (type == kAlert && count == 2 && plain[1] == kCloseNotify) return Opened{Kind::kClosed, 0};
    if (type == kAlert && count == 2)
        return fail("the peer ends the connection with TLS alert " + std::to_string(plain[1]));
    return broken("a record of an unknown type");
}

Result<TlsOpener::Opened> TlsOpener::serve_handshake(const uint8_t* message, size_t bytes) {
    if (bytes == 5 && message[0] == kKeyUpdate && message[3] == 1 && message[4] <= 1) {
        wants_new_key_ = wants_new_key_ || message[4] == 1;
        Status changed = direction_.next_key();
        if (!changed) return tl::unexpected<Error>(changed.error());
        return Opened{};
    }
    // Tickets to resume with are of no use to us: each connection has a lease's ticket of its own.
    if (bytes > 0 && message[0] == kNewSessionTicket) return Opened{};
    return broken("an unexpected message of the handshake");
}

}  // namespace bitfusion::link
