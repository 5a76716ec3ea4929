#include "daemon/gpu_lock.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace bitfusion::daemon {

Status GpuLocks::take(const std::vector<std::string>& uuids) {
    for (const std::string& uuid : uuids) {
        const bool ours =
            std::any_of(locks_.begin(), locks_.end(), [&](const Lock& lock) { return lock.uuid == uuid; });
        if (ours) continue;
        const std::string name = "bitfusion-gpu-" + uuid;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (name.size() + 1 > sizeof address.sun_path)
            return fail("the GPU's id '" + uuid + "' is too long for a lock");
        memcpy(address.sun_path + 1, name.data(), name.size());
        Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
        if (!socket || bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
            if (errno == EADDRINUSE) {
                return fail(
                    "GPU " + uuid +
                        " is served by another manager of this machine; end that one first (systemctl "
                        "status bitfusion), or let this one serve software GPUs: --backend soft",
                    EADDRINUSE);
            }
            return fail("cannot lock GPU " + uuid + ": " + strerror(errno), errno);
        }
        locks_.push_back({uuid, std::move(socket)});
    }
    return {};
}

}  // namespace bitfusion::daemon
