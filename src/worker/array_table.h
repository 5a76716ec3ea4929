// Array table: the arrays and mipmapped arrays of this session, by the driver's handle: how large they are,
// what they are charged with, and which context they belong to.
//
// Copies are checked against it before the driver sees them. One thread: the worker's dispatch thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cuda_types.gen.h"
#include "wire/array_shape.h"
#include "worker/memory_table.h"

namespace bitfusion::worker {

class ArrayTable {
  public:
    struct Entry {
        wire::ArrayShape shape;
        int device = 0;        // index within the lease
        uint64_t charged = 0;  // 0: a level or a plane of another array
        uint64_t context = 0;  // name
        uint64_t parent = 0;   // handle of the array that it is a part of
        bool has_parts = false;
    };

    // `handle` is a CUarray or a CUmipmappedArray as a number.
    void add(uint64_t handle, const Entry& entry);
    const Entry* find(uint64_t handle) const {
        const auto found = entries_.find(handle);
        return found == entries_.end() ? nullptr : &found->second;
    }
    std::vector<uint64_t> parts_of(uint64_t handle) const;
    // Forgets the array and its parts, and gives back what it was charged with.
    void remove(uint64_t handle, MemoryTable* memory);
    void remove_context(uint64_t context, MemoryTable* memory);
    void refund_all(MemoryTable* memory);

  private:
    std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace bitfusion::worker
