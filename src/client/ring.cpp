#include "client/ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bitfusion::client {

Ring::~Ring() {
    if (base_ != nullptr) munmap(base_, 2 * kBytes);
}

Status Ring::open() {
    const int memory = memfd_create("bitfusion-ring", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, kBytes) != 0) {
        if (memory >= 0) close(memory);
        return fail(std::string("cannot make the send ring: ") + strerror(errno) + "; free some memory",
                    errno);
    }
    void* place = mmap(nullptr, 2 * kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool mapped = place != MAP_FAILED;
    for (size_t half = 0; mapped && half < 2; ++half) {
        mapped = mmap(static_cast<uint8_t*>(place) + half * kBytes, kBytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_FIXED, memory, 0) != MAP_FAILED;
    }
    close(memory);
    if (!mapped)
        return fail(std::string("cannot map the send ring: ") + strerror(errno) + "; free some memory",
                    errno);
    base_ = static_cast<uint8_t*>(place);
    return {};
}

}  // namespace bitfusion::client
