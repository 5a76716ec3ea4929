#include "device/soft/graph_entry.h"
#include "device/soft/node_work.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

// Adds a node whose work `place` makes.
template <typename Place>
CUresult add_node(CUgraphNode* out, CUgraph handle, const CUgraphNode* after, const CUgraphEdgeData* data,
                  size_t count, Place&& place) noexcept {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        PlacedWork placed;
        const CUresult result = place(&placed);
        if (result != CUDA_SUCCESS) return result;
        return graph->add(std::move(placed.work), std::move(placed.context), after, data, count, out);
    });
}

// Replaces the work of a node by another of the same kind.
template <typename T, typename Place>
CUresult set_node(CUgraphNode handle, Place&& place) noexcept {
    return entry_on_node(handle, [&](GraphNode& node) {
        if (!std::holds_alternative<T>(node.work)) return CUDA_ERROR_INVALID_VALUE;
        PlacedWork placed;
        const CUresult result = place(&placed);
        if (result != CUDA_SUCCESS) return result;
        if constexpr (std::is_same_v<T, KernelWork>) {
            // Parameters change, attributes stay.
            auto& fresh = std::get<KernelWork>(placed.work);
            const auto& old = std::get<KernelWork>(node.work);
            fresh.attributes = old.attributes;
            fresh.cooperative = old.cooperative;
        }
        node.work = std::move(placed.work);
        node.context = std::move(placed.context);
        return CUDA_SUCCESS;
    });
}

template <typename T, typename Read>
CUresult get_node(CUgraphNode handle, const void* out, Read&& read) noexcept {
    return entry_on_node(handle, [&](GraphNode& node) {
        auto* work = std::get_if<T>(&node.work);
        if (work == nullptr || out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        read(*work, node);
        return CUDA_SUCCESS;
    });
}

// --- adding

CUresult cuGraphAddKernelNode_v2(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                                 const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_kernel(parameters, placed); });
}
CUresult cuGraphAddMemcpyNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                              const CUDA_MEMCPY3D* copy, CUcontext context) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_copy(copy, context, placed); });
}
CUresult cuGraphAddMemsetNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                              const CUDA_MEMSET_NODE_PARAMS* set, CUcontext context) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_set(set, context, placed); });
}
CUresult cuGraphAddHostNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                            const CUDA_HOST_NODE_PARAMS* host) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_host(host, placed); });
}
CUresult cuGraphAddChildGraphNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                                  CUgraph child) {
    return add_node(out, graph, after, nullptr, count, [&](PlacedWork* placed) {
        return child == graph ? CUDA_ERROR_INVALID_VALUE : place_child(child, placed);
    });
}
CUresult cuGraphAddEmptyNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count) {
    return add_node(out, graph, after, nullptr, count, [](PlacedWork*) { return CUDA_SUCCESS; });
}
CUresult cuGraphAddEventRecordNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                                   CUevent event) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_record(event, placed); });
}
CUresult cuGraphAddEventWaitNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                                 CUevent event) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_wait(event, placed); });
}
CUresult cuGraphAddBatchMemOpNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* after, size_t count,
                                  const CUDA_BATCH_MEM_OP_NODE_PARAMS* values) {
    return add_node(out, graph, after, nullptr, count,
                    [&](PlacedWork* placed) { return place_values(values, placed); });
}
CUresult cuGraphAddNode_v2(CUgraphNode* out, CUgraph graph, const CUgraphNode* after,
                           const CUgraphEdgeData* data, size_t count, CUgraphNodeParams* parameters) {
    CUdeviceptr address = 0;
    CUgraph* bodies = nullptr;
    const CUresult result = add_node(out, graph, after, data, count, [&](PlacedWork* placed) {
        const CUresult placing = place_any(parameters, placed);
        if (const auto* work = std::get_if<AllocateWork>(&placed->work)) address = work->parameters.dptr;
        if (auto* work = std::get_if<ConditionalWork>(&placed->work)) bodies = work->told.data();
        return placing;
    });
    if (result == CUDA_SUCCESS && address != 0) parameters->alloc.dptr = address;
    if (result == CUDA_SUCCESS && bodies != nullptr) parameters->conditional.phGraph_out = bodies;
    return result;
}

