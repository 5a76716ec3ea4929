// Snapshots: answers of whole groups of functions, as rows that the worker filled; the generated functions of
// nvml_snapshot.gen.cpp find their row here. A snapshot is taken when a function of its group is called and
// the last one is too old: facts stay, readings live 100 ms. Any thread.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "nvml_groups.gen.h"
#include "nvml_types.gen.h"

namespace bitfusion::nvml {

struct Piece {
    void* to;  // null: not wanted
    size_t bytes;
};

// Writes the row's bytes to the pieces, which must be filled exactly. The devices are checked; nullptr where
// the group has none. Returns what the server's NVML did.
nvmlReturn_t take(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row,
                  std::initializer_list<Piece> pieces);

// The row as lists of as many elements each, one behind the other; a piece is the list's place and the size
// of one element. `count` has the room for elements, and gets their number; NVML_ERROR_INSUFFICIENT_SIZE, and
// nothing else written, when there is less room.
nvmlReturn_t take_lists(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row,
                        unsigned* count, std::initializer_list<Piece> lists);

// The row as NUL-terminated text; NVML_ERROR_INSUFFICIENT_SIZE when it does not fit.
nvmlReturn_t take_text(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row, char* to,
                       unsigned length);

// Whether a struct that begins with its size and version (size | version << 24) says these.
bool has_version(const void* versioned, size_t size, unsigned version);

}  // namespace bitfusion::nvml
