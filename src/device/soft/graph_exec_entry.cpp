#include "device/soft/capture.h"
#include "device/soft/graph_entry.h"
#include "device/soft/node_work.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr cuuint64_t kKnownFlags =
    CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD |
    CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;

CUresult instantiate(CUgraphExec* out, CUgraph handle, cuuint64_t flags) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (out == nullptr || (flags & ~kKnownFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
        if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0) return CUDA_ERROR_NOT_SUPPORTED;
        auto exec = std::make_shared<GraphExec>();
        const CUresult result = build_exec(*graph, exec.get());
        if (result != CUDA_SUCCESS) return result;
        exec->flags = flags;
        exec->handle = driver().graph_execs.issue();
        *out = exec->handle;
        driver().graph_execs.add(exec->handle, exec);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* out, CUgraph graph, unsigned long long flags) {
    return instantiate(out, graph, flags);
}

CUresult cuGraphInstantiateWithParams(CUgraphExec* out, CUgraph graph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    return entry_initialized([&] {
        if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
        parameters->hErrNode_out = nullptr;
        const CUresult result = instantiate(out, graph, parameters->flags);
        parameters->result_out = result == CUDA_SUCCESS ? CUDA_GRAPH_INSTANTIATE_SUCCESS
                                 : result == CUDA_ERROR_NOT_SUPPORTED
                                     ? CUDA_GRAPH_INSTANTIATE_NODE_OPERATION_NOT_SUPPORTED
                                     : CUDA_GRAPH_INSTANTIATE_ERROR;
        return result;
    });
}

CUresult cuGraphExecGetFlags(CUgraphExec handle, cuuint64_t* flags) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = exec.flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
    return entry_initialized([&] {
        return driver().graph_execs.remove(handle) == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    });
}

// What a launch inside a capture becomes: a child graph with the executable graph's nodes.
GraphPtr to_graph(const GraphExec& exec) {
    auto graph = std::make_shared<Graph>(driver().graphs.issue());
    graph->child = true;
    std::vector<GraphNodePtr> made;
    for (const GraphExec::Node& node : exec.nodes) {
        std::vector<GraphNodePtr> after;
        for (const size_t before : node.after) after.push_back(made[before]);
        made.push_back(graph->add(node.enabled ? node.work : Work(EmptyWork{}), node.context, after));
    }
    driver().graphs.add(graph->handle, graph);
    return graph;
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream_handle) {
    return entry_on_stream(stream_handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const CUresult implicit = forbid_implicit(context, *stream);
        if (implicit != CUDA_SUCCESS) return implicit;
        const std::lock_guard lock(driver().graph_mutex);
        const GraphExecPtr exec = driver().graph_execs.find(handle);
        if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capture != nullptr) return capture_work(context, *stream, ChildWork{to_graph(*exec)});
        return launch_exec(context, *stream, *exec);
    });
}

// There is nothing to upload: launching is as fast the first time.
CUresult cuGraphUpload(CUgraphExec handle, CUstream stream_handle) {
    return entry_on_stream(stream_handle, [&](const ContextPtr&, const StreamPtr&) {
        return driver().graph_execs.find(handle) == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    });
}

// --- changing an executable graph

struct Difference {
    CUgraphExecUpdateResult result = CU_GRAPH_EXEC_UPDATE_SUCCESS;
    CUgraphNode node = nullptr;
};

Difference compare(const GraphExec& old, const GraphExec& fresh) {
    if (old.nodes.size() != fresh.nodes.size()) return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, nullptr};
    for (size_t i = 0; i < old.nodes.size(); ++i) {
        const GraphExec::Node& was = old.nodes[i];
        const GraphExec::Node& is = fresh.nodes[i];
        if (was.work.index() != is.work.index())
            return {CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, is.source};
        if (was.after != is.after) return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, is.source};
        if (std::holds_alternative<KernelWork>(was.work) && was.context != is.context)
            return {CU_GRAPH_EXEC_UPDATE_ERROR_UNSUPPORTED_FUNCTION_CHANGE, is.source};
    }
    return {};
}