// --- parameters

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS* out) {
    return get_node<KernelWork>(handle, out, [&](KernelWork& work, GraphNode& node) {
        *out = kernel_parameters(work, node.context, &node.told);
    });
}
CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode handle, const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return set_node<KernelWork>(handle, [&](PlacedWork* placed) { return place_kernel(parameters, placed); });
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode handle, CUDA_MEMCPY3D* out) {
    return get_node<CopyWork>(handle, out, [&](CopyWork& work, GraphNode&) { *out = work.plan.described; });
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode handle, const CUDA_MEMCPY3D* copy) {
    return entry_initialized([&] {
        return set_node<CopyWork>(handle, [&](PlacedWork* placed) {
            const GraphNodePtr node = driver().nodes.find(handle);
            const CUcontext context = node->context != nullptr ? node->context->handle : nullptr;
            return place_copy(copy, context, placed);
        });
    });
}
CUresult cuGraphMemsetNodeGetParams(CUgraphNode handle, CUDA_MEMSET_NODE_PARAMS* out) {
    return get_node<SetWork>(handle, out, [&](SetWork& work, GraphNode&) { *out = work.set; });
}
CUresult cuGraphMemsetNodeSetParams(CUgraphNode handle, const CUDA_MEMSET_NODE_PARAMS* set) {
    return set_node<SetWork>(handle, [&](PlacedWork* placed) {
        const GraphNodePtr node = driver().nodes.find(handle);
        const CUcontext context = node->context != nullptr ? node->context->handle : nullptr;
        return place_set(set, context, placed);
    });
}
CUresult cuGraphHostNodeGetParams(CUgraphNode handle, CUDA_HOST_NODE_PARAMS* out) {
    return get_node<HostWork>(handle, out, [&](HostWork& work, GraphNode&) {
        out->fn = work.function;
        out->userData = work.data;
    });
}
CUresult cuGraphHostNodeSetParams(CUgraphNode handle, const CUDA_HOST_NODE_PARAMS* host) {
    return set_node<HostWork>(handle, [&](PlacedWork* placed) { return place_host(host, placed); });
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode handle, CUgraph* out) {
    return get_node<ChildWork>(handle, out, [&](ChildWork& work, GraphNode&) { *out = work.graph->handle; });
}
CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode handle, CUevent* out) {
    return get_node<RecordWork>(handle, out,
                                [&](RecordWork& work, GraphNode&) { *out = work.event->handle; });
}
CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode handle, CUevent event) {
    return set_node<RecordWork>(handle, [&](PlacedWork* placed) { return place_record(event, placed); });
}
CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode handle, CUevent* out) {
    return get_node<WaitWork>(handle, out, [&](WaitWork& work, GraphNode&) { *out = work.event->handle; });
}
CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode handle, CUevent event) {
    return set_node<WaitWork>(handle, [&](PlacedWork* placed) { return place_wait(event, placed); });
}
CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode handle, CUDA_BATCH_MEM_OP_NODE_PARAMS* out) {
    return get_node<ValueWork>(handle, out, [&](ValueWork& work, GraphNode&) {
        out->ctx = work.context;
        out->count = static_cast<unsigned>(work.operations.size());
        out->paramArray = work.operations.data();
        out->flags = work.flags;
    });
}
CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode handle, const CUDA_BATCH_MEM_OP_NODE_PARAMS* values) {
    return set_node<ValueWork>(handle, [&](PlacedWork* placed) { return place_values(values, placed); });
}

CUresult cuGraphNodeSetParams(CUgraphNode handle, CUgraphNodeParams* parameters) {
    return entry_on_node(handle, [&](GraphNode& node) {
        if (parameters == nullptr || parameters->type != node.type()) return CUDA_ERROR_INVALID_VALUE;
        if (std::holds_alternative<ChildWork>(node.work)) return CUDA_ERROR_NOT_SUPPORTED;
        // What a graph allocates and frees is fixed when the node is made.
        if (std::holds_alternative<AllocateWork>(node.work) || std::holds_alternative<FreeWork>(node.work) ||
            std::holds_alternative<ConditionalWork>(node.work))
            return CUDA_ERROR_INVALID_VALUE;
        PlacedWork placed;
        const CUresult result = place_any(parameters, &placed);
        if (result != CUDA_SUCCESS) return result;
        if (auto* fresh = std::get_if<KernelWork>(&placed.work)) {
            const auto& old = std::get<KernelWork>(node.work);
            fresh->attributes = old.attributes;
            fresh->cooperative = old.cooperative;
        }
        node.work = std::move(placed.work);
        node.context = std::move(placed.context);
        return CUDA_SUCCESS;
    });
}

