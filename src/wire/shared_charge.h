// Shared charges: memory of the GPU that several workers of one lease hold, because a program gave it from
// one of its processes to another. It counts once in the lease's total, from when it was made until the last
// holder lets go of it, whoever that is: who made it may have ended long before.
//
// The records lie in the lease's memory (usage.h) and nothing there is ever locked, because a worker may be
// killed at any point. One that is killed in the midst of a change leaves too much counted, never too little.
// Any thread and process; all of one tenant, who deceives only itself when it scribbles here.
#pragma once

#include <atomic>
#include <cstdint>

namespace bitfusion::wire {

struct Usage;

struct SharedCharge {
    // Serial number in the upper 48 bits, how many hold it in the lower 16; nobody: the record is free.
    std::atomic<uint64_t> state;
    std::atomic<uint64_t> holders[4];  // a bit for each worker's slot
    std::atomic<uint64_t> bytes;
    std::atomic<uint64_t> gpu;  // of the lease
    uint64_t reserved;
};

// What the worker of this slot counts alone becomes a shared charge that it holds. Its id is good in all
// workers of the lease and never given again; 0: there is no room for more.
uint64_t share_charge(Usage* usage, int slot, int gpu, uint64_t bytes);
// One more worker holds it; false when nobody does any more, or it does so already.
bool hold_charge(Usage* usage, int slot, uint64_t id);
// The last one gives its bytes back to the lease's total.
void release_charge(Usage* usage, int slot, uint64_t id);
// Everything that this slot holds.
void release_charges_of(Usage* usage, int slot);

// Takes bytes out of a total that must not wrap around, whatever a tenant has written there.
void take_out(std::atomic<uint64_t>* total, uint64_t bytes);

}  // namespace bitfusion::wire
