#include "device/soft/arena.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace bitfusion::soft {
namespace {

constexpr uint64_t kReleasePagesFrom = uint64_t{64} << 10;
constexpr uint64_t kPage = 4096;

void* map_lazily(void* hint, uint64_t bytes, const SharedFile* file) {
    const int how = file != nullptr ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void* at = mmap(hint, bytes, PROT_READ | PROT_WRITE, how | MAP_NORESERVE,
                    file != nullptr ? file->descriptor : -1, 0);
    if (at == MAP_FAILED) return nullptr;
    madvise(at, bytes, MADV_DONTDUMP);
    return at;
}

}  // namespace

Result<std::unique_ptr<Arena>> Arena::reserve(uint64_t hint, uint64_t bytes, unsigned granule_shift,
                                              SharedFilePtr file) {
    void* range = map_lazily(reinterpret_cast<void*>(static_cast<uintptr_t>(hint)), bytes, file.get());
    void* granules = range == nullptr ? nullptr : map_lazily(nullptr, bytes >> granule_shift, nullptr);
    if (granules == nullptr) {
        const int why = errno;
        if (range != nullptr) munmap(range, bytes);
        return fail("cannot reserve " + std::to_string(bytes >> 20) +
                        " MiB of addresses for the software GPU: " + strerror(why) +
                        "; give it less memory or raise the address space limit (ulimit -v)",
                    why);
    }
    return std::make_unique<Arena>(Key{}, reinterpret_cast<uintptr_t>(range), bytes,
                                   static_cast<uint8_t*>(granules), granule_shift, std::move(file));
}

Arena::Arena(Key, uint64_t base, uint64_t bytes, uint8_t* granules, unsigned granule_shift,
             SharedFilePtr file)
    : base_(base), bytes_(bytes), granules_(granules), granule_shift_(granule_shift), file_(std::move(file)) {
    gaps_[base] = bytes;
}

Arena::~Arena() {
    munmap(reinterpret_cast<void*>(base_), bytes_);
    munmap(granules_, bytes_ >> granule_shift_);
}

uint64_t Arena::take(uint64_t bytes, uint64_t alignment) {
    const uint64_t wanted = round_up(bytes);
    if (wanted < bytes || wanted == 0 || alignment > bytes_) return 0;
    if (alignment < granule()) alignment = granule();
    const std::lock_guard lock(mutex_);
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
        const uint64_t start = (gap->first + alignment - 1) & ~(alignment - 1);
        const uint64_t end = gap->first + gap->second;
        if (start > end || end - start < wanted) continue;
        if (start == gap->first)
            gaps_.erase(gap);
        else
            gap->second = start - gap->first;
        if (start + wanted < end) gaps_[start + wanted] = end - start - wanted;
        set_open(start, wanted, true);
        return start;
    }
    return 0;
}

bool Arena::take_at(uint64_t address, uint64_t bytes) {
    const uint64_t wanted = round_up(bytes);
    if (!contains(address) || wanted < bytes || wanted == 0 || (address & (granule() - 1)) != 0) return false;
    const std::lock_guard lock(mutex_);
    auto gap = gaps_.upper_bound(address);
    if (gap == gaps_.begin()) return false;
    --gap;
    const uint64_t end = gap->first + gap->second;
    if (address >= end || end - address < wanted) return false;
    if (gap->first == address)
        gaps_.erase(gap);
    else
        gap->second = address - gap->first;
    if (address + wanted < end) gaps_[address + wanted] = end - address - wanted;
    set_open(address, wanted, true);
    return true;
}

void Arena::give(uint64_t address, uint64_t bytes) {
    uint64_t start = address;
    uint64_t size = round_up(bytes);
    set_open(start, size, false);
    if (size >= kReleasePagesFrom) {
        const uint64_t first = (start + kPage - 1) & ~(kPage - 1);
        const uint64_t last = (start + size) & ~(kPage - 1);
        // Of a file the pages themselves go: this is the memory's owner.
        madvise(reinterpret_cast<void*>(first), last - first, file_ != nullptr ? MADV_REMOVE : MADV_DONTNEED);
    }
    const std::lock_guard lock(mutex_);
    auto after = gaps_.lower_bound(start);
    if (after != gaps_.end() && after->first == start + size) {
        size += after->second;
        after = gaps_.erase(after);
    }
    if (after != gaps_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == start) {
            before->second += size;
            return;
        }
    }
    gaps_[start] = size;
}

void Arena::set_open(uint64_t address, uint64_t bytes, bool open) {
    const uint64_t first = (address - base_) >> granule_shift_;
    const uint64_t count = round_up(bytes) >> granule_shift_;
    const uint8_t value = open ? 1 : 0;
    for (uint64_t i = first; i < first + count; ++i)
        std::atomic_ref<uint8_t>(granules_[i]).store(value, std::memory_order_relaxed);
}

}  // namespace bitfusion::soft
