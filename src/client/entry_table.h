// Entry table (generated): every function of the driver API by its base name, with its variants and the CUDA
// version that introduced each. cuGetProcAddress answers from it.
#pragma once

#include <cstddef>

namespace bitfusion::client {

struct EntryVariant {
    const char* base;      // "cuMemAlloc"
    int since;             // 1000 * major + 10 * minor
    void* entry;           // cuMemAlloc_v2
    int per_thread_since;  // 0: there is no per-thread variant
    void* per_thread_entry;
};

// Sorted by base name, then by version.
extern const EntryVariant kEntryVariants[];
extern const size_t kEntryVariantCount;

}  // namespace bitfusion::client
