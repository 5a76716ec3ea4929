// Digest: the name of a code image in a server's cache: HMAC-SHA-256 of its bytes under the server's key.
//
// Who can say this name for a server has the bytes, or was told by somebody who has them: it cannot be
// guessed, and the well-known hashes of files are of no use without the key. Bytes read from a cache are
// checked against the name they were found by, so nobody can put others behind it. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "image/container.h"

namespace bitfusion::image {

inline constexpr size_t kDigestBytes = 32;
inline constexpr size_t kDigestKeyBytes = 32;
using Digest = std::array<uint8_t, kDigestBytes>;
using DigestKey = std::array<uint8_t, kDigestKeyBytes>;

// Smaller images travel faster than their names are made.
inline constexpr size_t kLeastCached = 64u << 10;

Digest digest_of(const DigestKey& key, Bytes content);

// Lowercase hexadecimal digits.
std::string to_hex(const Digest& digest);

}  // namespace bitfusion::image
