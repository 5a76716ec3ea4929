// Graphs as a whole: lists of nodes and edges, executables, updates, the picture of a graph.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>
#include <vector>

#include "client/graph_launch.h"
#include "client/graph_node.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

// What has come of a list, in the form of CUDA's list functions: a null array asks for the number; else up to
// *count entries are written, what is left over is zeroed, and *count becomes the number written.
template <typename T>
void put_list(std::span<const uint8_t> told, T* out, size_t most) {
    const size_t bytes = std::min(told.size(), most * sizeof(T));
    if (bytes != 0) memcpy(out, told.data(), bytes);
    memset(reinterpret_cast<uint8_t*>(out) + bytes, 0, most * sizeof(T) - bytes);
}

// An edge that is more than an order cannot be told without its data.
bool loses(std::span<const uint8_t> data) {
    return std::any_of(data.begin(), data.end(), [](uint8_t byte) { return byte != 0; });
}

CUresult nodes_of(CUgraph graph, bool roots, CUgraphNode* nodes, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t most = nodes != nullptr ? *count : 0;
    return call(msg::GraphNodes{wire_name(graph), roots ? 1u : 0u, most},
                [&](const msg::GraphNodes::Reply& reply) {
                    if (nodes != nullptr) put_list(reply.nodes, nodes, *count);
                    *count = nodes != nullptr ? reply.nodes.size() / sizeof(uint64_t) : reply.count;
                });
}

CUresult edges_of(CUgraph graph, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* data, bool with_data,
                  size_t* count) {
    if (count == nullptr || (from == nullptr) != (to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    CUresult outcome = CUDA_SUCCESS;
    const CUresult result = call(msg::GraphEdges{wire_name(graph), from != nullptr ? *count : 0},
                                 [&](const msg::GraphEdges::Reply& reply) {
                                     if (from == nullptr) {
                                         *count = reply.count;
                                         return;
                                     }
                                     if ((!with_data || data == nullptr) && loses(reply.data)) {
                                         outcome = CUDA_ERROR_LOSSY_QUERY;
                                         return;
                                     }
                                     put_list(reply.from, from, *count);
                                     put_list(reply.to, to, *count);
                                     if (data != nullptr) put_list(reply.data, data, *count);
                                     *count = reply.from.size() / sizeof(uint64_t);
                                 });
    return result == CUDA_SUCCESS ? outcome : result;
}

CUresult links_of(CUgraphNode node, bool dependents, CUgraphNode* nodes, CUgraphEdgeData* data,
                  size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult outcome = CUDA_SUCCESS;
    const CUresult result =
        call(msg::GraphNodeLinks{wire_name(node), dependents ? 1u : 0u, nodes != nullptr ? *count : 0},
             [&](const msg::GraphNodeLinks::Reply& reply) {
                 if (nodes == nullptr) {
                     *count = reply.count;
                     return;
                 }
                 if (data == nullptr && loses(reply.data)) {
                     outcome = CUDA_ERROR_LOSSY_QUERY;
                     return;
                 }
                 put_list(reply.nodes, nodes, *count);
                 if (data != nullptr) put_list(reply.data, data, *count);
                 *count = reply.nodes.size() / sizeof(uint64_t);
             });
    return result == CUDA_SUCCESS ? outcome : result;
}

CUresult instantiate(CUgraphExec* exec, CUgraph graph, unsigned long long flags, CUstream stream,
                     bool with_params, CUgraphNode* error_node, CUgraphInstantiateResult* status) {
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult outcome = CUDA_SUCCESS;
    int32_t told = CUDA_GRAPH_INSTANTIATE_ERROR;
    const CUresult result =
        call(msg::GraphInstantiate{wire_name(graph), flags, wire_name(stream), with_params ? 1u : 0u},
             [&](const msg::GraphInstantiate::Reply& reply) {
                 outcome = static_cast<CUresult>(reply.outcome);
                 told = reply.status;
                 if (error_node != nullptr) *error_node = from_wire_name<CUgraphNode>(reply.error_node);
                 if (outcome != CUDA_SUCCESS) return;
                 *exec = from_wire_name<CUgraphExec>(reply.exec);
                 if (!learn_exec(*exec, reply.plan)) outcome = CUDA_ERROR_UNKNOWN;
             });
    if (status != nullptr) *status = static_cast<CUgraphInstantiateResult>(told);
    return result == CUDA_SUCCESS ? outcome : result;
}

CUresult update(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo* info) {
    if (!is_exec(exec)) return CUDA_ERROR_INVALID_VALUE;
    // The driver tells why an update was refused in the result info and in its return code; both travel.
    CUresult outcome = CUDA_SUCCESS;
    const CUresult result =
        call(msg::GraphUpdate{wire_name(exec), wire_name(graph)}, [&](const msg::GraphUpdate::Reply& reply) {
            info->result = static_cast<CUgraphExecUpdateResult>(reply.status);
            info->errorNode = from_wire_name<CUgraphNode>(reply.error_node);
            info->errorFromNode = from_wire_name<CUgraphNode>(reply.error_from);
            outcome = static_cast<CUresult>(reply.outcome);
            if (outcome == CUDA_SUCCESS && !learn_exec(exec, reply.plan)) outcome = CUDA_ERROR_UNKNOWN;
        });
    return result == CUDA_SUCCESS ? outcome : result;
}

}  // namespace

CUresult cuGraphGetNodes(CUgraph hGraph, CUgraphNode* nodes, size_t* numNodes) {
    return nodes_of(hGraph, false, nodes, numNodes);
}
CUresult cuGraphGetRootNodes(CUgraph hGraph, CUgraphNode* rootNodes, size_t* numRootNodes) {
    return nodes_of(hGraph, true, rootNodes, numRootNodes);
}
CUresult cuGraphGetEdges_v2(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* edgeData,
                            size_t* numEdges) {
    return edges_of(hGraph, from, to, edgeData, true, numEdges);
}
CUresult cuGraphGetEdges(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to, size_t* numEdges) {
    return edges_of(hGraph, from, to, nullptr, false, numEdges);
}
CUresult cuGraphNodeGetDependencies_v2(CUgraphNode hNode, CUgraphNode* dependencies,
                                       CUgraphEdgeData* edgeData, size_t* numDependencies) {
    return links_of(hNode, false, dependencies, edgeData, numDependencies);
}
CUresult cuGraphNodeGetDependencies(CUgraphNode hNode, CUgraphNode* dependencies, size_t* numDependencies) {
    return links_of(hNode, false, dependencies, nullptr, numDependencies);
}
CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode hNode, CUgraphNode* dependentNodes,
                                         CUgraphEdgeData* edgeData, size_t* numDependentNodes) {
    return links_of(hNode, true, dependentNodes, edgeData, numDependentNodes);
}
CUresult cuGraphNodeGetDependentNodes(CUgraphNode hNode, CUgraphNode* dependentNodes,
                                      size_t* numDependentNodes) {
    return links_of(hNode, true, dependentNodes, nullptr, numDependentNodes);
}

