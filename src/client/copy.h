// Copies: what linear copies and block copies share.
#pragma once

#include <cstddef>

#include "client/kept.h"
#include "cuda_types.gen.h"
#include "wire/block.h"

namespace bitfusion::client {

// Large copies travel in pieces of this many bytes; the worker stages pieces of this size.
constexpr size_t kPiece = 4u << 20;

// When an asynchronous copy has to read host memory: as the stream gets there, or before the call returns.
enum class SourceRead { kInStream, kDuringCall };

// A linear copy whose direction follows from the addresses, as cuMemcpy has it.
CUresult copy_between(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream, bool async,
                      SourceRead read = SourceRead::kInStream);

// A copy of rows and slices between host memory, device memory and arrays. check_box tells whether it could
// be made.
CUresult copy_box(const CUDA_MEMCPY3D& box, CUstream stream, bool async,
                  SourceRead read = SourceRead::kInStream);
CUresult check_box(const CUDA_MEMCPY3D& box);

// A copy between host memory and a box on the device, recorded by the stream's capture.
CUresult record_copy(const HostBox& box, const wire::Block& block, bool to_host, CUstream stream);

}  // namespace bitfusion::client
