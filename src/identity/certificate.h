// Certificate: the pool's own authority, the certificates of its servers, and what is written in one.
//
// A pool has one authority. Clients know it by the file ca.crt and trust every server that has a certificate
// of it, whatever its address: who else could have one? Keys are EC P-256. Dates begin a day early, because
// clocks differ. PEM texts; OpenSSL's calls; any thread.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::identity {

struct KeyPair {
    std::string certificate;  // PEM
    std::string key;          // PEM, a secret
};

constexpr int kAuthorityDays = 3650;
constexpr int kServerDays = 825;

// A new authority that signs itself.
Result<KeyPair> make_authority(const std::string& pool, std::time_t now);
// A server's certificate for these names: host names, IPv4 and IPv6 addresses. The first is its common name.
Result<KeyPair> make_server_certificate(const KeyPair& authority, const std::vector<std::string>& names,
                                        std::time_t now);

// What a server sends that wants a certificate: its key never leaves it.
struct SigningRequest {
    std::string request;  // PEM
    std::string key;      // PEM, a secret
};
Result<SigningRequest> make_signing_request(const std::vector<std::string>& names);
// The certificate for the request's own key, which must be EC P-256, and its own names. Whatever else it asks
// for is not granted.
Result<std::string> sign_request(const KeyPair& authority, const std::string& request, std::time_t now);

struct CertificateFacts {
    std::string subject;
    std::string issuer;
    std::string serial;  // hexadecimal
    std::vector<std::string> names;
    std::time_t not_before = 0;
    std::time_t not_after = 0;
    std::string fingerprint;  // SHA-256 of the certificate, hexadecimal
};

Result<CertificateFacts> facts_of(const std::string& certificate);
// Whether the authority has signed it, dates aside.
bool signed_by(const std::string& certificate, const std::string& authority);

}  // namespace bitfusion::identity
