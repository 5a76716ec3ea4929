#include "link/read_ahead.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bitfusion::link {

Status limit_send(int descriptor, std::chrono::milliseconds patience) {
    const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return fail(std::string("cannot limit how long a send waits: ") + strerror(errno), errno);
    return {};
}

void ReadAhead::fill(int descriptor) {
    constexpr size_t kAtATime = 256 << 10;
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    while (bytes_.size() < kMost) {
        const size_t before = bytes_.size();
        bytes_.resize(std::min(before + kAtATime, kMost));
        ssize_t got = 0;
        do got = recv(descriptor, bytes_.data() + before, bytes_.size() - before, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        bytes_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
        // Nothing there; or an end or an error, which the next receive finds again.
        if (got <= 0) return;
    }
}

size_t ReadAhead::take(void* target, size_t bytes) {
    const size_t count = std::min(bytes, bytes_.size() - begin_);
    if (count != 0) memcpy(target, bytes_.data() + begin_, count);
    begin_ += count;
    if (empty()) {
        std::vector<uint8_t>().swap(bytes_);
        begin_ = 0;
    }
    return count;
}

}  // namespace bitfusion::link
