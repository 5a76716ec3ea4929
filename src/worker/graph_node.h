// Graph nodes: the parameters of one node, from the wire to the driver's words. Everything in them is the
// client's: handles are looked up, addresses checked, pointers replaced by our own, before the driver sees
// any.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cuda_types.gen.h"
#include "wire/graph_node.h"
#include "worker/graph_plan.h"
#include "worker/kept.h"
#include "worker/kernel_arguments.h"

namespace bitfusion::worker {

class Session;

class NodeParams {
  public:
    explicit NodeParams(Session* session) : s_(*session) {}
    ~NodeParams();  // gives back what was not placed
    NodeParams(const NodeParams&) = delete;
    NodeParams& operator=(const NodeParams&) = delete;

    // False: the peer is wrong. Else `result` says whether the driver may be given `params`. `graph` is the
    // name of the graph of the node.
    bool decode(std::span<const uint8_t> params, std::span<const uint8_t> sides,
                std::span<const uint8_t> extra, uint64_t graph, CUresult* result);

    CUgraphNodeParams params{};

    // Whether the client said in which context the node runs; else it is the current one.
    bool names_context() const { return names_context_; }
    // What the node does with the client.
    std::vector<PlanItem> items(CUgraphNode node) const;
    // The references that were made for the node now belong to the graph, resp. to who asks for them.
    void place(CUgraph graph, uint64_t graph_name);
    std::vector<Kept*> take() { return std::exchange(made_, {}); }
    // An allocation that was charged is the graph's now.
    void keep_memory(CUgraph graph, uint64_t graph_name, CUdeviceptr address);

  private:
    CUresult kernel(std::span<const uint8_t> extra);
    CUresult copy(const wire::GraphSides& sides, uint64_t graph, bool* peer);
    CUresult host(const wire::GraphSides& sides, uint64_t graph, bool* peer);
    CUresult allocation(const wire::GraphSides& sides, std::span<const uint8_t> extra, bool* peer);
    Kept* make(Kept::Kind kind, uint64_t ticket, CUresult* result, bool* peer);

    Session& s_;
    KernelArguments arguments_;
    std::vector<CUstreamBatchMemOpParams> operations_;
    std::vector<CUmemAccessDesc> access_;
    std::vector<Kept*> made_;
    std::vector<PlanItem> items_;
    CUcontext context(CUcontext name, CUresult* result);

    bool names_context_ = false;
    int charged_device_ = 0;
    uint64_t charged_ = 0;
};

// One box of a copy lies in an array of this session.
CUresult check_array_box(const Session& s, CUarray array, uint64_t x, uint64_t y, uint64_t z, uint64_t width,
                         uint64_t height, uint64_t depth);
// One box of a copy lies in memory of this session.
CUresult check_box(Session& s, CUmemorytype type, CUdeviceptr device, uint64_t pitch, uint64_t slice,
                   uint64_t x, uint64_t y, uint64_t z, uint64_t width, uint64_t height, uint64_t depth);

}  // namespace bitfusion::worker
