#include "image/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace bitfusion::image {

Digest digest_of(const DigestKey& key, Bytes content) {
    Digest digest{};
    unsigned bytes = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest.data(),
             &bytes) == nullptr ||
        bytes != digest.size())
        __builtin_trap();  // a digest that is linked in
    return digest;
}

std::string to_hex(const Digest& digest) {
    std::string text;
    for (const uint8_t byte : digest) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

}  // namespace bitfusion::image
