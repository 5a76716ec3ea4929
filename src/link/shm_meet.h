// ShmMeet: how a client and a worker of one machine come to share memory (docs/wire.md, "shared memory").
//
// It begins on the connection that is authenticated already, so tickets and trust stay as they are. The
// worker listens on a socket of this machine and tells the client its name and a secret; the client looks for
// that name, shows the secret there, and is given the memory and a socket (SCM_RIGHTS). Who cannot find the
// name is on another machine, and both go on with the connection that they have. Only a name of random
// letters travels, never a path: each side looks in folders of its own. One thread each; both block while the
// other is slow.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "link/link.h"

namespace bitfusion::link {

constexpr uint32_t kShmOfferMagic = 0x4d534642;  // "BFSM"
using ShmName = std::array<uint8_t, 16>;         // random; zeros: the worker has nothing to offer
using ShmSecret = std::array<uint8_t, 32>;

// As it travels.
struct ShmOffer {
    uint32_t magic = kShmOfferMagic;
    ShmName name{};
    ShmSecret secret{};
};
static_assert(sizeof(ShmOffer) == 52 && alignof(ShmOffer) == 4);

constexpr uint8_t kShmDeclined = 0;
constexpr uint8_t kShmJoined = 1;

// "bitfusion-<32 hexadecimal digits>": an abstract socket, and a file in a folder.
std::string shm_socket_name(const ShmName& name);

// Where both sides look when nobody says where: /run/bitfusion, and the folder of temporary files.
std::vector<std::string> shm_folders();

// The worker's side. Listens in the first of `folders` that is there and safe (nobody else can replace what
// lies in it), and in the machine's own space of names; offers, and waits for the answer. Returns the link to
// go on with: `link` itself or one in shared memory.
Result<std::unique_ptr<Link>> offer_shm(std::unique_ptr<Link> link, const std::vector<std::string>& folders);

enum class ShmWish { kNo, kIfPossible, kMust };

// The client's side, after it has asked for the ability and the server has agreed.
Result<std::unique_ptr<Link>> join_shm(std::unique_ptr<Link> link, const std::vector<std::string>& folders,
                                       ShmWish wish);

}  // namespace bitfusion::link
