// From the parameter structures of graph nodes to Work, and back.
//
// Used when nodes are added, when their parameters change and when those of an executable graph change. Every
// function checks its parameters as the node's creation does. The caller holds Driver::graph_mutex.
#pragma once

#include "cuda_api.gen.h"
#include "device/soft/context.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

// A piece of work and the context that it belongs to.
struct PlacedWork {
    Work work;
    ContextPtr context;
};

// `context` of the parameters null: the current one.
CUresult place_kernel(const CUDA_KERNEL_NODE_PARAMS* parameters, PlacedWork* out);
CUresult place_copy(const CUDA_MEMCPY3D* copy, CUcontext context, PlacedWork* out);
CUresult place_set(const CUDA_MEMSET_NODE_PARAMS* set, CUcontext context, PlacedWork* out);
CUresult place_host(const CUDA_HOST_NODE_PARAMS* host, PlacedWork* out);
// Takes a copy of the child graph.
CUresult place_child(CUgraph graph, PlacedWork* out);
CUresult place_record(CUevent event, PlacedWork* out);
CUresult place_wait(CUevent event, PlacedWork* out);
CUresult place_values(const CUDA_BATCH_MEM_OP_NODE_PARAMS* values, PlacedWork* out);
// Any of them; NOT_SUPPORTED for conditional, semaphore and memory nodes.
CUresult place_any(const CUgraphNodeParams* parameters, PlacedWork* out);

// `pointers` receives what kernelParams points at; both point into the work.
CUDA_KERNEL_NODE_PARAMS kernel_parameters(KernelWork& work, const ContextPtr& context,
                                          std::vector<void*>* pointers);

}  // namespace bitfusion::soft
