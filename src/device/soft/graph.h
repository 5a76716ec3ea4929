// Graph: work with dependencies, made by hand or captured from streams, and its executable form.
//
// Everything here is guarded by Driver::graph_mutex; a GraphExec's launch also takes Scheduler::mutex().
// Nodes belong to their graph and are found by handle while they exist.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/context.h"
#include "device/soft/user_object.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

class GraphNode {
  public:
    CUgraphNode handle = nullptr;
    Graph* graph = nullptr;  // its owner; null once the node is destroyed
    Work work;
    ContextPtr context;                       // where it runs
    std::vector<GraphNode*> after;            // dependencies, in the order in which they were added
    std::vector<CUgraphEdgeData> after_data;  // one for each of after
    std::vector<void*> told;                  // what the last cuGraphKernelNodeGetParams pointed at
    CUgraphNode original = nullptr;           // the node that this one was cloned from

    CUgraphNodeType type() const;
};

using GraphNodePtr = std::shared_ptr<GraphNode>;

class Graph {
  public:
    explicit Graph(CUgraph handle) : handle(handle) {}
    ~Graph();

    const CUgraph handle;
    bool child = false;               // owned by a child graph node: not the program's to destroy
    std::vector<GraphNodePtr> nodes;  // in the order of their making
    UserObjects user_objects;
    std::vector<std::shared_ptr<ConditionalValue>> conditionals;  // values of the handles made for it

    // Adds a node after others of this graph. INVALID_VALUE for foreign, unknown or repeated dependencies.
    CUresult add(Work work, ContextPtr context, const CUgraphNode* after, const CUgraphEdgeData* data,
                 size_t count, CUgraphNode* out);
    GraphNodePtr add(Work work, ContextPtr context, const std::vector<GraphNodePtr>& after);
    // Every node after all of its dependencies; empty when there is a cycle (and nodes).
    std::vector<GraphNode*> ordered() const;
    // A deep copy under new handles.
    std::shared_ptr<Graph> clone() const;
};

using GraphPtr = std::shared_ptr<Graph>;

// A graph that can be launched: a flat copy of its nodes, child graphs expanded in place.
class GraphExec {
  public:
    struct Node {
        CUgraphNode source = nullptr;  // the node of the graph that it was made from
        Work work;
        ContextPtr context;
        std::vector<size_t> after;  // indices of earlier nodes
        bool enabled = true;
        std::vector<std::shared_ptr<GraphExec>> bodies{};  // of a conditional node
    };

    CUgraphExec handle = nullptr;
    cuuint64_t flags = 0;
    std::vector<Node> nodes;
    UserObjects user_objects;
    std::unordered_map<CUgraphNode, std::pair<size_t, size_t>>
        ranges;                                                   // source node -> [first, last) in nodes
    std::vector<std::shared_ptr<ConditionalValue>> conditionals;  // set anew by each launch
    TaskPtr last;  // launches of one executable graph run one after the other
};

using GraphExecPtr = std::shared_ptr<GraphExec>;

// Adds the references that the graph and its children hold.
void hold_objects(const Graph& graph, UserObjects* held);

// Replaces the contents of `exec` by the graph's. INVALID_VALUE when the graph has a cycle.
CUresult build_exec(const Graph& graph, GraphExec* exec);

// Submits the nodes behind `after`; returns what ends when all of them have. The scheduler's lock is held.
TaskPtr submit_nodes(const ContextPtr& context, int priority, const GraphExec& exec, const TaskPtr& after);

// Submits the executable graph to the stream. The caller holds Driver::graph_mutex.
CUresult launch_exec(const ContextPtr& context, Stream& stream, GraphExec& exec);

}  // namespace bitfusion::soft
