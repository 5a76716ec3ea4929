// Managed hints: what the program advised and prefetched, so that it can be read back. The memory itself
// follows its touches (managed_pages.h). Kept by stretches of memory that have the same hints. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

CUresult hint_advice(uint64_t base, size_t bytes, CUmem_advise advice, const CUmemLocation& location);
void hint_prefetch(uint64_t base, size_t bytes, const CUmemLocation& location);
// cuMemRangeGetAttribute of a range that is managed.
CUresult read_hint(void* data, size_t data_bytes, CUmem_range_attribute attribute, uint64_t base,
                   size_t bytes);
void forget_hints(uint64_t base, size_t bytes);

}  // namespace bitfusion::client
