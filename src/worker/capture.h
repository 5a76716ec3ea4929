// Capture: what calls on a capturing stream leave in the graph that it records, besides their nodes.
#pragma once

#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;
struct Frame;

// A host function becomes a node; the graph holds it.
CUresult record_host_function(Session& s, const Frame& frame, CUstream stream, uint64_t ticket);
// An allocation was recorded: its address is the graph's, and what was charged for it.
void keep_captured_memory(Session& s, CUstream stream, CUdeviceptr address, uint64_t bytes, int device,
                          uint64_t charged);

}  // namespace bitfusion::worker
