#include "link/lane_door.h"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "link/file_rights.h"

namespace bitfusion::link {
namespace {

constexpr size_t kMostKeys = 4096;

// More waiting connections than a session has lanes are strangers'.
constexpr int kMostWaitingBytes = 64 << 10;

}  // namespace

Result<LaneDoor> make_lane_door() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(std::string("cannot make a socket pair: ") + strerror(errno) + "; raise ulimit -n",
                    errno);
    LaneDoor door{Descriptor(ends[0]), Descriptor(ends[1])};
    setsockopt(door.outside.get(), SOL_SOCKET, SO_SNDBUF, &kMostWaitingBytes, sizeof kMostWaitingBytes);
    return door;
}

Status pass_lane(int outside, const PassedLane& lane) {
    if (lane.tls.size() > kMostKeys) return fail("the keys of a connection are too long");
    std::vector<uint8_t> bytes(lane.secret.begin(), lane.secret.end());
    bytes.insert(bytes.end(), lane.tls.begin(), lane.tls.end());
    const int descriptor = lane.connection.get();
    Status passed = send_rights(outside, bytes, {&descriptor, 1});
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return passed;
}

Result<PassedLane> take_lane(int inside) {
    std::array<uint8_t, 32 + kMostKeys> bytes{};
    size_t count = 0;
    auto rights = receive_rights(inside, bytes, &count, true);
    if (!rights) return tl::unexpected<Error>(rights.error());
    if (rights->descriptors.size() != 1 || count < 32)
        return fail("the daemon passed no connection; daemon and worker must be of one version", EPROTO);
    PassedLane lane;
    lane.connection = std::move(rights->descriptors.front());
    memcpy(lane.secret.data(), bytes.data(), lane.secret.size());
    lane.tls.assign(bytes.begin() + 32, bytes.begin() + static_cast<std::ptrdiff_t>(count));
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return lane;
}

void close_lane_door(int inside) { shutdown(inside, SHUT_RDWR); }

}  // namespace bitfusion::link
