#include "link/file_rights.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace bitfusion::link {

Status send_rights(int socket, uint8_t byte, std::span<const int> descriptors) {
    return send_rights(socket, {&byte, 1}, descriptors);
}

Status send_rights(int socket, std::span<const uint8_t> bytes, std::span<const int> descriptors) {
    if (descriptors.empty() || descriptors.size() > kMostRights) return fail("no such number of files");
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(kMostRights * sizeof(int))> control{};
    iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    ssize_t sent = 0;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent != static_cast<ssize_t>(bytes.size()))
        return fail(std::string("cannot give the peer a file: ") + strerror(errno), errno);
    return {};
}

Result<Rights> receive_rights(int socket, bool wait) {
    uint8_t byte = 0;
    size_t count = 0;
    return receive_rights(socket, {&byte, 1}, &count, wait);
}

Result<Rights> receive_rights(int socket, std::span<uint8_t> bytes, size_t* count, bool wait) {
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(kMostRights * sizeof(int))> control{};
    Rights got;
    iovec piece{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t received = 0;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (received < 0 && errno == EINTR);
    if (received < 0) return fail(std::string("the peer gave no file: ") + strerror(errno), errno);
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
        for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= at->cmsg_len; ++i) {
            int descriptor = -1;
            memcpy(&descriptor, CMSG_DATA(at) + i * sizeof descriptor, sizeof descriptor);
            got.descriptors.emplace_back(descriptor);
        }
    }
    if (received < 1 || (message.msg_flags & MSG_CTRUNC) != 0)
        return fail("the peer gave no file, or too many", EPROTO);
    got.byte = bytes[0];
    *count = static_cast<size_t>(received);
    return got;
}

}  // namespace bitfusion::link
