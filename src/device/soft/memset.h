// Memset: filling device memory with a value of one, two or four bytes.
#pragma once

#include "cuda_api.gen.h"

namespace bitfusion::soft {

// INVALID_VALUE unless the element size, the alignment, the pitch and the range are right.
CUresult check_set(const CUDA_MEMSET_NODE_PARAMS& set);
void run_set(const CUDA_MEMSET_NODE_PARAMS& set);

}  // namespace bitfusion::soft
