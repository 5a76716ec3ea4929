// Placement: new pages of this process at an address that the client wishes for, so that one pointer serves
// on both sides. A wish is followed only where nothing is. Any thread.
#pragma once

#include <cstdint>

namespace bitfusion::worker {

constexpr int kAnonymous = -1;

// `bytes` of the file from its beginning on, shared; or zeros, private, with kAnonymous. At another address
// when `wish` is no place for pages of a program, or taken, or 0. Null: the kernel has none.
uint8_t* map_at(uint64_t wish, uint64_t bytes, int file);

}  // namespace bitfusion::worker
