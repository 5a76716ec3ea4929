// Function facts: what the client must know of a kernel or function to launch it and to answer for it.
#pragma once

#include "cuda_types.gen.h"
#include "wire/facts.h"
#include "worker/session.h"

namespace bitfusion::worker {

wire::FunctionFacts facts_of_function(Session& s, CUfunction function, const std::string& symbol,
                                      uint64_t owner);
wire::FunctionFacts facts_of_kernel(Session& s, CUkernel kernel, const std::string& symbol, uint64_t owner);

}  // namespace bitfusion::worker
