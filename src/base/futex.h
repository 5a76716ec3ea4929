// Futex: sleep until a 32-bit word changes; wake sleepers. Linux futex(2), private to the process.
#pragma once

#include <atomic>
#include <cstdint>

namespace bitfusion::base {

// Returns at once when *word != expected; else sleeps until a wake (or a spurious return).
void futex_wait(std::atomic<uint32_t>* word, uint32_t expected);
// Wakes one sleeper.
void futex_wake(std::atomic<uint32_t>* word);

}  // namespace bitfusion::base
