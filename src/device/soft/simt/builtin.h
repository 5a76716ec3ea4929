// Builtins: the functions that CUDA programs call and that the driver's library would bring: vprintf,
// __assertfail, malloc, free, cudaGraphSetConditional.
#pragma once

#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

// Runs the function for the lanes of `mask`; arguments and results lie in the caller's frame at `base`.
void call_builtin(Warp& warp, Builtin builtin, const CallSite& site, uint64_t base, uint32_t mask);

// Expands a format as CUDA's printf does. `arguments` begins with the values in order, each aligned to its
// size. Reads strings through the warp's address check. False after a fault.
bool format_text(Warp& warp, unsigned lane, uint64_t format, uint64_t arguments, std::string* out,
                 int* converted);

// A zero-terminated string of at most 64 KiB in the thread's address space. False after a fault.
bool read_string(Warp& warp, unsigned lane, uint64_t address, std::string* out);

}  // namespace bitfusion::soft