CUresult cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graph_handle, CUgraphExecUpdateResultInfo* info) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        const GraphPtr graph = driver().graphs.find(graph_handle);
        if (graph == nullptr || info == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *info = {};
        GraphExec fresh;
        const CUresult built = build_exec(*graph, &fresh);
        if (built != CUDA_SUCCESS) {
            info->result = CU_GRAPH_EXEC_UPDATE_ERROR;
            return built;
        }
        const Difference difference = compare(exec, fresh);
        info->result = difference.result;
        info->errorNode = difference.node;
        if (difference.result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
        for (size_t i = 0; i < exec.nodes.size(); ++i) {
            exec.nodes[i].work = std::move(fresh.nodes[i].work);
            exec.nodes[i].context = std::move(fresh.nodes[i].context);
            exec.nodes[i].bodies = std::move(fresh.nodes[i].bodies);
        }
        exec.conditionals = std::move(fresh.conditionals);
        exec.user_objects = std::move(fresh.user_objects);
        return CUDA_SUCCESS;
    });
}

GraphExec::Node* find_single(GraphExec& exec, CUgraphNode node) {
    const auto at = exec.ranges.find(node);
    if (at == exec.ranges.end() || at->second.second - at->second.first != 1) return nullptr;
    return &exec.nodes[at->second.first];
}

template <typename T, typename Place>
CUresult set_exec_node(CUgraphExec handle, CUgraphNode node_handle, Place&& place) noexcept {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        GraphExec::Node* node = find_single(exec, node_handle);
        if (node == nullptr || !std::holds_alternative<T>(node->work)) return CUDA_ERROR_INVALID_VALUE;
        PlacedWork placed;
        const CUresult result = place(&placed, *node);
        if (result != CUDA_SUCCESS) return result;
        if constexpr (std::is_same_v<T, KernelWork>) {
            if (placed.context != node->context) return CUDA_ERROR_INVALID_VALUE;
            auto& fresh = std::get<KernelWork>(placed.work);
            const auto& old = std::get<KernelWork>(node->work);
            fresh.attributes = old.attributes;
            fresh.cooperative = old.cooperative;
        }
        node->work = std::move(placed.work);
        node->context = std::move(placed.context);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return set_exec_node<KernelWork>(exec, node, [&](PlacedWork* placed, const GraphExec::Node&) {
        return place_kernel(parameters, placed);
    });
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D* copy,
                                        CUcontext context) {
    return set_exec_node<CopyWork>(exec, node, [&](PlacedWork* placed, const GraphExec::Node&) {
        return place_copy(copy, context, placed);
    });
}
CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                        const CUDA_MEMSET_NODE_PARAMS* set, CUcontext context) {
    return set_exec_node<SetWork>(exec, node, [&](PlacedWork* placed, const GraphExec::Node&) {
        return place_set(set, context, placed);
    });
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS* host) {
    return set_exec_node<HostWork>(
        exec, node, [&](PlacedWork* placed, const GraphExec::Node&) { return place_host(host, placed); });
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
    return set_exec_node<RecordWork>(
        exec, node, [&](PlacedWork* placed, const GraphExec::Node&) { return place_record(event, placed); });
}
CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
    return set_exec_node<WaitWork>(
        exec, node, [&](PlacedWork* placed, const GraphExec::Node&) { return place_wait(event, placed); });
}
CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                            const CUDA_BATCH_MEM_OP_NODE_PARAMS* values) {
    return set_exec_node<ValueWork>(
        exec, node, [&](PlacedWork* placed, const GraphExec::Node&) { return place_values(values, placed); });
}

