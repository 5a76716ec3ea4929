// Earlier variants of functions, exported under their old symbols: where the signature did not change they
// are the same function, where it did they call the newest one.
#include <vector>

#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

DriverTable g_newest;  // filled before any of the functions below can be called

CUresult create_context(CUcontext* out, unsigned int flags, CUdevice device) {
    return g_newest.cuCtxCreate_v4(out, nullptr, flags, device);
}

CUresult create_context_with_affinity(CUcontext* out, CUexecAffinityParam* parameters, int count,
                                      unsigned int flags, CUdevice device) {
    CUctxCreateParams all{};
    all.execAffinityParams = parameters;
    all.numExecAffinityParams = count;
    return g_newest.cuCtxCreate_v4(out, count == 0 ? nullptr : &all, flags, device);
}

CUresult instantiate(CUgraphExec* out, CUgraph graph, CUgraphNode* error_node, char* log, size_t log_bytes) {
    if (error_node != nullptr) *error_node = nullptr;
    if (log != nullptr && log_bytes != 0) *log = '\0';
    return g_newest.cuGraphInstantiateWithFlags(out, graph, 0);
}

CUresult begin_capture(CUstream stream) {
    return g_newest.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

CUresult capture_info(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id, CUgraph* graph,
                      const CUgraphNode** nodes, size_t* count) {
    return g_newest.cuStreamGetCaptureInfo_v3(stream, status, id, graph, nodes, nullptr, count);
}

CUresult add_node(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                  CUgraphNodeParams* parameters) {
    return g_newest.cuGraphAddNode_v2(out, graph, after, nullptr, count, parameters);
}

CUresult update_exec(CUgraphExec exec, CUgraph graph, CUgraphNode* error_node,
                     CUgraphExecUpdateResult* outcome) {
    if (outcome == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUgraphExecUpdateResultInfo info{};
    const CUresult result = g_newest.cuGraphExecUpdate_v2(exec, graph, &info);
    *outcome = info.result;
    if (error_node != nullptr) *error_node = info.errorNode;
    return result;
}

// The earlier list functions have no room for an edge's data: they refuse where there are some.
bool lossy(const std::vector<CUgraphEdgeData>& edges) {
    for (const CUgraphEdgeData& edge : edges) {
        if (edge.from_port != 0 || edge.to_port != 0 || edge.type != 0) return true;
    }
    return false;
}

CUresult get_edges(CUgraph graph, CUgraphNode* from, CUgraphNode* to, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<CUgraphEdgeData> data(from != nullptr ? *count : 0);
    const CUresult result =
        g_newest.cuGraphGetEdges_v2(graph, from, to, data.empty() ? nullptr : data.data(), count);
    return result == CUDA_SUCCESS && lossy(data) ? CUDA_ERROR_LOSSY_QUERY : result;
}

CUresult get_dependencies(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<CUgraphEdgeData> data(nodes != nullptr ? *count : 0);
    const CUresult result =
        g_newest.cuGraphNodeGetDependencies_v2(node, nodes, data.empty() ? nullptr : data.data(), count);
    return result == CUDA_SUCCESS && lossy(data) ? CUDA_ERROR_LOSSY_QUERY : result;
}

CUresult get_dependents(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<CUgraphEdgeData> data(nodes != nullptr ? *count : 0);
    const CUresult result =
        g_newest.cuGraphNodeGetDependentNodes_v2(node, nodes, data.empty() ? nullptr : data.data(), count);
    return result == CUDA_SUCCESS && lossy(data) ? CUDA_ERROR_LOSSY_QUERY : result;
}

CUresult first_capture_info(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id) {
    return g_newest.cuStreamGetCaptureInfo_v3(stream, status, id, nullptr, nullptr, nullptr, nullptr);
}

// Collecting a profile is nobody's business here; the calls mark its range and succeed, as without a
// profiler.
CUresult profiler_mark() {
    return entry_in_context([](const ContextPtr&) { return CUDA_SUCCESS; });
}

// Which earlier variants the table has depends on the description it was generated from.
template <typename Table>
void serve(Table* table) {
#define BF_ALIAS(earlier, newest) \
    if constexpr (requires { table->earlier; }) table->earlier = newest
    BF_ALIAS(cuCtxDestroy, table->cuCtxDestroy_v2);
    BF_ALIAS(cuCtxPushCurrent, table->cuCtxPushCurrent_v2);
    BF_ALIAS(cuCtxPopCurrent, table->cuCtxPopCurrent_v2);
    BF_ALIAS(cuDeviceGetUuid, table->cuDeviceGetUuid_v2);
    BF_ALIAS(cuDevicePrimaryCtxRelease, table->cuDevicePrimaryCtxRelease_v2);
    BF_ALIAS(cuDevicePrimaryCtxReset, table->cuDevicePrimaryCtxReset_v2);
    BF_ALIAS(cuDevicePrimaryCtxSetFlags, table->cuDevicePrimaryCtxSetFlags_v2);
    BF_ALIAS(cuEventDestroy, table->cuEventDestroy_v2);
    BF_ALIAS(cuEventElapsedTime, table->cuEventElapsedTime_v2);
    BF_ALIAS(cuMemHostRegister, table->cuMemHostRegister_v2);
    BF_ALIAS(cuStreamDestroy, table->cuStreamDestroy_v2);
    BF_ALIAS(cuStreamWaitValue32, table->cuStreamWaitValue32_v2);
    BF_ALIAS(cuStreamWaitValue64, table->cuStreamWaitValue64_v2);
    BF_ALIAS(cuStreamWriteValue32, table->cuStreamWriteValue32_v2);
    BF_ALIAS(cuStreamWriteValue64, table->cuStreamWriteValue64_v2);
    BF_ALIAS(cuCtxCreate, create_context);
    BF_ALIAS(cuCtxCreate_v2, create_context);
    BF_ALIAS(cuCtxCreate_v3, create_context_with_affinity);
    BF_ALIAS(cuGraphInstantiate, instantiate);
    BF_ALIAS(cuGraphInstantiate_v2, instantiate);
    BF_ALIAS(cuStreamBeginCapture, begin_capture);
    BF_ALIAS(cuStreamGetCaptureInfo_v2, capture_info);
    BF_ALIAS(cuStreamGetCaptureInfo, first_capture_info);
    BF_ALIAS(cuStreamBatchMemOp, table->cuStreamBatchMemOp_v2);
    BF_ALIAS(cuGraphAddNode, add_node);
    BF_ALIAS(cuGraphExecUpdate, update_exec);
    BF_ALIAS(cuGraphGetEdges, get_edges);
    BF_ALIAS(cuGraphNodeGetDependencies, get_dependencies);
    BF_ALIAS(cuGraphNodeGetDependentNodes, get_dependents);
    BF_ALIAS(cuProfilerStart, profiler_mark);
    BF_ALIAS(cuProfilerStop, profiler_mark);
#undef BF_ALIAS
}

}  // namespace

void serve_earlier_variants(DriverTable* table) {
    // Once: other threads may be calling through a table that was filled before.
    if (g_newest.cuCtxCreate_v4 == nullptr) g_newest = *table;
    serve(table);
}

}  // namespace bitfusion::soft
