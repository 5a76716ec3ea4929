#include "worker/graph_plan.h"

#include <algorithm>
#include <utility>

#include "worker/graph_launch.h"
#include "worker/session.h"

namespace bitfusion::worker {
namespace {

constexpr int kDeepest = 64;  // children in children

// One graph and its children. Two looks: first where outputs are, then which of them come before a point.
class Reading {
  public:
    Reading(Session& s, CUgraph graph, CUgraphNode top, int depth) : s_(s), top_(top), depth_(depth) {
        size_t count = 0;
        result_ = s_.driver.cuGraphGetNodes(graph, nullptr, &count);
        nodes_.resize(count);
        if (result_ == CUDA_SUCCESS && count != 0)
            result_ = s_.driver.cuGraphGetNodes(graph, nodes_.data(), &count);
    }

    CUresult result() const { return result_; }

    void find(std::vector<PlanItem>* items) {
        if (depth_ > kDeepest) result_ = CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < nodes_.size() && result_ == CUDA_SUCCESS; ++i) look_at(nodes_[i], items);
    }
    bool has_outputs() const { return !outputs_.empty(); }
    bool has_points() const { return !points_.empty(); }
    std::vector<uint64_t> outputs() const {
        std::vector<uint64_t> all;
        for (const auto& [node, tickets] : outputs_) all.insert(all.end(), tickets.begin(), tickets.end());
        return all;
    }

    // Fills `before` of the points; `outer` is what is there before the whole graph.
    void order(const std::vector<uint64_t>& outer, std::vector<PlanItem>* items) {
        for (const auto& [node, at] : points_) {
            std::vector<uint64_t> before = upstream(node);
            before.insert(before.end(), outer.begin(), outer.end());
            const auto child = children_.find(node);
            if (child != children_.end())
                child->second->order(before, items);
            else
                (*items)[at].before = std::move(before);
        }
    }

  private:
    CUgraphNode top_of(CUgraphNode node) const { return top_ != nullptr ? top_ : node; }

    void look_at(CUgraphNode node, std::vector<PlanItem>* items) {
        CUgraphNodeType type{};
        result_ = s_.driver.cuGraphNodeGetType(node, &type);
        if (result_ != CUDA_SUCCESS) return;
        if (type == CU_GRAPH_NODE_TYPE_MEMCPY) {
            CUDA_MEMCPY3D copy{};
            result_ = s_.driver.cuGraphMemcpyNodeGetParams(node, &copy);
            if (result_ != CUDA_SUCCESS) return;
            if (Kept* from =
                    s_.kept.host_memory_at(host_side(copy.srcMemoryType, copy.srcHost, copy.srcDevice)))
                items->push_back({PlanItem::Kind::kInput, top_of(node), from->ticket});
            if (Kept* to =
                    s_.kept.host_memory_at(host_side(copy.dstMemoryType, copy.dstHost, copy.dstDevice))) {
                items->push_back({PlanItem::Kind::kOutput, top_of(node), to->ticket});
                outputs_[node].push_back(to->ticket);
            }
        } else if (type == CU_GRAPH_NODE_TYPE_HOST) {
            CUDA_HOST_NODE_PARAMS host{};
            result_ = s_.driver.cuGraphHostNodeGetParams(node, &host);
            const Kept* function = s_.kept.host_function_of(host.userData);
            if (result_ != CUDA_SUCCESS || function == nullptr) return;
            points_.emplace_back(node, items->size());
            items->push_back({PlanItem::Kind::kFunction, top_of(node), function->ticket});
        } else if (type == CU_GRAPH_NODE_TYPE_EVENT_RECORD) {
            CUevent event = nullptr;
            result_ = s_.driver.cuGraphEventRecordNodeGetEvent(node, &event);
            const uint64_t name = s_.handles.known_name(event);
            if (result_ != CUDA_SUCCESS || name == 0) return;
            points_.emplace_back(node, items->size());
            items->push_back({PlanItem::Kind::kEvent, top_of(node), name, event});
        } else if (type == CU_GRAPH_NODE_TYPE_GRAPH) {
            CUgraph graph = nullptr;
            result_ = s_.driver.cuGraphChildGraphNodeGetGraph(node, &graph);
            if (result_ != CUDA_SUCCESS) return;
            auto child = std::make_unique<Reading>(s_, graph, top_of(node), depth_ + 1);
            child->find(items);
            result_ = child->result();
            if (child->has_outputs()) outputs_[node] = child->outputs();
            if (!child->has_points()) return;
            points_.emplace_back(node, 0);
            children_[node] = std::move(child);
        }
    }

    static const void* host_side(CUmemorytype type, const void* host, CUdeviceptr device) {
        if (type == CU_MEMORYTYPE_HOST) return host;
        return type == CU_MEMORYTYPE_UNIFIED ? reinterpret_cast<const void*>(device) : nullptr;
    }

    std::vector<uint64_t> upstream(CUgraphNode node) {
        std::vector<CUgraphNode> open = dependencies(node);
        std::unordered_set<CUgraphNode> seen(open.begin(), open.end());
        std::vector<uint64_t> found;
        while (!open.empty()) {
            const CUgraphNode next = open.back();
            open.pop_back();
            if (const auto here = outputs_.find(next); here != outputs_.end())
                found.insert(found.end(), here->second.begin(), here->second.end());
            for (const CUgraphNode before : dependencies(next)) {
                if (seen.insert(before).second) open.push_back(before);
            }
        }
        return found;
    }

