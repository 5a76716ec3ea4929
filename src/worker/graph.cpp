#include <algorithm>
#include <vector>

#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {

void serve(Session& s, const Frame& frame, const msg::GraphNodes& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    const auto ask = m.roots != 0 ? s.driver.cuGraphGetRootNodes : s.driver.cuGraphGetNodes;
    size_t count = 0;
    if (result == CUDA_SUCCESS)
        result = ask == nullptr ? CUDA_ERROR_NOT_SUPPORTED : ask(graph, nullptr, &count);
    std::vector<CUgraphNode> nodes(count);
    if (result == CUDA_SUCCESS && count != 0) result = ask(graph, nodes.data(), &count);
    std::vector<uint64_t> names;
    for (size_t i = 0; i < std::min<uint64_t>(count, m.most); ++i)
        names.push_back(s.handles.name_of(nodes[i], m.graph));
    s.reply_with(
        frame, result,
        msg::GraphNodes::Reply{
            count, {reinterpret_cast<const uint8_t*>(names.data()), names.size() * sizeof(uint64_t)}});
}

void serve(Session& s, const Frame& frame, const msg::GraphInstantiate& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    CUgraphExec exec = nullptr;
    msg::GraphInstantiate::Reply reply;
    if (result == CUDA_SUCCESS && m.with_params != 0 && s.driver.cuGraphInstantiateWithParams != nullptr) {
        CUDA_GRAPH_INSTANTIATE_PARAMS params{};
        params.flags = m.flags;
        params.hUploadStream = stream;
        result = s.driver.cuGraphInstantiateWithParams(&exec, graph, &params);
        reply.status = params.result_out;
        reply.error_node = s.handles.name_of(params.hErrNode_out, m.graph);
    } else if (result == CUDA_SUCCESS) {
        result = s.driver.cuGraphInstantiateWithFlags == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuGraphInstantiateWithFlags(&exec, graph, m.flags);
    }
    if (result == CUDA_SUCCESS) reply.exec = s.handles.name_of(exec, s.context_name());
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::GraphUpdate& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphExec exec = s.handles.find<CUgraphExec>(m.exec, &result);
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    CUgraphExecUpdateResultInfo info{};
    msg::GraphUpdate::Reply reply;
    if (result == CUDA_SUCCESS) {
        result = s.driver.cuGraphExecUpdate_v2 == nullptr ? CUDA_ERROR_NOT_SUPPORTED
                                                          : s.driver.cuGraphExecUpdate_v2(exec, graph, &info);
        reply.status = info.result;
        reply.error_node = s.handles.name_of(info.errorNode, m.graph);
        reply.error_from = s.handles.name_of(info.errorFromNode, m.graph);
        // The refusal itself is an answer: it travels in the status.
        if (result == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE) result = CUDA_SUCCESS;
    }
    s.reply_with(frame, result, reply);
}

}  // namespace bitfusion::worker
