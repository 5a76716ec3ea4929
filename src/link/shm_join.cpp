// The client's side of meeting in shared memory.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/log.h"
#include "link/file_rights.h"
#include "link/shm_link.h"
#include "link/shm_meet.h"

namespace bitfusion::link {
namespace {

constexpr timeval kPatience{2, 0};
constexpr timeval kForEver{0, 0};

bool is_zero(const ShmName& name) { return name == ShmName{}; }

Status read_exactly(Link* link, void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link->receive(static_cast<uint8_t*>(target) + at, bytes - at, Wait::kBlock);
        if (!got) return tl::unexpected<Error>(got.error());
        if (got->closed) return fail("the server ended the session while it began; look into its log");
        at += got->bytes;
    }
    return {};
}

Descriptor connect_to(const sockaddr_un& where, size_t name_bytes) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_bytes);
    if (!socket || connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), size) != 0) return {};
    return socket;
}

Descriptor find(const std::string& name, const std::vector<std::string>& folders) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    name.copy(where.sun_path + 1, sizeof where.sun_path - 1);
    Descriptor found = connect_to(where, 1 + name.size());
    for (size_t i = 0; i < folders.size() && !found; ++i) {
        const std::string path = folders[i] + "/" + name;
        if (path.size() >= sizeof where.sun_path) continue;
        where = {};
        where.sun_family = AF_UNIX;
        path.copy(where.sun_path, sizeof where.sun_path - 1);
        found = connect_to(where, path.size() + 1);
    }
    return found;
}

// The memory and the two sockets that come with the worker's one byte; anything else is refused and closed.
constexpr size_t kGiven = 3;

Result<std::vector<Descriptor>> receive_given(int socket) {
    auto rights = receive_rights(socket, true);
    if (!rights) return tl::unexpected<Error>(rights.error());
    if (rights->byte != kShmJoined || rights->descriptors.size() != kGiven)
        return fail("the server's worker gives no memory");
    return std::move(rights->descriptors);
}

Result<std::unique_ptr<Link>> join(const ShmOffer& offer, const std::vector<std::string>& folders) {
    if (is_zero(offer.name)) return fail("the server offers none");
    Descriptor socket = find(shm_socket_name(offer.name), folders);
    if (!socket) return fail("the server is another machine, or shares no folder with this one");
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    const ssize_t sent = send(socket.get(), offer.secret.data(), offer.secret.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(offer.secret.size())) return fail("the server's worker does not listen");
    auto given = receive_given(socket.get());
    if (!given) return tl::unexpected<Error>(given.error());
    auto memory = ShmMemory::adopt(std::move((*given)[0]));
    if (!memory) return tl::unexpected<Error>(memory.error());
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kForEver, sizeof kForEver);
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kForEver, sizeof kForEver);
    return over_shm(ShmSide::kClient, std::move(*memory),
                    {std::move(socket), std::move((*given)[1]), std::move((*given)[2])});
}

}  // namespace

std::string shm_socket_name(const ShmName& name) {
    std::string text = "bitfusion-";
    for (const uint8_t byte : name) {
        for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
    }
    return text;
}

std::vector<std::string> shm_folders() {
    const char* temporary = getenv("TMPDIR");
    return {"/run/bitfusion", temporary != nullptr && *temporary == '/' ? temporary : "/tmp"};
}

Result<std::unique_ptr<Link>> join_shm(std::unique_ptr<Link> link, const std::vector<std::string>& folders,
                                       ShmWish wish) {
    ShmOffer offer;
    Status read = read_exactly(link.get(), &offer, sizeof offer);
    if (!read) return tl::unexpected<Error>(read.error());
    if (offer.magic != kShmOfferMagic) return fail("the server's worker speaks another protocol", EPROTO);
    Result<std::unique_ptr<Link>> joined = fail("it is not wanted");
    if (wish != ShmWish::kNo) joined = join(offer, folders);
    uint8_t answer = joined ? kShmJoined : kShmDeclined;
    const iovec piece{&answer, 1};
    Status sent = link->send({&piece, 1});
    if (!sent) return tl::unexpected<Error>(sent.error());
    if (joined) {
        BF_LOG("link", kInfo, "the session runs over memory that is shared with the server's worker");
        return joined;
    }
    if (wish == ShmWish::kMust)
        return fail("no shared memory: " + joined.error().what +
                    "; leave out BITFUSION_LINK=shm to use the network");
    BF_LOG("link", kInfo, "the session runs over the network; no shared memory: %s",
           joined.error().what.c_str());
    return link;
}

}  // namespace bitfusion::link
