#include <vector>

#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

CUresult nodes_of(CUgraph graph, bool roots, CUgraphNode* nodes, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t most = nodes != nullptr ? *count : 0;
    return call(msg::GraphNodes{wire_name(graph), roots ? 1u : 0u, most},
                [&](const msg::GraphNodes::Reply& reply) {
                    const size_t told = reply.nodes.size() / sizeof(uint64_t);
                    if (nodes == nullptr) {
                        *count = reply.count;
                        return;
                    }
                    for (size_t i = 0; i < *count; ++i) {
                        uint64_t name = 0;
                        if (i < told) memcpy(&name, reply.nodes.data() + i * sizeof name, sizeof name);
                        nodes[i] = from_wire_name<CUgraphNode>(name);
                    }
                    *count = told;
                });
}

CUresult instantiate(CUgraphExec* exec, CUgraph graph, unsigned long long flags, CUstream stream,
                     bool with_params, CUgraphNode* error_node, CUgraphInstantiateResult* status) {
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    int32_t failed = 0;
    const CUresult result =
        call(msg::GraphInstantiate{wire_name(graph), flags, wire_name(stream), with_params ? 1u : 0u},
             [&](const msg::GraphInstantiate::Reply& reply) {
                 *exec = from_wire_name<CUgraphExec>(reply.exec);
                 if (error_node != nullptr) *error_node = from_wire_name<CUgraphNode>(reply.error_node);
                 failed = reply.status;
             });
    if (status != nullptr) *status = static_cast<CUgraphInstantiateResult>(failed);
    return result;
}

}  // namespace

CUresult cuGraphGetNodes(CUgraph hGraph, CUgraphNode* nodes, size_t* numNodes) {
    return nodes_of(hGraph, false, nodes, numNodes);
}
CUresult cuGraphGetRootNodes(CUgraph hGraph, CUgraphNode* rootNodes, size_t* numRootNodes) {
    return nodes_of(hGraph, true, rootNodes, numRootNodes);
}

CUresult cuGraphInstantiateWithParams(CUgraphExec* phGraphExec, CUgraph hGraph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* instantiateParams) {
    if (instantiateParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return instantiate(phGraphExec, hGraph, instantiateParams->flags,
                       resolve_stream(instantiateParams->hUploadStream), true,
                       &instantiateParams->hErrNode_out, &instantiateParams->result_out);
}

CUresult cuGraphInstantiate_v2(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode,
                               char* logBuffer, size_t bufferSize) {
    if (logBuffer != nullptr && bufferSize != 0) logBuffer[0] = '\0';
    return instantiate(phGraphExec, hGraph, 0, nullptr, false, phErrorNode, nullptr);
}

CUresult cuGraphInstantiate(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode,
                            char* logBuffer, size_t bufferSize) {
    return cuGraphInstantiate_v2(phGraphExec, hGraph, phErrorNode, logBuffer, bufferSize);
}

CUresult cuGraphExecUpdate_v2(CUgraphExec hGraphExec, CUgraph hGraph,
                              CUgraphExecUpdateResultInfo* resultInfo) {
    if (resultInfo == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // The driver tells why an update was refused in the result info and in its return code; both travel.
    CUresult outcome = CUDA_SUCCESS;
    const CUresult result = call(msg::GraphUpdate{wire_name(hGraphExec), wire_name(hGraph)},
                                 [&](const msg::GraphUpdate::Reply& reply) {
                                     resultInfo->result = static_cast<CUgraphExecUpdateResult>(reply.status);
                                     resultInfo->errorNode = from_wire_name<CUgraphNode>(reply.error_node);
                                     resultInfo->errorFromNode =
                                         from_wire_name<CUgraphNode>(reply.error_from);
                                     if (resultInfo->result != CU_GRAPH_EXEC_UPDATE_SUCCESS)
                                         outcome = CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
                                 });
    return result == CUDA_SUCCESS ? outcome : result;
}

}  // namespace bitfusion::client
