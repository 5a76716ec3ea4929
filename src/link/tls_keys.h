// TlsKeys: the secrets of a TLS 1.3 connection after its handshake, and the keys that follow from them.
//
// The daemon makes the handshake with the server's private key, which a worker must never hold; what it hands
// on is a TlsState, good for this one connection. RFC 8446 sections 5.2, 7.1 to 7.3. Pure functions, any
// thread. A TlsState is a secret: it is never logged.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::link {

// From one end's point of view: the peer's `write` is our `read`.
struct TlsState {
    uint16_t suite = 0;  // number of the cipher suite
    std::vector<uint8_t> read_secret;
    std::vector<uint8_t> write_secret;
    uint64_t read_sequence = 0;  // records under the present secret
    uint64_t write_sequence = 0;
};

struct TlsSuite {
    uint16_t number;
    const char* name;  // OpenSSL's
    const EVP_CIPHER* (*cipher)();
    const EVP_MD* (*digest)();
    size_t key_bytes;
    size_t secret_bytes;
    uint64_t most_records;  // under one key, with room to spare (RFC 8446, 5.5)
};

// The suites that are offered and accepted; null for another number.
const TlsSuite* tls_suite(uint16_t number);
// Their names as OpenSSL wants them: "A:B:C".
std::string tls_suite_names();

struct TlsKey {
    std::vector<uint8_t> key;
    std::array<uint8_t, 12> iv{};
};

TlsKey key_of(const TlsSuite& suite, const std::vector<uint8_t>& secret);
// The secret after a KeyUpdate.
std::vector<uint8_t> next_secret(const TlsSuite& suite, const std::vector<uint8_t>& secret);

// One line without blanks, for the grant of a worker.
std::string to_text(const TlsState& state);
Result<TlsState> tls_state_from_text(const std::string& text);

// Lowercase hexadecimal digits.
std::string hex_of(const uint8_t* bytes, size_t count);
Result<std::vector<uint8_t>> bytes_of_hex(const std::string& digits);

}  // namespace bitfusion::link
