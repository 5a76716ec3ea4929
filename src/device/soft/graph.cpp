#include "device/soft/graph.h"

#include <algorithm>
#include <type_traits>

#include "device/soft/conditional.h"
#include "device/soft/driver.h"

namespace bitfusion::soft {

CUgraphNodeType GraphNode::type() const {
    return std::visit(
        [](const auto& one) -> CUgraphNodeType {
            using T = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<T, KernelWork>) return CU_GRAPH_NODE_TYPE_KERNEL;
            if constexpr (std::is_same_v<T, CopyWork>) return CU_GRAPH_NODE_TYPE_MEMCPY;
            if constexpr (std::is_same_v<T, SetWork>) return CU_GRAPH_NODE_TYPE_MEMSET;
            if constexpr (std::is_same_v<T, HostWork>) return CU_GRAPH_NODE_TYPE_HOST;
            if constexpr (std::is_same_v<T, ChildWork>) return CU_GRAPH_NODE_TYPE_GRAPH;
            if constexpr (std::is_same_v<T, RecordWork>) return CU_GRAPH_NODE_TYPE_EVENT_RECORD;
            if constexpr (std::is_same_v<T, WaitWork>) return CU_GRAPH_NODE_TYPE_WAIT_EVENT;
            if constexpr (std::is_same_v<T, ValueWork>) return CU_GRAPH_NODE_TYPE_BATCH_MEM_OP;
            if constexpr (std::is_same_v<T, AllocateWork>) return CU_GRAPH_NODE_TYPE_MEM_ALLOC;
            if constexpr (std::is_same_v<T, FreeWork>) return CU_GRAPH_NODE_TYPE_MEM_FREE;
            if constexpr (std::is_same_v<T, ConditionalWork>) return CU_GRAPH_NODE_TYPE_CONDITIONAL;
            return CU_GRAPH_NODE_TYPE_EMPTY;
        },
        work);
}

Graph::~Graph() {
    for (const GraphNodePtr& node : nodes) {
        node->graph = nullptr;
        driver().nodes.remove(node->handle);
    }
}

