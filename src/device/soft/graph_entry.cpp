#include "device/soft/graph_entry.h"

#include <algorithm>
#include <fstream>

#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

CUresult cuGraphCreate(CUgraph* out, unsigned int flags) {
    return entry_initialized([&] {
        if (out == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        auto graph = std::make_shared<Graph>(driver().graphs.issue());
        driver().graphs.add(graph->handle, graph);
        *out = graph->handle;
        return CUDA_SUCCESS;
    });
}

// The handles of child graphs end with the graph that holds them.
void forget_children(const Graph& graph) {
    for (const GraphNodePtr& node : graph.nodes) {
        if (const auto* conditional = std::get_if<ConditionalWork>(&node->work)) {
            for (const GraphPtr& body : conditional->bodies) {
                forget_children(*body);
                driver().graphs.remove(body->handle);
            }
        }
        const auto* nested = std::get_if<ChildWork>(&node->work);
        if (nested == nullptr) continue;
        forget_children(*nested->graph);
        driver().graphs.remove(nested->graph->handle);
    }
}

CUresult cuGraphDestroy(CUgraph handle) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (graph->child) return CUDA_ERROR_INVALID_VALUE;
        forget_children(*graph);
        driver().graphs.remove(handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphClone(CUgraph* out, CUgraph handle) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const GraphPtr copy = graph->clone();
        driver().graphs.add(copy->handle, copy);
        *out = copy->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphNodeFindInClone(CUgraphNode* out, CUgraphNode original, CUgraph clone) {
    return entry_on_graph(clone, [&](const GraphPtr& graph) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (const GraphNodePtr& node : graph->nodes) {
            if (node->original != original) continue;
            *out = node->handle;
            return CUDA_SUCCESS;
        }
        return CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        std::vector<CUgraphNode> list;
        for (const GraphNodePtr& node : graph->nodes) list.push_back(node->handle);
        return write_list(list, nodes, count);
    });
}

CUresult cuGraphGetRootNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        std::vector<CUgraphNode> list;
        for (const GraphNodePtr& node : graph->nodes) {
            if (node->after.empty()) list.push_back(node->handle);
        }
        return write_list(list, nodes, count);
    });
}

CUresult cuGraphGetEdges_v2(CUgraph handle, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* data,
                            size_t* count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (count == nullptr || (from == nullptr) != (to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
        std::vector<CUgraphNode> starts;
        std::vector<CUgraphNode> ends;
        std::vector<CUgraphEdgeData> all;
        for (const GraphNodePtr& node : graph->nodes) {
            for (size_t i = 0; i < node->after.size(); ++i) {
                starts.push_back(node->after[i]->handle);
                ends.push_back(node->handle);
                all.push_back(node->after_data[i]);
            }
        }
        if (data != nullptr && from != nullptr) {
            size_t most = *count;
            write_list(all, data, &most);
        }
        size_t most = *count;
        if (to != nullptr) write_list(ends, to, &most);
        return write_list(starts, from, count);
    });
}

CUresult write_nodes(const std::vector<CUgraphNode>& nodes, const std::vector<CUgraphEdgeData>& all,
                     CUgraphNode* out, CUgraphEdgeData* data, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (data != nullptr && out != nullptr) {
        size_t most = *count;
        write_list(all, data, &most);
    }
    return write_list(nodes, out, count);
}

CUresult cuGraphNodeGetDependencies_v2(CUgraphNode handle, CUgraphNode* out, CUgraphEdgeData* data,
                                       size_t* count) {
    return entry_on_node(handle, [&](GraphNode& node) {
        std::vector<CUgraphNode> list;
        for (const GraphNode* before : node.after) list.push_back(before->handle);
        return write_nodes(list, node.after_data, out, data, count);
    });
}

CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode handle, CUgraphNode* out, CUgraphEdgeData* data,
                                         size_t* count) {
    return entry_on_node(handle, [&](GraphNode& node) {
        std::vector<CUgraphNode> list;
        std::vector<CUgraphEdgeData> all;
        for (const GraphNodePtr& other : node.graph->nodes) {
            for (size_t i = 0; i < other->after.size(); ++i) {
                if (other->after[i] != &node) continue;
                list.push_back(other->handle);
                all.push_back(other->after_data[i]);
            }
        }
        return write_nodes(list, all, out, data, count);
    });
}

struct Edge {
    GraphNodePtr from;
    GraphNodePtr to;
};

CUresult find_edges(const Graph& graph, const CUgraphNode* from, const CUgraphNode* to, size_t count,
                    std::vector<Edge>* edges) {
    if (count != 0 && (from == nullptr || to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
        Edge edge{driver().nodes.find(from[i]), driver().nodes.find(to[i])};
        if (edge.from == nullptr || edge.to == nullptr || edge.from == edge.to)
            return CUDA_ERROR_INVALID_VALUE;
        if (edge.from->graph != &graph || edge.to->graph != &graph) return CUDA_ERROR_INVALID_VALUE;
        edges->push_back(std::move(edge));
    }
    return CUDA_SUCCESS;
}

CUresult add_edges(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                   const CUgraphEdgeData* data, size_t count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        std::vector<Edge> edges;
        const CUresult result = find_edges(*graph, from, to, count, &edges);
        if (result != CUDA_SUCCESS) return result;
        for (const Edge& edge : edges) {
            const auto& after = edge.to->after;
            if (std::find(after.begin(), after.end(), edge.from.get()) != after.end())
                return CUDA_ERROR_INVALID_VALUE;
        }
        for (size_t i = 0; i < edges.size(); ++i) {
            edges[i].to->after.push_back(edges[i].from.get());
            edges[i].to->after_data.push_back(data != nullptr ? data[i] : CUgraphEdgeData{});
        }
        return CUDA_SUCCESS;
    });
}

