// What the tests of links say to each other.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "link/link.h"

namespace bitfusion::link {

using Bytes = std::vector<uint8_t>;

// The same seed gives the same bytes.
inline Bytes pattern(size_t count, uint32_t seed = 1) {
    Bytes bytes(count);
    for (uint8_t& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<uint8_t>(seed >> 24);
    }
    return bytes;
}

inline Status send(Link& link, const Bytes& bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    return link.send({&piece, 1});
}

// Everything until `count` bytes are there or the peer has gone; at most `most` of them at a time.
inline Bytes receive(Link& link, size_t count, size_t most = SIZE_MAX) {
    Bytes bytes(count);
    size_t at = 0;
    while (at < count) {
        const auto got = link.receive(bytes.data() + at, std::min(most, count - at), Wait::kBlock);
        if (!got || got->closed) break;
        at += got->bytes;
    }
    bytes.resize(at);
    return bytes;
}

}  // namespace bitfusion::link
