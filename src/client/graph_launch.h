// Graph launches: what an executable graph does with this process. Most do nothing with it and are posted
// like a kernel. For the others the bytes that its copies read go with each launch, its events get new marks,
// and what its copies write is received until the launch is over. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Notes what the worker has told of an executable (GraphInstantiate, `plan`). False when it does not decode.
bool learn_exec(CUgraphExec exec, std::span<const uint8_t> plan);
bool is_exec(CUgraphExec exec);

// ---- announcements ----
void graph_launch_done(uint64_t launch);
// Where bytes of a graph's output go; nullptr when no launch is under way that has it.
void* graph_output(uint64_t ticket, uint64_t offset, uint64_t bytes);

// Whether a launch under way may still write into this memory.
bool graph_writes(const uint8_t* begin, uint64_t bytes);
// A host function of a graph has run: what the launches with it read is sent again, as it is now.
void resend_inputs_after(uint64_t function_ticket);

}  // namespace bitfusion::client