    std::vector<CUgraphNode> dependencies(CUgraphNode node) {
        size_t count = 0;
        // The edges' data are asked for too: without them the driver refuses edges that have some.
        if (s_.driver.cuGraphNodeGetDependencies_v2(node, nullptr, nullptr, &count) != CUDA_SUCCESS)
            return {};
        std::vector<CUgraphNode> nodes(count);
        std::vector<CUgraphEdgeData> edges(count);
        if (count != 0 &&
            s_.driver.cuGraphNodeGetDependencies_v2(node, nodes.data(), edges.data(), &count) != CUDA_SUCCESS)
            return {};
        return nodes;
    }

    Session& s_;
    const CUgraphNode top_;
    const int depth_;
    CUresult result_ = CUDA_SUCCESS;
    std::vector<CUgraphNode> nodes_;
    std::unordered_map<CUgraphNode, std::vector<uint64_t>> outputs_;
    std::vector<std::pair<CUgraphNode, size_t>> points_;  // with the place in the list; of a child: none
    std::unordered_map<CUgraphNode, std::unique_ptr<Reading>> children_;
};

}  // namespace

CUresult Graphs::read(CUgraph graph, std::vector<PlanItem>* items) {
    if (!touch_client_) return CUDA_SUCCESS;
    Reading reading(s_, graph, nullptr, 0);
    if (reading.result() == CUDA_SUCCESS) reading.find(items);
    if (reading.result() == CUDA_SUCCESS && reading.has_outputs() && reading.has_points())
        reading.order({}, items);
    return reading.result();
}

CUresult Graphs::instantiated(uint64_t exec, CUgraph graph) {
    std::vector<PlanItem> items;
    const CUresult result = read(graph, &items);
    const auto known = plans_.find(exec);
    if (known != plans_.end()) {
        // The update replaced what the executable held for single nodes.
        for (auto& [node, own] : known->second.own) release(known->second, std::move(own));
        known->second.own.clear();
        known->second.items = std::move(items);
    } else if (!items.empty()) {
        plans_[exec].items = std::move(items);
    }
    return result;
}

void Graphs::node_set(uint64_t exec, CUgraphNode node, std::vector<PlanItem> items, std::vector<Kept*> own) {
    Plan& plan = plans_[exec];
    // The node stands where it stood: what comes before its point is what came before.
    for (PlanItem& item : items) {
        item.top = node;
        for (const PlanItem& old : plan.items) {
            if (old.top == node && old.kind == item.kind && item.before.empty()) item.before = old.before;
        }
    }
    std::vector<uint64_t> outputs_before;
    for (const PlanItem& old : plan.items) {
        if (old.top == node && old.kind == PlanItem::Kind::kOutput) outputs_before.push_back(old.name);
    }
    std::erase_if(plan.items, [&](const PlanItem& old) { return old.top == node; });
    // Points behind it wait for its new output in the place of the old one.
    std::vector<uint64_t> outputs_now;
    for (const PlanItem& item : items) {
        if (item.kind == PlanItem::Kind::kOutput) outputs_now.push_back(item.name);
    }
    for (PlanItem& point : plan.items) {
        bool behind = false;
        for (const uint64_t old : outputs_before) behind |= std::erase(point.before, old) != 0;
        if (behind) point.before.insert(point.before.end(), outputs_now.begin(), outputs_now.end());
    }
    plan.items.insert(plan.items.end(), items.begin(), items.end());
    release(plan, std::exchange(plan.own[node], std::move(own)));
}

Plan* Graphs::plan_of(uint64_t exec) {
    const auto found = plans_.find(exec);
    return found == plans_.end() ? nullptr : &found->second;
}

std::vector<uint64_t> Graphs::told(uint64_t exec) {
    const Plan* plan = plan_of(exec);
    std::vector<uint64_t> words(4, 0);
    if (plan == nullptr) return words;
    for (uint64_t kind = 0; kind < 4; ++kind) {
        for (const PlanItem& item : plan->items) {
            if (static_cast<uint64_t>(item.kind) != kind) continue;
            ++words[kind];
            words.push_back(item.name);
        }
    }
    return words;
}

bool Graphs::in_body(uint64_t graph) const {
    for (uint64_t name = graph; name != 0; name = s_.handles.owner_of(name)) {
        if (bodies_.count(name) != 0) return true;
    }
    return false;
}

void Graphs::forgotten(uint64_t name) {
    const auto found = plans_.find(name);
    if (found != plans_.end()) {
        for (auto& [node, own] : found->second.own) release(found->second, std::move(own));
        plans_.erase(found);
    }
    bodies_.erase(name);
}

// After its last launch: a launch that is under way may still use what is let go.
void Graphs::release(Plan& plan, std::vector<Kept*> own) {
    if (own.empty()) return;
    auto last = plan.last.lock();
    if (last == nullptr) {
        for (Kept* kept : own) s_.kept.give_back(kept);
        return;
    }
    s_.wait({[last] { return last->over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY; },
             [this, own = std::move(own)](CUresult) {
                 for (Kept* kept : own) s_.kept.give_back(kept);
             }});
}

}  // namespace bitfusion::worker
