// GraphMemory: what an allocation node of a graph hands out.
//
// Its address is known when the node is made, as CUDA demands, and so is the memory: it is taken then and
// stays with the graph, its clones and its executable forms until the last of them is gone. A free node, or a
// free by the program, ends the use of the memory, not its reservation; the next launch uses it again.
#pragma once

#include <cstdint>
#include <memory>

#include "cuda_api.gen.h"
#include "device/soft/context.h"
#include "device/soft/gpu.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

class GraphMemory {
  public:
    // Null when the device has no room.
    static std::shared_ptr<GraphMemory> take(Gpu& gpu, uint64_t bytes);
    GraphMemory(Gpu& gpu, uint64_t address, uint64_t bytes);
    ~GraphMemory();
    GraphMemory(const GraphMemory&) = delete;
    GraphMemory& operator=(const GraphMemory&) = delete;

    Gpu& gpu;
    const uint64_t address;
    const uint64_t bytes;
};

// A captured cuMemAllocAsync: adds the node and returns its address. The caller holds Driver::graph_mutex.
CUresult capture_allocation(const ContextPtr& context, Stream& stream, uint64_t bytes, CUdeviceptr* out);

// Takes the memory of an allocation node; the address stands in work->parameters.dptr.
CUresult plan_allocation(const CUDA_MEM_ALLOC_NODE_PARAMS& parameters, AllocateWork* work);
// Whether an allocation node has handed out this address.
bool is_graph_memory(CUdeviceptr address);

}  // namespace bitfusion::soft
