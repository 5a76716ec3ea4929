// Conditional nodes of graphs: bodies that run while, or if, a value says so. The value belongs to a handle;
// kernels set it through cudaGraphSetConditional. Source document: CUDA C++ Programming Guide, "Conditional
// Graph Nodes".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "cuda_api.gen.h"
#include "device/soft/graph.h"

namespace bitfusion::soft {

// What a handle stands for. Kernels write it, the node reads it.
struct ConditionalValue {
    CUgraphConditionalHandle handle = 0;
    unsigned initial = 0;
    bool assigned = false;  // each launch of the graph begins with the initial value
    std::atomic<unsigned> now{0};
};

// Null when no graph has made such a handle. Any thread.
std::shared_ptr<ConditionalValue> conditional_value(CUgraphConditionalHandle handle);
// Of kernels; an unknown handle is ignored, as on hardware.
void set_conditional(CUgraphConditionalHandle handle, unsigned value);

// The work of a conditional node with bodies of its own, which the caller may fill. Under the graph lock.
CUresult plan_conditional(CUDA_CONDITIONAL_NODE_PARAMS* parameters, ConditionalWork* work);

// A task that decides and runs the bodies one after the other; the scheduler's lock is held.
TaskPtr make_conditional(const GraphExec::Node& node, const ContextPtr& context, int priority);

}  // namespace bitfusion::soft
