#include "device/soft/conditional.h"

#include <mutex>
#include <unordered_map>

#include "device/soft/graph_entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kMostBodies = 64;

struct Values {
    std::mutex lock;
    std::unordered_map<CUgraphConditionalHandle, std::weak_ptr<ConditionalValue>> by_handle;
};

Values& values() {
    static Values* const made =
        std::make_unique<Values>().release();  // kernels may run until the process ends
    return *made;
}

// Which body runs next; none when the condition says no.
const GraphExec* choose(const ConditionalWork& work, const std::vector<std::shared_ptr<GraphExec>>& bodies) {
    const unsigned value = work.value->now.load(std::memory_order_acquire);
    if (work.type == CU_GRAPH_COND_TYPE_SWITCH) return value < bodies.size() ? bodies[value].get() : nullptr;
    if (value != 0) return bodies[0].get();
    // An if with two bodies has an else.
    return work.type == CU_GRAPH_COND_TYPE_IF && bodies.size() == 2 ? bodies[1].get() : nullptr;
}

CUresult cuGraphConditionalHandleCreate(CUgraphConditionalHandle* out, CUgraph handle, CUcontext context,
                                        unsigned int initial, unsigned int flags) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        ContextPtr found;
        if (out == nullptr || (flags & ~static_cast<unsigned>(CU_GRAPH_COND_ASSIGN_DEFAULT)) != 0)
            return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = context_of(context, &found);
        if (result != CUDA_SUCCESS) return result;
        auto value = std::make_shared<ConditionalValue>();
        value->handle = driver().next_id();
        value->initial = initial;
        value->assigned = flags != 0;
        graph->conditionals.push_back(value);
        const std::lock_guard lock(values().lock);
        std::erase_if(values().by_handle, [](const auto& known) { return known.second.expired(); });
        values().by_handle[value->handle] = value;
        *out = value->handle;
        return CUDA_SUCCESS;
    });
}

}  // namespace

std::shared_ptr<ConditionalValue> conditional_value(CUgraphConditionalHandle handle) {
    const std::lock_guard lock(values().lock);
    const auto found = values().by_handle.find(handle);
    return found == values().by_handle.end() ? nullptr : found->second.lock();
}

void set_conditional(CUgraphConditionalHandle handle, unsigned value) {
    if (const auto known = conditional_value(handle)) known->now.store(value, std::memory_order_release);
}

CUresult plan_conditional(CUDA_CONDITIONAL_NODE_PARAMS* parameters, ConditionalWork* work) {
    work->type = parameters->type;
    work->value = conditional_value(parameters->handle);
    const bool fits = parameters->type == CU_GRAPH_COND_TYPE_IF
                          ? parameters->size == 1 || parameters->size == 2
                      : parameters->type == CU_GRAPH_COND_TYPE_WHILE ? parameters->size == 1
                      : parameters->type == CU_GRAPH_COND_TYPE_SWITCH
                          ? parameters->size != 0 && parameters->size <= kMostBodies
                          : false;
    if (work->value == nullptr || !fits) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < parameters->size; ++i) {
        auto body = std::make_shared<Graph>(driver().graphs.issue());
        body->child = true;
        driver().graphs.add(body->handle, body);
        work->told.push_back(body->handle);
        work->bodies.push_back(std::move(body));
    }
    parameters->phGraph_out = work->told.data();
    return CUDA_SUCCESS;
}

TaskPtr make_conditional(const GraphExec::Node& node, const ContextPtr& context, int priority) {
    auto task = std::make_shared<Task>();
    task->lane = Lane::kPoll;
    task->priority = priority;
    task->context = context;
    // Asked again and again: it starts a body, waits for its end, and decides anew.
    task->ready = [work = std::get<ConditionalWork>(node.work), bodies = node.bodies, context, priority,
                   running = TaskPtr(), ran = false]() mutable {
        if (running != nullptr && !running->done()) return false;
        running = nullptr;
        if (ran && work.type != CU_GRAPH_COND_TYPE_WHILE) return true;
        const GraphExec* body = choose(work, bodies);
        if (body == nullptr) return true;
        ran = true;
        running = submit_nodes(context, priority, *body, {});
        return running->done() && work.type != CU_GRAPH_COND_TYPE_WHILE;
    };
    return task;
}

void serve_conditionals(DriverTable* table) { BF_SERVE(cuGraphConditionalHandleCreate); }

}  // namespace bitfusion::soft