CUresult Graph::add(Work work, ContextPtr context, const CUgraphNode* after, const CUgraphEdgeData* data,
                    size_t count, CUgraphNode* out) {
    if (count != 0 && after == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (count > nodes.size()) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNodePtr> before;
    for (size_t i = 0; i < count; ++i) {
        GraphNodePtr node = driver().nodes.find(after[i]);
        if (node == nullptr || node->graph != this) return CUDA_ERROR_INVALID_VALUE;
        if (std::find(before.begin(), before.end(), node) != before.end()) return CUDA_ERROR_INVALID_VALUE;
        before.push_back(std::move(node));
    }
    const GraphNodePtr node = add(std::move(work), std::move(context), before);
    if (data != nullptr) node->after_data.assign(data, data + count);
    *out = node->handle;
    return CUDA_SUCCESS;
}

GraphNodePtr Graph::add(Work work, ContextPtr context, const std::vector<GraphNodePtr>& after) {
    auto node = std::make_shared<GraphNode>();
    node->handle = driver().nodes.issue();
    node->graph = this;
    node->work = std::move(work);
    node->context = std::move(context);
    for (const GraphNodePtr& before : after) node->after.push_back(before.get());
    node->after_data.resize(node->after.size());
    driver().nodes.add(node->handle, node);
    nodes.push_back(node);
    return node;
}

std::vector<GraphNode*> Graph::ordered() const {
    std::unordered_map<const GraphNode*, size_t> waits;
    std::unordered_map<const GraphNode*, std::vector<GraphNode*>> next;
    std::vector<GraphNode*> order;
    for (const GraphNodePtr& node : nodes) {
        waits[node.get()] = node->after.size();
        for (GraphNode* before : node->after) next[before].push_back(node.get());
        if (node->after.empty()) order.push_back(node.get());
    }
    for (size_t i = 0; i < order.size(); ++i) {
        for (GraphNode* node : next[order[i]]) {
            if (--waits[node] == 0) order.push_back(node);
        }
    }
    if (order.size() != nodes.size()) order.clear();
    return order;
}

GraphPtr Graph::clone() const {
    auto copy = std::make_shared<Graph>(driver().graphs.issue());
    copy->user_objects = user_objects;
    copy->conditionals = conditionals;
    std::unordered_map<const GraphNode*, GraphNodePtr> copies;
    for (const GraphNodePtr& node : nodes) {
        Work work = node->work;
        if (auto* nested = std::get_if<ChildWork>(&work)) {
            nested->graph = nested->graph->clone();
            nested->graph->child = true;
            driver().graphs.add(nested->graph->handle, nested->graph);
        }
        if (auto* conditional = std::get_if<ConditionalWork>(&work)) {
            conditional->told.clear();
            for (GraphPtr& body : conditional->bodies) {
                body = body->clone();
                body->child = true;
                driver().graphs.add(body->handle, body);
                conditional->told.push_back(body->handle);
            }
        }
        const GraphNodePtr made = copy->add(std::move(work), node->context, {});
        made->original = node->handle;
        copies[node.get()] = made;
    }
    for (const GraphNodePtr& node : nodes) {
        GraphNode& made = *copies[node.get()];
        for (const GraphNode* before : node->after) made.after.push_back(copies[before].get());
        made.after_data = node->after_data;
    }
    return copy;
}

namespace {

constexpr int kDeepestNesting = 64;

size_t push(GraphExec* exec, CUgraphNode source, Work work, ContextPtr context, std::vector<size_t> after) {
    exec->nodes.push_back({source, std::move(work), std::move(context), std::move(after), true, {}});
    return exec->nodes.size() - 1;
}

// Adds the graph's nodes, its roots after `entry`; returns the nodes that nothing follows.
CUresult expand(const Graph& graph, GraphExec* exec, const std::vector<size_t>& entry, int depth,
                std::vector<size_t>* sinks) {
    if (depth > kDeepestNesting) return CUDA_ERROR_INVALID_VALUE;
    const std::vector<GraphNode*> order = graph.ordered();
    if (order.size() != graph.nodes.size()) return CUDA_ERROR_INVALID_VALUE;
    std::unordered_map<const GraphNode*, size_t> index;
    std::unordered_map<const GraphNode*, bool> followed;
    for (const GraphNode* node : order) {
        std::vector<size_t> after = node->after.empty() ? entry : std::vector<size_t>{};
        for (const GraphNode* before : node->after) {
            after.push_back(index[before]);
            followed[before] = true;
        }
        const size_t first = exec->nodes.size();
        if (const auto* nested = std::get_if<ChildWork>(&node->work)) {
            const size_t begin = push(exec, node->handle, EmptyWork{}, node->context, std::move(after));
            std::vector<size_t> ends;
            const CUresult result = expand(*nested->graph, exec, {begin}, depth + 1, &ends);
            if (result != CUDA_SUCCESS) return result;
            if (ends.empty()) ends.push_back(begin);
            index[node] = push(exec, nullptr, EmptyWork{}, node->context, std::move(ends));
        } else {
            index[node] = push(exec, node->handle, node->work, node->context, std::move(after));
        }
        if (const auto* conditional = std::get_if<ConditionalWork>(&node->work)) {
            exec->conditionals.push_back(conditional->value);
            for (const GraphPtr& body : conditional->bodies) {
                auto inner = std::make_shared<GraphExec>();
                std::vector<size_t> unused;
                const CUresult result = expand(*body, inner.get(), {}, depth + 1, &unused);
                if (result != CUDA_SUCCESS) return result;
                exec->conditionals.insert(exec->conditionals.end(), inner->conditionals.begin(),
                                          inner->conditionals.end());
                exec->nodes[index[node]].bodies.push_back(std::move(inner));
            }
        }
        exec->ranges[node->handle] = {first, exec->nodes.size()};
    }
    for (const GraphNode* node : order) {
        if (!followed[node]) sinks->push_back(index[node]);
    }
    return CUDA_SUCCESS;
}

}  // namespace

void hold_objects(const Graph& graph, UserObjects* held) {
    for (const auto& [handle, object] : graph.user_objects) {
        auto& [kept, references] = (*held)[handle];
        kept = object.first;
        references += object.second;
    }
    for (const GraphNodePtr& node : graph.nodes) {
        if (const auto* nested = std::get_if<ChildWork>(&node->work)) hold_objects(*nested->graph, held);
        if (const auto* conditional = std::get_if<ConditionalWork>(&node->work)) {
            for (const GraphPtr& body : conditional->bodies) hold_objects(*body, held);
        }
    }
}

CUresult build_exec(const Graph& graph, GraphExec* exec) {
    exec->nodes.clear();
    exec->ranges.clear();
    exec->conditionals.clear();
    exec->user_objects.clear();
    hold_objects(graph, &exec->user_objects);
    std::vector<size_t> sinks;
    return expand(graph, exec, {}, 0, &sinks);
}

TaskPtr submit_nodes(const ContextPtr& context, int priority, const GraphExec& exec, const TaskPtr& begin) {
    Scheduler& scheduler = driver().scheduler;
    std::vector<TaskPtr> ends(exec.nodes.size());
    std::vector<TaskPtr> all{begin};
    for (size_t i = 0; i < exec.nodes.size(); ++i) {
        const GraphExec::Node& node = exec.nodes[i];
        const ContextPtr& where = node.context != nullptr ? node.context : context;
        std::vector<TaskPtr> after{begin};
        for (const size_t before : node.after) after.push_back(ends[before]);
        const std::vector<TaskPtr> tasks =
            !node.bodies.empty()
                ? std::vector<TaskPtr>{make_conditional(node, where, priority)}
                : make_tasks(node.enabled ? node.work : Work(EmptyWork{}), where, priority, &after);
        for (const TaskPtr& task : tasks) {
            scheduler.submit_locked(task, after);
            after = {task};
            ends[i] = task;
        }
        all.push_back(ends[i]);
    }
    auto end = std::make_shared<Task>();
    end->lane = Lane::kInline;
    scheduler.submit_locked(end, all);
    return end;
}

CUresult launch_exec(const ContextPtr& context, Stream& stream, GraphExec& exec) {
    Scheduler& scheduler = driver().scheduler;
    const auto mark = [&] {
        auto task = std::make_shared<Task>();
        task->lane = Lane::kInline;
        return task;
    };
    const std::lock_guard lock(scheduler.mutex());
    const TaskPtr begin = mark();
    begin->body = [values = exec.conditionals] {
        for (const auto& value : values) {
            if (value->assigned) value->now.store(value->initial, std::memory_order_release);
        }
    };
    // The nodes are submitted after `begin`, so `begin` may be over before they are: then they start at once.
    append_locked(*context, stream, begin, {exec.last});
    const std::vector<TaskPtr> all{submit_nodes(context, stream.priority, exec, begin)};
    const TaskPtr end = mark();
    // The executable graph may be destroyed while it runs; what its nodes use must not be.
    std::vector<std::shared_ptr<void>> kept;
    for (const GraphExec::Node& node : exec.nodes) {
        if (const auto* allocation = std::get_if<AllocateWork>(&node.work))
            kept.push_back(allocation->memory);
    }
    for (const auto& [handle, held] : exec.user_objects) kept.push_back(held.first);
    if (!kept.empty()) {
        // On a pool thread, because destructors of the program must not run under the scheduler's lock.
        end->lane = Lane::kPool;
        end->runs_on_fault = true;
        end->body = [kept = std::move(kept)] {};
    }
    stream.tail = end;
    exec.last = end;
    scheduler.submit_locked(end, all);
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::soft
