// Slots: shared pages of ours through which pieces of large copies travel, one each (registered_copy.h).
//
// They are made when the program registers memory, which may take a round trip as a copy may not, and stay.
// No thread safety: whoever has them has a lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::client {

class Session;

struct Slot {
    uint8_t* here = nullptr;
    CUdeviceptr there = 0;
    bool taken = false;
};

using NewSlots = std::vector<std::unique_ptr<Slot>>;
// None when the worker has no such pages. Waits for answers: under no lock that a receiving thread takes.
NewSlots make_slots(size_t count);

class Slots {
  public:
    static constexpr size_t kBytes = 4u << 20;  // of each

    // How many copies of memory of this size deserve, more than there are.
    size_t missing(const Session* session, size_t bytes) const;
    void add(const Session* session, NewSlots slots);
    bool serve(const Session* session) const { return session == session_ && !slots_.empty(); }
    size_t free() const;
    // A free one, taken; null: there is none.
    Slot* take();

  private:
    const Session* session_ = nullptr;  // whose worker has the pages
    // Those of a session that is over stay: its threads may not have come to their ends.
    NewSlots slots_, former_;
};

}  // namespace bitfusion::client
