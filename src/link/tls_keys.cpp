#include "link/tls_keys.h"

#include <openssl/hmac.h>

#include <charconv>
#include <cstring>
#include <sstream>

namespace bitfusion::link {
namespace {

const std::array<TlsSuite, 3>& suites() {
    static const std::array<TlsSuite, 3> all = {{
        {0x1301, "TLS_AES_128_GCM_SHA256", EVP_aes_128_gcm, EVP_sha256, 16, 32, UINT64_C(1) << 22},
        {0x1302, "TLS_AES_256_GCM_SHA384", EVP_aes_256_gcm, EVP_sha384, 32, 48, UINT64_C(1) << 22},
        {0x1303, "TLS_CHACHA20_POLY1305_SHA256", EVP_chacha20_poly1305, EVP_sha256, 32, 32,
         UINT64_C(1) << 40},
    }};
    return all;
}

// HKDF-Expand-Label with an empty context. Every length that TLS 1.3 asks for here fits one round of HKDF.
std::vector<uint8_t> expand(const TlsSuite& suite, const std::vector<uint8_t>& secret,
                            const std::string& label, size_t count) {
    const std::string name = "tls13 " + label;
    std::vector<uint8_t> info = {static_cast<uint8_t>(count >> 8), static_cast<uint8_t>(count),
                                 static_cast<uint8_t>(name.size())};
    info.insert(info.end(), name.begin(), name.end());
    info.push_back(0);
    info.push_back(1);  // the round's number
    std::array<uint8_t, EVP_MAX_MD_SIZE> out{};
    unsigned length = 0;
    if (HMAC(suite.digest(), secret.data(), static_cast<int>(secret.size()), info.data(), info.size(),
             out.data(), &length) == nullptr ||
        length < count) {
        __builtin_trap();  // HMAC of a few bytes with a digest that is linked in
    }
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)};
}

Result<uint64_t> number_of(const std::string& text, int base) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || error != std::errc{} || at != end) return fail("a connection's keys are malformed");
    return value;
}

}  // namespace

const TlsSuite* tls_suite(uint16_t number) {
    for (const TlsSuite& suite : suites()) {
        if (suite.number == number) return &suite;
    }
    return nullptr;
}

std::string tls_suite_names() {
    std::string names;
    for (const TlsSuite& suite : suites()) names += (names.empty() ? "" : ":") + std::string(suite.name);
    return names;
}

TlsKey key_of(const TlsSuite& suite, const std::vector<uint8_t>& secret) {
    TlsKey key;
    key.key = expand(suite, secret, "key", suite.key_bytes);
    const std::vector<uint8_t> iv = expand(suite, secret, "iv", key.iv.size());
    memcpy(key.iv.data(), iv.data(), iv.size());
    return key;
}

std::vector<uint8_t> next_secret(const TlsSuite& suite, const std::vector<uint8_t>& secret) {
    return expand(suite, secret, "traffic upd", suite.secret_bytes);
}

std::string hex_of(const uint8_t* bytes, size_t count) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(count * 2);
    for (size_t i = 0; i < count; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

Result<std::vector<uint8_t>> bytes_of_hex(const std::string& digits) {
    const auto value = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    std::vector<uint8_t> bytes;
    if (digits.size() % 2 != 0) return fail("an odd number of hexadecimal digits");
    for (size_t i = 0; i < digits.size(); i += 2) {
        const int high = value(digits[i]);
        const int low = value(digits[i + 1]);
        if (high < 0 || low < 0) return fail("not a text of hexadecimal digits");
        bytes.push_back(static_cast<uint8_t>(high << 4 | low));
    }
    return bytes;
}

std::string to_text(const TlsState& state) {
    return std::to_string(state.suite) + ":" + hex_of(state.read_secret.data(), state.read_secret.size()) +
           ":" + hex_of(state.write_secret.data(), state.write_secret.size()) + ":" +
           std::to_string(state.read_sequence) + ":" + std::to_string(state.write_sequence);
}

Result<TlsState> tls_state_from_text(const std::string& text) {
    std::istringstream in(text);
    std::array<std::string, 5> parts;
    for (std::string& part : parts) {
        if (!std::getline(in, part, ':')) return fail("a connection's keys are incomplete");
    }
    TlsState state;
    const auto suite = number_of(parts[0], 10);
    const auto read = bytes_of_hex(parts[1]);
    const auto write = bytes_of_hex(parts[2]);
    const auto read_sequence = number_of(parts[3], 10);
    const auto write_sequence = number_of(parts[4], 10);
    if (!suite || *suite > UINT16_MAX || !read || !write || !read_sequence || !write_sequence)
        return fail("a connection's keys are malformed");
    state.suite = static_cast<uint16_t>(*suite);
    state.read_secret = *read;
    state.write_secret = *write;
    state.read_sequence = *read_sequence;
    state.write_sequence = *write_sequence;
    const TlsSuite* known = tls_suite(state.suite);
    if (known == nullptr || read->size() != known->secret_bytes || write->size() != known->secret_bytes)
        return fail("a connection's keys do not fit a known cipher suite");
    return state;
}

}  // namespace bitfusion::link