CUresult cuGraphExecNodeSetParams(CUgraphExec handle, CUgraphNode node_handle,
                                  CUgraphNodeParams* parameters) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        GraphExec::Node* node = find_single(exec, node_handle);
        if (node == nullptr || parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
        PlacedWork placed;
        const CUresult result = place_any(parameters, &placed);
        if (result != CUDA_SUCCESS) return result;
        if (placed.work.index() != node->work.index()) return CUDA_ERROR_INVALID_VALUE;
        if (auto* fresh = std::get_if<KernelWork>(&placed.work)) {
            if (placed.context != node->context) return CUDA_ERROR_INVALID_VALUE;
            fresh->attributes = std::get<KernelWork>(node->work).attributes;
            fresh->cooperative = std::get<KernelWork>(node->work).cooperative;
        }
        node->work = std::move(placed.work);
        node->context = std::move(placed.context);
        return CUDA_SUCCESS;
    });
}

// The child's nodes were expanded in place: the new graph must have the same shape.
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec handle, CUgraphNode node_handle, CUgraph child) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        const auto at = exec.ranges.find(node_handle);
        const GraphPtr graph = driver().graphs.find(child);
        if (at == exec.ranges.end() || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto [first, last] = at->second;
        // One mark before the child's nodes and one after them.
        if (last - first < 2) return CUDA_ERROR_INVALID_VALUE;
        GraphExec fresh;
        const CUresult built = build_exec(*graph, &fresh);
        if (built != CUDA_SUCCESS) return built;
        if (fresh.nodes.size() != last - first - 2) return CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < fresh.nodes.size(); ++i) {
            const GraphExec::Node& old = exec.nodes[first + 1 + i];
            std::vector<size_t> after;
            for (const size_t before : fresh.nodes[i].after) after.push_back(before + first + 1);
            if (after.empty()) after.push_back(first);
            if (old.work.index() != fresh.nodes[i].work.index() || old.after != after)
                return CUDA_ERROR_INVALID_VALUE;
        }
        for (size_t i = 0; i < fresh.nodes.size(); ++i) {
            exec.nodes[first + 1 + i].work = std::move(fresh.nodes[i].work);
            exec.nodes[first + 1 + i].context = std::move(fresh.nodes[i].context);
        }
        hold_objects(*graph, &exec.user_objects);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphNodeSetEnabled(CUgraphExec handle, CUgraphNode node_handle, unsigned int enabled) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        GraphExec::Node* node = find_single(exec, node_handle);
        if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const bool may = std::holds_alternative<KernelWork>(node->work) ||
                         std::holds_alternative<CopyWork>(node->work) ||
                         std::holds_alternative<SetWork>(node->work);
        if (!may) return CUDA_ERROR_INVALID_VALUE;
        node->enabled = enabled != 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphNodeGetEnabled(CUgraphExec handle, CUgraphNode node_handle, unsigned int* enabled) {
    return entry_on_exec(handle, [&](GraphExec& exec) {
        const GraphExec::Node* node = find_single(exec, node_handle);
        if (node == nullptr || enabled == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *enabled = node->enabled ? 1 : 0;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_graph_execs(DriverTable* table) {
    BF_SERVE(cuGraphInstantiateWithFlags);
    BF_SERVE(cuGraphInstantiateWithParams);
    BF_SERVE(cuGraphExecGetFlags);
    BF_SERVE(cuGraphExecDestroy);
    BF_SERVE(cuGraphLaunch);
    BF_SERVE(cuGraphUpload);
    BF_SERVE(cuGraphExecUpdate_v2);
    BF_SERVE(cuGraphExecKernelNodeSetParams_v2);
    BF_SERVE(cuGraphExecMemcpyNodeSetParams);
    BF_SERVE(cuGraphExecMemsetNodeSetParams);
    BF_SERVE(cuGraphExecHostNodeSetParams);
    BF_SERVE(cuGraphExecEventRecordNodeSetEvent);
    BF_SERVE(cuGraphExecEventWaitNodeSetEvent);
    BF_SERVE(cuGraphExecBatchMemOpNodeSetParams);
    BF_SERVE(cuGraphExecNodeSetParams);
    BF_SERVE(cuGraphExecChildGraphNodeSetParams);
    BF_SERVE(cuGraphNodeSetEnabled);
    BF_SERVE(cuGraphNodeGetEnabled);
}

}  // namespace bitfusion::soft
