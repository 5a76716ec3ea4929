// Mapped memory: pinned host memory that kernels reach. The GPU cannot reach the client's RAM, so pages of
// the worker stand for it, if possible at the same address (src/worker/mirror.h). What the program wrote is
// sent before work that may see it, what kernels wrote is fetched after a synchronisation; only what changed
// travels, both ways. The program's pages are never protected: system calls into them work as always.
//
// Pinned memory is mapped when the program first asks for its device address, gives its host address to a
// kernel, or sets or copies it as device memory; most pinned memory never is. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// The device address of a byte of pinned memory; maps the range that holds it when need be.
CUresult map_into_gpu(const void* at, CUdeviceptr* address);
// Maps pinned memory whose host address stands among the arguments of a kernel.
void map_arguments(const void* arguments, size_t bytes);
// Before the host range goes away.
void unmap_from_gpu(uint64_t base);

// Whether any memory is mapped; one relaxed load.
bool any_mapped();
// The program's writes -> the worker, ahead of what is posted next.
CUresult send_mapped();
// The same for work that runs already and may wait for them, ahead of a wait or a poll: only while there is
// little mapped memory, since all of it is compared.
CUresult show_mapped();
// The GPU's writes -> the program, after a synchronisation. Asks nothing while there is little of it: then
// the worker has announced them before the completion.
CUresult fetch_mapped();
// An announcement; on the thread that receives.
void mapped_changed(std::span<const uint8_t> runs, std::span<const uint8_t> data);

}  // namespace bitfusion::client
