// Slots: shared pages of ours through which pieces of large copies travel (registered_copy.h). A slot holds
// one piece at a time; further pieces of the same stream may queue for it. Beside each slot is a word, its
// turn, that this process raises to the number of the piece which the GPU may copy now; the stream waits for
// that.
//
// They are made when the program registers memory, which may take a round trip as a copy may not, and stay.
// No thread safety, except that any thread may grant: whoever has them has a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::client {

class Session;
struct Piece;  // registered_copy.cpp

struct Slot {
    uint8_t* here = nullptr;
    CUdeviceptr there = 0;
    uint32_t* turn = nullptr;  // in shared pages: the GPU reads it
    CUdeviceptr turn_there = 0;
    uint64_t stream = 0;        // whose pieces these are, by name
    uint32_t last = 0;          // number of the last piece; the first is 1
    std::deque<Piece*> pieces;  // the first has the slot, the others wait for it

    void grant(uint32_t number);
    bool granted(uint32_t number) const;

  private:
    std::atomic<uint32_t> granted_{0};  // as in `turn`, which the worker could write
};

using NewSlots = std::vector<std::unique_ptr<Slot>>;
// Fewer when the worker has no such pages. Waits for answers: under no lock that a receiving thread takes.
NewSlots make_slots(size_t count);
// Whether the GPU can wait for a turn.
bool can_wait_for_turns();

class Slots {
  public:
    static constexpr size_t kBytes = 4u << 20;  // of each

    // How many copies of memory of this size deserve, more than there are.
    size_t missing(const Session* session, size_t bytes) const;
    void add(const Session* session, NewSlots slots, bool gated);
    bool serve(const Session* session) const { return session == session_ && !slots_.empty(); }
    // Else a slot must be had, and filled, before the worker is told of its piece.
    bool gated() const { return gated_; }
    // For the next piece of the stream: free, or one that it waits for behind others of that stream only,
    // because no other's may stop it. Null: there is none.
    Slot* pick(uint64_t stream) const;

  private:
    const Session* session_ = nullptr;  // whose worker has the pages
    bool gated_ = false;
    // Those of a session that is over stay: its threads may not have come to their ends.
    NewSlots slots_, former_;
};

}  // namespace bitfusion::client