CUresult remove_edges(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to, size_t count) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        std::vector<Edge> edges;
        const CUresult result = find_edges(*graph, from, to, count, &edges);
        if (result != CUDA_SUCCESS) return result;
        for (const Edge& edge : edges) {
            const auto& after = edge.to->after;
            if (std::find(after.begin(), after.end(), edge.from.get()) == after.end())
                return CUDA_ERROR_INVALID_VALUE;
        }
        for (const Edge& edge : edges) {
            auto& after = edge.to->after;
            const auto at = std::find(after.begin(), after.end(), edge.from.get());
            // The same edge may be named twice in one call.
            if (at == after.end()) continue;
            edge.to->after_data.erase(edge.to->after_data.begin() + (at - after.begin()));
            after.erase(at);
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to, size_t count) {
    return add_edges(graph, from, to, nullptr, count);
}
CUresult cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                   const CUgraphEdgeData* data, size_t count) {
    return add_edges(graph, from, to, data, count);
}
CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                   size_t count) {
    return remove_edges(graph, from, to, count);
}
CUresult cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                      const CUgraphEdgeData*, size_t count) {
    return remove_edges(graph, from, to, count);
}

CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType* type) {
    return entry_on_node(handle, [&](GraphNode& node) {
        if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *type = node.type();
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphDestroyNode(CUgraphNode handle) {
    return entry_on_node(handle, [&](GraphNode& node) {
        Graph& graph = *node.graph;
        for (const GraphNodePtr& other : graph.nodes) {
            for (size_t i = other->after.size(); i-- > 0;) {
                if (other->after[i] != &node) continue;
                other->after.erase(other->after.begin() + static_cast<std::ptrdiff_t>(i));
                other->after_data.erase(other->after_data.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        if (const auto* nested = std::get_if<ChildWork>(&node.work)) {
            forget_children(*nested->graph);
            driver().graphs.remove(nested->graph->handle);
        }
        if (const auto* conditional = std::get_if<ConditionalWork>(&node.work)) {
            for (const GraphPtr& body : conditional->bodies) {
                forget_children(*body);
                driver().graphs.remove(body->handle);
            }
        }
        const GraphNodePtr kept = driver().nodes.remove(handle);
        kept->graph = nullptr;
        std::erase(graph.nodes, kept);
        return CUDA_SUCCESS;
    });
}

const char* name_of(CUgraphNodeType type) {
    switch (type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            return "KERNEL";
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            return "MEMCPY";
        case CU_GRAPH_NODE_TYPE_MEMSET:
            return "MEMSET";
        case CU_GRAPH_NODE_TYPE_HOST:
            return "HOST";
        case CU_GRAPH_NODE_TYPE_GRAPH:
            return "GRAPH";
        case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
            return "EVENT_WAIT";
        case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
            return "EVENT_RECORD";
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            return "BATCH_MEM_OP";
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
            return "MEM_ALLOC";
        case CU_GRAPH_NODE_TYPE_MEM_FREE:
            return "MEM_FREE";
        case CU_GRAPH_NODE_TYPE_CONDITIONAL:
            return "CONDITIONAL";
        default:
            return "EMPTY";
    }
}

CUresult cuGraphDebugDotPrint(CUgraph handle, const char* path, unsigned int) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::ofstream file(path);
        if (!file) return CUDA_ERROR_OPERATING_SYSTEM;
        file << "digraph dot {\n";
        for (size_t i = 0; i < graph->nodes.size(); ++i) {
            const GraphNode& node = *graph->nodes[i];
            file << "\"node_" << i << "\" [label=\"" << i << " " << name_of(node.type());
            if (const auto* kernel = std::get_if<KernelWork>(&node.work))
                file << " " << kernel->function->kernel().name;
            file << "\"];\n";
        }
        for (size_t to = 0; to < graph->nodes.size(); ++to) {
            for (size_t from = 0; from < graph->nodes.size(); ++from) {
                const auto& after = graph->nodes[to]->after;
                if (std::find(after.begin(), after.end(), graph->nodes[from].get()) != after.end())
                    file << "\"node_" << from << "\" -> \"node_" << to << "\";\n";
            }
        }
        file << "}\n";
        return file ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
    });
}

}  // namespace

void serve_graphs(DriverTable* table) {
    BF_SERVE(cuGraphCreate);
    BF_SERVE(cuGraphDestroy);
    BF_SERVE(cuGraphClone);
    BF_SERVE(cuGraphNodeFindInClone);
    BF_SERVE(cuGraphGetNodes);
    BF_SERVE(cuGraphGetRootNodes);
    BF_SERVE(cuGraphGetEdges_v2);
    BF_SERVE(cuGraphNodeGetDependencies_v2);
    BF_SERVE(cuGraphNodeGetDependentNodes_v2);
    BF_SERVE(cuGraphAddDependencies);
    BF_SERVE(cuGraphAddDependencies_v2);
    BF_SERVE(cuGraphRemoveDependencies);
    BF_SERVE(cuGraphRemoveDependencies_v2);
    BF_SERVE(cuGraphNodeGetType);
    BF_SERVE(cuGraphDestroyNode);
    BF_SERVE(cuGraphDebugDotPrint);
}

}  // namespace bitfusion::soft
