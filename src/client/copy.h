// Copies: what linear copies and block copies share.
#pragma once

#include <cstddef>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Large copies travel in pieces of this many bytes; the worker stages pieces of this size.
constexpr size_t kPiece = 4u << 20;

// A linear copy whose direction follows from the addresses, as cuMemcpy has it.
CUresult copy_between(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream, bool async);

}  // namespace bitfusion::client
