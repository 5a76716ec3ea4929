// Calls about one node of a graph: adding it, changing it, asking for it, in CUDA's general and its typed
// forms.
#include <cstring>
#include <vector>

#include "client/context.h"
#include "client/graph_launch.h"
#include "client/graph_node.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

void remember_graph_memory(uint64_t ticket, CUdeviceptr address, size_t bytes, CUdevice device) {
    reserve_addresses(address, bytes);
    MemoryRange range;
    range.kind = MemoryRange::Kind::kGraph;
    range.base = address;
    range.bytes = bytes;
    range.device = device;
    remember_range(range);
    keep_graph_memory(ticket, address);
}

// `params`: what the program is told of an allocation or a conditional node.
CUresult add(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies, const CUgraphEdgeData* edges,
             size_t count, const CUgraphNodeParams& given, CUgraphNodeParams* params) {
    if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
    NodeRequest request;
    const CUresult taken = request.take(given);
    if (taken != CUDA_SUCCESS) return taken;
    const size_t listed = dependencies == nullptr ? 0 : count;
    const auto bytes = [](const auto* first, size_t size) {
        return std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(first), size * sizeof *first);
    };
    const msg::GraphNodeAdd m{wire_name(graph),
                              count,
                              bytes(dependencies, listed),
                              bytes(edges, edges == nullptr ? 0 : listed),
                              request.params(),
                              request.sides(),
                              request.extra()};
    return call(m, [&](const msg::GraphNodeAdd::Reply& reply) {
        request.taken();
        *node = from_wire_name<CUgraphNode>(reply.node);
        if (given.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
            remember_graph_memory(request.memory_ticket(), reply.address, given.alloc.bytesize,
                                  given.alloc.poolProps.location.id);
            if (params != nullptr) params->alloc.dptr = reply.address;
        } else if (given.type == CU_GRAPH_NODE_TYPE_CONDITIONAL && params != nullptr) {
            params->conditional.phGraph_out = tell_bodies(graph, *node, reply.graphs);
        }
    });
}

CUresult set(CUgraphNode node, const CUgraphNodeParams& given) {
    NodeRequest request;
    const CUresult taken = request.take(given);
    if (taken != CUDA_SUCCESS) return taken;
    return call(msg::GraphNodeSet{wire_name(node), request.params(), request.sides(), request.extra()},
                [&](const auto&) { request.taken(); });
}

CUresult set_in(CUgraphExec exec, CUgraphNode node, const CUgraphNodeParams& given) {
    if (!is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    NodeRequest request;
    const CUresult taken = request.take(given);
    if (taken != CUDA_SUCCESS) return taken;
    return call(msg::GraphExecNodeSet{wire_name(exec), wire_name(node), request.params(), request.sides(),
                                      request.extra()},
                [&](const msg::GraphExecNodeSet::Reply& reply) {
                    request.taken();
                    learn_exec(exec, reply.plan);
                });
}

CUgraphNodeParams recording(CUevent event) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
    p.eventRecord.event = event;
    return p;
}

}  // namespace

// ---- adding
// --------------------------------------------------------------------------------------------------

CUresult cuGraphAddNode_v2(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                           const CUgraphEdgeData* dependencyData, size_t numDependencies,
                           CUgraphNodeParams* nodeParams) {
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return add(phGraphNode, hGraph, dependencies, dependencyData, numDependencies, *nodeParams, nodeParams);
}
CUresult cuGraphAddNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                        size_t numDependencies, CUgraphNodeParams* nodeParams) {
    return cuGraphAddNode_v2(phGraphNode, hGraph, dependencies, nullptr, numDependencies, nodeParams);
}
CUresult cuGraphAddKernelNode_v2(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                                 size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return add(phGraphNode, hGraph, dependencies, nullptr, numDependencies, general(*nodeParams), nullptr);
}
CUresult cuGraphAddMemcpyNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                              size_t numDependencies, const CUDA_MEMCPY3D* copyParams, CUcontext ctx) {
    if (copyParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return add(phGraphNode, hGraph, dependencies, nullptr, numDependencies, general(*copyParams, ctx),
               nullptr);
}
CUresult cuGraphAddHostNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                            size_t numDependencies, const CUDA_HOST_NODE_PARAMS* nodeParams) {
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return add(phGraphNode, hGraph, dependencies, nullptr, numDependencies, general(*nodeParams), nullptr);
}
CUresult cuGraphAddBatchMemOpNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                                  size_t numDependencies, const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return add(phGraphNode, hGraph, dependencies, nullptr, numDependencies, general(*nodeParams), nullptr);
}
CUresult cuGraphAddMemAllocNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                                size_t numDependencies, CUDA_MEM_ALLOC_NODE_PARAMS* nodeParams) {
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUgraphNodeParams params = general(*nodeParams);
    const CUresult result = add(phGraphNode, hGraph, dependencies, nullptr, numDependencies, params, &params);
    if (result == CUDA_SUCCESS) nodeParams->dptr = params.alloc.dptr;
    return result;
}

