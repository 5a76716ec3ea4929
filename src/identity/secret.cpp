#include "identity/secret.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "base/log.h"

namespace bitfusion::identity {
namespace {

std::vector<uint8_t> random_bytes(size_t count) {
    std::vector<uint8_t> bytes(count);
    if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) {
        BF_LOG("identity", kError, "there are no random bytes; secrets cannot be made");
        abort();
    }
    return bytes;
}

std::string text_of(const uint8_t* bytes, size_t count) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    std::string text;
    uint32_t held = 0;
    int bits = 0;
    for (size_t i = 0; i < count; ++i) {
        held = held << 8 | bytes[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text += kDigits[held >> bits & 63];
        }
    }
    if (bits > 0) text += kDigits[held << (6 - bits) & 63];
    return text;
}

std::string hex(const uint8_t* bytes, size_t count) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < count; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

std::array<uint8_t, SHA256_DIGEST_LENGTH> sha(const std::string& text) {
    std::array<uint8_t, SHA256_DIGEST_LENGTH> out{};
    SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), out.data());
    return out;
}

}  // namespace

std::string random_text(size_t count) {
    const auto bytes = random_bytes(count);
    return text_of(bytes.data(), bytes.size());
}

std::string random_name(size_t count) {
    constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz234567";
    std::string text;
    for (const uint8_t byte : random_bytes(count)) text += kLetters[byte & 31];
    return text;
}

std::string keyed_digest(const std::string& key, const std::string& text) {
    std::array<uint8_t, EVP_MAX_MD_SIZE> out{};
    unsigned length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const uint8_t*>(text.data()), text.size(), out.data(), &length);
    return text_of(out.data(), length);
}

std::string digest(const std::string& text) {
    const auto out = sha(text);
    return hex(out.data(), out.size());
}

std::string uuid_of(const std::string& text) {
    auto bytes = sha(text);
    bytes[6] =
        static_cast<uint8_t>((bytes[6] & 0x0f) | 0x80);  // version 8: made of one's own data (RFC 9562)
    bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string out = hex(bytes.data(), 16);
    for (const size_t place : {8u, 13u, 18u, 23u}) out.insert(place, "-");
    return out;
}

bool equal_secrets(const std::string& a, const std::string& b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace bitfusion::identity
