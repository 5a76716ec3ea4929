#include "device/soft/work.h"

#include <atomic>
#include <type_traits>

#include "device/soft/driver.h"
#include "device/soft/event.h"
#include "device/soft/launch.h"
#include "device/soft/memory.h"
#include "device/soft/memset.h"
#include "device/soft/stream_value.h"

namespace bitfusion::soft {
namespace {

TaskPtr make_task(const ContextPtr& context, Lane lane, int priority, std::function<void()> body) {
    auto task = std::make_shared<Task>();
    task->lane = lane;
    task->priority = priority;
    task->context = context;
    task->body = std::move(body);
    return task;
}

}  // namespace

std::vector<TaskPtr> make_tasks(const Work& work, const ContextPtr& context, int priority,
                                std::vector<TaskPtr>* after) {
    const auto pool = [&](std::function<void()> body) {
        return std::vector<TaskPtr>{make_task(context, Lane::kPool, priority, std::move(body))};
    };
    return std::visit(
        [&](const auto& one) -> std::vector<TaskPtr> {
            using T = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<T, KernelWork>) {
                return pool([context, kernel = one] { run_kernel(*context, kernel); });
            } else if constexpr (std::is_same_v<T, CopyWork>) {
                return pool([plan = one.plan] { run_copy(plan); });
            } else if constexpr (std::is_same_v<T, SetWork>) {
                return pool([set = one.set] { run_set(set); });
            } else if constexpr (std::is_same_v<T, HostWork>) {
                return {make_task(context, Lane::kHost, priority, [context, host = one] {
                    context->prints.flush();
                    host.function(host.data);
                })};
            } else if constexpr (std::is_same_v<T, CallbackWork>) {
                const TaskPtr task = make_task(context, Lane::kHost, priority, [context, callback = one] {
                    context->prints.flush();
                    callback.function(callback.stream, context->fault(), callback.data);
                });
                task->runs_on_fault = true;
                return {task};
            } else if constexpr (std::is_same_v<T, RecordWork>) {
                return {make_record(*one.event, context)};
            } else if constexpr (std::is_same_v<T, WaitWork>) {
                after->push_back(last_mark_locked(*one.event));
                return {make_task(context, Lane::kInline, priority, nullptr)};
            } else if constexpr (std::is_same_v<T, ValueWork>) {
                return make_value_tasks(one, context, priority);
            } else if constexpr (std::is_same_v<T, FreeWork>) {
                const TaskPtr task = make_task(context, Lane::kPool, priority, [address = one.address] {
                    release(address, {MemoryKind::kPooled, MemoryKind::kDevice});
                });
                task->runs_on_fault = true;
                return {task};
            } else {
                // Empty nodes, allocations (made with their node) and child graphs (expanded by build_exec).
                return {make_task(context, Lane::kInline, priority, nullptr)};
            }
        },
        work);
}

}  // namespace bitfusion::soft
