// Calls about one node of a graph: adding it, changing it, telling of it.
#include <algorithm>
#include <cstring>
#include <vector>

#include "worker/function_facts.h"
#include "worker/graph_node.h"
#include "worker/launch_attributes.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// What the node holds of the client now is let go by its graph, because it gets something else or ends.
class Held {
  public:
    Held(Session& s, CUgraphNode node, uint64_t name) : s_(s), graph_name_(s.handles.owner_of(name)) {
        CUresult result = CUDA_SUCCESS;
        graph_ = s.handles.find<CUgraph>(graph_name_, &result);
        CUgraphNodeType type{};
        if (result != CUDA_SUCCESS || graph_ == nullptr) return;
        if (s.driver.cuGraphNodeGetType(node, &type) != CUDA_SUCCESS) return;
        if (type == CU_GRAPH_NODE_TYPE_HOST) {
            CUDA_HOST_NODE_PARAMS host{};
            if (s.driver.cuGraphHostNodeGetParams(node, &host) == CUDA_SUCCESS)
                held_ = {s.kept.host_function_of(host.userData)};
        } else if (type == CU_GRAPH_NODE_TYPE_MEMCPY) {
            CUDA_MEMCPY3D copy{};
            if (s.driver.cuGraphMemcpyNodeGetParams(node, &copy) == CUDA_SUCCESS)
                held_ = {s.kept.host_memory_at(copy.srcHost), s.kept.host_memory_at(copy.dstHost)};
        }
    }
    void let_go() {
        for (Kept* kept : held_) {
            if (kept != nullptr) s_.kept.remove_from(kept, graph_, graph_name_);
        }
    }
    CUgraph graph() const { return graph_; }
    uint64_t graph_name() const { return graph_name_; }

  private:
    Session& s_;
    CUgraph graph_ = nullptr;
    uint64_t graph_name_;
    std::vector<Kept*> held_;
};

