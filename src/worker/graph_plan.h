// Graph plan: what of an executable graph touches the client: the host memory that its copies read and write,
// its host functions, and the events that it records. Read from the driver's own graph when it is
// instantiated or updated, so that clones, children and captured graphs need no bookkeeping of ours. Dispatch
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;
struct GraphRun;
struct Kept;

struct PlanItem {
    enum class Kind : uint64_t { kInput, kOutput, kFunction, kEvent };
    Kind kind;
    CUgraphNode top;  // the node of the outermost graph in which this is
    uint64_t name;    // ticket; of an event its name
    CUevent event = nullptr;
    std::vector<uint64_t> before{};  // of functions and events: the outputs that are there by then, by ticket
};

// What an executable graph does with the client. Empty for most.
struct Plan {
    std::vector<PlanItem> items;
    // What cuGraphExecNodeSetParams brought in, which the driver does not know to be held by the executable.
    std::map<CUgraphNode, std::vector<Kept*>> own;
    std::weak_ptr<GraphRun> last;
};

class Graphs {
  public:
    explicit Graphs(Session* session) : s_(*session) {}

    // Any graph may touch the client from now on; before, none is looked into.
    void may_touch_client() { touch_client_ = true; }

    // What the graph's nodes, or those of one node's child, do with the client.
    CUresult read(CUgraph graph, std::vector<PlanItem>* items);
    // The executable is new, or updated from this graph.
    CUresult instantiated(uint64_t exec, CUgraph graph);
    // One of its nodes has new parameters: what the node does now, and what is held for it.
    void node_set(uint64_t exec, CUgraphNode node, std::vector<PlanItem> items, std::vector<Kept*> own);
    Plan* plan_of(uint64_t exec);
    // As the client is told: numbers of inputs, outputs, functions, events, then their names.
    std::vector<uint64_t> told(uint64_t exec);

    // Bodies of conditional nodes, by name: what touches the client is not allowed there.
    void add_body(uint64_t graph) { bodies_.insert(graph); }
    bool in_body(uint64_t graph) const;

    void forgotten(uint64_t name);

  private:
    void release(Plan& plan, std::vector<Kept*> own);

    Session& s_;
    bool touch_client_ = false;
    std::unordered_map<uint64_t, Plan> plans_;  // by executable
    std::unordered_set<uint64_t> bodies_;
};

}  // namespace bitfusion::worker
