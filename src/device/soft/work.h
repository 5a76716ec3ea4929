// Work: what a stream or a node of a graph does, as data.
//
// The same value is executed when it is submitted to a stream and kept when it is captured or added to a
// graph, so an operation has one description and one execution. make_task() turns it into a Task.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/copy_plan.h"
#include "device/soft/image_reference.h"
#include "device/soft/simt/grid.h"
#include "device/soft/task.h"

namespace bitfusion::soft {

class Event;
class Graph;
class GraphMemory;
class MemoryPool;
class ModuleFunction;

struct EmptyWork {};

struct KernelWork {
    std::shared_ptr<ModuleFunction> function;
    CUfunction handle = nullptr;  // what the program passed: a CUfunction or a CUkernel
    Dim3 grid;
    Dim3 block;
    Dim3 cluster;
    uint32_t shared_bytes = 0;
    bool cooperative = false;
    std::vector<std::byte> parameters;  // laid out as the kernel declares them
    std::vector<CUlaunchAttribute> attributes;
    BoundReferences references;
};

struct CopyWork {
    CopyPlan plan;
};

struct SetWork {
    CUDA_MEMSET_NODE_PARAMS set{};
};

struct HostWork {
    CUhostFn function = nullptr;
    void* data = nullptr;
};

// cuStreamAddCallback: also called when the stream has failed; cannot be captured.
struct CallbackWork {
    CUstreamCallback function = nullptr;
    CUstream stream = nullptr;
    void* data = nullptr;
};

struct RecordWork {
    std::shared_ptr<Event> event;
};

struct WaitWork {
    std::shared_ptr<Event> event;
};

struct ValueWork {
    CUcontext context = nullptr;
    unsigned flags = 0;
    std::vector<CUstreamBatchMemOpParams> operations;
};

// Memory comes when the node is made (its address is known at once) and its life is bounded in stream order.
struct AllocateWork {
    CUDA_MEM_ALLOC_NODE_PARAMS parameters{};
    std::shared_ptr<GraphMemory> memory;
};

struct FreeWork {
    CUdeviceptr address = 0;
};

struct ChildWork {
    std::shared_ptr<Graph> graph;
};

struct ConditionalValue;

// Its bodies are graphs of its own; the program fills them after the node is made.
struct ConditionalWork {
    CUgraphConditionalNodeType type = CU_GRAPH_COND_TYPE_IF;
    std::shared_ptr<ConditionalValue> value;
    std::vector<std::shared_ptr<Graph>> bodies;
    std::vector<CUgraph> told;  // what the program's phGraph_out points at
};

using Work = std::variant<EmptyWork, KernelWork, CopyWork, SetWork, HostWork, CallbackWork, RecordWork,
                          WaitWork, ValueWork, AllocateWork, FreeWork, ChildWork, ConditionalWork>;

// Tasks of one piece of work, to be run in this order; never empty. `after` receives tasks of other streams
// that the first must wait for (a wait for an event). The caller holds Scheduler::mutex(): events are read
// and recorded.
std::vector<TaskPtr> make_tasks(const Work& work, const std::shared_ptr<Context>& context, int priority,
                                std::vector<TaskPtr>* after);

}  // namespace bitfusion::soft
