// Graphs as a whole: lists of nodes and edges, executables, updates.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "worker/graph_plan.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

std::vector<uint64_t> names_of(Session& s, const std::vector<CUgraphNode>& nodes, uint64_t graph,
                               uint64_t most) {
    std::vector<uint64_t> names;
    for (size_t i = 0; i < std::min<uint64_t>(nodes.size(), most); ++i)
        names.push_back(s.handles.name_of(nodes[i], graph));
    return names;
}

}  // namespace

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
    if (result == CUDA_SUCCESS) names = names_of(s, nodes, m.graph, m.most);
    s.reply_with(frame, result, msg::GraphNodes::Reply{count, bytes_of(names)});
}

void serve(Session& s, const Frame& frame, const msg::GraphEdges& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    if (result == CUDA_SUCCESS && s.driver.cuGraphGetEdges_v2 == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    size_t count = 0;
    if (result == CUDA_SUCCESS)
        result = s.driver.cuGraphGetEdges_v2(graph, nullptr, nullptr, nullptr, &count);
    std::vector<CUgraphNode> from(count);
    std::vector<CUgraphNode> to(count);
    std::vector<CUgraphEdgeData> data(count);
    if (result == CUDA_SUCCESS && count != 0)
        result = s.driver.cuGraphGetEdges_v2(graph, from.data(), to.data(), data.data(), &count);
    std::vector<uint64_t> from_names;
    std::vector<uint64_t> to_names;
    if (result == CUDA_SUCCESS) {
        from_names = names_of(s, from, m.graph, m.most);
        to_names = names_of(s, to, m.graph, m.most);
    }
    data.resize(from_names.size());
    s.reply_with(frame, result,
                 msg::GraphEdges::Reply{count, bytes_of(from_names), bytes_of(to_names), bytes_of(data)});
}

void serve(Session& s, const Frame& frame, const msg::GraphNodeLinks& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphNode node = s.handles.find<CUgraphNode>(m.node, &result);
    const auto ask =
        m.dependents != 0 ? s.driver.cuGraphNodeGetDependentNodes_v2 : s.driver.cuGraphNodeGetDependencies_v2;
    if (result == CUDA_SUCCESS && ask == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    size_t count = 0;
    if (result == CUDA_SUCCESS) result = ask(node, nullptr, nullptr, &count);
    std::vector<CUgraphNode> nodes(count);
    std::vector<CUgraphEdgeData> data(count);
    if (result == CUDA_SUCCESS && count != 0) result = ask(node, nodes.data(), data.data(), &count);
    std::vector<uint64_t> names;
    if (result == CUDA_SUCCESS) names = names_of(s, nodes, s.handles.owner_of(m.node), m.most);
    data.resize(names.size());
    s.reply_with(frame, result, msg::GraphNodeLinks::Reply{count, bytes_of(names), bytes_of(data)});
}

void serve(Session& s, const Frame& frame, const msg::GraphInstantiate& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    CUgraphExec exec = nullptr;
    msg::GraphInstantiate::Reply reply;
    if (m.with_params != 0 && s.driver.cuGraphInstantiateWithParams != nullptr) {
        CUDA_GRAPH_INSTANTIATE_PARAMS params{};
        params.flags = m.flags;
        params.hUploadStream = stream;
        result = s.driver.cuGraphInstantiateWithParams(&exec, graph, &params);
        reply.status = params.result_out;
        reply.error_node = s.handles.name_of(params.hErrNode_out, m.graph);
    } else {
        result = s.driver.cuGraphInstantiateWithFlags == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuGraphInstantiateWithFlags(&exec, graph, m.flags);
    }
    std::vector<uint64_t> plan;
    if (result == CUDA_SUCCESS) {
        reply.exec = s.handles.name_of(exec, s.context_name());
        result = s.graphs.instantiated(reply.exec, graph);
        plan = s.graphs.told(reply.exec);
        reply.plan = bytes_of(plan);
        if (result != CUDA_SUCCESS) {
            s.driver.cuGraphExecDestroy(exec);
            s.handles.forget(reply.exec);
        }
    }
    // A refusal tells which node it is about: it travels in the answer.
    reply.outcome = result;
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

void serve(Session& s, const Frame& frame, const msg::GraphUpdate& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphExec exec = s.handles.find<CUgraphExec>(m.exec, &result);
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS && s.driver.cuGraphExecUpdate_v2 == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    CUgraphExecUpdateResultInfo info{};
    msg::GraphUpdate::Reply reply;
    reply.outcome = s.driver.cuGraphExecUpdate_v2(exec, graph, &info);
    reply.status = info.result;
    reply.error_node = s.handles.name_of(info.errorNode, m.graph);
    reply.error_from = s.handles.name_of(info.errorFromNode, m.graph);
    if (reply.outcome == CUDA_SUCCESS) reply.outcome = s.graphs.instantiated(m.exec, graph);
    const std::vector<uint64_t> plan = s.graphs.told(m.exec);
    reply.plan = bytes_of(plan);
    s.reply_with(frame, CUDA_SUCCESS, reply);
}

CUresult cuGraphClone(Session& s, CUgraph* phGraphClone, CUgraph originalGraph) {
    if (s.driver.cuGraphClone == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuGraphClone(phGraphClone, originalGraph);
    if (result == CUDA_SUCCESS)
        s.kept.graph_cloned(s.handles.known_name(originalGraph), s.handles.name_of(*phGraphClone, 0));
    return result;
}

// The driver writes a file; here it is one without a name, whose content goes to the client.
void serve(Session& s, const Frame& frame, const msg::GraphDot& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    if (result == CUDA_SUCCESS && s.driver.cuGraphDebugDotPrint == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    const int file = memfd_create("graph", MFD_CLOEXEC);
    if (file < 0) return s.reply_status(frame, CUDA_ERROR_OPERATING_SYSTEM);
    result = s.driver.cuGraphDebugDotPrint(graph, ("/proc/self/fd/" + std::to_string(file)).c_str(), m.flags);
    std::vector<uint8_t> text;
    const off_t end = result == CUDA_SUCCESS ? lseek(file, 0, SEEK_END) : 0;
    if (end > 0 && end < static_cast<off_t>(wire::kMostBody / 2)) {
        text.resize(static_cast<size_t>(end));
        const ssize_t got = pread(file, text.data(), text.size(), 0);
        text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    }
    close(file);
    s.reply_with(frame, result, msg::GraphDot::Reply{bytes_of(text)});
}

}  // namespace bitfusion::worker
