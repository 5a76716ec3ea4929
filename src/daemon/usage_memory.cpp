#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/lease.h"

namespace bitfusion::daemon {

Result<UsageMemory> UsageMemory::make() {
    Descriptor file(memfd_create("bitfusion-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    // Sealed, so that no worker can shrink it under another worker's mapping.
    const bool made = file && ftruncate(file.get(), wire::kLeaseMemoryBytes) == 0 &&
                      fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    void* const place =
        made ? mmap(nullptr, sizeof(wire::Usage), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0)
             : MAP_FAILED;
    if (place == MAP_FAILED) {
        return fail(std::string("the server cannot make shared memory: ") + strerror(errno) +
                        "; raise its limit of open files (ulimit -n)",
                    503);
    }
    return UsageMemory(std::move(file), static_cast<wire::Usage*>(place));
}

UsageMemory::UsageMemory(UsageMemory&& other) noexcept
    : file_(std::move(other.file_)), usage_(std::exchange(other.usage_, nullptr)) {}

UsageMemory::~UsageMemory() {
    if (usage_ != nullptr) munmap(usage_, sizeof(wire::Usage));
}

uint64_t Lease::used_bytes(size_t index) const {
    return index < wire::Usage::kMostGpus ? usage->bytes[index].load() : 0;
}

std::optional<int> Lease::free_slot() const {
    for (int slot = 0; slot < wire::Usage::kMostWorkers; ++slot) {
        bool taken = false;
        for (const auto& [pid, other] : workers) taken = taken || other == slot;
        if (!taken) return slot;
    }
    return std::nullopt;
}

}  // namespace bitfusion::daemon
