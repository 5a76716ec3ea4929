// Array: a CUDA array, laid out in rows. MipmappedArray: a pyramid of arrays in one piece of memory.
//
// Kernels reach arrays through textures and surfaces only (texture.h). Owner: the Driver's handles; the
// storage lives until the last array, copy or launch that uses it is over. Units: bytes, extents in elements.
#pragma once

#include <memory>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/array_format.h"
#include "device/soft/context.h"

namespace bitfusion::soft {

// Device memory of an array, of one level or all of them.
class ArrayStorage {
  public:
    ArrayStorage(uint64_t at, uint64_t size) : address(at), bytes(size) {}
    ~ArrayStorage();
    ArrayStorage(const ArrayStorage&) = delete;
    ArrayStorage& operator=(const ArrayStorage&) = delete;

    const uint64_t address;
    const uint64_t bytes;
};

class Array {
  public:
    Array(CUarray number, const ContextPtr& of, const CUDA_ARRAY3D_DESCRIPTOR& as,
          std::shared_ptr<const ArrayStorage> in, uint64_t at)
        : handle(number), context(of), gpu(of->gpu), description(as), storage(std::move(in)), address(at) {}

    const CUarray handle;
    const std::weak_ptr<Context> context;
    Gpu& gpu;
    const CUDA_ARRAY3D_DESCRIPTOR description;
    const std::shared_ptr<const ArrayStorage> storage;
    const uint64_t address;
    bool part = false;  // a level of a mipmapped array or a plane of an array, which destroys it

    std::vector<std::shared_ptr<Array>> components;  // of a format of several planes; it has no rows itself

    // As copies see it: rows of elements, or of blocks where the format has blocks.
    uint64_t row_bytes() const;
    uint64_t pitch() const;  // from row to row
    uint64_t slice() const { return pitch() * rows(); }
    uint64_t rows() const;
    uint64_t planes() const { return description.Depth == 0 ? 1 : description.Depth; }
};

class MipmappedArray {
  public:
    MipmappedArray(CUmipmappedArray number, const ContextPtr& of, const CUDA_ARRAY3D_DESCRIPTOR& as)
        : handle(number), context(of), description(as) {}

    const CUmipmappedArray handle;
    const std::weak_ptr<Context> context;
    const CUDA_ARRAY3D_DESCRIPTOR description;
    std::vector<std::shared_ptr<Array>> levels;
};

// What CUDA's table of extents allows: INVALID_VALUE beyond it, NOT_SUPPORTED for sparse arrays and the like.
CUresult check_array(const CUDA_ARRAY3D_DESCRIPTOR& description, bool mipmapped);

// Memory for the levels or planes with these descriptions; each begins at a multiple of the texture
// alignment. The offset of each is written to `offsets`.
CUresult allocate_array(const ContextPtr& context, const std::vector<CUDA_ARRAY3D_DESCRIPTOR>& parts,
                        std::vector<uint64_t>* offsets, std::shared_ptr<const ArrayStorage>* storage);

// The description of one level of a mipmapped array: layers stay, everything else halves.
CUDA_ARRAY3D_DESCRIPTOR level_description(const CUDA_ARRAY3D_DESCRIPTOR& base, unsigned level);

// Takes the context's arrays out of the handles.
void forget_arrays(const ContextPtr& context);

}  // namespace bitfusion::soft
