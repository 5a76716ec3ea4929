// Kept: what only this process has and the worker's graphs refer to: host memory that their copies read and
// write, host functions, destructors of user objects, addresses of memory that graphs allocate. The worker
// knows each by a ticket, never by its address, and says when no graph has it any more (KeptReleased). Any
// thread.
#pragma once

#include <cstdint>
#include <optional>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// A box of host memory; its rows travel packed. What the program gave stays with it, to be told again.
struct HostBox {
    uint8_t* first = nullptr;  // the first byte of the box
    uint64_t pitch = 0;        // from row to row
    uint64_t slice = 0;        // from slice to slice, in bytes
    uint64_t width = 0;        // bytes of a row
    uint64_t height = 1;
    uint64_t depth = 1;
    struct Given {
        CUmemorytype type = CU_MEMORYTYPE_HOST;
        void* host = nullptr;
        CUdeviceptr device = 0;
        size_t pitch = 0, height = 0, x = 0, y = 0, z = 0;
    } given;

    uint64_t bytes() const { return width * height * depth; }
    // So many bytes each lie without a gap.
    uint64_t run() const;
    // Where a byte of the packed box lies.
    uint8_t* at(uint64_t offset) const;
    bool overlaps(const uint8_t* begin, uint64_t size) const;
};

// A new number; the worker never sees it twice.
uint64_t new_ticket();

void keep_host_memory(uint64_t ticket, const HostBox& box);
void keep_host_function(uint64_t ticket, CUhostFn function, void* data);
void keep_destructor(uint64_t ticket, CUhostFn destructor, void* object);
void keep_graph_memory(uint64_t ticket, CUdeviceptr address);

std::optional<HostBox> kept_host_memory(uint64_t ticket);
bool kept_host_function(uint64_t ticket, CUhostFn* function, void** data);

// The worker has let go of it, or never got it. A destructor is run, on the thread of host functions, unless
// `unused`.
void release_kept(uint64_t ticket, bool unused);

}  // namespace bitfusion::client