// The outermost graph around a node.
uint64_t root_of(const Session& s, uint64_t node) {
    uint64_t root = 0;
    for (uint64_t name = s.handles.owner_of(node); name != 0; name = s.handles.owner_of(name)) {
        const wire::Kind kind = wire::kind_of(name);
        if (kind == wire::Kind::kGraph) root = name;
        if (kind != wire::Kind::kGraph && kind != wire::Kind::kGraphNode) break;
    }
    return root;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::GraphNodeAdd& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraph graph = s.handles.find<CUgraph>(m.graph, &result);
    std::vector<CUgraphNode> dependencies(m.dependencies.size() / sizeof(uint64_t));
    if (dependencies.size() * sizeof(uint64_t) != m.dependencies.size())
        return s.peer_is_wrong(frame, "dependencies");
    if (!m.edges.empty() && m.edges.size() != dependencies.size() * sizeof(CUgraphEdgeData))
        return s.peer_is_wrong(frame, "edges");
    for (size_t i = 0; i < dependencies.size(); ++i) {
        uint64_t name = 0;
        memcpy(&name, m.dependencies.data() + i * sizeof name, sizeof name);
        dependencies[i] = s.handles.find<CUgraphNode>(name, &result);
    }
    std::vector<CUgraphEdgeData> edges(m.edges.size() / sizeof(CUgraphEdgeData));
    if (!edges.empty()) memcpy(edges.data(), m.edges.data(), m.edges.size());
    if (result == CUDA_SUCCESS && graph == nullptr) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS && s.driver.cuGraphAddNode_v2 == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    NodeParams node(&s);
    if (!node.decode(m.params, m.sides, m.extra, m.graph, &result)) return s.peer_is_wrong(frame, "params");
    CUgraphNode added = nullptr;
    // A count without a list is the program's error: the driver is given just that.
    const bool listed = dependencies.size() == m.count;
    if (result == CUDA_SUCCESS)
        result = s.driver.cuGraphAddNode_v2(&added, graph, listed ? dependencies.data() : nullptr,
                                            edges.empty() ? nullptr : edges.data(), m.count, &node.params);
    msg::GraphNodeAdd::Reply reply;
    std::vector<uint64_t> bodies;
    if (result == CUDA_SUCCESS) {
        reply.node = s.handles.name_of(added, m.graph);
        if (node.params.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
            reply.address = node.params.alloc.dptr;
            node.keep_memory(graph, m.graph, reply.address);
        }
        node.place(graph, m.graph);
        if (node.params.type == CU_GRAPH_NODE_TYPE_CONDITIONAL) {
            const auto& conditional = node.params.conditional;
            for (unsigned i = 0; i < conditional.size && conditional.phGraph_out != nullptr; ++i) {
                bodies.push_back(s.handles.name_of(conditional.phGraph_out[i], reply.node));
                s.graphs.add_body(bodies.back());
            }
        } else if (node.params.type == CU_GRAPH_NODE_TYPE_GRAPH &&
                   node.params.graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE) {
            const uint64_t child = s.handles.known_name(node.params.graph.graph);
            if (child != 0) s.handles.bind(child, node.params.graph.graph, reply.node);
        }
        reply.graphs = bytes_of(bodies);
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::GraphNodeSet& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphNode node = s.handles.find<CUgraphNode>(m.node, &result);
    if (result == CUDA_SUCCESS && node == nullptr) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS && s.driver.cuGraphNodeSetParams == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    NodeParams params(&s);
    if (!params.decode(m.params, m.sides, m.extra, s.handles.owner_of(m.node), &result))
        return s.peer_is_wrong(frame, "params");
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    Held held(s, node, m.node);
    // The typed form leaves the copy in the context where it is.
    const bool copies_on = params.params.type == CU_GRAPH_NODE_TYPE_MEMCPY && !params.names_context();
    result = copies_on ? s.driver.cuGraphMemcpyNodeSetParams(node, &params.params.memcpy.copyParams)
                       : s.driver.cuGraphNodeSetParams(node, &params.params);
    if (result == CUDA_SUCCESS && held.graph() != nullptr) {
        params.place(held.graph(), held.graph_name());
        held.let_go();
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::GraphExecNodeSet& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphExec exec = s.handles.find<CUgraphExec>(m.exec, &result);
    const CUgraphNode node = s.handles.find<CUgraphNode>(m.node, &result);
    if (result == CUDA_SUCCESS && (exec == nullptr || node == nullptr)) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS && s.driver.cuGraphExecNodeSetParams == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    NodeParams params(&s);
    if (!params.decode(m.params, m.sides, m.extra, s.handles.owner_of(m.node), &result))
        return s.peer_is_wrong(frame, "params");
    std::vector<PlanItem> items;
    if (result == CUDA_SUCCESS && params.params.type == CU_GRAPH_NODE_TYPE_GRAPH) {
        const CUgraph child = params.params.graph.graph;
        result = s.driver.cuGraphExecChildGraphNodeSetParams(exec, node, child);
        if (result == CUDA_SUCCESS) result = s.graphs.read(child, &items);
    } else if (result == CUDA_SUCCESS) {
        result = s.driver.cuGraphExecNodeSetParams(exec, node, &params.params);
        items = params.items(node);
    }
    if (result == CUDA_SUCCESS && (!items.empty() || s.graphs.plan_of(m.exec) != nullptr))
        s.graphs.node_set(m.exec, node, std::move(items), params.take());
    const std::vector<uint64_t> plan = s.graphs.told(m.exec);
    s.reply_with(frame, result, msg::GraphExecNodeSet::Reply{bytes_of(plan)});
}

namespace {

// A kernel's layout and packed arguments, and its name in the place of the handle.
CUresult tell_kernel(Session& s, CUgraphNode node, CUgraphNodeParams* params, std::vector<uint8_t>* extra) {
    CUDA_KERNEL_NODE_PARAMS k{};
    const CUresult result = s.driver.cuGraphKernelNodeGetParams_v2(node, &k);
    if (result != CUDA_SUCCESS) return result;
    uint64_t name = s.handles.known_name(k.func);
    // A kernel may stand for its function: then the driver knows it by either.
    if (name == 0) name = s.handles.known_name(reinterpret_cast<CUkernel>(k.func));
    if (name == 0) name = s.handles.known_name(k.kern);
    std::vector<wire::FunctionFacts::Parameter> layout;
    if (const auto known = s.layouts.find(name); known != s.layouts.end())
        layout = known->second.parameters;
    else if (k.func != nullptr)
        layout = facts_of_function(s, k.func, "", s.context_name()).parameters;
    if (name == 0) name = s.handles.known_name(k.func);
    uint64_t bytes = 0;
    for (const auto& p : layout) bytes = std::max(bytes, uint64_t{p.offset} + p.size);
    const uint64_t count = layout.size();
    extra->resize(sizeof count + count * sizeof layout[0] + bytes);
    uint8_t* at = extra->data();
    memcpy(at, &count, sizeof count);
    if (count != 0) memcpy(at + sizeof count, layout.data(), count * sizeof layout[0]);
    uint8_t* const block = at + sizeof count + count * sizeof layout[0];
    for (size_t i = 0; i < count && k.kernelParams != nullptr; ++i)
        memcpy(block + layout[i].offset, k.kernelParams[i], layout[i].size);
    params->kernel.gridDimX = k.gridDimX;
    params->kernel.gridDimY = k.gridDimY;
    params->kernel.gridDimZ = k.gridDimZ;
    params->kernel.blockDimX = k.blockDimX;
    params->kernel.blockDimY = k.blockDimY;
    params->kernel.blockDimZ = k.blockDimZ;
    params->kernel.sharedMemBytes = k.sharedMemBytes;
    if (wire::kind_of(name) == wire::Kind::kKernel)
        params->kernel.kern = reinterpret_cast<CUkernel>(name);
    else
        params->kernel.func = reinterpret_cast<CUfunction>(name);
    params->kernel.ctx = reinterpret_cast<CUcontext>(s.handles.known_name(k.ctx));
    return CUDA_SUCCESS;
}

CUresult tell_copy(Session& s, CUgraphNode node, CUgraphNodeParams* params, wire::GraphSides* sides) {
    CUDA_MEMCPY3D& c = params->memcpy.copyParams;
    const CUresult result = s.driver.cuGraphMemcpyNodeGetParams(node, &c);
    if (result != CUDA_SUCCESS) return result;
    // Which way the driver tells of host memory is its choice.
    const void* from =
        c.srcMemoryType == CU_MEMORYTYPE_UNIFIED ? reinterpret_cast<const void*>(c.srcDevice) : c.srcHost;
    const void* to =
        c.dstMemoryType == CU_MEMORYTYPE_UNIFIED ? reinterpret_cast<const void*>(c.dstDevice) : c.dstHost;
    if (const Kept* kept = s.kept.host_memory_at(from)) sides->source = kept->ticket, c.srcDevice = 0;
    if (const Kept* kept = s.kept.host_memory_at(to)) sides->target = kept->ticket, c.dstDevice = 0;
    c.srcHost = nullptr;
    c.dstHost = nullptr;
    c.reserved0 = c.reserved1 = nullptr;
    c.srcArray = reinterpret_cast<CUarray>(s.handles.known_name(c.srcArray));
    c.dstArray = reinterpret_cast<CUarray>(s.handles.known_name(c.dstArray));
    return CUDA_SUCCESS;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::GraphNodeGet& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphNode node = s.handles.find<CUgraphNode>(m.node, &result);
    if (result == CUDA_SUCCESS && node == nullptr) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    CUgraphNodeParams params{};
    wire::GraphSides sides;
    std::vector<uint8_t> extra;
    CUgraphNodeType type{};
    if (result == CUDA_SUCCESS) result = s.driver.cuGraphNodeGetType(node, &type);
    if (result == CUDA_SUCCESS && type != static_cast<CUgraphNodeType>(m.type))
        result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) {
        params.type = type;
        switch (type) {
            case CU_GRAPH_NODE_TYPE_KERNEL:
                result = tell_kernel(s, node, &params, &extra);
                break;
            case CU_GRAPH_NODE_TYPE_MEMCPY:
                result = tell_copy(s, node, &params, &sides);
                break;
            case CU_GRAPH_NODE_TYPE_HOST: {
                CUDA_HOST_NODE_PARAMS host{};
                result = s.driver.cuGraphHostNodeGetParams(node, &host);
                if (const Kept* kept = s.kept.host_function_of(host.userData)) sides.source = kept->ticket;
                break;
            }
            case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP: {
                CUDA_BATCH_MEM_OP_NODE_PARAMS values{};
                result = s.driver.cuGraphBatchMemOpNodeGetParams(node, &values);
                if (result != CUDA_SUCCESS) break;
                const auto* first = reinterpret_cast<const uint8_t*>(values.paramArray);
                extra.assign(first, first + values.count * sizeof(CUstreamBatchMemOpParams));
                params.memOp.ctx = reinterpret_cast<CUcontext>(s.handles.known_name(values.ctx));
                params.memOp.count = values.count;
                params.memOp.flags = values.flags;
                break;
            }
            case CU_GRAPH_NODE_TYPE_MEM_ALLOC: {
                CUDA_MEM_ALLOC_NODE_PARAMS allocation{};
                result = s.driver.cuGraphMemAllocNodeGetParams(node, &allocation);
                if (result != CUDA_SUCCESS) break;
                for (size_t i = 0; i < allocation.accessDescCount; ++i) {
                    CUmemAccessDesc access = allocation.accessDescs[i];
                    access.location.id = s.ordinal_of(access.location.id);
                    const auto* bytes = reinterpret_cast<const uint8_t*>(&access);
                    extra.insert(extra.end(), bytes, bytes + sizeof access);
                }
                params.alloc.poolProps = allocation.poolProps;
                params.alloc.poolProps.win32SecurityAttributes = nullptr;
                params.alloc.poolProps.location.id = s.ordinal_of(allocation.poolProps.location.id);
                params.alloc.accessDescCount = allocation.accessDescCount;
                params.alloc.bytesize = allocation.bytesize;
                params.alloc.dptr = allocation.dptr;
                break;
            }
            default:
                result = CUDA_ERROR_NOT_SUPPORTED;
                break;
        }
    }
    s.reply_with(frame, result,
                 msg::GraphNodeGet::Reply{root_of(s, m.node),
                                          {reinterpret_cast<const uint8_t*>(&params), sizeof params},
                                          {reinterpret_cast<const uint8_t*>(&sides), sizeof sides},
                                          bytes_of(extra)});
}

CUresult cuGraphDestroyNode(Session& s, CUgraphNode hNode) {
    if (s.driver.cuGraphDestroyNode == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    if (hNode == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Held held(s, hNode, s.handles.known_name(hNode));
    const CUresult result = s.driver.cuGraphDestroyNode(hNode);
    if (result == CUDA_SUCCESS) held.let_go();
    return result;
}

CUresult cuGraphAddEventRecordNode(Session& s, CUgraphNode* phGraphNode, CUgraph hGraph,
                                   const CUgraphNode* dependencies, size_t numDependencies, CUevent event) {
    if (s.driver.cuGraphAddEventRecordNode == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    s.graphs.may_touch_client();
    return s.driver.cuGraphAddEventRecordNode(phGraphNode, hGraph, dependencies, numDependencies, event);
}

CUresult cuGraphKernelNodeSetAttribute(Session& s, CUgraphNode hNode, CUkernelNodeAttrID attr,
                                       const CUkernelNodeAttrValue* value) {
    if (s.driver.cuGraphKernelNodeSetAttribute == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    CUlaunchAttribute attribute{};
    attribute.id = attr;
    attribute.value = *value;
    const CUresult result = localise_attribute(s, &attribute);
    return result != CUDA_SUCCESS ? result
                                  : s.driver.cuGraphKernelNodeSetAttribute(hNode, attr, &attribute.value);
}

CUresult cuGraphConditionalHandleCreate(Session& s, CUgraphConditionalHandle* pHandle_out, CUgraph hGraph,
                                        CUcontext ctx, unsigned int defaultLaunchValue, unsigned int flags) {
    if (s.driver.cuGraphConditionalHandleCreate == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result =
        s.driver.cuGraphConditionalHandleCreate(pHandle_out, hGraph, ctx, defaultLaunchValue, flags);
    if (result == CUDA_SUCCESS) s.conditionals[*pHandle_out] = s.handles.known_name(hGraph);
    return result;
}

}  // namespace bitfusion::worker
