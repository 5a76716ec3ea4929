// Block: one side of a 2D or 3D copy as it travels: a box of rows in pitched device memory or in an array.
// Plain data; little endian as it stands. The worker checks that the box lies in memory of its session.
#pragma once

#include <cstdint>

namespace bitfusion::wire {

struct Block {
    uint64_t device = 0;  // base address; 0 when array is set
    uint64_t array = 0;   // name
    uint64_t pitch = 0;   // bytes from row to row
    uint64_t slice = 0;   // rows from slice to slice
    uint64_t x = 0;       // bytes
    uint64_t y = 0;       // rows
    uint64_t z = 0;       // slices
    uint64_t width = 0;   // bytes of a row that are copied
    uint64_t height = 1;  // rows
    uint64_t depth = 1;   // slices
};
static_assert(sizeof(Block) == 80);

}  // namespace bitfusion::wire
