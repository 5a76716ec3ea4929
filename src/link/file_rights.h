// File rights: descriptors that travel over a socket of this machine (unix(7), SCM_RIGHTS), with some bytes.
// One thread sends on a socket, one receives.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace bitfusion::link {

// At once.
constexpr size_t kMostRights = 4;

// Does not wait: a peer that takes nothing makes it fail.
Status send_rights(int socket, uint8_t byte, std::span<const int> descriptors);
// On a socket that keeps messages apart (SOCK_SEQPACKET) the bytes are one message.
Status send_rights(int socket, std::span<const uint8_t> bytes, std::span<const int> descriptors);

struct Rights {
    uint8_t byte = 0;  // the first
    std::vector<Descriptor> descriptors;
};

// `wait`: as long as the socket waits (SO_RCVTIMEO). What is more than kMostRights is an error, and closed.
Result<Rights> receive_rights(int socket, bool wait);
// The same with as many bytes as come and `bytes` holds; the number of them in `count`.
Result<Rights> receive_rights(int socket, std::span<uint8_t> bytes, size_t* count, bool wait);

}  // namespace bitfusion::link
