// ShmRing: two rings of bytes in memory that two processes share, one for each direction.
//
// The other process is as hostile as any peer: it may write anything anywhere in the shared pages at any
// time. So each side keeps its own position to itself, reads the other's position once before it uses it, and
// believes it only within the bounds of the ring; the bytes are copied out before anybody looks at them. The
// file behind the memory is sealed, so that no access can run past its end. Positions only grow.
//
// Each ring has one thread that puts and one that takes. Who waits sleeps elsewhere (shm_link.h); the words
// here only say that he does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/descriptor.h"
#include "base/result.h"

namespace bitfusion::link {

constexpr size_t kShmRingBytes = size_t{2} << 20;

// The shared part of one ring. Every word is written by one side only, but for the two wishes, which the
// other side takes back.
struct ShmWords {
    alignas(64) std::atomic<uint64_t> head;           // put so far
    alignas(64) std::atomic<uint32_t> taker_sleeps;   // 1: ring the bell when something was put
    alignas(64) std::atomic<uint64_t> tail;           // taken so far
    alignas(64) std::atomic<uint32_t> putter_sleeps;  // 1: ring the bell when there is room again
};
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

// The mapped file with both rings.
class ShmMemory {
  public:
    // A new file, filled with zeros and sealed.
    static Result<ShmMemory> make();
    // The file that the other side made: refused unless it has the size and the seals of ours.
    static Result<ShmMemory> adopt(Descriptor file);
    ShmMemory(ShmMemory&& other) noexcept;
    ShmMemory& operator=(ShmMemory&&) = delete;
    ~ShmMemory();

    int file() const { return file_.get(); }
    // The mapping stays; the file is no longer needed when the other side has it.
    void close_file() { file_.close(); }
    ShmWords* words(int ring) const;
    uint8_t* bytes(int ring) const;

  private:
    ShmMemory(Descriptor file, uint8_t* base) : file_(std::move(file)), base_(base) {}
    static Result<ShmMemory> map(Descriptor file);

    Descriptor file_;
    uint8_t* base_ = nullptr;
};

class ShmPutter {
  public:
    ShmPutter(ShmWords* words, uint8_t* bytes) : words_(words), bytes_(bytes) {}
    // How much put() would take now.
    Result<size_t> room() const;
    // At most room(); the taker sees it after publish().
    void put(const void* data, size_t count);
    // True: the taker sleeps, and whoever calls has to ring his bell.
    bool publish();
    // Says that this side is about to sleep until there is room. False: there is some, do not.
    Result<bool> prepare_sleep();
    void stay_awake() { words_->putter_sleeps.store(0, std::memory_order_relaxed); }

  private:
    ShmWords* words_;
    uint8_t* bytes_;
    uint64_t head_ = 0;
};

class ShmTaker {
  public:
    ShmTaker(ShmWords* words, const uint8_t* bytes) : words_(words), bytes_(bytes) {}
    // How many bytes take() has.
    Result<size_t> left() const;
    // At most left(). True: the putter sleeps and there is room enough again, so ring his bell.
    bool take(void* target, size_t count);
    // Says that this side is about to sleep until something comes. False: something is there, do not.
    Result<bool> prepare_sleep();
    // Takes that back. True: too late, the bell was rung or will be.
    bool stay_awake() { return words_->taker_sleeps.exchange(0, std::memory_order_relaxed) == 0; }

  private:
    ShmWords* words_;
    const uint8_t* bytes_;
    uint64_t tail_ = 0;
};

}  // namespace bitfusion::link