// ---- changing
// ------------------------------------------------------------------------------------------------

CUresult cuGraphNodeSetParams(CUgraphNode hNode, CUgraphNodeParams* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set(hNode, *nodeParams);
}
CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode hNode, const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set(hNode, general(*nodeParams));
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode hNode, const CUDA_MEMCPY3D* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set(hNode, general(*nodeParams, nullptr));
}
CUresult cuGraphHostNodeSetParams(CUgraphNode hNode, const CUDA_HOST_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set(hNode, general(*nodeParams));
}
CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode hNode, const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set(hNode, general(*nodeParams));
}

CUresult cuGraphExecNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, CUgraphNodeParams* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set_in(hGraphExec, hNode, *nodeParams);
}
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec hGraphExec, CUgraphNode hNode,
                                           const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set_in(hGraphExec, hNode, general(*nodeParams));
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                        const CUDA_MEMCPY3D* copyParams, CUcontext ctx) {
    return copyParams == nullptr ? CUDA_ERROR_INVALID_VALUE
                                 : set_in(hGraphExec, hNode, general(*copyParams, ctx));
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                      const CUDA_HOST_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set_in(hGraphExec, hNode, general(*nodeParams));
}
CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                            const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
    return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set_in(hGraphExec, hNode, general(*nodeParams));
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec hGraphExec, CUgraphNode hNode, CUevent event) {
    return set_in(hGraphExec, hNode, recording(event));
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, CUgraph childGraph) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_GRAPH;
    p.graph.graph = childGraph;
    return set_in(hGraphExec, hNode, p);
}

// ---- asking
// --------------------------------------------------------------------------------------------------

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode hNode, CUDA_KERNEL_NODE_PARAMS* nodeParams) {
    CUgraphNodeParams p{};
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ask_node(hNode, CU_GRAPH_NODE_TYPE_KERNEL, &p);
    const auto& k = p.kernel;
    if (result == CUDA_SUCCESS)
        *nodeParams = {k.func,      k.gridDimX,       k.gridDimY,     k.gridDimZ, k.blockDimX, k.blockDimY,
                       k.blockDimZ, k.sharedMemBytes, k.kernelParams, k.extra,    k.kern,      k.ctx};
    return result;
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode hNode, CUDA_MEMCPY3D* nodeParams) {
    CUgraphNodeParams p{};
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ask_node(hNode, CU_GRAPH_NODE_TYPE_MEMCPY, &p);
    if (result == CUDA_SUCCESS) *nodeParams = p.memcpy.copyParams;
    return result;
}
CUresult cuGraphHostNodeGetParams(CUgraphNode hNode, CUDA_HOST_NODE_PARAMS* nodeParams) {
    CUgraphNodeParams p{};
    if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ask_node(hNode, CU_GRAPH_NODE_TYPE_HOST, &p);
    if (result == CUDA_SUCCESS) *nodeParams = {p.host.fn, p.host.userData};
    return result;
}
CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode hNode, CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams_out) {
    CUgraphNodeParams p{};
    if (nodeParams_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ask_node(hNode, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, &p);
    if (result == CUDA_SUCCESS)
        *nodeParams_out = {p.memOp.ctx, p.memOp.count, p.memOp.paramArray, p.memOp.flags};
    return result;
}
CUresult cuGraphMemAllocNodeGetParams(CUgraphNode hNode, CUDA_MEM_ALLOC_NODE_PARAMS* params_out) {
    CUgraphNodeParams p{};
    if (params_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = ask_node(hNode, CU_GRAPH_NODE_TYPE_MEM_ALLOC, &p);
    const auto& a = p.alloc;
    if (result == CUDA_SUCCESS)
        *params_out = {a.poolProps, a.accessDescs, a.accessDescCount, a.bytesize, a.dptr};
    return result;
}

CUresult cuGraphDestroyNode(CUgraphNode hNode) {
    const CUresult result = remote::cuGraphDestroyNode(hNode);
    if (result == CUDA_SUCCESS) forget_told_node(hNode);
    return result;
}

}  // namespace bitfusion::client
