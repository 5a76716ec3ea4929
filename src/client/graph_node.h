// Graph nodes: the parameters of one node, from the program's words to the wire's and back
// (wire/graph_node.h).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "client/kept.h"
#include "cuda_types.gen.h"
#include "wire/graph_node.h"

namespace bitfusion::client {

// What a message about one node carries. What it keeps for the node is let go again unless the worker took
// it.
class NodeRequest {
  public:
    NodeRequest() = default;
    ~NodeRequest();
    NodeRequest(const NodeRequest&) = delete;
    NodeRequest& operator=(const NodeRequest&) = delete;

    // CUDA_ERROR_INVALID_VALUE when the program's parameters make no sense here already.
    CUresult take(const CUgraphNodeParams& given);

    std::span<const uint8_t> params() const;
    std::span<const uint8_t> sides() const;
    std::span<const uint8_t> extra() const { return extra_; }
    uint64_t memory_ticket() const { return sides_.source; }
    // The worker has it now.
    void taken() { tickets_.clear(); }

  private:
    CUresult kernel();
    CUresult copy();
    CUresult host();
    CUresult operations();
    CUresult allocation();
    uint64_t keep(const HostBox& box);

    CUgraphNodeParams params_{};
    wire::GraphSides sides_;
    std::vector<uint8_t> extra_;
    std::vector<uint64_t> tickets_;
};

// The typed structs of CUDA as the general one.
CUgraphNodeParams general(const CUDA_KERNEL_NODE_PARAMS& kernel);
CUgraphNodeParams general(const CUDA_MEMCPY3D& copy, CUcontext context);
CUgraphNodeParams general(const CUDA_HOST_NODE_PARAMS& host);
CUgraphNodeParams general(const CUDA_BATCH_MEM_OP_NODE_PARAMS& operations);
CUgraphNodeParams general(const CUDA_MEM_ALLOC_NODE_PARAMS& allocation);

// The parameters of a node as the worker tells them. Arrays that they point to belong to the node, as CUDA
// has it: they stay until it is asked again, or its graph is destroyed.
CUresult ask_node(CUgraphNode node, CUgraphNodeType type, CUgraphNodeParams* params);
// The graph is gone, resp. the node.
void forget_told_graph(CUgraph graph);
void forget_told_node(CUgraphNode node);
// Bodies of a conditional node, where cuGraphAddNode says they are.
CUgraph* tell_bodies(CUgraph graph, CUgraphNode node, std::span<const uint8_t> names);

// A side of a copy that lies in host memory; false when it does not.
bool host_side(const CUDA_MEMCPY3D& copy, bool target, HostBox* box);

}  // namespace bitfusion::client
