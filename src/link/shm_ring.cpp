#include "link/shm_ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace bitfusion::link {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kOneRing = kPage + kShmRingBytes;
constexpr size_t kFileBytes = 2 * kOneRing;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
// A sleeping putter is woken when so much is free: often enough to keep both sides busy, and not for each
// byte.
constexpr size_t kRoomThatWakes = kShmRingBytes / 4;
static_assert(sizeof(ShmWords) <= kPage);

tl::unexpected<Error> cannot(const char* what) {
    return fail(std::string("cannot ") + what + " shared memory: " + strerror(errno), errno);
}

tl::unexpected<Error> broken() { return fail("the peer wrote nonsense into the shared memory", EPROTO); }

}  // namespace

Result<ShmMemory> ShmMemory::make() {
    Descriptor file(memfd_create("bitfusion-link", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ftruncate(file.get(), static_cast<off_t>(kFileBytes)) != 0 ||
        fcntl(file.get(), F_ADD_SEALS, kSeals) != 0)
        return cannot("make");
    return map(std::move(file));
}

Result<ShmMemory> ShmMemory::adopt(Descriptor file) {
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return cannot("look at the server's");
    const int seals = fcntl(file.get(), F_GET_SEALS);
    if (status.st_size != static_cast<off_t>(kFileBytes) || seals < 0 || (seals & kSeals) != kSeals)
        return fail("the server's shared memory is not as agreed: another size, or not sealed", EPROTO);
    return map(std::move(file));
}

Result<ShmMemory> ShmMemory::map(Descriptor file) {
    void* place = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (place == MAP_FAILED) return cannot("map");
    return ShmMemory(std::move(file), static_cast<uint8_t*>(place));
}

ShmMemory::ShmMemory(ShmMemory&& other) noexcept
    : file_(std::move(other.file_)), base_(std::exchange(other.base_, nullptr)) {}

ShmMemory::~ShmMemory() {
    if (base_ != nullptr) munmap(base_, kFileBytes);
}

ShmWords* ShmMemory::words(int ring) const {
    return reinterpret_cast<ShmWords*>(base_ + static_cast<size_t>(ring) * kOneRing);
}

uint8_t* ShmMemory::bytes(int ring) const { return base_ + static_cast<size_t>(ring) * kOneRing + kPage; }

Result<size_t> ShmPutter::room() const {
    const uint64_t waiting = head_ - words_->tail.load(std::memory_order_acquire);
    if (waiting > kShmRingBytes) return broken();
    return kShmRingBytes - waiting;
}

void ShmPutter::put(const void* data, size_t count) {
    const size_t at = head_ % kShmRingBytes;
    const size_t first = std::min(count, kShmRingBytes - at);
    memcpy(bytes_ + at, data, first);
    memcpy(bytes_, static_cast<const uint8_t*>(data) + first, count - first);
    head_ += count;
}

bool ShmPutter::publish() {
    words_->head.store(head_, std::memory_order_seq_cst);
    return words_->taker_sleeps.load(std::memory_order_seq_cst) != 0 &&
           words_->taker_sleeps.exchange(0, std::memory_order_seq_cst) != 0;
}

Result<bool> ShmPutter::prepare_sleep() {
    words_->putter_sleeps.store(1, std::memory_order_seq_cst);
    const uint64_t waiting = head_ - words_->tail.load(std::memory_order_seq_cst);
    if (waiting > kShmRingBytes) return broken();
    if (waiting == kShmRingBytes) return true;
    stay_awake();
    return false;
}

Result<size_t> ShmTaker::left() const {
    const uint64_t there = words_->head.load(std::memory_order_acquire) - tail_;
    if (there > kShmRingBytes) return broken();
    return there;
}

bool ShmTaker::take(void* target, size_t count) {
    const size_t at = tail_ % kShmRingBytes;
    const size_t first = std::min(count, kShmRingBytes - at);
    memcpy(target, bytes_ + at, first);
    memcpy(static_cast<uint8_t*>(target) + first, bytes_, count - first);
    tail_ += count;
    words_->tail.store(tail_, std::memory_order_seq_cst);
    if (words_->putter_sleeps.load(std::memory_order_seq_cst) == 0) return false;
    const uint64_t there = words_->head.load(std::memory_order_relaxed) - tail_;
    if (there > kShmRingBytes - kRoomThatWakes) return false;
    return words_->putter_sleeps.exchange(0, std::memory_order_seq_cst) != 0;
}

Result<bool> ShmTaker::prepare_sleep() {
    words_->taker_sleeps.store(1, std::memory_order_seq_cst);
    const uint64_t there = words_->head.load(std::memory_order_seq_cst) - tail_;
    if (there > kShmRingBytes) return broken();
    if (there == 0) return true;
    stay_awake();
    return false;
}

}  // namespace bitfusion::link