CUresult cuGraphDestroy(CUgraph hGraph) {
    forget_told_graph(hGraph);
    return remote::cuGraphDestroy(hGraph);
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* phGraphExec, CUgraph hGraph, unsigned long long flags) {
    return instantiate(phGraphExec, hGraph, flags, nullptr, false, nullptr, nullptr);
}

CUresult cuGraphInstantiateWithParams(CUgraphExec* phGraphExec, CUgraph hGraph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* instantiateParams) {
    if (instantiateParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    instantiateParams->hErrNode_out = nullptr;
    return instantiate(phGraphExec, hGraph, instantiateParams->flags,
                       resolve_stream(instantiateParams->hUploadStream), true,
                       &instantiateParams->hErrNode_out, &instantiateParams->result_out);
}

CUresult cuGraphInstantiate_v2(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode,
                               char* logBuffer, size_t bufferSize) {
    if (logBuffer != nullptr && bufferSize != 0) logBuffer[0] = '\0';
    if (phErrorNode != nullptr) *phErrorNode = nullptr;
    return instantiate(phGraphExec, hGraph, 0, nullptr, phErrorNode != nullptr, phErrorNode, nullptr);
}

CUresult cuGraphInstantiate(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode,
                            char* logBuffer, size_t bufferSize) {
    return cuGraphInstantiate_v2(phGraphExec, hGraph, phErrorNode, logBuffer, bufferSize);
}

CUresult cuGraphExecUpdate_v2(CUgraphExec hGraphExec, CUgraph hGraph,
                              CUgraphExecUpdateResultInfo* resultInfo) {
    if (resultInfo == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return update(hGraphExec, hGraph, resultInfo);
}

CUresult cuGraphExecUpdate(CUgraphExec hGraphExec, CUgraph hGraph, CUgraphNode* hErrorNode_out,
                           CUgraphExecUpdateResult* updateResult_out) {
    if (updateResult_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUgraphExecUpdateResultInfo info{};
    const CUresult result = update(hGraphExec, hGraph, &info);
    *updateResult_out = info.result;
    if (hErrorNode_out != nullptr) *hErrorNode_out = info.errorNode;
    return result;
}

CUresult cuGraphDebugDotPrint(CUgraph hGraph, const char* path, unsigned int flags) {
    if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<uint8_t> text;
    const CUresult result =
        call(msg::GraphDot{wire_name(hGraph), flags},
             [&](const msg::GraphDot::Reply& reply) { text.assign(reply.text.begin(), reply.text.end()); });
    if (result != CUDA_SUCCESS) return result;
    FILE* file = fopen(path, "we");
    if (file == nullptr) return CUDA_ERROR_OPERATING_SYSTEM;
    const bool written = fwrite(text.data(), 1, text.size(), file) == text.size();
    return fclose(file) == 0 && written ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
}

}  // namespace bitfusion::client
