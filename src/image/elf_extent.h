// The length of an ELF64 image, computed from its own header and tables.
#pragma once

#include "image/container.h"

namespace bitfusion::image {

inline constexpr size_t kElfHeaderBytes = 64;

// The end of the furthest of: header, section header table, program header table, every section with bytes in
// the file, every segment. At most `limit` bytes are read; fails when anything lies beyond it. The caller
// vouches for the first kElfHeaderBytes. In CUDA's images the program headers come last.
Result<size_t> elf_extent(const std::byte* elf, size_t limit);

}  // namespace bitfusion::image
