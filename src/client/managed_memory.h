// Managed memory as ranges: allocations and variables. Their pages are managed_pages.h's. Any thread.
#pragma once

#include "client/memory_map.h"
#include "cuda_types.gen.h"

namespace bitfusion::client {

// Ends an allocation that the memory map has forgotten already.
CUresult free_managed(const MemoryRange& range);
// A variable that the worker has at range.base: enters it into the memory map and gives it pages.
CUresult adopt_managed_variable(MemoryRange range);
// Takes the pages of variables that the memory map has forgotten.
void drop_managed_variables(const std::vector<MemoryRange>& ranges);
// After a synchronisation: fetches what the program asked to be prefetched to the host.
void finish_prefetches();

}  // namespace bitfusion::client
