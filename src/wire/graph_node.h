// Graph nodes as they travel: three fields say everything of a node's parameters, whatever its type.
//
// `params` is the driver's CUgraphNodeParams as it stands in memory, with names for handles and zeros for
// pointers. `sides` is one GraphSides. `extra` is what the pointers pointed at: a kernel's packed arguments,
// an array of CUstreamBatchMemOpParams, or an array of CUmemAccessDesc. In an answer a kernel's arguments
// come after their layout: u64 count, then for each u32 offset and u32 size.
#pragma once

#include <cstdint>

namespace bitfusion::wire {

// The client's ends of a node, by ticket; 0: there is none.
struct GraphSides {
    uint64_t source = 0;      // host memory that a copy reads, or the function of a host node
    uint64_t source_run = 1;  // so many bytes each lie without a gap in it
    uint64_t target = 0;      // host memory that a copy writes
    uint64_t target_run = 1;
};
static_assert(sizeof(GraphSides) == 32);

// The most graphs that a conditional node has.
constexpr uint64_t kMostBodies = 64;

}  // namespace bitfusion::wire