// --- attributes of kernel nodes

bool settable(CUlaunchAttributeID id) {
    switch (id) {
        case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
        case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
        case CU_LAUNCH_ATTRIBUTE_PRIORITY:
        case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
        case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
        case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            return true;
        default:
            return false;
    }
}

CUresult cuGraphKernelNodeGetAttribute(CUgraphNode handle, CUkernelNodeAttrID id,
                                       CUkernelNodeAttrValue* value) {
    return entry_on_node(handle, [&](GraphNode& node) {
        const auto* work = std::get_if<KernelWork>(&node.work);
        if (work == nullptr || value == nullptr ||
            (!settable(id) && id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION))
            return CUDA_ERROR_INVALID_VALUE;
        *value = {};
        if (id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) value->cooperative = work->cooperative ? 1 : 0;
        for (const CUlaunchAttribute& attribute : work->attributes) {
            if (attribute.id == id) *value = attribute.value;
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphKernelNodeSetAttribute(CUgraphNode handle, CUkernelNodeAttrID id,
                                       const CUkernelNodeAttrValue* value) {
    return entry_on_node(handle, [&](GraphNode& node) {
        auto* work = std::get_if<KernelWork>(&node.work);
        if (work == nullptr || value == nullptr || !settable(id)) return CUDA_ERROR_INVALID_VALUE;
        std::erase_if(work->attributes,
                      [&](const CUlaunchAttribute& attribute) { return attribute.id == id; });
        CUlaunchAttribute attribute{};
        attribute.id = id;
        attribute.value = *value;
        work->attributes.push_back(attribute);
        if (id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) work->cooperative = value->cooperative != 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from) {
    return entry_on_node(to, [&](GraphNode& target) {
        const GraphNodePtr source = driver().nodes.find(from);
        if (source == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto* into = std::get_if<KernelWork>(&target.work);
        const auto* out_of = std::get_if<KernelWork>(&source->work);
        if (into == nullptr || out_of == nullptr) return CUDA_ERROR_INVALID_VALUE;
        into->attributes = out_of->attributes;
        into->cooperative = out_of->cooperative;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_graph_nodes(DriverTable* table) {
    BF_SERVE(cuGraphAddKernelNode_v2);
    BF_SERVE(cuGraphAddMemcpyNode);
    BF_SERVE(cuGraphAddMemsetNode);
    BF_SERVE(cuGraphAddHostNode);
    BF_SERVE(cuGraphAddChildGraphNode);
    BF_SERVE(cuGraphAddEmptyNode);
    BF_SERVE(cuGraphAddEventRecordNode);
    BF_SERVE(cuGraphAddEventWaitNode);
    BF_SERVE(cuGraphAddBatchMemOpNode);
    BF_SERVE(cuGraphAddNode_v2);
    BF_SERVE(cuGraphKernelNodeGetParams_v2);
    BF_SERVE(cuGraphKernelNodeSetParams_v2);
    BF_SERVE(cuGraphMemcpyNodeGetParams);
    BF_SERVE(cuGraphMemcpyNodeSetParams);
    BF_SERVE(cuGraphMemsetNodeGetParams);
    BF_SERVE(cuGraphMemsetNodeSetParams);
    BF_SERVE(cuGraphHostNodeGetParams);
    BF_SERVE(cuGraphHostNodeSetParams);
    BF_SERVE(cuGraphChildGraphNodeGetGraph);
    BF_SERVE(cuGraphEventRecordNodeGetEvent);
    BF_SERVE(cuGraphEventRecordNodeSetEvent);
    BF_SERVE(cuGraphEventWaitNodeGetEvent);
    BF_SERVE(cuGraphEventWaitNodeSetEvent);
    BF_SERVE(cuGraphBatchMemOpNodeGetParams);
    BF_SERVE(cuGraphBatchMemOpNodeSetParams);
    BF_SERVE(cuGraphNodeSetParams);
    BF_SERVE(cuGraphKernelNodeGetAttribute);
    BF_SERVE(cuGraphKernelNodeSetAttribute);
    BF_SERVE(cuGraphKernelNodeCopyAttributes);
}

}  // namespace bitfusion::soft
